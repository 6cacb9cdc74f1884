"""Mini-batches of labelled pairs that encode each measure once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class PairBatch(NamedTuple):
    """Some pairs of measures and the measures that they touch."""

    measures: Tensor  # [U] distinct measure numbers
    left: Tensor  # [B] positions in `measures`
    right: Tensor  # [B]
    w: Tensor  # [B] labels: distances, not squared
    decoded: Tensor  # [V] positions in `measures` to reconstruct
    slopes: Tensor | None = None  # [B, 2, r] derivatives of W^2 in left and right
    # Of the means over pairs, and over what is decoded, that of this part.
    shares: tuple[float, float] = (1.0, 1.0)

    def to(self, device: torch.device) -> "PairBatch":
        """Return the same on a device."""
        return PairBatch._make(
            part.to(device) if isinstance(part, Tensor) else part for part in self
        )

    def part(self, number: int, n_parts: int) -> "PairBatch":
        """Return one of several parts; the mean of their losses is that of the whole.

        Fewer pairs than parts are not divided.
        """
        n_pairs, n_decoded = len(self.w), len(self.decoded)
        if n_pairs < n_parts:
            return self
        rows = torch.arange(n_pairs, device=self.w.device).tensor_split(n_parts)[number]
        decoded = self.decoded.tensor_split(n_parts)[number]
        ends = self.left[rows], self.right[rows], decoded
        known, positions = torch.unique(torch.cat(ends), return_inverse=True)
        left, right, decoded = positions.split([len(end) for end in ends])
        return PairBatch(
            self.measures[known],
            left,
            right,
            self.w[rows],
            decoded,
            None if self.slopes is None else self.slopes[rows],
            (n_parts * len(rows) / n_pairs, n_parts * len(decoded) / max(n_decoded, 1)),
        )


class PairBatches:
    """Labelled pairs, shuffled anew each epoch so that batch mates share measures.

    Pairs are sorted by a random order of one of their ends, drawn anew. A measure then
    meets several of its pairs in one batch and is encoded once for all of them: 1.3
    encodings per pair instead of 2, for 200,000 random pairs of 60,000 measures.

    Where there are groups, a batch holds whole groups instead: all pairs of a block of
    measures take one encoding of the block. Batches are then of `batch_size` pairs or
    of the largest group, whichever is more, on average.

    An epoch passes once over the pairs and about once over the measures: of those in a
    batch, as many are marked for reconstruction as that takes, in random order.

    Parameters
    ----------
    pairs : Tensor [P, 2] of int64
        Measure numbers.
    w : Tensor [P]
        Labels: distances, not squared.
    batch_size : int
        Pairs per batch.
    device : torch.device
        Where batches are put; the shuffle is on the CPU, the same for all devices.
    groups : Tensor [P] of int64 or None
        Number of the group of each pair.
    slopes : Tensor [P, 2, r] or None
        Derivatives of W^2 in both measures of each pair, toward r probes.
    """

    def __init__(
        self,
        pairs: Tensor,
        w: Tensor,
        batch_size: int,
        device: torch.device,
        groups: Tensor | None = None,
        slopes: Tensor | None = None,
    ) -> None:
        self.pairs = pairs
        self.groups = groups
        self.slopes = slopes
        self.w = w
        self.device = device
        self.batch_size = batch_size
        self.measures = torch.unique(pairs)
        self.n_batches = -(-len(pairs) // batch_size)
        if groups is not None:
            largest = int(torch.bincount(groups).max())
            self.n_batches = max(1, len(pairs) // max(batch_size, largest))
        self.n_decoded = -(-len(self.measures) // self.n_batches)

    def __len__(self) -> int:
        return self.n_batches

    def state_dict(self) -> dict:
        """Return nothing: pairs do not change."""
        return {}

    def load_state_dict(self, state: dict) -> None:
        """Take up nothing."""

    def epoch(self, generator: torch.Generator) -> Iterator[PairBatch]:
        """Yield the batches of one pass over the pairs."""
        swapped = torch.randint(2, (len(self.pairs),), generator=generator) == 1
        pairs = torch.where(swapped[:, None], self.pairs.flip(1), self.pairs)
        together = pairs[:, 0] if self.groups is None else self.groups
        rank = torch.randperm(int(together.max()) + 1, generator=generator)
        order = torch.argsort(rank[together], stable=True)
        for rows in self._cut(order):
            slopes = None
            if self.slopes is not None:
                flip = swapped[rows, None, None]
                slopes = self.slopes[rows]
                slopes = torch.where(flip, slopes.flip(1), slopes)
            yield self._batch(pairs[rows], self.w[rows], slopes, generator)

    def _cut(self, order: Tensor) -> Sequence[Tensor]:
        """Cut rows into batches, between groups if there are any."""
        if self.groups is None:
            return order.split(self.batch_size)
        _, sizes = torch.unique_consecutive(self.groups[order], return_counts=True)
        starts = sizes.cumsum(0) - sizes
        # No group is longer than a batch, so that each batch has the start of one.
        number = starts * self.n_batches // len(order)
        per_batch = torch.zeros(self.n_batches, dtype=torch.int64)
        per_batch.index_add_(0, number, sizes)
        return order.split(per_batch.tolist())

    def _batch(
        self,
        pairs: Tensor,
        w: Tensor,
        slopes: Tensor | None,
        generator: torch.Generator,
    ) -> PairBatch:
        measures, positions = torch.unique(pairs, return_inverse=True)
        shuffled = torch.randperm(len(measures), generator=generator)
        left, right = positions.unbind(1)
        decoded = shuffled[: self.n_decoded]
        return PairBatch(measures, left, right, w, decoded, slopes).to(self.device)


class FreshPairs:
    """All pairs of some measures drawn at each step, labelled there and then.

    Algorithm 1 of Haviv et al. (2024), Wasserstein Wormhole: no label is seen twice.

    Parameters
    ----------
    measures : Tensor [N] of int64
        Numbers of the measures to draw from.
    label : callable
        `label(numbers, pairs)` gives the distances of pairs [P, 2] of positions in
        `numbers` [block_size], in units of the loss, a Tensor [P], and their slopes, a
        Tensor [P, 2, r] or None.
    block_size : int
        Measures per step, at least two.
    n_steps : int
        Steps per epoch.
    device : torch.device
        Where batches are put.
    tally : object or None
        What `label` counts, with `state_dict` and `load_state_dict`.
    """

    def __init__(
        self,
        measures: Tensor,
        label: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]],
        block_size: int,
        n_steps: int,
        device: torch.device,
        tally: Any = None,
    ) -> None:
        self.tally = tally
        self.measures = measures
        self.label = label
        self.block_size = min(block_size, len(measures))
        self.n_steps = n_steps
        self.device = device
        self.n_decoded = min(self.block_size, -(-len(measures) // n_steps))

    def __len__(self) -> int:
        return self.n_steps

    def state_dict(self) -> dict:
        """Return what was counted."""
        return {} if self.tally is None else self.tally.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Count on from there."""
        if self.tally is not None:
            self.tally.load_state_dict(state)

    def epoch(self, generator: torch.Generator) -> Iterator[PairBatch]:
        """Draw and label, step by step."""
        pairs = torch.combinations(torch.arange(self.block_size))  # [P, 2]
        left, right = pairs.unbind(1)
        for _ in range(self.n_steps):
            draw = torch.randperm(len(self.measures), generator=generator)
            numbers = self.measures[draw[: self.block_size]]
            w, slopes = self.label(numbers, pairs)
            decoded = torch.arange(self.n_decoded)
            batch = PairBatch(numbers, left, right, w, decoded, slopes)
            yield batch.to(self.device)


class RowDistances:
    """Labels pairs by the Euclidean distances of given rows, for `FreshPairs`.

    Parameters
    ----------
    rows : Tensor [M, k]
        Vectors of some measures.
    measures : Tensor [M] of int64
        Their numbers, ascending.
    """

    def __init__(self, rows: Tensor, measures: Tensor) -> None:
        self.rows = rows
        self.measures = measures

    def __call__(self, numbers: Tensor, pairs: Tensor) -> tuple[Tensor, None]:
        """Return distances of pairs [P, 2] of positions in `numbers`: [P]."""
        rows = self.rows[torch.searchsorted(self.measures, numbers)]
        distances = torch.cdist(rows, rows)  # [B, B], each pair once or more
        return distances[pairs[:, 0], pairs[:, 1]], None
