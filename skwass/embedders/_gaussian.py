"""Gaussians in place of measures: their means and covariances."""

import numpy as np

from ..formulas.gaussian import (
    mean_moments,
    paired_gaussian_distances,
    principal_axes,
    summaries_of,
    tangent,
)
from ..measures.subsets import blocks_of
from ..ot.summaries import all_gaussian_distances
from ._training_free import TrainingFreeEmbedder


class GaussianEmbedder(TrainingFreeEmbedder):
    """Replace measures by Gaussians of the same moments, whose W2 is known.

    With means m and covariances S, `pairwise_distances` and `score` are exact::

        W2^2 = |m - m'|^2 + tr(S + S' - 2 (S^1/2 S' S^1/2)^1/2)

    the distance of Frechet, or Bures and Wasserstein [1]_: a lower bound of the W2 of
    the measures, equal for Gaussians, translates and scaled copies. `transform` is an
    *approximation* of it, tangent at the mean covariance C of training measures::

        |z - z'|^2 = |m - m'|^2 + tr((T - T') C (T - T'))
        T = C^-1/2 (C^1/2 S C^1/2)^1/2 C^-1/2

    which is equal where covariances commute, on a line among others, and otherwise
    more, between measures that extend in no direction that C does not. Two moments
    cannot tell many measures apart: see whether they are enough, with `score`, before
    anything costlier.

    Parameters
    ----------
    grid_shape : tuple of int, default=None
        For images: the grid that the bins form, e.g. (28, 28); W is then in pixels. If
        None and `support` too, rows are histograms on a line.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid, such as vectors of words.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        What `score` labels pairs by; a distance of :mod:`skwass.ot`.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps labels, if `random_state` is an integer.
    n_jobs : int, default=None
        Threads that label pairs.
    random_state : int, RandomState instance or None, default=None
        Pairs that `score` labels.

    Attributes
    ----------
    location_ : ndarray of shape (d,)
        Mean of the means of training measures.
    covariance_ : ndarray of shape (d, d)
        Mean of their covariances.
    n_solves_ : int
        0: nothing is solved.
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
    skwass.ot.bounds.gaussian_bound : The same distance, of pairs.
    skwass.SlicedWassersteinEmbedder : Sees more than two moments.

    Notes
    -----
    Embeddings have r (r + 1) / 2 columns for the covariance, r <= d its rank, and d for
    the mean. Directions in which no training measure extends are not seen by
    `transform`; `pairwise_distances` sees all.

    `O(n d^2)` time per measure of n points. A pair takes `O(d^3)` time; all pairs in
    two dimensions are matrix products.

    References
    ----------
    .. [1] Gelbrich (1990). On a formula for the L2 Wasserstein metric between measures
       on Euclidean and Hilbert spaces. Math. Nachr. 147.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass import GaussianEmbedder
    >>> cloud = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    >>> embedder = GaussianEmbedder().fit([cloud, 3 * cloud])
    >>> embedder.pairwise_distances([cloud, cloud + 2.0]).round(3)
    array([[0.   , 2.828],
           [2.828, 0.   ]], dtype=float32)
    """

    _reads_other_bins = True
    _of_points = {"location_": 1, "covariance_": 2}
    _saved = (*TrainingFreeEmbedder._saved, "location_", "covariance_", "n_solves_")

    def __init__(
        self,
        *,
        grid_shape=None,
        support=None,
        ground_truth="exact",
        n_score_pairs=1_000,
        memory=None,
        n_jobs=None,
        random_state=None,
    ):
        self.grid_shape = grid_shape
        self.support = support
        self.ground_truth = ground_truth
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, measures, given, rng):
        location, covariance = mean_moments(measures)
        rank = len(principal_axes(covariance)[0])
        return {
            "location_": location,
            "covariance_": covariance,
            "n_solves_": 0,
            "_n_features_out": rank * (rank + 1) // 2 + len(location),
        }

    def _represent(self, measures):
        return summaries_of(measures, self._own("location_"))

    def _embed(self, measures):
        principal, parts = principal_axes(self._own("covariance_")), []
        for some in blocks_of(measures, 4 * self.covariance_.size):
            summaries = summaries_of(some, self._own("location_"))
            columns = tangent(summaries[:, 1:], *principal), summaries[:, 0]
            parts.append(np.hstack(columns).astype(np.float32))
        return np.concatenate(parts)

    def _all_distances(self, r_x, r_y, squared):
        W = all_gaussian_distances(r_x, r_y)
        return np.square(W, out=W) if squared else W

    def _paired_distances(self, r, pairs):
        return paired_gaussian_distances(r, pairs)
