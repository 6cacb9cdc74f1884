"""Distances of thinned clouds, and how far off these can be: W within a tolerance."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist

from ..measures.thinning import Thinned, thin
from ._labels import PairLabels
from .ground_metric import unit_cost

# Clouds of no more points are solved whole: thinning would cost as much.
_SMALL = 64
# Where both errors are at most this share of the tolerance, half the interval is within
# it for p = 2, whatever W is: the widest, [0, 6^(1/2) c], is that for W' = 2 c.
_SHARE_W2 = 2 * 6**-0.5
# Clouds that half of their points do not tell well enough are tried with a quarter.
_MOST, _TRIED = 1 / 2, 1 / 4
# The upper bound is this many tolerances above W', at most, where more is tried.
_REACH = 4.0
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
    """

    def __init__(self, fine, make):
        self.fine, self.make, self.found = fine, make, {}

    def __len__(self):
        return len(self.fine)

    def __sizeof__(self):
        return self.fine.__sizeof__()

    def thinned(self, index):
        """Return the thinned copy of one measure."""
        if index not in self.found:
            self.found[index] = self.make(*self.fine.measure(index))
        return self.found[index]

    def packed(self):
        """Return the same for other processes: none thins again what all need."""
        packed = Coarse(self.fine.packed(), self.make)
        packed.found = {i: self.thinned(i) for i in range(len(self))}
        return packed

    @classmethod
    def both(cls, mu, nu, make):
        """Return two collections, once if they are one."""
        left = cls(mu, make)
        return left, left if nu is mu else cls(nu, make)


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

    def make(self):
        """Return what thins clouds as far as the tolerance lets them be."""
        p = self.exact.p
        share = _SHARE_W2 if p == 2 else 0.5
        return partial(_thin_within, tolerance=share * self.tolerance, p=p)

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
            if not any(side.error for side in sides) or self._is_hopeless(*sides):
                continue
            whole = mu.fine.measure(i), nu.fine.measure(j)
            is_left[k] = False
            if all(map(np.array_equal, *whole)):
                continue
            interval = _Interval(self.exact, *whole, *sides)
            if self.tolerance is None:
                interval.tighten()
                low[k], w[k] = interval.low, interval.high
                continue
            if self._is_worth_more(interval):
                interval.tighten()
            if interval.high - interval.low > 2 * self.tolerance:
                is_left[k] = True
                continue
            # As near to W of the thinned clouds, the better guess, as is certain.
            w[k] = min(
                max(interval.near, interval.high - self.tolerance),
                interval.low + self.tolerance,
            )
            converged[k] = interval.solution.converged
        if is_left.any():
            labels = self.exact._label(
                mu.fine, nu.fine, pairs[is_left], gradients=False
            )
            w[is_left] = low[is_left] = labels.w
            converged[is_left] = labels.converged
        return Intervals(w, converged, low=low)

    def _is_hopeless(self, left, right):
        """Whether thinning costs too much, whatever W' is: not known for p = 2."""
        off = left.error + right.error
        return (
            self.tolerance is not None
            and self.exact.p != 2
            and off > _REACH * self.tolerance
        )

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
        C, unit = unit_cost(x, y, "euclidean", self.p)
        power = (self.unit / unit) ** self.p
        values = []
        for own, other, potential, matrix, (s, t) in (
            (x, self.right.points, self.solution.g, C, (a, b)),
            (y, self.left.points, self.solution.f, C.T, (b, a)),
        ):
            costs = (cdist(own, other, "sqeuclidean") / unit**2) ** (self.p / 2)
            f = (costs - power * potential).min(axis=1)
            g = _least(matrix.T, f)
            f = _least(matrix, g)
            values.append(s @ f + t @ g)
        self.low = max(self.low, self._root(max(values), unit))
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


def _least(C, potential):
    """Return the least of each row of C, less a potential of the columns."""
    step = max(1, _BLOCK // C.shape[1])
    rows = range(0, len(C), step)
    return np.concatenate([(C[k : k + step] - potential).min(axis=1) for k in rows])


def _thin_within(x, a, tolerance, p):
    """Thin a cloud so that its error is within a tolerance, if that saves points."""
    n, d = x.shape
    if n <= _SMALL or d == 1:
        return Thinned(x, a, np.arange(n), 0.0)
    found = thin(x, a, tolerance=tolerance, most=int(_MOST * n), p=p)
    if found.points is not x:
        return found
    return thin(x, a, n_points=int(_TRIED * n), p=p)
