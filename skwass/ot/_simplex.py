"""Exact transport on a few arcs, certified on all: a plan comes with its duality gap.

POT is imported by the functions that solve, here and in its other users: it takes as
long as everything else between torch and the first embedder.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order

# A plan is optimal that costs no more than this share above the optimum.
TOLERANCE = 1e-9
EPS = float(np.finfo(float).eps)
# What POT's solver returns when it proved optimality.
_OPTIMAL = 1
# Below this many arcs, choosing among them costs more than it saves (measured).
_MIN_ARCS = 6_000
# Regularisation that finds the arcs, in mean costs; each stage divides by 4.
_REG, _SWEEPS = 0.02, (2, 3, 10)
# An arc is kept that carries this share of the mass of one of its ends.
_SHARE = 3e-3
# Beyond this share of all arcs the dense solver is as fast.
_MAX_KEPT = 0.25
_MAX_ROUNDS = 4
# Reduced costs above this share of the cost are none to speak of.
_SLACK = -1e-13
_TINY = 1e-300


class Transport(NamedTuple):
    """Solution of one transport problem; None where not asked for."""

    cost: float
    f: np.ndarray | None  # [n] potential of the sources
    g: np.ndarray | None  # [m] potential of the targets
    flow: tuple | np.ndarray | None  # (sources, targets, masses), or a dense plan
    gap: float  # by which the cost exceeds the least there is, at most
    proved: bool = True  # whether the solver came to its end

    @property
    def converged(self):
        """Whether the cost is the least there is, to nine digits."""
        return bool(self.gap <= TOLERANCE * self.cost)

    def arcs(self):
        """Return sources, targets and masses of what an optimal plan moves."""
        if isinstance(self.flow, np.ndarray):
            i, j = np.nonzero(self.flow)
            return i, j, self.flow[i, j]
        return self.flow


def transport(a, b, C, max_iter):
    """Solve a transport problem exactly.

    An entropic plan, far from converged, is enough to tell which arcs an optimal plan
    may use: a few percent of all. POT's network simplex solves on those, from the
    entropic potentials. By linear programming its answer is optimal for all arcs unless
    some other arc has a negative reduced cost; such arcs are added and the rest
    repeated. If that does not settle in a few rounds, the dense solver does it.

    Parameters
    ----------
    a, b : ndarray of shape (n,) and (m,)
        Positive masses with equal sums.
    C : ndarray of shape (n, m)
        Costs in [0, 1].
    max_iter : int
        Pivots.

    Returns
    -------
    solution : Transport
    """
    from ot.lp.emd_wrap import emd_c

    if C.size >= _MIN_ARCS and C.any():
        solution = _transport_on_few_arcs(a, b, C, max_iter)
        if solution is not None:
            return solution
    plan, cost, f, g, code = emd_c(a, b, C, max_iter, 1)
    gap = _gap_of_plan(a, b, f, g, plan, C)
    solution = Transport(cost, f, g, plan, gap, code == _OPTIMAL)
    return solution if solution.converged else _from_its_tree(a, b, C, solution)


def _transport_on_few_arcs(a, b, C, max_iter):
    """Return a solution that is optimal among all arcs, or None."""
    from ot.lp.emd_wrap import emd_c_sparse

    with np.errstate(all="ignore"):
        kept, f, g = _likely_arcs(a, b, C)
    if np.count_nonzero(kept) > _MAX_KEPT * C.size:
        return None
    i, j, _ = plan_in_order(a, b)
    kept[i, j] = True  # with these a plan exists
    for _ in range(_MAX_ROUNDS):
        numbers = np.flatnonzero(kept)
        i, j = np.divmod(numbers, len(b))
        costs = C.ravel()[numbers]
        *ends, mass, cost, f, g, code = emd_c_sparse(
            a, b, i.astype(np.uint64), j.astype(np.uint64), costs, max_iter, f, g
        )
        if code != _OPTIMAL:
            return None
        reduced = _reduced(C, f, g)
        # Arcs that the solver had are optimal to its own tolerance.
        wanted = reduced < _SLACK * cost
        wanted &= ~kept
        if not wanted.any():
            i, j = (end.astype(np.intp) for end in ends)
            known = (a, b, f, g, (i, j, mass), reduced)
            # All rows could be as low as the lowest; then see how low each is.
            low = min(reduced.ravel()[numbers].min(), _SLACK * cost)
            gap = _gap_of_arcs(*known, low)
            if gap > TOLERANCE * cost:
                gap = _gap_of_arcs(*known, reduced.min(axis=1))
            solution = Transport(cost, f, g, (i, j, mass), gap)
            return solution if solution.converged else _from_its_tree(a, b, C, solution)
        kept |= wanted
    return None


def _reduced(C, f, g):
    reduced = C - f[:, None]
    reduced -= g
    return reduced


def _from_its_tree(a, b, C, solution):
    """Return a solution with potentials computed anew along the arcs of its plan.

    The solver adds to them pivot by pivot, beside costs of its own that are a hundred
    times as large as any. Left as they are where arcs do not join all points.
    """
    i, j, mass = solution.arcs()
    n, n_nodes = len(a), len(a) + len(b)
    graph = coo_array((np.ones(len(i)), (i, n + j)), shape=(n_nodes, n_nodes)).tocsr()
    order, parent = breadth_first_order(graph, 0, directed=False)
    if len(order) < n_nodes:
        return solution
    ends = np.sort([order[1:], parent[order[1:]]], axis=0)
    steps = C[ends[0], ends[1] - n].tolist()
    height = [0.0] * n_nodes
    known = zip(order[1:].tolist(), parent[order[1:]].tolist(), steps, strict=True)
    for node, before, cost in known:
        height[node] = cost - height[before]
    f, g = np.array(height[:n]), np.array(height[n:])
    reduced = _reduced(C, f, g)
    gap = _gap_of_arcs(a, b, f, g, (i, j, mass), reduced, reduced.min(axis=1))
    better = solution._replace(f=f, g=g, gap=gap)
    return better if gap < solution.gap else solution


def _gap_of_plan(a, b, f, g, plan, C):
    """Return the duality gap of a dense plan and potentials for costs C."""
    reduced = _reduced(C, f, g)
    sums = plan.sum(axis=1), plan.sum(axis=0)
    slack = np.vdot(plan, reduced) - a @ reduced.min(axis=1)
    return _duality_gap(a, b, f, g, slack, sums, np.count_nonzero(plan))


def _gap_of_arcs(a, b, f, g, arcs, reduced, low):
    """Return that of a plan on arcs, where reduced costs are known, and the least."""
    i, j, mass = arcs
    sums = np.bincount(i, mass, len(a)), np.bincount(j, mass, len(b))
    slack = np.abs(reduced[i, j]) @ mass - (a * low).sum()
    return _duality_gap(a, b, f, g, slack, sums, len(mass))


def _duality_gap(a, b, f, g, slack, sums, n_arcs):
    """Bound how much more a plan costs than the optimum, whatever was rounded.

    Parameters
    ----------
    a, b, f, g : ndarray of shape (n,) or (m,)
        Masses, and potentials of a basic solution.
    slack : float
        What the plan pays in reduced costs once f is lowered, or raised, to where the
        least of each row is 0: potentials are feasible then.
    sums : tuple of (ndarray of shape (n,), ndarray of shape (m,))
        Sums of the plan, which should be a and b.
    n_arcs : int
        How many arcs carry mass.
    """
    # A constant may be large, and moves from f to g. Euclidean norms bound the largest
    # entry, and sums but for a root, in one pass.
    constant = float(f[0])
    f, g = f - constant, g + constant
    # Reduced costs near 0 are rounded as potentials are.
    size = sqrt(f @ f) + sqrt(g @ g)
    # Where arcs join all points, mass that is missing costs no more than potentials
    # differ; otherwise up to 1.
    reach = size if n_arcs >= len(a) + len(b) - 1 else 1 + size
    missing = sum(
        sqrt(len(own) * (rest @ rest))
        for own, rest in ((a, sums[0] - a), (b, sums[1] - b))
    )
    rounding = 4 * EPS * (size + abs(constant)) + _TINY
    return float(abs(slack) + missing * reach + rounding)


def _likely_arcs(a, b, C):
    """Return a mask of arcs that an optimal plan may use, and rough potentials."""
    eps = _REG * C.mean() * 4 ** (len(_SWEEPS) - 1)
    K = np.exp(C * (-1 / eps))
    v = np.ones(len(b))
    for stage, n_sweeps in enumerate(_SWEEPS):
        if stage:
            eps /= 4
            for power in (K, v):  # exp(-C / eps) and exp(g / eps) for the new eps
                np.square(power, out=power)
                np.square(power, out=power)
        for _ in range(n_sweeps):
            u = a / (K @ v + _TINY)
            v = b / (u @ K + _TINY)
        v /= v.max()
    u = a / (K @ v + _TINY)
    K *= u[:, None]
    K *= v
    kept = K >= np.minimum.outer(_SHARE * a, _SHARE * b)
    return kept, eps * np.log(u + _TINY), eps * np.log(v + _TINY)


def plan_in_order(a, b):
    """Return sources, targets and masses of the plan that fills both in order."""
    ends_a = np.cumsum(a)
    # All but the last; by rounding, one might lie behind the end of all sources.
    ends_b = np.cumsum(b)[:-1].clip(max=ends_a[-1])
    stops = np.sort(np.concatenate([ends_a, ends_b]))
    starts = np.concatenate([[0.0], stops[:-1]])
    return (
        np.searchsorted(ends_a[:-1], starts, side="right"),
        np.searchsorted(ends_b, starts, side="right"),
        stops - starts,
    )
