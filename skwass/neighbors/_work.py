"""Searches for many measures, block by block: here, in threads or on a cluster."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from sys import getsizeof

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from ..ot.duals import Source
from ..ot.ground_metric import is_euclidean
from ..ot.threads import SingleThreaded
from ._bounds import Summaries
from ._search import CERTAIN, Found, Search
from ._targets import Targets

# Measures whose neighbours one task searches for.
BLOCK_SIZE = 32


@dataclass(frozen=True, eq=False, repr=False)
class Work:
    """All that tasks share. One object, so that a cluster gets it once."""

    truth: object
    targets: Targets
    summaries: Summaries | None
    rows: np.ndarray | None  # [n_targets] what targets are called; None if by position
    queries: Targets
    # [n_queries] rows of likely neighbours, the likeliest first; the only candidates
    # where there are no summaries.
    likely: list
    exclude: np.ndarray | None  # [n_queries] row that is no neighbour
    n_neighbors: int | None
    radius: float
    max_solves: int | None
    is_shared: bool = False

    def __sizeof__(self):
        return getsizeof(self.targets) + getsizeof(self.queries)

    @property
    def n_blocks(self):
        """How many tasks there are."""
        return -(-len(self.queries) // BLOCK_SIZE)

    def shard(self, rows):
        """Return the same search among some of the targets."""
        number = np.full(len(self.targets), -1)
        number[rows] = np.arange(len(rows))
        exclude = self.exclude
        return replace(
            self,
            targets=self.targets.only(rows)[0],
            summaries=None if self.summaries is None else self.summaries.only(rows),
            rows=rows,
            likely=[_known(number[some]) for some in self.likely],
            exclude=None if exclude is None else number[exclude],
        )


def _known(numbers):
    return numbers[numbers >= 0]


def search_blocks(works, numbers, n_jobs=None):
    """Search for blocks of measures in all parts of the stored ones.

    Parameters
    ----------
    works : list of Work
        One for each part of the stored measures.
    numbers : iterable of int
        Which blocks.
    n_jobs : int, default=None
        Workers: threads, unless :func:`joblib.parallel_config` says otherwise.

    Yields
    ------
    number : int
        Of a block.
    found : list of Found
        For each of its measures.
    """
    is_shared = effective_n_jobs(n_jobs) > 1
    works = [replace(work, is_shared=is_shared) for work in works]
    parallel = Parallel(
        n_jobs=n_jobs, prefer="threads", batch_size=1, return_as="generator"
    )
    numbers = list(numbers)
    results = parallel(
        delayed(_search_block)(work, number) for number in numbers for work in works
    )
    for number in numbers:
        parts = [next(results) for _ in works]
        found = [
            merged(some, works[0].n_neighbors) for some in zip(*parts, strict=True)
        ]
        yield number, found


def _search_block(work, number):
    """Search for one block of measures, in whatever process this is."""
    with SingleThreaded() if work.is_shared else nullcontext():
        start = number * BLOCK_SIZE
        queries = np.arange(start, min(start + BLOCK_SIZE, len(work.queries)))
        own = low = None
        if work.summaries is not None:
            block = Targets(work.queries.masses[queries], work.queries.points)
            own = Summaries.of(work.summaries.bounds, block)
            low = own.first(work.summaries)
        return [
            _search_one(work, query, k, own, None if low is None else low[k])
            for k, query in enumerate(queries.tolist())
        ]


def _search_one(work, query, k, own, low):
    source = Source(work.truth, *work.queries.measure(query))
    source.unit = _unit(source, work.targets)
    excluded = -1 if work.exclude is None else work.exclude[query]
    likely = work.likely[query]
    likely = likely[likely != excluded]
    if low is None:
        candidates, low, more = np.sort(likely), np.zeros(len(likely)), ()
    else:
        candidates = np.arange(len(low))
        if excluded >= 0:
            candidates = np.delete(candidates, excluded)
            low = low[candidates]
        more = own.more(k, work.summaries)
    search = Search(
        source,
        work.targets,
        candidates,
        low,
        more,
        n_neighbors=work.n_neighbors,
        radius=work.radius,
        max_solves=work.max_solves,
    )
    found = search.run(likely[: work.n_neighbors] if work.n_neighbors else likely[:0])
    if work.rows is not None:
        found.indices = work.rows[found.indices]
    return found


def _unit(source, targets):
    """Return a length in which costs are below one, so that no power overflows."""
    if not is_euclidean(source.truth.ground_metric):
        return 1.0
    reach = targets.reach + np.abs(source.points).max()
    return float(np.ldexp(1.0, np.frexp(reach * source.points.shape[1] ** 0.5)[1]))


def merged(parts, n_neighbors):
    """Return what searches in parts of the stored measures found, as one."""
    if len(parts) == 1:
        return parts[0]
    w = np.concatenate([part.distances for part in parts])
    rows = np.concatenate([part.indices for part in parts])
    order = np.lexsort([rows, w])
    dropped = np.inf
    if n_neighbors is not None:
        dropped = w[order[n_neighbors:]].min(initial=np.inf)
        order = order[:n_neighbors]
    names = dict.fromkeys(name for part in parts for name in part.left)
    radius = float(w[order[-1]]) if n_neighbors is not None else parts[0].radius
    lower = min(float(dropped), *(part.lower for part in parts))
    n_unconverged = sum(part.n_unconverged for part in parts)
    # What one part could not rule out may be further than what another found.
    is_beyond = n_unconverged == 0 and lower > (1 + CERTAIN) * radius
    return Found(
        w[order],
        rows[order],
        radius,
        lower,
        is_beyond or all(part.is_proved for part in parts),
        sum(part.n_solves for part in parts),
        sum(part.n_rough for part in parts),
        {name: sum(part.left.get(name, 0) for part in parts) for name in names},
        n_unconverged,
    )
