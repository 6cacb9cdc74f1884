"""Lower bounds of Wasserstein distances, without transport, for many pairs at once.

A bound summarises each measure once, as an array of numbers, and compares summaries of
pairs in blocks. The ground metric is Euclidean; all values are in W units.
"""

from numbers import Integral, Real

import numpy as np
from scipy.spatial.distance import squareform
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from ..measures import Histograms
from ._inputs import check_pairs, read_measures

__all__ = ["centroid_bound", "gaussian_bound", "lower_bound", "projection_bound"]

# Numbers of summaries that are gathered at a time: 2 MB, which stay in the cache.
BLOCK_SIZE = 2**18

_PROJECTION_CONSTRAINTS = {
    "p": [Interval(Real, 1, None, closed="left")],
    "n_projections": [Interval(Integral, 1, None, closed="left")],
    "n_quantiles": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}


class _Centroids:
    """Means, compared by their distance."""

    def summarise(self, measures):
        return np.array([mean for mean, _, _ in measures])

    def compare(self, A, B):
        return np.linalg.norm(A - B, axis=-1)


class _Gaussians:
    """Means on top of factors `R` of covariances `R.T @ R`, compared by Gelbrich."""

    def summarise(self, measures):
        # Factors without the detour over covariances, which would square the rounding.
        parts = [
            np.vstack([mean, np.linalg.qr(np.sqrt(a)[:, None] * x, mode="r")])
            for mean, x, a in measures
        ]
        n_rows = max(len(part) for part in parts)
        return np.array(
            [np.pad(part, ((0, n_rows - len(part)), (0, 0))) for part in parts]
        )

    def compare(self, A, B):
        gap = A[:, 0] - B[:, 0]
        A, B = A[:, 1:], B[:, 1:]
        # [pairs, r, d] @ [pairs, d, r]; tr (S_a^1/2 S_b S_a^1/2)^1/2 is the nuclear
        # norm of R_a R_b.T, for any factors R.
        overlap = _nuclear_norms(A @ B.swapaxes(1, 2))
        total = (A**2).sum(axis=(1, 2)) + (B**2).sum(axis=(1, 2))
        # Rounding of `total` would be a distance of 1e-8 between equal covariances.
        slack = 16 * np.finfo(float).eps * A.shape[2]
        bures_sq = np.maximum(total * (1 - slack) - 2 * overlap, 0)
        return np.sqrt((gap**2).sum(axis=1) + bures_sq)


def _nuclear_norms(M):
    if M.shape[1:] == (2, 2):
        # (s_1 + s_2)^2 = |M|^2 + 2 |det M|, many times as fast.
        det = M[:, 0, 0] * M[:, 1, 1] - M[:, 0, 1] * M[:, 1, 0]
        return np.sqrt((M**2).sum(axis=(1, 2)) + 2 * np.abs(det))
    return np.linalg.svd(M, compute_uv=False).sum(axis=1)


class _Quantiles:
    """Averages of quantile functions over cells, for projections of the measures."""

    def __init__(self, dim, p, n_projections, n_quantiles, random_state):
        self.dim, self.p = dim, p
        self.levels = np.linspace(0, 1, n_quantiles + 1)
        # Columns are projections: the axes, then random orthonormal bases.
        rng, bases = check_random_state(random_state), [np.eye(dim)]
        n_projections = 1 if dim == 1 else n_projections
        while len(bases) * dim < n_projections:
            bases.append(np.linalg.qr(rng.normal(size=(dim, dim)))[0])
        self.directions = np.hstack(bases)[:, :n_projections]

    def summarise(self, measures):
        return np.array([self._cells(*measure) for measure in measures])

    def _cells(self, mean, x, a):
        z = x @ self.directions  # [n, projections]
        order = z.argsort(axis=0, kind="stable")
        a = np.take(a, order)
        # The integral of the quantile function from 0 to c is linear between atoms.
        steps = np.stack([a, a * np.take_along_axis(z, order, axis=0)])
        c, integral = np.pad(steps.cumsum(axis=1), ((0, 0), (1, 0), (0, 0)))
        upto = [
            np.interp(self.levels, *steps)
            for steps in zip(c.T, integral.T, strict=True)
        ]
        cells = np.diff(upto, axis=1) * (len(self.levels) - 1)
        return cells + (mean @ self.directions)[:, None]  # [projections, cells]

    def compare(self, A, B):
        # W_p >= W_2 if p > 2, and neither of the two bounds is always larger.
        gaps, orders = A - B, {self.p, min(self.p, 2)}
        return np.max([self._largest_basis(gaps, p) for p in orders], axis=0)

    def _largest_basis(self, gaps, p):
        w = _lp_norms(gaps, p) / gaps.shape[2] ** (1 / p)  # [pairs, projections]
        bases = [w[:, k : k + self.dim] for k in range(0, w.shape[1], self.dim)]
        return np.max([_lp_norms(basis, max(p, 2)) for basis in bases], axis=0)


def _lp_norms(x, p):
    """Norms of `x` along its last axis, for `p` however large."""
    if p == 2:
        return np.sqrt(np.einsum("...i,...i", x, x))  # once over the memory
    x = np.abs(x)
    peak = x.max(axis=-1, keepdims=True)
    peak[peak == 0] = 1
    return peak[..., 0] * ((x / peak) ** p).sum(axis=-1) ** (1 / p)


class _Frame:
    """Coordinates about a common origin, in a unit that brings them below one."""

    def __init__(self, mu, nu):
        # A median, so that no outlier takes the digits of all others; a power of two,
        # so that scaling does not round.
        centroids = [a @ x for x, a in (mu.measure(i) for i in range(len(mu)))]
        self.origin = np.median(np.asarray(centroids, dtype=np.float64), axis=0)
        points = [
            x
            for m in (mu, nu)
            for x in ([m.support] if isinstance(m, Histograms) else m.points)
        ]
        reach = max(np.abs(x - self.origin).max() for x in points)
        self.unit = np.ldexp(1.0, np.frexp(reach)[1])

    def moments(self, measures):
        """Yield mean, points minus mean, and masses of each measure."""
        for i in range(len(measures)):
            x, a = measures.measure(i)
            x = (x.astype(np.float64, copy=False) - self.origin) / self.unit
            mean = a @ x
            yield mean, x - mean, a


def _evaluate(bounds, mu, nu, pairs):
    """Return the largest of the bounds, in the shape of `pairwise_wasserstein`."""
    if pairs is not None:
        i, j = check_pairs(pairs, len(mu), len(nu)).T
    elif nu is mu:
        i, j = np.triu_indices(len(mu), k=1)
    else:
        i, j = np.indices((len(mu), len(nu))).reshape(2, -1)
    frame, w = _Frame(mu, nu), np.zeros(len(i))
    for bound in bounds:
        A = bound.summarise(frame.moments(mu))
        B = A if nu is mu else bound.summarise(frame.moments(nu))
        step = max(1, BLOCK_SIZE // max(A[0].size, B[0].size))
        for k in range(0, len(i), step):
            block = slice(k, k + step)
            values = bound.compare(A[i[block]], B[j[block]])
            w[block] = np.maximum(w[block], values)
    w *= frame.unit
    if pairs is not None:
        return w
    return squareform(w) if nu is mu else w.reshape(len(mu), len(nu))


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

    Notes
    -----
    `O(n d)` time a measure of n points, `O(d)` time a pair, `O(d)` memory a measure.

    Examples
    --------
    >>> from skwass.ot.bounds import centroid_bound
    >>> centroid_bound([[1, 1, 0, 0], [0, 0, 1, 1]])
    array([[0., 2.],
           [2., 0.]])
    """
    mu, nu = read_measures(X, Y, grid_shape=grid_shape, support=support)
    return _evaluate([_Centroids()], mu, nu, pairs)


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

    Notes
    -----
    With r the smaller of d and the largest number of points: `O(n d r)` time a measure
    of n points, `O(r d)` memory a measure, `O(d r^2 + r^3)` time a pair, without the
    cube in two dimensions. The part of the covariances is rounded down to zero below
    about 1e-7 of the standard deviation.

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
    return _evaluate([_Gaussians()], mu, nu, pairs)


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
    `n_quantiles` numbers a projection. The distances along an orthonormal basis
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
        Cells a projection, at least 1, which compares means. Multiples of it never
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

    Notes
    -----
    `O(n_projections n (d + log n))` time a measure of n points, and
    `n_projections * n_quantiles` numbers of memory a measure and of work a pair.

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
    quantiles = _Quantiles(mu.dim, p, n_projections, n_quantiles, random_state)
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

    Notes
    -----
    The sum of the times of its parts, and the memory of one at a time. Like its parts,
    it exceeds W by rounding alone, about 1e-14 of the extent of the data.

    Examples
    --------
    >>> from skwass.ot.bounds import lower_bound
    >>> lower_bound([[0, 1, 1, 0], [1, 0, 0, 1], [0, 0, 1, 1]], pairs=[[0, 1], [0, 2]])
    array([1., 1.])
    """
    mu, nu = read_measures(X, Y, grid_shape=grid_shape, support=support)
    moments = _Gaussians() if p >= 2 else _Centroids()
    quantiles = _Quantiles(mu.dim, p, n_projections, n_quantiles, random_state)
    return _evaluate([moments, quantiles], mu, nu, pairs)
