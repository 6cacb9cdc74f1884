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

from ._forest import Forest, are_equal, places_of
from ._simplex import TOLERANCE, Transport, transport

_MAX_ROUNDS = 24
# The first cap on costs, over the longest path times the largest cost that a plan pays,
# which bounds potentials; by which it grows, if that is too little; and each later cap,
# over the largest reduced cost that the last plan pays. Potentials then move by some
# 1e-13 of the last cap, so that no arc beyond the next one comes into question.
_FIRST_CAP, _GROWTH, _ROOM = 2.0, 1e6, 1e5
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
            where_a, where_b = places_of(D)
            gap = 0.0 if are_equal(where_a, where_b, a, b) else np.inf
            zeros = np.zeros(len(a)), np.zeros(len(b))
            return unit, Transport(0.0, *zeros, forest.arcs, gap)
        # In a unit that is far too long, costs are below what a float can be.
        is_fine = solution.converged and solution.cost > _SHORTER
        if before < np.inf and (is_fine or (unit / before) ** p > _SHORTER):
            return before, solution
        with np.errstate(over="ignore"):
            C = np.minimum((D / unit) ** p, _HUGE)
        forest, solution = _refine(a, b, C, max_iter, forest)


def _refine(a, b, C, max_iter, known):
    """Return a plan, in exact masses, and the solution for costs C.

    Caps fall from round to round: what is rounded in one is then far below the next.
    """
    cap = first_cap = _FIRST_CAP * (len(a) + len(b))
    R, f, g = C, np.zeros(len(a)), np.zeros(len(b))
    least = _cost(known, C)
    for _ in range(_MAX_ROUNDS):
        part = transport(a, b, np.minimum(R, cap) / cap, max_iter)
        constant = part.f[0]
        moves = _reduce(R, cap * (part.f - constant), cap * (part.g + constant))
        forest = Forest(a, b, part.arcs())
        i, j, _ = forest.arcs
        paid = moves[0][i, j].max(initial=0.0)
        if paid > cap / _ROOM and cap < C.max():
            # The plan pays what was cut off: all again, with more.
            cap = first_cap = _GROWTH * first_cap
            R, f, g = C, np.zeros(len(a)), np.zeros(len(b))
            continue
        R, f, g = moves[0], f + moves[1], g + moves[2]
        cost = _cost(forest, C)
        slack = forest.arcs[2] @ R[i, j]
        if slack <= TOLERANCE / 2 * cost:
            break
        cap = min(_ROOM * paid, cap / 2)
    # A plan that costs less than this one would prove the certificate wrong.
    gap = slack + forest.doubt(C, f, g) + max(cost - least, 0.0)
    return forest, Transport(cost, f, g, forest.arcs, float(gap))


def _cost(forest, C):
    i, j, mass = forest.arcs
    return float(mass @ C[i, j])


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
