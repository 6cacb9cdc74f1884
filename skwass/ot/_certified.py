"""Distances of thinned clouds, and how far off these can be: W within a tolerance."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from ..measures.thinning import Thinned, thin
from ._labels import PairLabels
from ._simplex import EPS

# Clouds of no more points are solved whole: thinning would cost as much.
_SMALL = 64
# Where both errors are at most this share of the tolerance, half the interval is within
# it for p = 2, whatever W is: the widest, [0, 6^(1/2) c], is that for W' = 2 c.
_SHARE_W2 = 2 * 6**-0.5
# Clouds that a quarter of their points do not tell well enough are tried with the first
# share of them, then the second.
_MOST, _TRIED = 1 / 4, (1 / 16, 1 / 4)
# The upper bound is this many tolerances above W', at most, where more is tried.
_REACH = 3.0
# In so many dimensions a matrix product is faster than computing distances one by one.
_MIN_DIM = 8
# Numbers of a cost matrix that are looked at in one go.
_BLOCK = 2**18


class Coarse:
    """A collection of measures, each with a thinned copy that is made when asked for.

    Parameters
    ----------
    fine : Histograms, PointClouds, CloudView or PackedClouds
        The measures.
    make : callable
        Takes points and masses, returns a :class:`Thinned`.
    refine : callable, default=None
        The same, for those that the first is too coarse for. It may return None, where
        there is nothing better.
    """

    def __init__(self, fine, make, refine=None):
        self.fine, self.make, self.refine, self.found = fine, make, refine, {}

    def __len__(self):
        return len(self.fine)

    def __sizeof__(self):
        return self.fine.__sizeof__()

    def thinned(self, index, is_fine=False):
        """Return the thinned copy of one measure, or the finer one."""
        key = index, is_fine
        if key not in self.found:
            if is_fine:
                first = self.thinned(index)
                self.found[key] = self.refine(*self.fine.measure(index), first)
            else:
                self.found[key] = self.make(*self.fine.measure(index))
        return self.found[key]

    def packed(self):
        """Return the same for other processes: none thins again what all need."""
        for index in range(len(self)):
            self.thinned(index)
        packed = Coarse(self.fine.packed(), self.make, self.refine)
        packed.found = self.found
        return packed

    @classmethod
    def both(cls, mu, nu, *makers):
        """Return two collections, once if they are one."""
        left = cls(mu, *makers)
        return left, left if nu is mu else cls(nu, *makers)


@dataclass(frozen=True)
class Intervals(PairLabels):
    """Labels that W is at most, with what it is at least."""

    low: np.ndarray | None = None


class Certified:
    """Labels from thinned clouds that are off by no more than a tolerance.

    What W is at least and at most is known from a solve of the thinned clouds. Pairs
    for which that leaves more room than the tolerance are solved whole.

    Parameters
    ----------
    exact : ExactWasserstein
        Solves pairs; its metric is Euclidean.
    tolerance : float
        Of W; None asks for intervals, whatever their width.
    """

    def __init__(self, exact, tolerance=None):
        self.exact, self.tolerance = exact, tolerance

    def __repr__(self):
        return repr(self.exact)

    def makers(self):
        """Return what thins clouds as far as the tolerance lets them be."""
        p = self.exact.p
        settings = {
            "tolerance": (_SHARE_W2 if p == 2 else 0.5) * self.tolerance,
            "p": p,
        }
        return partial(_thin_within, **settings), partial(_thin_less, **settings)

    def _label(self, mu, nu, pairs, *, gradients):
        if gradients:
            raise ValueError(
                f"Got gradients=True with ground_truth={self}, expected "
                "tolerance=None: derivatives are those of whole measures. Leave one "
                "of the two out."
            )
        w, low = np.zeros(len(pairs)), np.zeros(len(pairs))
        converged, is_left = np.ones((2, len(pairs)), dtype=bool)
        for k, (i, j) in enumerate(pairs.tolist()):
            sides = mu.thinned(i), nu.thinned(j)
            if not any(side.error for side in sides):
                continue
            whole = mu.fine.measure(i), nu.fine.measure(j)
            if all(map(np.array_equal, *whole)):
                is_left[k] = False
                continue
            interval = self._narrow(whole, sides)
            if interval is None:
                finer = mu.thinned(i, True), nu.thinned(j, True)
                if finer[0] is not sides[0] or finer[1] is not sides[1]:
                    interval = self._narrow(whole, finer)
            if interval is None:
                continue
            is_left[k] = False
            converged[k] = interval.solution.converged
            low[k], w[k] = interval.low, interval.high
            if self.tolerance is not None:
                # As near to W of the thinned clouds, the better guess, as is certain.
                w[k] = min(
                    max(interval.near, interval.high - self.tolerance),
                    interval.low + self.tolerance,
                )
        if is_left.any():
            labels = self.exact._label(
                mu.fine, nu.fine, pairs[is_left], gradients=False
            )
            w[is_left] = low[is_left] = labels.w
            converged[is_left] = labels.converged
        return Intervals(w, converged, low=low)

    def _narrow(self, whole, sides):
        """Return an interval that the tolerance allows, or None."""
        if self.tolerance is None:
            interval = _Interval(self.exact, *whole, *sides)
            interval.tighten()
            return interval
        if self._is_hopeless(*sides):
            return None
        interval = _Interval(self.exact, *whole, *sides)
        if self._is_worth_more(interval):
            interval.tighten()
        is_narrow = interval.high - interval.low <= 2 * self.tolerance
        return interval if is_narrow else None

    def _is_hopeless(self, left, right):
        """Whether thinning costs too much, whatever W' is: not known for p = 2."""
        off = left.error + right.error
        return self.exact.p != 2 and off > _REACH * self.tolerance

    def _is_worth_more(self, interval):
        """Whether a better lower bound is needed, and has a chance to be enough.

        Bounds by potentials come out about as near to W as the upper bound is far.
        """
        return (
            interval.high - interval.low > 2 * self.tolerance
            and interval.high - interval.near <= _REACH * self.tolerance
        )


class _Interval:
    """What W is at least and at most, by a solve of thinned measures.

    With W' that of the thinned measures and c, c' what thinning cost, W is between
    W' - c - c' and W' + c + c' by the triangle inequality. The plan that spreads what
    goes from cell to cell evenly over their points is admissible; for p = 2 it costs
    `W'^2 + c^2 + c'^2`, since products with deviations from means sum to zero. No W is
    smaller than the distance of the means, which thinning keeps.

    Parameters
    ----------
    exact : ExactWasserstein
        Solves.
    mu, nu : tuple of ndarray
        Points and masses of the whole measures.
    left, right : Thinned
        Their thinned copies.
    """

    def __init__(self, exact, mu, nu, left, right):
        self.mu, self.nu, self.left, self.right = mu, nu, left, right
        self.p = exact.p
        self.unit, self.solution = exact._solve(left[:2], right[:2], needs_plan=True)
        cost, gap = self.solution.cost, self.solution.gap
        self.near = self._root(cost, self.unit)
        step = left.masses @ left.points - right.masses @ right.points
        off = left.error + right.error
        # No more than the optimum, also of a plan that is none.
        least = self._root(cost - gap, self.unit)
        self.low = max(least - off, float(np.linalg.norm(step)))
        self.high = self.near + off
        if self.p == 2:
            self.high = float(np.linalg.norm([self.near, left.error, right.error]))
        self.low = min(self.low, self.high)  # by rounding

    def tighten(self):
        """Look at all pairs of points, which takes longer and is far less than a solve.

        The potentials of the thinned measures, extended to all points by c-transforms,
        are admissible in the dual problem: their integrals are no more than W^p.
        """
        (x, a), (y, b) = self.mu, self.nu
        # Of a unit near the extent, a power of two: costs are far from overflow.
        origin = x.mean(axis=0, dtype=np.float64)
        x, y, ends = (z - origin for z in (x, y, self.right.points))
        exponent = int(np.frexp(max(np.abs(x).max(), np.abs(y).max()))[1])
        x, y, ends = (np.ldexp(z, -exponent) for z in (x, y, ends))
        unit = float(np.ldexp(1.0, exponent))
        costs, (C, error) = _powers(x, ends, self.p)[0], _powers(x, y, self.p)
        costs -= self.solution.g * (self.unit / unit) ** self.p
        f = costs.min(axis=1)
        # Twice: the first f knows only the cells of y.
        g = _least(C, f, 0)
        f = _least(C, g, 1)
        self.low = max(self.low, self._root(a @ f + b @ g - error, unit))
        if self.p != 2:
            self.high = min(self.high, self._root(self._cost_of_spreading(C), unit))
        self.low = min(self.low, self.high)

    def _cost_of_spreading(self, C):
        """Return the cost of the plan that is even between the points of two cells."""
        gather = _gatherer(self.left, self.mu[1]), _gatherer(self.right, self.nu[1])
        between = gather[1] @ (gather[0] @ C).T  # [m', n'] mean costs
        i, j, mass = self.solution.arcs()
        return mass @ between[j, i]

    def _root(self, cost, unit):
        return float(unit * max(cost, 0.0) ** (1 / self.p))


def _gatherer(thinned, a):
    """Return the matrix that takes means over cells: [k, n]."""
    shares = a / thinned.masses[thinned.cells]
    shape = len(thinned.masses), len(a)
    return csr_array((shares, (thinned.cells, np.arange(len(a)))), shape)


def _powers(x, y, p):
    """Return distances to the power p, and what they are off by, at most."""
    d = x.shape[1]
    if p != 2 or d < _MIN_DIM:
        C = cdist(x, y, "sqeuclidean")
        if p != 2:
            C **= p / 2
        return C, 0.0
    # By one matrix product, in which squares cancel.
    x_sq, y_sq = np.square(x).sum(axis=1), np.square(y).sum(axis=1)
    lifted = np.column_stack([-2 * y, np.ones(len(y)), y_sq])
    C = np.column_stack([x, x_sq, np.ones(len(x))]) @ lifted.T
    return C, 2 * (d + 2) * EPS * float(x_sq.max() + y_sq.max())


def _least(C, potential, axis):
    """Return the least entries along an axis, of C less a potential on that axis."""
    step = max(1, _BLOCK // C.shape[1])
    blocks = [slice(k, k + step) for k in range(0, len(C), step)]
    if axis == 1:
        return np.concatenate([(C[own] - potential).min(axis=1) for own in blocks])
    least = np.full(C.shape[1], np.inf)
    for own in blocks:
        np.minimum(least, (C[own] - potential[own, None]).min(axis=0), out=least)
    return least


def _thin_within(x, a, tolerance, p):
    """Thin a cloud so that its error is within a tolerance, if that saves points.

    Otherwise the error is larger. Clouds that are cheap to solve are kept whole.
    """
    n, d = x.shape
    if n <= _SMALL or d == 1:
        return Thinned(x, a, np.arange(n), 0.0)
    found = thin(x, a, tolerance=tolerance, most=int(_MOST * n), p=p)
    if found.points is not x:
        return found
    return thin(x, a, n_points=int(_TRIED[0] * n), p=p)


def _thin_less(x, a, first, tolerance, p):
    """Thin a cloud to more points where the first are too few."""
    if first.error <= tolerance:
        return first
    return thin(x, a, n_points=int(_TRIED[1] * len(x)), p=p)
