"""What a network of measures minimises over pairs, and how it is scored.

References: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
[KENN] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein Metric
Learning.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .devices import CHUNK_ROWS, inference
from .losses import distance_regression
from .pairs import PairBatch
from .readouts import paired_distances
from .slopes import RowData, RowModel, slope_regression

# The weight of slopes falls with this power of what is left of the schedule: they teach
# most where labels have not yet, and hinder the last of these.
DECAY = 2


class PairModel(RowModel, Protocol):
    """What objective and validation need of a network; it knows its kind of data."""

    @property
    def decoder(self) -> nn.Module | None: ...

    def encode(self, data: Any, numbers: Tensor) -> Tensor: ...  # [U] -> [U, k]

    def decoding_loss(self, z: Tensor, data: Any, numbers: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class PairObjective:
    """Regression of distances on a batch of pairs, and what a decoder adds.

    With `squared` this is [DWE], eq. 2 with the sparsity of section 4.1; otherwise, and
    without a decoder, the loss of [KENN].

    Parameters
    ----------
    squared : bool
        Whether squared distances are regressed. The regression has factor 1.
    data : RowData
        Training measures, as the network's `data` makes them.
    slope_weight : float
        Factor of the regression of slopes at the start, which falls to 0.
    """

    squared: bool
    data: RowData
    slope_weight: float = 0.0

    def __call__(
        self, model: PairModel, batch: PairBatch, progress: float = 0.0
    ) -> Tensor:
        z = model.encode(self.data, batch.measures)  # [U, k]
        # index_select, for its backward pass is faster than that of z[batch.left].
        left, right = z.index_select(0, batch.left), z.index_select(0, batch.right)
        loss = distance_regression(left, right, batch.w, model.readout, self.squared)
        weight = self.slope_weight * (1 - progress) ** DECAY
        if weight > 0:
            slopes = slope_regression(model, self.data, batch, self.squared)
            loss = loss + weight * slopes
        of_pairs, of_decoded = batch.shares
        loss = of_pairs * loss
        if model.decoder is not None and len(batch.decoded):
            decoded = batch.measures[batch.decoded]
            z = z[batch.decoded]  # [V, k]
            loss = loss + of_decoded * model.decoding_loss(z, self.data, decoded)
        return loss


@dataclass(frozen=True)
class ValidationScore:
    """R2 of the distances of held-out measures, predicted against true.

    Parameters
    ----------
    data : RowData
        Held-out measures.
    n_measures : int
        How many.
    pairs : Tensor [P, 2]
        Their numbers.
    w : Tensor [P]
        True distances, in units of `scale`, not squared.
    """

    data: RowData
    n_measures: int
    pairs: Tensor
    w: Tensor

    def __call__(self, model: PairModel) -> float:
        with inference(self.pairs.device):
            return self._score(model)

    def _score(self, model: PairModel) -> float:
        numbers = torch.arange(self.n_measures, device=self.pairs.device)
        parts = numbers.split(CHUNK_ROWS)
        z = torch.cat([model.encode(self.data, part) for part in parts])
        left, right = self.pairs.unbind(1)
        error = paired_distances(z[left], z[right], model.readout) - self.w
        variance = (self.w - self.w.mean()).square().mean()
        # Equal distances have no variance to explain; the order of scores survives.
        return float(1 - error.square().mean() / variance.clamp_min(1e-12))
