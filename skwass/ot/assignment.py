"""Transport between clouds of as many points, all of one mass: a permutation.

A vertex of the plans between such measures is a permutation [Birkhoff 1946], and the
assignment problem is solved in a third of the time that the network simplex takes. Many
pairs go side by side, so that Python is paid per chunk and not per pair.
"""

from typing import NamedTuple

import numpy as np

from ._simplex import EPS, TOLERANCE, Transport

# Numbers in float64 that a batch holds of costs: they stay near the processor.
_MAX_NUMBERS = 2**16
# Beyond this size, assignment and certificate take longer than the simplex (measured).
MAX_POINTS = 64


class Assignments(NamedTuple):
    """Pairs whose optimal plan is a permutation, with certificates."""

    numbers: np.ndarray  # [B] rows of the pairs that were asked for
    costs: np.ndarray  # [B] W^2
    gaps: np.ndarray  # [B] by which these exceed the least, at most
    targets: list  # [B] arrays of shape (n,): where each point of the first goes
    potentials: list  # [B] (f, g) of shape (n,)

    @classmethod
    def join(cls, parts):
        """Return several of them as one."""
        parts = [
            cls(np.empty(0, dtype=np.intp), np.empty(0), np.empty(0), [], []),
            *parts,
        ]
        numbers, costs, gaps, targets, potentials = zip(*parts, strict=True)
        return cls(
            np.concatenate(numbers),
            np.concatenate(costs),
            np.concatenate(gaps),
            [row for part in targets for row in part],
            [row for part in potentials for row in part],
        )

    def transport(self, row):
        """Return one of them as a :class:`Transport`."""
        targets, (f, g) = self.targets[row], self.potentials[row]
        n = len(targets)
        arcs = np.arange(n), targets, np.full(n, 1 / n)
        return Transport(self.costs[row], f, g, arcs, self.gaps[row])


class _Side(NamedTuple):
    """Measures of n points of one mass, about a common center."""

    rows: dict  # row of each measure, by its number
    points: np.ndarray  # [k, n, d] in float64
    squares: np.ndarray  # [k, n] squared lengths


def assign(left, right, pairs):
    """Solve for W2 those pairs that are assignment problems.

    Parameters
    ----------
    left, right : dict of (points, masses)
        Measures by the numbers that the columns of `pairs` have.
    pairs : ndarray of int of shape (n_pairs, 2)
        Which pairs.

    Returns
    -------
    solved : Assignments
        Those whose optimality is certain to nine digits; others are left out.
    """
    numbers = pairs.tolist()
    by_size: dict[int, list[int]] = {}
    for number, (i, j) in enumerate(numbers):
        n, dim = left[i][0].shape
        if n == len(right[j][0]) and n <= MAX_POINTS and dim > 1:
            by_size.setdefault(n, []).append(number)
    parts = []
    for some in by_size.values():
        mu = {numbers[k][0]: left[numbers[k][0]] for k in some}
        nu = {numbers[k][1]: right[numbers[k][1]] for k in some}
        center = next(iter(mu.values()))[0].mean(axis=0, dtype=np.float64)
        x, y = (_even_side(side, center) for side in (mu, nu))
        some = [k for k in some if numbers[k][0] in x.rows and numbers[k][1] in y.rows]
        n = x.points.shape[1]
        step = max(1, _MAX_NUMBERS // n**2)
        for start in range(0, len(some), step):
            batch = some[start : start + step]
            i = [x.rows[numbers[k][0]] for k in batch]
            j = [y.rows[numbers[k][1]] for k in batch]
            parts.append(_assign(np.array(batch), x, y, i, j))
    return Assignments.join(parts)


def _even_side(measures, center):
    """Return those of some measures of n points whose points have one mass."""
    masses = np.stack([a for _, a in measures.values()])
    even = (masses == masses[:, :1]).all(axis=1).tolist()
    kept = [i for i, is_even in zip(measures, even, strict=True) if is_even]
    shape = len(kept), masses.shape[1], len(center)
    points = np.empty(shape)
    for row, i in enumerate(kept):
        np.subtract(measures[i][0], center, out=points[row])
    # Squares that overflow have no certificate, and leave this room.
    with np.errstate(over="ignore"):
        squares = np.einsum("kij,kij->ki", points, points)
    return _Side({i: row for row, i in enumerate(kept)}, points, squares)


def _assign(numbers, x, y, i, j):
    """Return :class:`Assignments` of rows i of x and j of y that are certain."""
    from scipy.optimize import linear_sum_assignment

    n, dim = x.points.shape[1:]
    with np.errstate(over="ignore"):
        largest = x.squares.max(axis=1)[i] + y.squares.max(axis=1)[j]
        rounding = EPS * (dim + 8) * largest
    is_finite = np.isfinite(rounding)
    # steps[b, k, i]: by how much point i pays more than k for what k is assigned.
    steps = np.zeros((len(i), n, n))
    own, targets = np.zeros((len(i), n)), np.zeros((len(i), n), dtype=np.intp)
    everyone, all_costs = np.arange(n), _costs(x, y, i, j)
    for b in np.flatnonzero(is_finite).tolist():
        C = all_costs[b]
        _, sources = linear_sum_assignment(C)
        targets[b, sources] = everyone
        C.take(targets[b], axis=0, out=steps[b])
        own[b] = steps[b].diagonal()
    steps -= own[:, :, None]
    costs = own.mean(axis=1)
    f, gaps = _row_potentials(steps, TOLERANCE / 4 * costs)
    gaps += rounding
    certain = np.flatnonzero(is_finite & (gaps <= TOLERANCE * costs))
    g = np.empty_like(f)
    np.put_along_axis(g, targets, own - f, axis=1)
    return Assignments(
        numbers[certain],
        costs[certain],
        gaps[certain],
        [targets[b] for b in certain],
        [(f[b], g[b]) for b in certain],
    )


def _costs(x, y, i, j):
    """Return squared distances [B, target, source]."""
    with np.errstate(over="ignore", invalid="ignore"):
        if len(set(i)) == 1:  # of one measure to many: one product
            others = y.points[j]
            C = others.reshape(-1, others.shape[2]) @ x.points[i[0]].T
            C = C.reshape(len(i), -1, C.shape[1])
        else:  # one by one: to gather the points of all pairs first takes longer
            C = np.stack(
                [y.points[b] @ x.points[a].T for a, b in zip(i, j, strict=True)]
            )
        C *= -2
        C += y.squares[j][:, :, None]
        C += x.squares[i][:, None]
    return C


def _row_potentials(steps, enough):
    """Return potentials f of rows [B, n], and the duality gaps that they leave: [B].

    With g such that what is assigned costs f + g, potentials are feasible where
    `f_i <= f_k + steps_ki` for all i and k. So f are distances along shortest paths,
    which each sweep makes one arc longer [Bellman 1958]. By how much a sweep lowers
    their mean is the gap. It goes on until gaps are as small as `enough`.
    """
    f = steps.min(axis=1)
    gaps = np.full(len(f), np.inf)
    is_open = np.arange(len(f))
    for _ in range(f.shape[1]):
        before = f[is_open]
        lower = (steps + before[:, :, None]).min(axis=1)
        gaps[is_open] = (before - lower).mean(axis=1)
        wanting = gaps[is_open] > enough[is_open]
        if not wanting.any():
            break
        is_open = is_open[wanting]
        f[is_open] = lower[wanting]
        if not wanting.all():
            steps = steps[wanting]
    return f, gaps
