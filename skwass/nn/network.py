"""The network of measures: fixed rows, learned layers, maybe a decoder.

References: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
[DS] Zaheer et al. (2017). Deep Sets. NeurIPS. [WW] Haviv, Kunes, Dougherty, Burdziak,
Nawy, Gilbert, Pe'er (2024). Wasserstein Wormhole: Scalable Optimal Transport Distance
with Transformers. ICML.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..measures import Histograms, PointClouds
from ..measures.subsets import evenly
from .cloud_inputs import chunks
from .data import MeasureData
from .decoders import MeasureDecoder
from .devices import CHUNK_ROWS
from .encoders import Encoder
from .inputs import FixedInput
from .kuratowski import KuratowskiEncoder
from .ragged import CloudBatch, in_order
from .readouts import PrivateAxis, Readout
from .slopes import RowSlopes
from .transformer import SetEncoder
from .transport_inputs import FormulaEncoder

Measures = Histograms | PointClouds
# Measures that initial scales are calibrated on.
CALIBRATION_ROWS = 256


class Network(nn.Module):
    """Measures to embeddings and back, trained in units of `scale`.

    An encoder reads the fixed row of a measure [DWE], together with the pooled features
    of learned layers on its points, if there are any [DS], [WW]. Labels are divided by
    `scale` before training, and embeddings multiplied by it afterwards, so that callers
    see the units of their data.

    Parameters
    ----------
    inputs : FixedInput
        Fixed. The last `n_exact` columns of its rows are the mean of a measure: they
        bypass the encoder, and are the last columns of an embedding.
    points : SetEncoder or None
        Learned layers on points; `inputs` is a `CloudInput` then.
    encoder : nn.Module
        [B, numbers of both] -> [B, k], or [B, k + 1] with a private axis. Its `blocks`
        are the sizes of parts of an embedding whose Euclidean distances add up, k in
        all; `calibrate(rows, squared)` chooses scales, or `fit` those of a formula.
    decoder : MeasureDecoder or None
        [B, k + n_exact] -> measures.
    private_axis : bool
        Whether the last column of an embedding is the length of its private axis.
    """

    inputs: Any  # a CloudInput, where points have learned layers
    encoder: Encoder | KuratowskiEncoder
    scale: Tensor

    def __init__(
        self,
        inputs: FixedInput,
        points: SetEncoder | None,
        encoder: Encoder | KuratowskiEncoder,
        decoder: MeasureDecoder | None,
        private_axis: bool = False,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.points = points
        self.encoder = encoder
        self.decoder = decoder
        self.n_exact = inputs.n_exact
        self.private = PrivateAxis() if private_axis else None
        self.register_buffer("scale", torch.empty(()))

    @property
    def readout(self) -> Readout:
        """How distances are read off embeddings in units of `scale`."""
        *first, last = self.encoder.blocks
        reach = None if self.private is None else self.private.reach
        n_apart = 0 if self.inputs.parts_by_mean else self.n_exact
        return Readout((*first, last + self.n_exact), n_apart, reach)

    @torch.no_grad()
    def fit_to(
        self,
        measures: Measures,
        generator: torch.Generator,
        squared: bool,
        pairs: np.ndarray,
        w: np.ndarray,
    ) -> None:
        """Fit what is fixed, and initial scales, to training measures.

        Parameters
        ----------
        measures : Histograms or PointClouds
            To train on.
        generator : torch.Generator
            Draws.
        squared : bool
            Whether squared distances are to be regressed.
        pairs : ndarray of int of shape (n_pairs, 2)
            Some measures that are labelled, for formulas to be fitted to.
        w : ndarray of shape (n_pairs,)
            Their distances, in the unit of the data.
        """
        known = self.inputs.fit_to(measures, generator, pairs, w)
        if self.has_formula:
            self._fit_formula(*known)
        else:
            some = measures[evenly(len(measures), CALIBRATION_ROWS)]
            free, _ = self._rows_and_means(some, torch.device("cpu"))
            self.encoder.calibrate(free, squared)
        if self.decoder is not None:
            self.decoder.fit_to(self.inputs, measures)

    def embed(self, measures: Measures, device: torch.device) -> Tensor:
        """Embed measures in the units of the data: [n, k], on the CPU.

        The network is on `device`, and the caller keeps no gradients.
        """
        parts = []
        for start in range(0, len(measures), CHUNK_ROWS):
            part = measures[start : start + CHUNK_ROWS]
            free, means = self._rows_and_means(part, device)
            parts.append((self._encode(free, means) * self.scale).cpu())
        return torch.cat(parts)

    def encode(self, data: MeasureData, numbers: Tensor) -> Tensor:
        """Embed measures by their numbers, in units of `scale`: [U] -> [U, k]."""
        rows = data.rows(numbers)
        if self.points is None:
            return self.encode_rows(rows)
        free, means = self.split(rows)
        pooled = self._pooled(
            data.batches(self.inputs, numbers, self.points.max_points)
        )
        return self._encode(torch.cat([free, pooled], dim=1), means)

    def encode_rows(self, rows: Tensor) -> Tensor:
        """Embed rows in units of `scale`, without learned layers on points."""
        return self._encode(*self.split(rows))

    def split(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Split rows, or embeddings, into what is learned and exact means."""
        sizes = [columns.shape[1] - self.n_exact, self.n_exact]
        free, means = columns.split(sizes, dim=1)
        return free, means

    def decode(self, z: Tensor) -> Tensor:
        """Decode embeddings in units of `scale`, as the decoder's loss needs them.

        What a measure has alone says nothing of where its mass is.
        """
        return self.decoder(*self._common(z), self.scale)  # type: ignore[misc]

    def _common(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is learned of embeddings, and exact means."""
        return self.split(z[:, : sum(self.encoder.blocks) + self.n_exact])

    def decoding_loss(self, z: Tensor, data: MeasureData, numbers: Tensor) -> Tensor:
        """Return what the decoder adds to the loss for embeddings of measures."""
        decoder: Any = self.decoder
        z, numbers = z[: decoder.max_decoded], numbers[: decoder.max_decoded]
        return decoder.loss(self.decode(z), data, numbers, self.inputs)

    def reconstruct(self, z: Tensor) -> Tensor:
        """Decode embeddings in the units of the data: masses, or points."""
        decoder: Any = self.decoder
        _, means = self._common(z)
        return decoder.finish(self.decode(z / self.scale), means, self.inputs)

    def data(
        self,
        measures: Measures,
        device: torch.device,
        generator: torch.Generator | None = None,
    ) -> MeasureData:
        """Return measures as training sees them; without a generator, as validation."""
        masses = None
        if self.decoder is not None and generator is not None:
            masses = self.decoder.targets(measures, device)
        rows = self.inputs.rows(measures, device)
        return MeasureData(measures, rows, masses, generator)

    def row_slopes(
        self, measures: Measures, probes: Measures, device: torch.device
    ) -> RowSlopes:
        """Return how gradients in rows of measures become slopes toward probes."""
        return self.inputs.row_slopes(measures, probes, device)

    @property
    def has_formula(self) -> bool:
        """Whether embeddings are those of a formula before anything is learned."""
        return isinstance(self.encoder, FormulaEncoder)

    def _fit_formula(
        self, rows: np.ndarray, means: np.ndarray, ends: np.ndarray, w: np.ndarray
    ) -> None:
        """Let training begin with the formula that is nearest to labels."""
        self.encoder.begin_gently()  # type: ignore[operator]
        scale = float(self.scale)
        if not len(w):
            self.encoder.formula.start_at(float(self.inputs.unit) / scale, None)  # type: ignore[operator,union-attr]
            return
        reach = self.encoder.fit(rows, means / scale, ends, w / scale)  # type: ignore[operator]
        if self.private is not None:
            self.private.start_at(reach)

    def _rows_and_means(
        self, measures: Measures, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Return what the encoder sees of measures, and their exact means."""
        free, means = self.split(self.inputs.rows(measures, device))
        if self.points is None:
            return free, means
        pooled = [
            self._pooled(self.inputs.batches(clouds, device))
            for clouds in chunks(measures)
        ]
        return torch.cat([free, torch.cat(pooled)], dim=1), means

    def _pooled(self, batches: list[CloudBatch]) -> Tensor:
        """Return learned features of clouds: [U, width]."""
        features = [
            self.points(self.inputs.point_features(batch), batch.masses)  # type: ignore[misc]
            for batch in batches
        ]
        return in_order(batches, features)

    def _encode(self, free: Tensor, means: Tensor) -> Tensor:
        """Return embeddings in units of `scale`, with exact means at the end."""
        z = self.encoder(free)
        if self.private is None:
            return torch.cat([z, means / self.scale], dim=1) if self.n_exact else z
        length = self.private(z[:, -1:])
        return torch.cat([z[:, :-1], means / self.scale, length], dim=1)
