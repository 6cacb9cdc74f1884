"""From embeddings back to measures, and what a decoder is trained to minimise.

References: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
[WW] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ..measures import Histograms, PointClouds
from ..measures.subsets import some_clouds
from ..ot import sinkhorn_divergence
from .cloud_inputs import N_FIT_CLOUDS, CloudInput
from .data import MeasureData
from .inputs import mass_chunks
from .losses import kl_reconstruction, sqrt_sparsity

# Regularisation of the Sinkhorn divergence that a decoder of clouds is trained with, in
# units of the squared spread of points. Its gradient need not be exact: the next step
# corrects it.
REG, SINKHORN_STEPS, SINKHORN_TOL = 0.05, 30, 1e-2
# Clouds that a step decodes: transport of each costs as much as many encodings.
MAX_DECODED = 4


class MeasureDecoder(nn.Module):
    """Embeddings in units of the scale, as what is learned and exact means, decoded."""

    gives_points = False
    # How many measures of a batch, in random order, are decoded; None for all.
    max_decoded: int | None = None

    def forward(self, free: Tensor, means: Tensor, scale: Tensor) -> Tensor:
        """Decode: [B, k], [B, d or 0] -> what `loss` is of."""
        raise NotImplementedError

    def finish(self, decoded: Tensor, means: Tensor, inputs: Any) -> Tensor:
        """Return measures of what was decoded, with means in the unit of the data."""
        raise NotImplementedError

    def loss(
        self, decoded: Tensor, data: MeasureData, numbers: Tensor, inputs: Any
    ) -> Tensor:
        """Loss of what was decoded for measures by their numbers."""
        raise NotImplementedError

    def fit_to(self, inputs: Any, measures: Histograms | PointClouds) -> None:
        """Take what is fixed from training measures."""

    def targets(
        self, measures: Histograms | PointClouds, device: torch.device
    ) -> Tensor | None:
        """Return what is to be reconstructed, if it is to be on the device."""
        return None


class MassDecoder(MeasureDecoder):
    """Log-masses of bins.

    Parameters
    ----------
    body : nn.Module
        [B, k + d or 0] -> log-probabilities [B, n_bins].
    weight, sparsity_weight : float
        Factors of the two terms of the loss.
    """

    def __init__(self, body: nn.Module, weight: float, sparsity_weight: float) -> None:
        super().__init__()
        self.body = body
        self.weight = weight
        self.sparsity_weight = sparsity_weight

    def forward(self, free: Tensor, means: Tensor, scale: Tensor) -> Tensor:
        return self.body(torch.cat([free, means], dim=1))

    def finish(self, decoded: Tensor, means: Tensor, inputs: Any) -> Tensor:
        return decoded.exp()

    def loss(
        self, decoded: Tensor, data: MeasureData, numbers: Tensor, inputs: Any
    ) -> Tensor:
        """Divergence and sparsity of decoded masses: [DWE], eq. 2 and section 4.1."""
        masses = data.masses[numbers]  # type: ignore[index]  # there in training
        loss = self.weight * kl_reconstruction(decoded, masses)  # [V, n_bins] each
        return loss + self.sparsity_weight * sqrt_sparsity(decoded)

    def targets(
        self, measures: Histograms | PointClouds, device: torch.device
    ) -> Tensor | None:
        return torch.cat(list(mass_chunks(measures, device)))  # type: ignore[arg-type]


class MovedMassDecoder(MassDecoder):
    """The same, by a `MovedDecoder`, which is told the mean in the unit of bins."""

    def forward(self, free: Tensor, means: Tensor, scale: Tensor) -> Tensor:
        return self.body(free, means * scale)


class PointDecoder(MeasureDecoder):
    """Points in a box, in the frame of a `CloudInput`.

    They are around 0 with an exact mean or up to isometry, otherwise relative to the
    center of all measures.

    Parameters
    ----------
    body : PointMaker
        [B, k] -> points [B, m, d].
    weight : float
        Factor of the loss.
    max_points : int or None
        Of a cloud that the loss sees.
    """

    gives_points = True
    max_decoded = MAX_DECODED

    def __init__(self, body: nn.Module, weight: float, max_points: int | None) -> None:
        super().__init__()
        self.body = body
        self.weight = weight
        self.max_points = max_points

    @torch.no_grad()
    def fit_to(self, inputs: CloudInput, measures: Histograms | PointClouds) -> None:
        """Take the box that training points lie in, and some room."""
        batches = inputs.batches(some_clouds(measures, N_FIT_CLOUDS))
        points = torch.cat([batch.points.flatten(0, 1) for batch in batches])
        low, high = points.aminmax(dim=0)
        room = 0.05 * (high - low)
        self.body.fit(low - room, high + room)  # type: ignore[operator]

    def forward(self, free: Tensor, means: Tensor, scale: Tensor) -> Tensor:
        return self.body(free)

    def finish(self, decoded: Tensor, means: Tensor, inputs: Any) -> Tensor:
        points, center = decoded.double(), inputs.center.double()
        if means.shape[1]:
            points = points - points.mean(dim=1, keepdim=True) + means.double()[:, None]
        return (points + center).float()

    def loss(
        self, decoded: Tensor, data: MeasureData, numbers: Tensor, inputs: Any
    ) -> Tensor:
        """Mean Sinkhorn divergence of clouds and their decoded points: [WW], alg. 1.

        In units of the squared spread of what coefficients are of. Up to isometry, if
        embeddings are.
        """
        unit = float(inputs.unit)
        total = torch.zeros((), device=decoded.device)
        for batch in data.batches(inputs, numbers, self.max_points):
            points = decoded.index_select(0, batch.rows)
            uniform = torch.full_like(points[:, :, 0], 1 / points.shape[1])
            made = batch._replace(points=points, masses=uniform)
            x, y = inputs.tokens(batch), inputs.tokens(made)
            value, _ = sinkhorn_divergence(
                x.detach(),
                batch.masses,
                y,
                uniform,
                reg=REG,
                scale=unit,
                max_iter=SINKHORN_STEPS,
                tol=SINKHORN_TOL,
            )
            total = total + value.sum() / unit**2
        return self.weight * total / len(decoded)
