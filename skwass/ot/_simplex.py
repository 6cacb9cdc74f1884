"""Exact transport on a few arcs, certified on all.

POT is imported by the functions that solve, here and in its other users: it takes as
long as everything else between torch and the first embedder.
"""

from typing import NamedTuple

import numpy as np

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
_TINY = 1e-300


class Transport(NamedTuple):
    """Solution of one transport problem; None where not asked for."""

    cost: float
    f: np.ndarray | None  # [n] potential of the sources
    g: np.ndarray | None  # [m] potential of the targets
    flow: tuple | np.ndarray | None  # (sources, targets, masses), or a dense plan
    converged: bool

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
    return Transport(cost, f, g, plan, code == _OPTIMAL)


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
        arcs = np.flatnonzero(kept)
        i, j = np.divmod(arcs.astype(np.uint64), np.uint64(len(b)))
        costs = C.ravel()[arcs]
        *flow, cost, f, g, code = emd_c_sparse(a, b, i, j, costs, max_iter, f, g)
        if code != _OPTIMAL:
            return None
        reduced = C - f[:, None]
        reduced -= g
        # Arcs that the solver had are optimal to its own tolerance.
        wanted = reduced < -1e-13 * cost
        wanted &= ~kept
        if not wanted.any():
            return Transport(cost, f, g, tuple(flow), True)
        kept |= wanted
    return None


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
