"""The network of point clouds: fixed coefficients, learned features, a decoder.

References: [WW] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024).
Wasserstein Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.
[DS] Zaheer et al. (2017). Deep Sets. NeurIPS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..measures import Histograms, PointClouds
from ..measures.subsets import some_clouds
from ..ot import sinkhorn_divergence
from .cloud_inputs import N_FIT_CLOUDS, CloudInput, chunks
from .devices import by_chunks
from .mlp import DenseEncoder
from .ragged import Cloud, CloudBatch, in_order, subsample
from .slopes import RowSlopes
from .transformer import CloudDecoder, SetEncoder, set_layers

# Clouds that initial scales are fitted to.
N_CALIBRATION_CLOUDS = 256
# Of the Sinkhorn divergence that a decoder is trained with. Its gradient need not be
# exact: the next step comes.
SINKHORN_STEPS, SINKHORN_TOL = 30, 1e-2
# Clouds that a step decodes: transport of each costs as much as many encodings.
MAX_DECODED = 4


class Wormhole(nn.Module):
    """Clouds to embeddings and back, trained in units of `scale`.

    Dense layers read the fixed row of a cloud [DS], beside the pooled features of
    learned layers on its points, if there are any [WW]. With an exact mean the last d
    columns of an embedding are the mean of the cloud.

    Parameters
    ----------
    inputs : CloudInput
        Fixed.
    points : SetEncoder or None
        Learned layers on points.
    head : nn.Module
        [B, numbers of both] -> [B, k], or [B, k - d] with an exact mean.
    decoder : CloudDecoder or None
        [B, k] or [B, k - d] -> [B, m, d].
    n_components : int
        k.
    """

    scale: Tensor

    def __init__(
        self,
        inputs: CloudInput,
        points: SetEncoder | None,
        head: nn.Module,
        decoder: CloudDecoder | None,
        n_components: int,
    ) -> None:
        super().__init__()
        self.blocks: tuple[int, ...] = (n_components,)
        self.inputs = inputs
        self.points = points
        self.head = head
        self.decoder = decoder
        self.n_exact = len(inputs.center) if inputs.exact_mean else 0
        self.register_buffer("scale", torch.empty(()))

    def encode_rows(self, rows: Tensor) -> Tensor:
        """Embed in units of `scale`, without learned layers on points."""
        return self.encode(rows, ())

    def encode(self, rows: Tensor, batches: Sequence[CloudBatch]) -> Tensor:
        """Embed in units of `scale`: rows of `inputs` [U, .], clouds -> [U, k]."""
        rows, means = rows.split([self.inputs.size, self.n_exact], dim=1)
        if self.points is not None:
            pooled = [
                self.points(self.inputs.point_features(batch), batch.masses)
                for batch in batches
            ]
            rows = torch.cat([rows, in_order(batches, pooled)], dim=1)
        z = self.head(rows)
        return torch.cat([z, means / self.scale], dim=1) if self.n_exact else z

    @torch.no_grad()
    def fit_to(
        self, measures: Histograms | PointClouds, generator: torch.Generator
    ) -> None:
        """Fit what is fixed, and initial scales, to training measures."""
        clouds = some_clouds(measures, N_FIT_CLOUDS)
        self.inputs.fit(clouds, generator)
        self.calibrate(clouds[:: -(-len(clouds) // N_CALIBRATION_CLOUDS)])
        if self.decoder is not None:
            batches = self.inputs.batches(clouds)
            points = torch.cat([batch.points.flatten(0, 1) for batch in batches])
            low, high = points.aminmax(dim=0)
            room = 0.05 * (high - low)
            self.decoder.fit(low - room, high + room)

    def embed(self, measures: Histograms | PointClouds, device: torch.device) -> Tensor:
        """Embed measures in the units of the data: [n, k], on the CPU.

        The network is on `device`, and the caller keeps no gradients.
        """
        if isinstance(measures, Histograms) and self.takes_histograms:
            support = self.inputs.moved(measures.support, device)
            return by_chunks(
                lambda masses: self.embed_histograms(support, masses),
                measures.masses,
                device,
            )
        parts = [self(clouds, device).cpu() for clouds in chunks(measures)]
        return torch.cat(parts)

    def rows(self, measures: Histograms | PointClouds, device: torch.device) -> Tensor:
        """Return what `embed` sees of all measures, beside their points."""
        return self.inputs.rows(measures, device, by_bins=self.takes_histograms)

    def row_slopes(
        self,
        measures: Histograms | PointClouds,
        probes: Histograms | PointClouds,
        device: torch.device,
    ) -> RowSlopes:
        """Return how gradients in rows of measures become slopes toward probes."""
        return self.inputs.row_slopes(measures, probes, device)

    def forward(self, clouds: Sequence[Cloud], device: torch.device) -> Tensor:
        """Embed clouds in the units of the data: [U, k]."""
        batches = self.inputs.batches(clouds, device)
        rows = in_order(batches, [self.inputs(batch) for batch in batches])
        return self.encode(rows, batches) * self.scale

    def embed_histograms(self, support: Tensor, masses: Tensor) -> Tensor:
        """Embed masses [B, n] on one support [n, d], relative to the center of all.

        As `forward` does, by matrix products; without learned layers on points.
        """
        return self.encode_rows(self.inputs.of_histograms(support, masses)) * self.scale

    @property
    def takes_histograms(self) -> bool:
        """Whether `embed_histograms` can do it."""
        return self.points is None and self.inputs.local is None

    def decode(self, z: Tensor) -> Tensor:
        """Decode embeddings in units of `scale` into points: [B, k] -> [B, m, d].

        In the unit of the data; around 0 with an exact mean or up to isometry,
        otherwise relative to the center of all.
        """
        free = z[:, : z.shape[1] - self.n_exact]
        return self.decoder(free)  # type: ignore[misc]  # called only if there is one

    def reconstruct(self, z: Tensor) -> Tensor:
        """Decode embeddings in the units of the data: [B, k] -> [B, m, d]."""
        points = self.decode(z / self.scale).double()
        means = z[:, z.shape[1] - self.n_exact :].double()
        if self.n_exact:
            points = points - points.mean(dim=1, keepdim=True) + means[:, None]
        return (points + self.inputs.center.double()).float()

    @torch.no_grad()
    def calibrate(self, clouds: Sequence[Cloud]) -> None:
        """Scale initial embeddings: distances have mean square 1 in units of `scale`.

        `scale` may be empty still, so the exact mean is left out.
        """
        batches = self.inputs.batches(clouds)
        rows = in_order(batches, [self.inputs(batch) for batch in batches])
        self.scale.fill_(1.0)
        z = self.encode(rows, batches)
        z = z[:, : z.shape[1] - self.n_exact]
        spread = torch.pdist(z.double()).square().mean().sqrt()
        if spread > 1e-6:
            last = [x for x in self.head.modules() if isinstance(x, nn.Linear)][-1]
            last.weight /= spread
            last.bias.zero_()


def wormhole_network(
    *,
    architecture: str,
    dim: int,
    n_components: int,
    widths: Sequence[int],
    n_frequencies: int,
    exact_mean: bool,
    by_isometry: bool,
    n_layers: int,
    width: int,
    n_heads: int,
    n_inducing: int,
    dropout: float,
    n_points: int,
    n_decoder_layers: int,
) -> Wormhole:
    """Make an untrained network for point clouds.

    Parameters
    ----------
    architecture : {"slices", "deepsets", "transformer", "inducing"}
        Kind of the learned layers on points; none with `"slices"`.
    dim : int
        Dimension of the points.
    n_components : int
        Dimension of the embedding; more than `dim` with `exact_mean`.
    widths : sequence of int
        Hidden layers after pooling.
    n_frequencies, exact_mean, by_isometry
        As in `CloudInput`.
    n_layers, width, n_heads, n_inducing, dropout
        As in `set_layers`; no learned layers on points if `n_layers` is 0.
    n_points : int
        Points of a decoded cloud; 0 for no decoder.
    n_decoder_layers : int
        Its layers of attention.

    Returns
    -------
    network : Wormhole
    """
    n_waves = 0 if architecture == "slices" else n_frequencies
    inputs = CloudInput(dim, n_waves, exact_mean, by_isometry)
    n_free = n_components - (dim if exact_mean else 0)
    points = decoder = None
    if n_layers:
        layers = set_layers(architecture, n_layers, width, n_heads, n_inducing, dropout)
        points = SetEncoder(inputs.point_size, layers, width)
    n_rows = inputs.size + (width if n_layers else 0)
    head = DenseEncoder(n_rows, widths, n_free)
    if n_points:
        decoder = CloudDecoder(
            n_free, n_points, dim, n_decoder_layers, width, n_heads, dropout
        )
    return Wormhole(inputs, points, head, decoder, n_components)


@dataclass(frozen=True)
class CloudData:
    """Clouds as training and validation see them.

    Parameters
    ----------
    measures : Histograms or PointClouds
        They stay where they are; only the clouds of a batch are copied to the device.
    features : Tensor [N, .]
        What `Wormhole.inputs` makes of them, once for all.
    reconstruction_weight : float
        Factor of the decoder's loss.
    reg : float
        Regularisation of its Sinkhorn divergence, in the same unit.
    max_points : int or None
        Learned layers see at most this many points of a cloud, drawn at each step.
    generator : torch.Generator or None
        Draws them; all points are seen if None.
    row_slopes : RowSlopes or None
        How gradients in rows become slopes.
    """

    measures: Histograms | PointClouds
    features: Tensor
    reconstruction_weight: float
    reg: float
    max_points: int | None
    generator: torch.Generator | None
    row_slopes: RowSlopes | None = None

    def rows(self, measures: Tensor) -> Tensor:
        """Return fixed rows of measures by their numbers."""
        return self.features.index_select(0, measures)

    def encode(self, model: Wormhole, measures: Tensor) -> Tensor:
        """Embed measures by their numbers, in units of `scale`: [U] -> [U, k]."""
        rows = self.rows(measures)
        if model.points is None:
            return model.encode_rows(rows)
        return model.encode(rows, self._batches(model, measures))

    def reconstruction_loss(
        self, model: Wormhole, z: Tensor, measures: Tensor
    ) -> Tensor:
        """Mean Sinkhorn divergence of clouds and their decoded points: [WW], alg. 1.

        In units of the squared spread of what coefficients are of. Up to isometry, if
        embeddings are. Of the measures, which are in random order, only the first
        `MAX_DECODED` count.
        """
        if self.reconstruction_weight == 0:  # a fit that goes on without
            return torch.zeros((), device=z.device)
        z, measures = z[:MAX_DECODED], measures[:MAX_DECODED]
        points = model.decode(z)
        unit = float(model.inputs.unit)
        total = torch.zeros((), device=z.device)
        for batch in self._batches(model, measures):
            decoded = points.index_select(0, batch.rows)
            uniform = torch.full_like(decoded[:, :, 0], 1 / decoded.shape[1])
            made = batch._replace(points=decoded, masses=uniform)
            x, y = model.inputs.tokens(batch), model.inputs.tokens(made)
            value, _ = sinkhorn_divergence(
                x.detach(),
                batch.masses,
                y,
                uniform,
                reg=self.reg,
                scale=unit,
                max_iter=SINKHORN_STEPS,
                tol=SINKHORN_TOL,
            )
            total = total + value.sum() / unit**2
        return self.reconstruction_weight * total / len(z)

    def _batches(self, model: Wormhole, measures: Tensor) -> list[CloudBatch]:
        clouds = [self.measures.measure(i) for i in measures.tolist()]
        if self.max_points is not None and self.generator is not None:
            clouds = [subsample(c, self.max_points, self.generator) for c in clouds]
        return model.inputs.batches(clouds, measures.device)
