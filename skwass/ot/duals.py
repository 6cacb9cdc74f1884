"""One measure against many: exact solves, and bounds of all others by potentials.

By duality, `W^p >= sum_i a_i f_i + sum_j b_j g_j` for any f and g with
`f_i + g_j <= c(x_i, y_j)`. For given f on the points of one measure, the c-transform
`g(y) = min_i c(x_i, y) - f_i` is the largest such g, at any point y: so potentials that
one solve found bound the distances to all other measures.
"""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import clone

from ._exact import ExactWasserstein
from ._simplex import EPS, _likely_arcs
from .assignment import assign
from .ground_metric import BinMetric, ground_distances, is_euclidean, settle_metric

# In so many dimensions a matrix product is faster than computing distances one by one.
_MIN_DIM = 8
# Numbers that stay near the processor.
_NEAR_NUMBERS = 2**15
# W below this share of the unit may be rounding, between equal measures.
_NEARLY_ZERO = 1e-6
# Below it, numbers have fewer digits.
_TINY = float(np.finfo(float).tiny)


def has_duals(truth):
    """Whether potentials of a ground truth bound it: it is an exact W_p."""
    return type(truth) is ExactWasserstein and truth.tolerance is None


def is_on_line(truth, dim):
    """Whether pairs are solved by sorting, which is faster than any bound."""
    return dim == 1 and is_euclidean(truth.ground_metric)


class Source:
    """A measure whose distances to others are solved, and bounded from below.

    Costs are `(d(x, y) / unit)^p`, and values of plans and potentials are in them.

    Parameters
    ----------
    truth : ExactWasserstein
        The distance, as :func:`settle_metric` leaves it.
    points : ndarray of shape (n, d)
        Support of the measure.
    masses : ndarray of shape (n,)
        Positive masses, of sum 1.
    unit : float, default=1.0
        A length, so large that costs do not overflow.
    """

    def __init__(self, truth, points, masses, unit=1.0):
        self.truth, self.unit = truth, float(unit)
        self.points, self.masses = points, masses
        self.is_euclidean = is_euclidean(truth.ground_metric)
        self.on_line = is_on_line(truth, points.shape[1])

    def power(self, w):
        """Return W as what costs add up to: `(w / unit)^p`."""
        return (np.asarray(w, dtype=np.float64) / self.unit) ** self.truth.p

    def length(self, value):
        """Return the W that a value of plans stands for."""
        return self.unit * np.maximum(value, 0) ** (1 / self.truth.p)

    def costs(self, Y):
        """Return costs to points Y [n, m], or slightly less where they are rounded."""
        p = self.truth.p
        if not self.is_euclidean:
            D = ground_distances(self.points, Y, self.truth.ground_metric)
            return (D / self.unit) ** p
        if len(self.points[0]) < _MIN_DIM:
            C = cdist(self.points, Y, "sqeuclidean")
        else:
            C = _squares_below(self.points, np.asarray(Y, dtype=np.float64))
        C /= self.unit**2
        return C if p == 2 else C ** (p / 2)

    def rough_potential(self, C, b):
        """Return a potential f [n] for a measure at costs C, by a few entropic sweeps.

        It takes a small part of the time of an exact solve, and its bound of W2^2
        falls 2 % short of it, in the median of pairs of images.
        """
        with np.errstate(all="ignore"):
            _, _, g = _likely_arcs(self.masses, b, np.ascontiguousarray(C))
            f = (C - g).min(axis=1)
        return f if np.isfinite(f).all() else np.zeros(len(f))

    def extend(self, C, f):
        """Return g [m], what f leaves for points at costs C: their c-transform."""
        g = np.empty(C.shape[1])
        step = max(1, _NEAR_NUMBERS // len(C))
        for start in range(0, len(g), step):
            part = slice(start, start + step)
            (C[:, part] - f[:, None]).min(axis=0, out=g[part])
        return g

    def value(self, f):
        """Return `sum_i a_i f_i`."""
        return float(self.masses @ f)

    def rounding(self, C_max, f, m):
        """Bound what rounding adds to the dual value for a measure of m points."""
        n, dim = self.points.shape
        reach = C_max + 2 * np.abs(f).max()
        # Costs of other metrics may be so small that digits are lost at any size.
        return EPS * (n + m + dim + 16) * reach + (n + m) * _TINY

    def solve(self, others):
        """Solve against some measures.

        Parameters
        ----------
        others : list of (points, masses)
            Measures.

        Returns
        -------
        w : ndarray of shape (n_others,)
            Distances W, exactly 0 to the same points and masses.
        converged : ndarray of bool of shape (n_others,)
            Whether they are certain to nine digits.
        potentials : list of ndarray of shape (n,)
            For each f, its mean over the measure 0; None where there is none.
        """
        own = self.points, self.masses
        w, converged = np.empty(len(others)), np.empty(len(others), dtype=bool)
        potentials = [None] * len(others)
        left = np.arange(len(others))
        if self.is_euclidean and self.truth.p == 2:
            pairs = np.column_stack([np.zeros(len(others), dtype=int), left])
            found = assign({0: own}, dict(enumerate(others)), pairs)
            w[found.numbers] = np.sqrt(found.costs)
            converged[found.numbers] = True
            for k, (f, _) in zip(found.numbers, found.potentials, strict=True):
                potentials[k] = self._centred(f, 1.0)
            left = np.setdiff1d(left, found.numbers)
        for k in left:
            unit, solution = self.truth._solve(
                own, others[k], needs_plan=not self.on_line
            )
            w[k] = unit * max(solution.cost, 0.0) ** (1 / self.truth.p)
            converged[k] = solution.converged
            if solution.f is not None:
                potentials[k] = self._centred(solution.f, unit)
        for k in np.flatnonzero(w <= _NEARLY_ZERO * self.unit):
            if all(map(np.array_equal, own, others[k])):
                w[k] = 0.0
        return w, converged, potentials

    def _centred(self, f, unit):
        """Return a potential in costs, whose constant takes no digits."""
        f = f * np.float64(unit / self.unit) ** self.truth.p
        f -= self.masses @ f
        return f if np.isfinite(f).all() else np.zeros(len(f))


def on_bins(truth, measures):
    """Return measures, with numbers of bins for points if the metric is a matrix.

    Parameters
    ----------
    truth : ExactWasserstein
        Its metric may be a matrix of distances between bins.
    measures : Histograms or PointClouds
        On these bins.
    """
    return settle_metric(truth.ground_metric, measures, measures)[0]


def looked_up(truth):
    """Return a distance whose metric takes points, of :func:`on_bins` for a matrix."""
    metric = truth.ground_metric
    if isinstance(metric, str) or callable(metric):
        return truth
    metric = BinMetric(np.asarray(metric, dtype=np.float64))
    return clone(truth).set_params(ground_metric=metric)


def _squares_below(X, Y):
    """Return squared distances by one matrix product, less what rounding may add."""
    center = Y.mean(axis=0)
    x, y = X - center, Y - center
    x_sq, y_sq = (np.einsum("ij,ij->i", z, z) for z in (x, y))
    C = (-2 * x) @ y.T
    C += x_sq[:, None]
    C += y_sq
    # Sums of d products, each rounded, and three sums of these.
    C -= EPS * (X.shape[1] + 8) * (x_sq.max() + y_sq.max())
    return np.maximum(C, 0, out=C)
