"""Transport on a line: mass moves in order, and no other plan costs less."""

import numpy as np

from ._forest import are_equal, whole_numbers
from ._simplex import EPS, TOLERANCE, Transport, plan_in_order


def transport_on_line(x, y, a, b, p):
    """Return the unit of length and the cost of moving mass in order.

    Parameters
    ----------
    x, y : ndarray of shape (n,) and (m,)
        Positions.
    a, b : ndarray of shape (n,) and (m,)
        Positive masses with equal sums but for rounding.
    p : float
        Order, at least 1.

    Returns
    -------
    unit : float
        The longest way.
    solution : Transport
        Without potentials and arcs.
    """
    order_x, order_y = np.argsort(x), np.argsort(y)
    x, a, y, b = x[order_x], a[order_x], y[order_y], b[order_y]
    i, j, mass = plan_in_order(a, b)
    unit, cost = _cost(x[i] - y[j], mass, p)
    if unit > 0:
        # Sums of masses are off by rounding, so that a little of each piece of the plan
        # has the cost of the next, or of one end of either.
        shift = EPS * (len(a) + len(b) + 4)
        for bound in (_largest_swing, _swings):
            with np.errstate(over="ignore"):
                gap = shift * bound(x[i], y[j], unit, p) + EPS * cost
            if gap <= TOLERANCE * cost:
                return unit, Transport(cost, None, None, None, gap)
    return _without_rounding(x, y, a, b, p)


def _largest_swing(x, y, unit, p):
    """Bound the same by the number of pieces and the largest cost."""
    crossed = np.abs(x[1:] - y[:-1]), np.abs(x[:-1] - y[1:])
    longest = max(part.max(initial=unit) for part in crossed)
    return (len(x) + 1) * np.float64(longest / unit) ** p


def _swings(x, y, unit, p):
    """Return how much costs differ from one piece of the plan to the next, in all."""
    corners = np.stack([x[:-1] - y[:-1], x[1:] - y[1:], x[:-1] - y[1:], x[1:] - y[:-1]])
    corners = (np.abs(corners) / unit) ** p
    edges = np.abs([x[0] - y[0], x[-1] - y[-1]]) / unit
    inside = corners.max(axis=0) - corners[:2].min(axis=0)
    return float((edges**p).sum() + inside.sum())


def _without_rounding(x, y, a, b, p):
    """Fill in order from the left, from the right, and with masses of equal sums.

    In whole numbers. The three differ where sums of masses do, which then matters.
    """
    whole_a, whole_b, one = whole_numbers(a, b)
    sum_a, sum_b = sum(whole_a), sum(whole_b)
    scaled = [mass * sum_b for mass in whole_a], [mass * sum_a for mass in whole_b]
    left, right = slice(None), slice(None, None, -1)
    found = [
        _cost(x[turn][i] - y[turn][j], np.array([mass / one for mass in masses]), p)
        for turn, (i, j, masses), one in (
            (left, _fill(whole_a, whole_b), one),
            (right, _fill(whole_a[right], whole_b[right]), one),
            (left, _fill(*scaled), one * sum_b),
        )
    ]
    longest = max(unit for unit, _ in found)
    _, place = np.unique(np.concatenate([x, y]), return_inverse=True)
    places = place[: len(x)], place[len(x) :]
    if longest == 0 or (sum_a != sum_b and are_equal(*places, a, b)):
        return 0.0, Transport(0.0, None, None, None, 0.0)
    found.sort(key=lambda way: way[1] * (way[0] / longest) ** p)
    unit, cost = found[0]
    with np.errstate(all="ignore"):
        units = np.array([way[0] for way in found]) / unit
        gap = np.max(units**p * [way[1] for way in found]) - cost
    return unit, Transport(cost, None, None, None, gap + EPS * cost)


def _cost(steps, mass, p):
    """Return the longest step that mass takes, and the cost in its unit."""
    steps, mass = np.abs(steps[mass > 0]), mass[mass > 0]
    unit = float(steps.max(initial=0.0))
    cost = float(mass @ (steps / unit) ** p) if unit > 0 else 0.0
    return unit, cost


def _fill(a, b):
    """Return sources, targets and masses of the plan that fills both in order."""
    i = j = 0
    arcs = []
    left_a, left_b = a[0], b[0]
    while i < len(a) and j < len(b):
        mass = min(left_a, left_b)
        if mass:
            arcs.append((i, j, mass))
        left_a, left_b = left_a - mass, left_b - mass
        if not left_a:
            i += 1
            left_a = a[i] if i < len(a) else 0
        if not left_b:
            j += 1
            left_b = b[j] if j < len(b) else 0
    return [list(column) for column in zip(*arcs, strict=True)]
