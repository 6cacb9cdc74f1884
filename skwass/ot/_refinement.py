"""Exact transport where costs span more digits than a float has.

A solver in floating point compares costs with the largest of all: beside a far atom,
near ones cost nothing. Reduced costs `C - f - g` have the same optimal plans as C, and
those of arcs that matter are small; so another solve, in their unit, sees them [1]_.

References
----------
.. [1] Gleixner, Steffy, Wolter (2016). Iterative refinement for linear programming.
   INFORMS Journal on Computing 28(3).
"""

import numpy as np

from ._forest import Forest
from ._simplex import TOLERANCE, Transport, transport

_MAX_ROUNDS = 24
# Costs are cut off: first at this multiple of the largest that the plan at hand pays,
_FIRST_CAP = 4.0
# later at this multiple of the largest reduced cost that the last plan pays. Potentials
# move by some 1e-13 of the cap, so that no arc beyond the next one comes into question.
_ROOM = 1e5
# Costs are computed anew where all that is paid is below this share of the unit.
_SHORTER = 1e-20
# Beyond this a cost is as good as infinite.
_HUGE = 1e280


def refine(a, b, D, p, max_iter, solution):
    """Solve a transport problem again, in units of what matters.

    Parameters
    ----------
    a, b : ndarray of shape (n,) and (m,)
        Positive masses, with sums that are equal but for rounding.
    D : ndarray of shape (n, m)
        Ground distances; costs are `D^p`.
    p : float
        Order.
    max_iter : int
        Pivots of each solve.
    solution : Transport
        Some basic plan.

    Returns
    -------
    unit : float
        Of length, in which cost and potentials are: the longest way of `solution`.
    solution : Transport
        Its gap holds for masses scaled to equal sums as well as for those given, where
        the difference stays in the cheapest place.
    """
    forest, unit = Forest(a, b, solution.arcs()), np.inf
    while True:
        i, j, _ = forest.arcs
        before, unit = unit, float(D[i, j].max(initial=0.0))
        if unit == 0:  # measures are equal, where sums are not but for their rounding
            gap = float(forest.stray.sum()) if forest.is_balanced else 0.0
            zeros = np.zeros(len(a)), np.zeros(len(b))
            return unit, Transport(0.0, *zeros, forest.arcs, gap)
        # In a unit that is far too long, costs are below what a float can be.
        if unit > before or (unit / before) ** p > _SHORTER:
            return before, solution
        with np.errstate(over="ignore"):
            C = np.minimum((D / unit) ** p, _HUGE)
        forest, solution = _refine(a, b, C, max_iter)


def _refine(a, b, C, max_iter):
    """Return the plan, in exact masses, and the solution for costs C."""
    f, g = np.zeros(len(a)), np.zeros(len(b))
    R, cap = C, _FIRST_CAP
    for _ in range(_MAX_ROUNDS):
        part = transport(a, b, np.minimum(R, cap) / cap, max_iter)
        R, *moves = _reduce(R, cap * part.f, cap * part.g)
        f, g = f + moves[0], g + moves[1]
        forest = Forest(a, b, part.arcs())
        i, j, mass = forest.arcs
        cost, paid = float(mass @ C[i, j]), R[i, j]
        slack = mass @ paid
        if slack <= TOLERANCE / 2 * cost:
            break
        # Also up again, if a plan pays what was cut off.
        cap = min(_ROOM * paid.max(), R.max())
    gap = float(slack + forest.doubt(C, f, g))
    return forest, Transport(cost, f, g, forest.arcs, gap)


def _reduce(R, f, g):
    """Return R - f - g with potentials made feasible, R >= 0, and those potentials."""
    R = _difference(R, f[:, None], g)
    low_f = R.min(axis=1)
    R = R - low_f[:, None]
    low_g = R.min(axis=0)
    return R - low_g, f + low_f, g + low_g


def _difference(C, f, g):
    """Return C - f - g, rounded once: what remains is far smaller than its terms."""
    first, lost = _subtract(C, f)
    second, lost_too = _subtract(first, g)
    return second + (lost + lost_too)


def _subtract(x, y):
    """Return x - y, and what rounding took from it [Knuth, TAOCP 4.2.2]."""
    z = x - y
    y_part = x - z
    x_part = z + y_part
    return z, (x - x_part) - (y - y_part)
