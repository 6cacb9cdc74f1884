"""The nearest stored measures of one measure, with a proof, by few exact solves.

Exact distances to the measures that an embedding finds nearest give a radius. All
others have lower bounds: from summaries first; then from the potentials of each solve,
which bound the distances to all measures; then from potentials of their own, which a
few entropic sweeps give for a fraction of a solve. The smallest bound is always raised
next. Once none is below the radius, nothing can be nearer.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._targets import Bounding

# A bound has to exceed the radius by this share of the cost: W is known no better.
CERTAIN = 1e-9
# Arcs of a solve above which potentials by sweeps are tried first (measured).
_MIN_ARCS = 1_000
# Arcs of the solves between two looks at all bounds, and how many solves at most.
_BATCH_ARCS, _MAX_BATCH = 2**15, 16
# What a solve takes per arc, in costs of a potential's extension (measured).
_SOLVE = 60
# What is pruned by potentials counts this much in the running mean.
_FORGET = 0.3


@dataclass
class Found:
    """What is known of the neighbours of one measure."""

    distances: np.ndarray  # [k] W, ascending
    indices: np.ndarray  # [k] rows of stored measures
    radius: float  # W that all others are to exceed
    lower: float  # W that all others have at least
    is_proved: bool
    n_solves: int
    n_rough: int  # potentials by sweeps
    left: dict = field(default_factory=dict)  # how many bounds left over, by name
    n_unconverged: int = 0


class Search:
    """Search for the neighbours of one measure.

    Parameters
    ----------
    source : Source
        The measure.
    targets : Targets
        Stored measures.
    candidates : ndarray of int
        Rows of those that may be neighbours.
    low : ndarray of shape (n_candidates,)
        What W is at least, for each.
    more : iterable of (name, function)
        Other bounds: from rows of targets to what W is at least.
    n_neighbors : int, default=None
        How many are wanted; None for all within a radius.
    radius : float, default=np.inf
        Largest W of interest.
    max_solves : int, default=None
        Exact solves, at most.
    """

    def __init__(
        self,
        source,
        targets,
        candidates,
        low,
        more=(),
        *,
        n_neighbors=None,
        radius=np.inf,
        max_solves=None,
    ):
        self.source, self.targets, self.more = source, targets, more
        self.n_neighbors, self.radius = n_neighbors, radius
        self.max_solves = np.inf if max_solves is None else max_solves
        # Of candidates that are neither solved nor certain to be far.
        self.rows = np.asarray(candidates)
        self.low = source.power(np.maximum(low, 0))
        self.is_rough = np.zeros(len(self.rows), dtype=bool)
        self.solved: dict[int, float] = {}
        self.n_rough = self.n_unconverged = 0
        self.least_pruned = np.inf
        self.left = {"all": len(self.rows)}
        # What bounds some targets, and where in it those are that are left.
        self.bounding: Any = None
        self.place = np.arange(len(self.rows))
        self.gain: Any = None

    def run(self, seeds):
        """Search, beginning with exact solves of some candidates.

        Parameters
        ----------
        seeds : ndarray of int
            Rows of targets, likely neighbours.

        Returns
        -------
        found : Found
        """
        potentials = self._solve_seeds(seeds)
        self._prune("means")
        for name, bound in self.more:
            if len(self.rows):
                self._raise(self.source.power(np.maximum(bound(self.rows), 0)))
                self._prune(name)
        if len(self.rows) and not self.source.on_line:
            self._use_duals(potentials)
        while len(self.rows) and len(self.solved) < self.max_solves:
            self._step()
        return self._found()

    def _solve_seeds(self, seeds):
        """Solve seeds, batch by batch; return the potentials of those solves."""
        potentials = []
        step = self._batch_size(seeds)
        seeds = seeds[: int(min(len(seeds), self.max_solves))]
        for start in range(0, len(seeds), step):
            potentials += self._solve(seeds[start : start + step])
        self._forget(np.isin(self.rows, seeds))
        return potentials

    def _use_duals(self, potentials):
        """Bound by nearest points, then by the potentials of solves so far."""
        self.bounding = Bounding(self.source, self.targets.only(self.rows)[0])
        self.place = np.arange(len(self.rows))
        # The first rule out most, and the others are then soon applied to the rest.
        for some in (potentials[:1], potentials[1:3], potentials[3:]):
            if len(self.rows):
                self._apply(some)
                self._prune("potentials")
        if len(self.rows):
            self._raise(self.bounding.relaxed()[self.place])
            self._prune("nearest")

    def _step(self):
        """Raise the smallest bounds: by sweeps first, then by exact solves."""
        n = min(self._batch_size(self.rows), len(self.rows))
        front = np.arange(len(self.rows))
        if n < len(front):
            front = np.argpartition(self.low, n - 1)[:n]
        front = front[np.argsort(self.low[front], kind="stable")]
        potentials, is_solved = [], np.zeros(len(self.rows), dtype=bool)
        to_solve = []
        for k in front.tolist():
            if self.is_rough[k] or self.source.on_line or not self._is_big(k):
                to_solve.append(k)
                continue
            C, b = self.bounding.costs_to(self.place[k])
            potentials.append(self.source.rough_potential(C, b))
            self.is_rough[k] = True
            self.n_rough += 1
        room = self.max_solves - len(self.solved)
        to_solve = to_solve[: int(min(room, len(to_solve)))]
        if to_solve:
            potentials += self._solve(self.rows[to_solve])
            is_solved[to_solve] = True
        self._forget(is_solved)
        if len(self.rows):
            self._apply_where_it_pays(potentials)
            self._prune()

    def _is_big(self, k):
        n_points = self.targets.sizes[self.rows[k]]
        return len(self.source.masses) * n_points >= _MIN_ARCS

    def _batch_size(self, rows):
        arcs = len(self.source.masses) * self.targets.sizes[rows].max(initial=1)
        return int(np.clip(_BATCH_ARCS // arcs, 1, _MAX_BATCH))

    def _solve(self, rows):
        """Solve for some rows; lower the radius; return potentials."""
        w, converged, potentials = self.source.solve(self.targets.measures(rows))
        self.n_unconverged += int(np.count_nonzero(~converged))
        self.solved.update(zip(rows.tolist(), w.tolist(), strict=True))
        k = self.n_neighbors
        if k is not None and len(self.solved) >= k:
            nearest = np.partition(np.fromiter(self.solved.values(), float), k - 1)
            self.radius = min(self.radius, float(nearest[k - 1]))
        return [f for f in potentials if f is not None]

    def _apply_where_it_pays(self, potentials):
        """Bound all that are left by potentials, or as many as are worth it."""
        if self.bounding is None or not potentials:
            return
        n = len(self.rows)
        arcs = self.bounding.n * self.targets.sizes[self.rows].mean()
        # Pruning one saves a solve; to bound all takes n_costs each time.
        price = len(potentials) * self.bounding.n_costs / (_SOLVE * arcs)
        if self.gain is None or self.gain >= price or n <= 2 * _MAX_BATCH:
            pruned = self._apply(potentials)
            old = pruned if self.gain is None else self.gain
            self.gain = (1 - _FORGET) * old + _FORGET * pruned
            return
        front = np.argpartition(self.low, _MAX_BATCH)[:_MAX_BATCH]
        self._apply(potentials, front)

    def _apply(self, potentials, some=None):
        """Raise bounds of all, or of some, by potentials; return how many that ends."""
        if not potentials:
            return 0
        before = np.count_nonzero(self._is_far())
        if some is None:
            self._raise(self.bounding.by_potentials(potentials)[self.place])
        else:
            bounding = self.bounding.only(self.place[some])
            values = bounding.by_potentials(potentials)
            self.low[some] = np.maximum(self.low[some], values)
        return np.count_nonzero(self._is_far()) - before

    def _raise(self, low):
        np.maximum(self.low, low, out=self.low)

    def _is_far(self):
        return self.low > (1 + CERTAIN) * self.source.power(self.radius)

    def _prune(self, name=None):
        """Drop what is certain to be beyond the radius; note how many are left."""
        is_far = self._is_far()
        if is_far.any():
            self.least_pruned = min(self.least_pruned, self.low[is_far].min())
            self._forget(is_far)
        if name is not None:
            self.left[name] = len(self.rows)

    def _forget(self, is_gone):
        if not is_gone.any():
            return
        kept = np.flatnonzero(~is_gone)
        self.rows, self.low = self.rows[kept], self.low[kept]
        self.is_rough, self.place = self.is_rough[kept], self.place[kept]
        if self.bounding is None or not len(kept):
            return
        # To copy what is left, each time that it is halved, costs least in all.
        if 2 * len(kept) <= len(self.bounding.targets):
            self.bounding = self.bounding.only(self.place)
            self.place = np.arange(len(kept))

    def _found(self):
        self.left["rest"] = len(self.rows)
        rows = np.fromiter(self.solved, np.intp, len(self.solved))
        w = np.fromiter(self.solved.values(), float, len(rows))
        order = np.lexsort([rows, w])
        if self.n_neighbors is not None:
            order = order[: self.n_neighbors]
        else:
            order = order[w[order] <= self.radius]
        others = min(self.least_pruned, self.low.min(initial=np.inf))
        beyond = np.delete(np.arange(len(rows)), order)
        lower = min(
            float(self.source.length(others)), float(w[beyond].min(initial=np.inf))
        )
        return Found(
            w[order],
            rows[order],
            float(self.radius),
            lower,
            len(self.rows) == 0 and self.n_unconverged == 0,
            len(self.solved),
            self.n_rough,
            self.left,
            self.n_unconverged,
        )
