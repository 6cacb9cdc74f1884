"""The siamese network of histograms, and what its loss sees of them.

Reference: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .devices import by_chunks
from .inputs import HistogramInput
from .losses import kl_reconstruction, sqrt_sparsity
from .mlp import MovedDecoder
from .slopes import RowSlopes

if TYPE_CHECKING:
    from ..measures import Histograms


class Siamese(nn.Module):
    """Encoder and optional decoder, trained in units of `scale`.

    Labels are divided by `scale` before training, and embeddings multiplied by it
    afterwards, so that callers see the units of their data.

    Parameters
    ----------
    inputs : HistogramInput
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
        inputs: HistogramInput,
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

    def fit_to(self, measures: "Histograms", generator: torch.Generator) -> None:
        """Fit what is fixed to training measures, before training."""
        self.inputs.fit_to(measures, generator)

    def embed(self, measures: "Histograms", device: torch.device) -> Tensor:
        """Embed measures in the units of the data: [n, k], on the CPU.

        The network is on `device`, and the caller keeps no gradients.
        """
        return by_chunks(self, measures.masses, device)

    def rows(self, measures: "Histograms", device: torch.device) -> Tensor:
        """Return what `encode_rows` sees of all measures."""
        return self.inputs.rows(measures, device)

    def row_slopes(
        self, measures: "Histograms", probes: "Histograms", device: torch.device
    ) -> RowSlopes:
        """Return how gradients in rows of measures become slopes toward probes."""
        return self.inputs.row_slopes(measures, probes, device)

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
