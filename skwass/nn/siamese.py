"""The siamese network of histograms, its objective and its validation score.

References: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
[KENN] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein Metric
Learning.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from .devices import inference
from .inputs import CHUNK_ROWS
from .losses import distance_regression, kl_reconstruction, sqrt_sparsity
from .mlp import MovedDecoder
from .pairs import PairBatch
from .readouts import paired_distances
from .slopes import RowData, RowModel, RowSlopes, slope_regression

# The weight of slopes falls with this power of what is left of the schedule: they teach
# most where labels have not yet, and hinder the last of these.
DECAY = 2


class Siamese(nn.Module):
    """Encoder and optional decoder, trained in units of `scale`.

    Labels are divided by `scale` before training, and embeddings multiplied by it
    afterwards, so that callers see the units of their data.

    Parameters
    ----------
    inputs : StandardInput or SliceInput
        Fixed first layer; `encoder` sees its output.
    encoder : nn.Module
        [B, n_bins] -> [B, k].
    decoder : nn.Module or None
        [B, k] -> log-probabilities [B, n_bins].
    blocks : tuple of int
        Sizes of the blocks of an embedding whose Euclidean distances add up; (k,) for
        Euclidean distance.
    n_exact : int
        Columns at the end of rows of `inputs` that are the mean of a measure. They
        pass by encoder and decoder, and are the last of an embedding, of k + n_exact.
    """

    scale: Tensor

    def __init__(
        self,
        inputs: nn.Module,
        encoder: nn.Module,
        decoder: nn.Module | None,
        blocks: tuple[int, ...],
        n_exact: int = 0,
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.n_exact = n_exact
        self.inputs = inputs
        self.encoder = encoder
        self.decoder = decoder
        self.register_buffer("scale", torch.empty(()))

    def forward(self, x: Tensor) -> Tensor:
        """Embed masses in the units of the data: [B, n_bins] -> [B, k]."""
        return self.encode_rows(self.inputs(x)) * self.scale

    def encode_rows(self, rows: Tensor) -> Tensor:
        """Embed rows of `inputs` in units of `scale`."""
        if not self.n_exact:
            return self.encoder(rows)
        free, means = self.split(rows)
        return torch.cat([self.encoder(free), means / self.scale], dim=1)

    def split(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Split rows, or embeddings, into what is learned and exact means."""
        sizes = [columns.shape[1] - self.n_exact, self.n_exact]
        return columns.split(sizes, dim=1)

    def decode(self, z: Tensor) -> Tensor:
        """Decode embeddings in units of `scale`: [B, k] -> log-masses [B, n_bins]."""
        if not isinstance(self.decoder, MovedDecoder):
            return self.decoder(z)  # type: ignore[misc]  # called only if there is one
        free, means = self.split(z)
        return self.decoder(free, means * self.scale)

    def reconstruct(self, z: Tensor) -> Tensor:
        """Decode embeddings in the units of the data: [B, k] -> masses [B, n_bins]."""
        return self.decode(z / self.scale).exp()


@dataclass(frozen=True)
class HistogramData:
    """Histograms as training and validation see them.

    Parameters
    ----------
    features : Tensor [N, .]
        After `Siamese.inputs`.
    masses : Tensor [N, n_bins] or None
        The same data, to reconstruct if there is a decoder.
    reconstruction_weight, sparsity_weight : float
        Factors of the two decoder terms.
    row_slopes : RowSlopes or None
        How gradients in rows become slopes.
    """

    features: Tensor
    masses: Tensor | None = None
    reconstruction_weight: float = 0.0
    sparsity_weight: float = 0.0
    row_slopes: RowSlopes | None = None

    def rows(self, measures: Tensor) -> Tensor:
        """Return features of measures by their numbers."""
        return self.features[measures]

    def encode(self, model: Siamese, measures: Tensor) -> Tensor:
        """Embed measures by their numbers, in units of `scale`: [U] -> [U, k]."""
        return model.encode_rows(self.rows(measures))

    def reconstruction_loss(
        self, model: Siamese, z: Tensor, measures: Tensor
    ) -> Tensor:
        """Loss of the decoder for embeddings of these measures: [DWE], eq. 2."""
        masses = self.masses[measures]  # type: ignore[index]  # there with a decoder
        log_q = model.decode(z)  # [V, n_bins]
        loss = self.reconstruction_weight * kl_reconstruction(log_q, masses)
        return loss + self.sparsity_weight * sqrt_sparsity(log_q)


class PairModel(RowModel, Protocol):
    """What objective and validation need of a network."""

    @property
    def decoder(self) -> nn.Module | None: ...


class PairData(RowData, Protocol):
    """What objective and score need of measures; it knows its kind of network."""

    def encode(self, model: Any, measures: Tensor) -> Tensor: ...

    def reconstruction_loss(
        self, model: Any, z: Tensor, measures: Tensor
    ) -> Tensor: ...


@dataclass(frozen=True)
class PairObjective:
    """Regression of distances on a batch of pairs, and what a decoder adds.

    With `squared` this is [DWE], eq. 2 with the sparsity of section 4.1; otherwise, and
    without a decoder, the loss of [KENN].

    Parameters
    ----------
    squared : bool
        Whether squared distances are regressed. The regression has factor 1.
    data : PairData
        Training measures.
    slope_weight : float
        Factor of the regression of slopes at the start, which falls to 0.
    """

    squared: bool
    data: PairData
    slope_weight: float = 0.0

    def __call__(
        self, model: PairModel, batch: PairBatch, progress: float = 0.0
    ) -> Tensor:
        z = self.data.encode(model, batch.measures)  # [U, k]
        # index_select, for its backward pass is faster than that of z[batch.left].
        left, right = z.index_select(0, batch.left), z.index_select(0, batch.right)
        loss = distance_regression(left, right, batch.w, model.blocks, self.squared)
        if model.decoder is not None:
            decoded = batch.measures[batch.decoded]
            z = z[batch.decoded]  # [V, k]
            loss = loss + self.data.reconstruction_loss(model, z, decoded)
        weight = self.slope_weight * (1 - progress) ** DECAY
        if weight == 0:
            return loss
        return loss + weight * slope_regression(model, self.data, batch, self.squared)


@dataclass(frozen=True)
class ValidationScore:
    """R2 of the distances of held-out measures, predicted against true.

    Parameters
    ----------
    data : PairData
        Held-out measures.
    n_measures : int
        How many.
    pairs : Tensor [P, 2]
        Their numbers.
    w : Tensor [P]
        True distances, in units of `scale`, not squared.
    """

    data: PairData
    n_measures: int
    pairs: Tensor
    w: Tensor

    def __call__(self, model: PairModel) -> float:
        with inference(self.pairs.device):
            return self._score(model)

    def _score(self, model: PairModel) -> float:
        numbers = torch.arange(self.n_measures, device=self.pairs.device)
        parts = numbers.split(CHUNK_ROWS)
        z = torch.cat([self.data.encode(model, part) for part in parts])
        left, right = self.pairs.unbind(1)
        error = paired_distances(z[left], z[right], model.blocks) - self.w
        variance = (self.w - self.w.mean()).square().mean()
        # Equal distances have no variance to explain; the order of scores survives.
        return float(1 - error.square().mean() / variance.clamp_min(1e-12))
