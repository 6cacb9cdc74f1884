"""The network of point clouds: fixed coefficients, learned features, a decoder.

References: [WW] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024).
Wasserstein Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.
[DS] Zaheer et al. (2017). Deep Sets. NeurIPS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..ot import sinkhorn_divergence
from .fourier import FourierCoefficients, LocalDistances
from .inputs import StandardInput
from .mlp import DenseEncoder
from .ragged import Cloud, CloudBatch, in_order, padded_batches, subsample
from .transformer import CloudDecoder, SetEncoder, set_layers

GAIN = 1.0
# Waves of local distances, and waves that a point is to learned layers, at most.
N_WAVES = 16
N_POINT_WAVES = 32
# Clouds, and points of each, that frequencies and scales are chosen by.
FIT_CLOUDS, FIT_POINTS = 128, 128
# Clouds that go through a network at once, where no gradient is wanted.
CHUNK_CLOUDS = 1024
# Of the Sinkhorn divergence that a decoder is trained with. Its gradient need not be
# exact: the next step comes.
SINKHORN_STEPS, SINKHORN_TOL = 30, 1e-2
# Clouds that a step decodes: transport of each costs as much as many encodings.
MAX_DECODED = 4


class CloudInput(nn.Module):
    """Fixed first layers: a cloud becomes a row of numbers of order 1.

    The row holds Fourier coefficients and, unless the mean is exact, the mean.

    Parameters
    ----------
    dim : int
        Dimension of the points.
    n_frequencies : int
        Of the coefficients.
    exact_mean : bool
        Whether clouds are centred, for embeddings that carry the mean beside.
    by_isometry : bool
        Whether to see clouds up to isometry alone.
    """

    center: Tensor
    token_center: Tensor

    def __init__(
        self, dim: int, n_frequencies: int, exact_mean: bool, by_isometry: bool
    ) -> None:
        super().__init__()
        self.exact_mean = exact_mean
        self.local = LocalDistances(N_WAVES) if by_isometry else None
        self.token_dim = N_WAVES if by_isometry else dim
        self.n_point_waves = min(n_frequencies, N_POINT_WAVES)
        self.waves = FourierCoefficients(self.token_dim, n_frequencies)
        self.size = 2 * n_frequencies + (0 if exact_mean else self.token_dim)
        self.standard = StandardInput(self.size, GAIN)
        self.register_buffer("center", torch.empty(dim))
        self.register_buffer("token_center", torch.empty(self.token_dim))

    @property
    def point_size(self) -> int:
        """Numbers that a point is to learned layers."""
        return self.token_dim + 2 * self.n_point_waves

    @torch.no_grad()
    def fit(self, clouds: Sequence[Cloud], generator: torch.Generator) -> None:
        """Take scales and frequencies from some clouds of training."""
        means = np.stack([a @ x for x, a in clouds])
        self.center.copy_(torch.from_numpy(means.mean(axis=0)))
        few = clouds[:: -(-len(clouds) // FIT_CLOUDS)]
        self.token_center.zero_()
        batches = self.batches([subsample(c, FIT_POINTS, generator) for c in few])
        if self.local is not None:
            self.local.fit([(batch.points, batch.masses) for batch in batches])
            tokens = [(self.tokens(batch), batch.masses) for batch in batches]
            self.token_center.copy_(_pool(tokens).mean(dim=0))
        points = torch.cat([self.tokens(batch).flatten(0, 1) for batch in batches])
        masses = torch.cat([batch.masses.flatten() for batch in batches])
        self.waves.fit(points[masses > 0], masses[masses > 0], generator)
        self.standard.fit(torch.cat([self._raw(b) for b in self.batches(clouds)]))

    def batches(
        self, clouds: Sequence[Cloud], device: torch.device | str = "cpu"
    ) -> list[CloudBatch]:
        """Return clouds in padded batches."""
        origin = self.center.double().cpu().numpy()
        centred = self.exact_mean or self.local is not None
        options = {"centred": centred, "device": device}
        width = max(self.waves.frequencies.shape)
        return padded_batches(clouds, origin, width=width, **options)

    def tokens(self, batch: CloudBatch) -> Tensor:
        """Return what coefficients are of: points, or what they see. [B, n, d']."""
        if self.local is None:
            return batch.points
        return self.local(batch.points, batch.masses) - self.token_center

    def point_features(self, batch: CloudBatch) -> Tensor:
        """Return what learned layers see of each point: [B, n, point_size]."""
        return self.waves.of_points(self.tokens(batch), self.n_point_waves)

    def _raw(self, batch: CloudBatch) -> Tensor:
        tokens = self.tokens(batch)
        means = torch.bmm(batch.masses[:, None], tokens)[:, 0]
        return self._join(self.waves(tokens, batch.masses), means)

    def _join(self, coefficients: Tensor, means: Tensor) -> Tensor:
        if self.exact_mean:
            return coefficients
        return torch.cat([coefficients, means / self.waves.unit], dim=1)

    def forward(self, batch: CloudBatch) -> Tensor:
        """Return rows, with the mean at the end if it is exact: [B, size (+ d)]."""
        rows = self.standard(self._raw(batch))
        return torch.cat([rows, batch.means], dim=1) if self.exact_mean else rows

    def of_histograms(self, support: Tensor, masses: Tensor) -> Tensor:
        """Return the same of masses [B, n] on support [n, d], relative to center."""
        means = masses @ support
        moved = means if self.exact_mean else None
        coefficients = self.waves.of_histograms(support, masses, moved)
        rows = self.standard(self._join(coefficients, means))
        return torch.cat([rows, means], dim=1) if self.exact_mean else rows


def _pool(parts: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Return means of clouds: [B, n, d], [B, n] each -> [sum of B, d]."""
    return torch.cat([torch.bmm(a[:, None], x)[:, 0] for x, a in parts])


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
        self.blocks = (n_components,)
        self.inputs = inputs
        self.points = points
        self.head = head
        self.decoder = decoder
        self.n_exact = len(inputs.center) if inputs.exact_mean else 0
        self.register_buffer("scale", torch.empty(()))

    def encode(self, rows: Tensor, batches: Sequence[CloudBatch] | None) -> Tensor:
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

    def forward(self, clouds: Sequence[Cloud], device: torch.device) -> Tensor:
        """Embed clouds in the units of the data: [U, k]."""
        batches = self.inputs.batches(clouds, device)
        rows = in_order(batches, [self.inputs(batch) for batch in batches])
        return self.encode(rows, batches) * self.scale

    def embed_histograms(self, support: Tensor, masses: Tensor) -> Tensor:
        """Embed masses [B, n] on one support [n, d], relative to the center of all.

        As `forward` does, by two matrix products; without learned layers on points.
        """
        return (
            self.encode(self.inputs.of_histograms(support, masses), None) * self.scale
        )

    @property
    def takes_histograms(self) -> bool:
        """Whether `embed_histograms` can do it."""
        return self.points is None and self.inputs.local is None

    def decode(self, z: Tensor) -> Tensor:
        """Decode embeddings in units of `scale` into points: [B, k] -> [B, m, d].

        In the unit of the data; around 0 with an exact mean or up to isometry,
        otherwise relative to the center of all.
        """
        return self.decoder(z[:, : z.shape[1] - self.n_exact])

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
    architecture : {"deepsets", "transformer", "inducing"}
        Kind of the learned layers on points.
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
    inputs = CloudInput(dim, n_frequencies, exact_mean, by_isometry)
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
        Have `measure(i)`, a tuple of points and masses. They stay where they are; only
        the clouds of a batch are copied to the device.
    rows : Tensor [N, .]
        What `Wormhole.inputs` makes of them, once for all.
    reconstruction_weight : float
        Factor of the decoder's loss.
    reg : float
        Regularisation of its Sinkhorn divergence, in the same unit.
    max_points : int or None
        Learned layers see at most so many points of a cloud, drawn at each step.
    generator : torch.Generator or None
        Draws them; all points are seen if None.
    """

    measures: object
    rows: Tensor
    reconstruction_weight: float
    reg: float
    max_points: int | None
    generator: torch.Generator | None

    def encode(self, model: Wormhole, measures: Tensor) -> Tensor:
        """Embed measures by their numbers, in units of `scale`: [U] -> [U, k]."""
        rows = self.rows.index_select(0, measures)
        if model.points is None:
            return model.encode(rows, None)
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
        unit = float(model.inputs.waves.unit)
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
