"""Means in place of measures, which is what pseudobulk keeps of cells."""

import numpy as np

from ..formulas.correction import fit_scale, gaps_squared
from ..measures.subsets import center_of, means_of
from ._training_free import ScaledEmbedder


class PseudobulkEmbedder(ScaledEmbedder):
    """Embed measures by their means, as if nothing else were known of them.

    The baseline that any embedder should beat. The distance of means is the part of W2
    that is due to location, and what biologists compare who sum the cells of a sample::

        W2^2 = |m - m'|^2 + W2^2 of the centred measures

    so it is a lower bound, equal for translates. Where it correlates with W2 as well as
    a better embedder does, the data hold little beyond means, or the embedder learned
    little else: a correlation does not tell, since it ignores the unit. See R2.

    Parameters
    ----------
    scale : bool, default=False
        Whether to multiply distances by one number, fitted to W2 of `n_pairs` pairs.
        They are then no lower bound.
    n_pairs : int, default=500
        Pairs whose distances are solved in `fit`, if `scale`.
    grid_shape : tuple of int, default=None
        For images: the grid that the bins form, e.g. (28, 28); W is then in pixels. If
        None and `support` too, rows are histograms on a line.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid, such as vectors of words.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        What `score`, and `fit` if `scale`, label pairs by; a distance of
        :mod:`skwass.ot`.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps labels, if `random_state` is an integer.
    n_jobs : int, default=None
        Threads that label pairs.
    random_state : int, RandomState instance or None, default=None
        Pairs.

    Attributes
    ----------
    location_ : ndarray of shape (d,)
        Mean of the means of training measures, which embeddings are relative to.
    scale_ : float
        Factor of distances; 1 without `scale`.
    n_pairs_ : int
        Pairs that the scale was fitted to.
    n_solves_ : int
        Solves of `fit` that were not in `memory`.
    n_features_in_ : int
        Dimension of the points of clouds; number of bins of histograms.
    support_ : ndarray of shape (`n_features_in_`, d) or None
        Positions of the bins of histograms.
    grid_shape_ : tuple of int or None
        The grid that they form, if any.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if `X` has any.

    See Also
    --------
    skwass.SlicedRegressionEmbedder : The other baseline, accurate and slower.
    skwass.GaussianEmbedder : Means and covariances.
    skwass.ot.bounds.centroid_bound : The same distance, of pairs.

    Notes
    -----
    Embeddings have d columns, `scale_` times the mean less `location_`. `O(n d)` time
    per measure of n points.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass import PseudobulkEmbedder
    >>> cloud = np.array([[-1.0, 0.0], [1.0, 0.0]])
    >>> embedder = PseudobulkEmbedder().fit([cloud, cloud + 2.0])
    >>> embedder.pairwise_distances([cloud, 3 * cloud, cloud + 2.0]).round(3)
    array([[0.   , 0.   , 2.828],
           [0.   , 0.   , 2.828],
           [2.828, 2.828, 0.   ]], dtype=float32)
    """

    _reads_other_bins = True
    _of_points = {"location_": 1}
    _saved = (*ScaledEmbedder._saved, "location_")

    def __init__(
        self,
        *,
        scale=False,
        n_pairs=500,
        grid_shape=None,
        support=None,
        ground_truth="exact",
        n_score_pairs=1_000,
        memory=None,
        n_jobs=None,
        random_state=None,
    ):
        self.scale = scale
        self.n_pairs = n_pairs
        self.grid_shape = grid_shape
        self.support = support
        self.ground_truth = ground_truth
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, measures, given, rng):
        pairs, w, n_solves = self._label(measures, given, rng, self.n_pairs)
        location, scale = center_of(measures), 1.0
        if self.scale:
            rows, ends = np.unique(pairs, return_inverse=True)
            means = means_of(measures[rows], location)
            scale = fit_scale(gaps_squared(means, ends.reshape(-1, 2)), w)
        return {
            "location_": location,
            "scale_": float(scale),
            "n_pairs_": len(pairs),
            "n_solves_": n_solves,
            "_n_features_out": measures.dim,
        }

    def _embed(self, measures):
        means = means_of(measures, self._own("location_"))
        return (self.scale_ * means).astype(np.float32)
