"""Mini-batches of labelled pairs that encode each measure once."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor


class PairBatch(NamedTuple):
    """Some pairs of measures and the measures that they touch."""

    measures: Tensor  # [U] distinct measure numbers
    left: Tensor  # [B] positions in `measures`
    right: Tensor  # [B]
    w: Tensor  # [B] labels: distances, not squared
    decoded: Tensor  # [V] positions in `measures` to reconstruct


class PairBatches:
    """Labelled pairs, shuffled anew each epoch so that batch mates share measures.

    Pairs are sorted by a random order of one of their ends, drawn anew. A measure then
    meets several of its pairs in one batch and is encoded once for all of them: 1.3
    encodings a pair, in place of 2, for 200,000 random pairs of 60,000 measures.

    An epoch passes once over the pairs and about once over the measures: of those in a
    batch, as many are marked for reconstruction as that takes.

    Parameters
    ----------
    pairs : Tensor [P, 2] of int64
        Measure numbers.
    w : Tensor [P]
        Labels: distances, not squared.
    batch_size : int
        Pairs a batch.
    device : torch.device
        Where batches are put; the shuffle is on the CPU, the same for all devices.
    """

    def __init__(
        self, pairs: Tensor, w: Tensor, batch_size: int, device: torch.device
    ) -> None:
        self.pairs = pairs
        self.w = w
        self.device = device
        self.batch_size = batch_size
        self.measures = torch.unique(pairs)
        self.n_decoded = -(-batch_size * len(self.measures) // len(pairs))

    def __len__(self) -> int:
        return -(-len(self.pairs) // self.batch_size)

    def epoch(self, generator: torch.Generator) -> Iterator[PairBatch]:
        """Yield the batches of one pass over the pairs."""
        swapped = torch.randint(2, (len(self.pairs),), generator=generator) == 1
        pairs = torch.where(swapped[:, None], self.pairs.flip(1), self.pairs)
        n_measures = int(self.measures[-1]) + 1
        rank = torch.randperm(n_measures, generator=generator)
        order = torch.argsort(rank[pairs[:, 0]], stable=True)
        for rows in order.split(self.batch_size):
            yield self._batch(pairs[rows], self.w[rows], generator)

    def _batch(self, pairs: Tensor, w: Tensor, generator: torch.Generator) -> PairBatch:
        measures, positions = torch.unique(pairs, return_inverse=True)
        shuffled = torch.randperm(len(measures), generator=generator)
        left, right = positions.unbind(1)
        batch = (measures, left, right, w, shuffled[: self.n_decoded])
        return PairBatch(*(part.to(self.device) for part in batch))
