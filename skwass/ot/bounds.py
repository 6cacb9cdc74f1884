"""Lower bounds of Wasserstein distances, without transport, for many pairs at once.

Each measure is summarised once, and summaries of pairs are compared in blocks. The
ground metric is Euclidean; all values are in W units.
"""

from numbers import Integral, Real

import numpy as np
from scipy.spatial.distance import squareform
from sklearn.utils._param_validation import Interval, validate_params

from .inputs import check_pairs, read_measures
from .summaries import Centroids, Frame, Gaussians, Quantiles

__all__ = ["centroid_bound", "gaussian_bound", "lower_bound", "projection_bound"]

# Numbers of summaries that are gathered at a time: 2 MB, which stay in the cache.
BLOCK_SIZE = 2**18

_PROJECTION_CONSTRAINTS = {
    "p": [Interval(Real, 1, None, closed="left")],
    "n_projections": [Interval(Integral, 1, None, closed="left")],
    "n_quantiles": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}


def _evaluate(bounds, mu, nu, pairs):
    """Return the largest of the bounds, in the shape of `pairwise_wasserstein`."""
    if pairs is not None:
        mu, nu, (i, j) = _named(mu, nu, check_pairs(pairs, len(mu), len(nu)))
    elif nu is mu:
        i, j = np.triu_indices(len(mu), k=1)
    else:
        i, j = np.indices((len(mu), len(nu))).reshape(2, -1)
    frame, w = Frame(mu, nu), np.zeros(len(i))
    rounding = frame.rounding(mu)
    rounding = rounding[i] + (rounding if nu is mu else frame.rounding(nu))[j]
    for bound in bounds:
        A = bound.summarise(frame.moments(mu))
        B = A if nu is mu else bound.summarise(frame.moments(nu))
        step = max(1, BLOCK_SIZE // max(A[0].size, B[0].size))
        for k in range(0, len(i), step):
            block = slice(k, k + step)
            values = bound.compare(A[i[block]], B[j[block]])
            w[block] = np.maximum(w[block], values - rounding[block])
    w *= frame.unit
    if pairs is not None:
        return w
    return squareform(w) if nu is mu else w.reshape(len(mu), len(nu))


def _named(mu, nu, pairs):
    """Return the measures that pairs name, and what they are called then."""
    if nu is mu:
        rows, numbers = np.unique(pairs, return_inverse=True)
        mu = mu[rows]
        return mu, mu, numbers.reshape(pairs.shape).T
    rows, i = np.unique(pairs[:, 0], return_inverse=True)
    columns, j = np.unique(pairs[:, 1], return_inverse=True)
    return mu[rows], nu[columns], (i, j)


def centroid_bound(X, Y=None, *, pairs=None, grid_shape=None, support=None):
    """Distances of the means, which no W_p exceeds, p >= 1.

    Equal to W if one measure is a translation of the other.

    Parameters
    ----------
    X : array-like of shape (n_x, n_bins), or a collection of n_x point clouds
        Measures, as in :func:`skwass.measures.as_measures`.
    Y, pairs : array-like, default=None
        Other measures, and which pairs, as in :func:`skwass.ot.pairwise_wasserstein`.
    grid_shape, support : tuple of int, array-like, default=None
        Histograms only: where the bins are.

    Returns
    -------
    bound : ndarray of shape (n_pairs,), (n_x, n_x) or (n_x, n_y)
        As :func:`skwass.ot.pairwise_wasserstein` returns W.

    Raises
    ------
    ValueError
        For bad measures or pairs, or spaces of different dimension.

    See Also
    --------
    lower_bound : The largest of all bounds.

    Notes
    -----
    `O(n d)` time per measure of n points, `O(d)` time per pair, `O(d)` memory per
    measure.

    Examples
    --------
    >>> from skwass.ot.bounds import centroid_bound
    >>> centroid_bound([[1, 1, 0, 0], [0, 0, 1, 1]])
    array([[0., 2.],
           [2., 0.]])
    """
    mu, nu = read_measures(X, Y, grid_shape=grid_shape, support=support)
    return _evaluate([Centroids()], mu, nu, pairs)


def gaussian_bound(X, Y=None, *, pairs=None, grid_shape=None, support=None):
    """Distances W_2 of Gaussians with the same moments, which no W_p exceeds, p >= 2.

    `sqrt(|m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a^1/2 S_b S_a^1/2)^1/2))` with means `m`
    and covariances `S` [1]_. Equal to W_2 if a map `x -> T x + t` with `T` symmetric
    and positive semi-definite takes one measure to the other. No bound of W_1.

    Parameters
    ----------
    X : array-like of shape (n_x, n_bins), or a collection of n_x point clouds
        Measures, as in :func:`skwass.measures.as_measures`.
    Y, pairs : array-like, default=None
        Other measures, and which pairs, as in :func:`skwass.ot.pairwise_wasserstein`.
    grid_shape, support : tuple of int, array-like, default=None
        Histograms only: where the bins are.

    Returns
    -------
    bound : ndarray of shape (n_pairs,), (n_x, n_x) or (n_x, n_y)
        As :func:`skwass.ot.pairwise_wasserstein` returns W.

    Raises
    ------
    ValueError
        For bad measures or pairs, or spaces of different dimension.

    See Also
    --------
    lower_bound : The largest of all bounds.
    skwass.GaussianEmbedder : Vectors whose distance approximates it.

    Notes
    -----
    With r the smaller of d and the largest number of points: `O(n d r)` time per
    measure of n points, `O(r d)` memory per measure, `O(d r^2 + r^3)` time per pair,
    without the cube in two dimensions. The part of the covariances is rounded down to
    zero below about 1e-7 of the standard deviation.

    References
    ----------
    .. [1] Gelbrich (1990). On a formula for the L2 Wasserstein metric between measures
       on Euclidean and Hilbert spaces. Math. Nachr. 147, Theorem 2.1.

    Examples
    --------
    >>> from skwass.ot.bounds import gaussian_bound
    >>> gaussian_bound([[0, 1, 1, 0], [1, 0, 0, 1]])
    array([[0., 1.],
           [1., 0.]])
    """
    mu, nu = read_measures(X, Y, grid_shape=grid_shape, support=support)
    return _evaluate([Gaussians()], mu, nu, pairs)


@validate_params(_PROJECTION_CONSTRAINTS, prefer_skip_nested_validation=True)
def projection_bound(
    X,
    Y=None,
    *,
    pairs=None,
    p=2,
    n_projections=16,
    n_quantiles=32,
    random_state=0,
    grid_shape=None,
    support=None,
):
    """Distances W_p of projections on lines, combined so that they do not exceed W_p.

    On a line, W_p is the L_p distance of quantile functions. Averages over cells of
    probability `1 / n_quantiles` are no further apart (Jensen), so a measure becomes
    `n_quantiles` numbers per projection. The distances along an orthonormal basis
    combine, and the largest value over the bases counts.

    Parameters
    ----------
    X : array-like of shape (n_x, n_bins), or a collection of n_x point clouds
        Measures, as in :func:`skwass.measures.as_measures`.
    Y, pairs : array-like, default=None
        Other measures, and which pairs, as in :func:`skwass.ot.pairwise_wasserstein`.
    p : float, default=2
        Order of the distance, at least 1.
    n_projections : int, default=16
        Lines, at least 1: the axes, then random orthonormal bases, of which the last
        may be incomplete. More never lower the bound. Below d, it sees the first axes
        alone. One is enough on a line.
    n_quantiles : int, default=32
        Cells per projection, at least 1, which compares means. Multiples of it never
        lower the bound.
    random_state : int, RandomState instance or None, default=0
        Of the random bases.
    grid_shape, support : tuple of int, array-like, default=None
        Histograms only: where the bins are.

    Returns
    -------
    bound : ndarray of shape (n_pairs,), (n_x, n_x) or (n_x, n_y)
        As :func:`skwass.ot.pairwise_wasserstein` returns W.

    Raises
    ------
    ValueError
        For bad measures, pairs or settings, or spaces of different dimension.

    See Also
    --------
    lower_bound : The largest of all bounds.
    skwass.SlicedWassersteinEmbedder : Vectors of quantiles on many lines.

    Notes
    -----
    `O(n_projections n (d + log n))` time per measure of n points, and
    `n_projections * n_quantiles` numbers of memory per measure and of work per pair.

    With `z` the difference of the two ends of an optimal plan and `z_k` its
    coordinates, `E |z|^p >= sum_k E |z_k|^p` for p >= 2, and by Minkowski's inequality
    `(E |z|^p)^(2/p) >= sum_k (E |z_k|^p)^(2/p)` for p <= 2. Beyond p = 2 the bound of
    W_2 is taken where it is larger.

    Examples
    --------
    >>> from skwass.ot.bounds import projection_bound
    >>> projection_bound([[1, 0, 0, 0], [0, 1, 0, 1]], p=1)
    array([[0., 2.],
           [2., 0.]])
    """
    mu, nu = read_measures(X, Y, grid_shape=grid_shape, support=support)
    quantiles = Quantiles(mu.dim, p, n_projections, n_quantiles, random_state)
    return _evaluate([quantiles], mu, nu, pairs)


@validate_params(_PROJECTION_CONSTRAINTS, prefer_skip_nested_validation=True)
def lower_bound(
    X,
    Y=None,
    *,
    pairs=None,
    p=2,
    n_projections=16,
    n_quantiles=32,
    random_state=0,
    grid_shape=None,
    support=None,
):
    """Largest of the bounds of this module that hold for W_p.

    :func:`projection_bound`, with :func:`gaussian_bound` for p >= 2 and
    :func:`centroid_bound` below.

    Parameters
    ----------
    X : array-like of shape (n_x, n_bins), or a collection of n_x point clouds
        Measures, as in :func:`skwass.measures.as_measures`.
    Y, pairs : array-like, default=None
        Other measures, and which pairs, as in :func:`skwass.ot.pairwise_wasserstein`.
    p : float, default=2
        Order of the distance, at least 1.
    n_projections : int, default=16
    n_quantiles : int, default=32
    random_state : int, RandomState instance or None, default=0
        As in :func:`projection_bound`.
    grid_shape, support : tuple of int, array-like, default=None
        Histograms only: where the bins are.

    Returns
    -------
    bound : ndarray of shape (n_pairs,), (n_x, n_x) or (n_x, n_y)
        As :func:`skwass.ot.pairwise_wasserstein` returns W.

    Raises
    ------
    ValueError
        For bad measures, pairs or settings, or spaces of different dimension.

    See Also
    --------
    centroid_bound : Distances of means.
    projection_bound : Distances of projections.
    skwass.ot.pairwise_wasserstein : W itself.

    Notes
    -----
    The sum of the times of its parts, and the memory of one at a time. Like its parts,
    it is lowered by what rounding may add, about 1e-14 of the extent of a measure.

    Examples
    --------
    >>> from skwass.ot.bounds import lower_bound
    >>> lower_bound([[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 1, 1]], pairs=[[0, 1], [0, 2]])
    array([1., 1.])
    """
    mu, nu = read_measures(X, Y, grid_shape=grid_shape, support=support)
    moments = Gaussians() if p >= 2 else Centroids()
    quantiles = Quantiles(mu.dim, p, n_projections, n_quantiles, random_state)
    return _evaluate([moments, quantiles], mu, nu, pairs)
