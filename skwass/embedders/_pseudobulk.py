"""Means in place of measures, which is what pseudobulk keeps of cells."""

import numpy as np

from ..formulas.correction import fit_scale, gaps_squared
from ..formulas.private_axis import fit_private
from ..measures.subsets import center_of, means_of, variances_of
from ..nn.readouts import Readout
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
        They are then no lower bound. With a private axis that number is another, fitted
        together with the share of the variance.
    private_axis : bool, default=False
        Whether a last column holds a multiple of the deviation of each measure, fitted
        at the same time, which `scale` must be: small clouds in many dimensions share
        little, and what they have alone adds up. Measures share it whose means are near
        each other, as niches are that have cells in common. Of niches of 11 cells with
        155 genes R2 of W rises from below 0 to 0.96.
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
    private_share_ : float
        Factor of the variance that the private axis is the root of; 0 without one.
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
    Embeddings have d columns, `scale_` times the mean less `location_`, and one more
    with a private axis. `O(n d)` time per measure of n points. Raises ValueError for a
    private axis without `scale`.

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

    _parameter_constraints = {
        **ScaledEmbedder._parameter_constraints,
        "private_axis": ["boolean"],
    }
    _reads_other_bins = True
    _of_points = {"location_": 1}
    _saved = (*ScaledEmbedder._saved, "location_", "private_share_", "_reach")

    def __init__(
        self,
        *,
        scale=False,
        private_axis=False,
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
        self.private_axis = private_axis
        self.n_pairs = n_pairs
        self.grid_shape = grid_shape
        self.support = support
        self.ground_truth = ground_truth
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, measures, given, rng):
        if self.private_axis and not self.scale:
            raise ValueError(
                "Got private_axis=True with scale=False, expected scale=True: both are "
                "fitted to distances. Set both, or neither."
            )
        pairs, w, n_solves = self._label(measures, given, rng, self.n_pairs)
        location, scale, share, reach = center_of(measures), 1.0, 0.0, None
        if self.scale:
            rows, ends = np.unique(pairs, return_inverse=True)
            ends = ends.reshape(-1, 2)
            means = means_of(measures[rows], location)
            if self.private_axis:
                own = variances_of(measures[rows])[:, None]
                scale, (share,), reach = fit_private(means, own, ends, w)
            else:
                scale = fit_scale(gaps_squared(means, ends), w)
        return {
            "location_": location,
            "scale_": float(scale),
            "private_share_": float(share),
            "_reach": reach,
            "n_pairs_": len(pairs),
            "n_solves_": n_solves,
            "_n_features_out": measures.dim + (reach is not None),
        }

    def _embed(self, measures):
        Z = self.scale_ * means_of(measures, self._own("location_"))
        if self._reach is not None:
            own = self.private_share_ * variances_of(measures)
            Z = np.column_stack([Z, np.sqrt(own)])
        return Z.astype(np.float32)

    @property
    def _readout(self):
        if self._reach is None:
            return super()._readout
        return Readout((self._n_features_out - 1,), 0, self._reach)
