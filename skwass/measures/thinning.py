"""Cells of a cloud, and what it costs to move each to its mean."""

from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

# Steps toward the direction that a cell is longest in; then of 2-means along it.
_N_POWER_STEPS, _N_CUT_SWEEPS = 4, 3
# Sweeps of k-means over all cells, which end sooner where nothing changes.
_N_SWEEPS = 10
# Sweeps take about this share off the cost, so that cutting may stop earlier.
_GAIN = 0.1


class Thinned(NamedTuple):
    """A cloud of fewer points, and where those of the whole cloud are in it."""

    points: np.ndarray  # [k, d] means of cells
    masses: np.ndarray  # [k]
    cells: np.ndarray  # [n] the cell of each point of the cloud
    error: float  # at least W_p between the cloud and this one


def thin(x, a, *, n_points=None, tolerance=None, most=None, p=2):
    """Gather the points of a cloud in cells, and return the mean of each.

    Points that coincide become one first, in an order of their own: so neither the
    order of points matters nor into how many pieces a mass is split. Then the cell that
    costs most is cut in two, across the direction it is longest in, again and again;
    sweeps of k-means settle the borders.

    Parameters
    ----------
    x : ndarray of shape (n, d)
        Points.
    a : ndarray of shape (n,)
        Masses, of sum 1.
    n_points : int, default=None
        Points to keep, at most.
    tolerance : float, default=None
        Cells are cut until the error is no larger than this, if `n_points` is None.
    most : int, default=None
        Give up beyond so many points and return the cloud itself, for a tolerance.
    p : float, default=2
        Order of the distance that the error is in.

    Returns
    -------
    thinned : Thinned
    """
    whole = Thinned(x, a, np.arange(len(x)), 0.0)
    if n_points is not None and len(x) <= n_points:
        return whole
    points, owners = np.unique(
        np.asarray(x, dtype=np.float64), axis=0, return_inverse=True
    )
    owners, masses = owners.ravel(), np.bincount(owners.ravel(), a)
    # About the mean and in a unit of their own, so that no square over- or underflows.
    center = masses @ points / masses.sum()
    z = points - center
    exponent = int(np.frexp(np.abs(z).max())[1])
    z = np.ldexp(z, -exponent)
    bisection = _Bisection(z, masses, p)
    if n_points is not None:
        bisection.cut(n_cells=n_points)
        cells, error = _settle(z, masses, bisection.cells(), p)
    else:
        tolerance = np.ldexp(tolerance, -exponent)
        goal = tolerance * (1 + _GAIN)
        while True:
            bisection.cut(cost=goal**p, n_cells=most)
            if bisection.total > goal**p and len(bisection.heap) == most:
                return whole
            cells, error = _settle(z, masses, bisection.cells(), p)
            if error <= tolerance:
                break
            goal *= min(1 - _GAIN / 2, tolerance / error)
    means, sums = _means(z, masses, cells)
    return Thinned(
        center + np.ldexp(means, exponent),
        sums / sums.sum(),
        cells[owners],
        float(np.ldexp(error, exponent)),
    )


class _Bisection:
    """Cells that are cut in two, the one that costs most first."""

    def __init__(self, z, a, p):
        self.z, self.a, self.p = z, a, p
        self.heap, self.n_made, self.total = [], 0, 0.0
        self._add(np.arange(len(z)))

    def cut(self, *, n_cells=None, cost=0.0):
        """Cut until there are so many cells or all cost so little."""
        while self.total > cost and self.heap[0][0] < 0:
            if len(self.heap) == n_cells:
                return
            loss, _, rows, z = heappop(self.heap)
            self.total += loss
            is_left = _cut(z, self.a[rows])
            self._add(rows[is_left])
            self._add(rows[~is_left])

    def cells(self):
        """Return the number of the cell of each point."""
        numbers = np.empty(len(self.z), dtype=int)
        for number, (_, _, rows, _) in enumerate(self.heap):
            numbers[rows] = number
        return numbers

    def _add(self, rows):
        z, a = self.z[rows], self.a[rows]
        z = z - a @ z / a.sum()
        cost = float(a @ np.square(z).sum(axis=1) ** (self.p / 2))
        if len(rows) == 1:
            cost = 0.0  # but for rounding
        self.total += cost
        self.n_made += 1  # of cells that cost the same, the older one goes first
        heappush(self.heap, (-cost, self.n_made, rows, z))


def _cut(z, a):
    """Return which points of a cell, given about its mean, go to one side."""
    squares = np.square(z).sum(axis=1)
    direction = z[np.argmax(squares)] / np.sqrt(squares.max())
    for _ in range(_N_POWER_STEPS):
        longer = z.T @ (a * (z @ direction))
        length = np.linalg.norm(longer)
        if length == 0:
            break
        direction = longer / length
    is_left = z @ direction <= 0
    for _ in range(_N_CUT_SWEEPS):
        if is_left.all() or not is_left.any():
            break
        left, right = (
            a[side] @ z[side] / a[side].sum() for side in (is_left, ~is_left)
        )
        step = right - left
        moved = z @ step <= step @ (left + right) / 2
        if np.array_equal(moved, is_left):
            break
        is_left = moved
    if is_left.all() or not is_left.any():  # by rounding
        is_left = np.arange(len(z)) == np.argmax(squares)
    return is_left


def _settle(z, a, cells, p):
    """Move borders by k-means while that pays; return cells and the error."""
    best, least = cells, _error(z, a, cells, p)
    for _ in range(_N_SWEEPS):
        means, _ = _means(z, a, cells)
        gaps = z @ (-2 * means.T)  # [n, k] squared distances, less those of z
        gaps += np.square(means).sum(axis=1)
        _, nearest = np.unique(gaps.argmin(axis=1), return_inverse=True)
        if np.array_equal(nearest, cells):
            break
        cells, error = nearest, _error(z, a, nearest, p)
        if error < least:
            best, least = cells, error
    return best, least


def _means(z, a, cells):
    """Return means and masses of cells."""
    sums = np.bincount(cells, a)
    gather = csr_array((a, (cells, np.arange(len(z)))), (len(sums), len(z)))
    return gather @ z / sums[:, None], sums


def _error(z, a, cells, p):
    """Return the p-th root of what it costs to move all points to their means."""
    means, _ = _means(z, a, cells)
    steps = np.square(z - means[cells]).sum(axis=1)
    return float(a @ steps ** (p / 2)) ** (1 / p)
