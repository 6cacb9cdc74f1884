"""Fixed first layers: a cloud, or a histogram as one, becomes a row of numbers."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ..measures import Histograms, PointClouds
from ..measures.subsets import are_dense_rows, some_clouds
from .devices import to_tensor
from .fourier import FourierCoefficients, LocalDistances
from .inputs import FixedInput, StandardInput, mass_chunks
from .ragged import Cloud, CloudBatch, in_order, padded_batches, subsample
from .slices import SliceCells
from .slopes import LinearSlopes, SliceSlopes

GAIN = 1.0
# Waves of local distances, and waves that a point is to learned layers, at most.
N_WAVES = 16
N_POINT_WAVES = 32
# Clouds, and points of each, that frequencies and scales are chosen by.
FIT_CLOUDS, FIT_POINTS = 128, 128
# Clouds that fixed layers and the size of decoded clouds are fitted to.
N_FIT_CLOUDS = 1_024
# Clouds that go through a network at once, where no gradient is wanted.
CHUNK_CLOUDS = 1024


def n_slices(dim: int) -> tuple[int, int]:
    """Return on how many lines measures are projected, and into how many cells."""
    if dim == 1:
        return 1, 256
    return (16 if dim == 2 else 32), 16


class CloudInput(FixedInput):
    """Fixed first layers: a cloud becomes a row of numbers of order 1.

    The row holds the cells of slices, or Fourier coefficients and, unless the mean is
    exact, the mean.

    Parameters
    ----------
    dim : int
        Dimension of the points.
    n_frequencies : int
        Of the coefficients; 0 for slices.
    exact_mean : bool
        Whether clouds are centred, for embeddings that carry the mean separately.
    by_isometry : bool
        Whether to see clouds only up to isometry.
    """

    center: Tensor
    token_center: Tensor
    pooled: FourierCoefficients | SliceCells

    def __init__(
        self, dim: int, n_frequencies: int, exact_mean: bool, by_isometry: bool
    ) -> None:
        super().__init__()
        self.exact_mean = exact_mean
        self.n_exact = dim if exact_mean else 0
        self.local = LocalDistances(N_WAVES) if by_isometry else None
        self.token_dim = N_WAVES if by_isometry else dim
        self.n_point_waves = min(n_frequencies, N_POINT_WAVES)
        if n_frequencies:
            self.pooled = FourierCoefficients(self.token_dim, n_frequencies)
            self.size = 2 * n_frequencies + (0 if exact_mean else self.token_dim)
            n_numbers = n_frequencies
        else:
            n_lines, n_cells = n_slices(self.token_dim)
            self.pooled = SliceCells(self.token_dim, n_lines, n_cells)
            self.size = n_numbers = n_lines * n_cells
        self.width = max(n_numbers, self.token_dim)  # numbers that a point takes
        self.standard = StandardInput(self.size, GAIN)
        self.register_buffer("center", torch.empty(dim))
        self.register_buffer("token_center", torch.empty(self.token_dim))

    @property
    def unit(self) -> Tensor:
        """Root of the mean square of what rows are of."""
        return self.pooled.unit

    @property
    def point_size(self) -> int:
        """Numbers that a point is to learned layers."""
        return self.token_dim + 2 * self.n_point_waves

    def fit_to(
        self,
        measures: Histograms | PointClouds,
        generator: torch.Generator,
        pairs: np.ndarray,
        w: np.ndarray,
    ) -> None:
        """Take scales and frequencies from some measures of training, as clouds."""
        self.fit(some_clouds(measures, N_FIT_CLOUDS), generator)

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
        self.pooled.fit(points[masses > 0], masses[masses > 0], generator)
        self.standard.fit(torch.cat([self._raw(b) for b in self.batches(clouds)]))

    def batches(
        self, clouds: Sequence[Cloud], device: torch.device | str = "cpu"
    ) -> list[CloudBatch]:
        """Return clouds in padded batches."""
        origin = self.center.double().cpu().numpy()
        centred = self.exact_mean or self.local is not None
        return padded_batches(
            clouds, origin, centred=centred, width=self.width, device=device
        )

    def tokens(self, batch: CloudBatch) -> Tensor:
        """Return what coefficients are of: points, or what they see. [B, n, d']."""
        if self.local is None:
            return batch.points
        return self.local(batch.points, batch.masses) - self.token_center

    def point_features(self, batch: CloudBatch) -> Tensor:
        """Return what learned layers see of each point: [B, n, point_size]."""
        # Only Fourier coefficients come with learned layers, and they have waves.
        of_points = self.pooled.of_points
        return of_points(self.tokens(batch), self.n_point_waves)  # type: ignore[operator]

    def _raw(self, batch: CloudBatch) -> Tensor:
        tokens = self.tokens(batch)
        means = torch.bmm(batch.masses[:, None], tokens)[:, 0]
        return self._join(self.pooled(tokens, batch.masses), means)

    def _join(self, pooled: Tensor, means: Tensor) -> Tensor:
        if self.size == pooled.shape[1]:
            return pooled
        return torch.cat([pooled, means / self.unit], dim=1)

    def forward(self, batch: CloudBatch) -> Tensor:
        """Return rows, with the mean at the end if it is exact: [B, size (+ d)]."""
        rows = self.standard(self._raw(batch))
        return torch.cat([rows, batch.means], dim=1) if self.exact_mean else rows

    def of_histograms(self, support: Tensor, masses: Tensor) -> Tensor:
        """Return the same of masses [B, n] on support [n, d], relative to center."""
        means = masses @ support
        moved = means if self.exact_mean else None
        pooled = self.pooled.of_histograms(support, masses, moved)
        rows = self.standard(self._join(pooled, means))
        return torch.cat([rows, means], dim=1) if self.exact_mean else rows

    @torch.no_grad()
    def rows(self, measures: Histograms | PointClouds, device: torch.device) -> Tensor:
        """Return what `forward` makes of all measures: [N, size (+ d)].

        Those of histograms are matrix products, as by `of_histograms`, but of sparse
        ones, and where local distances are to be seen.
        """
        self.to(device)
        if self.local is None and are_dense_rows(measures):
            support = self.moved(measures.support, device)
            masses = mass_chunks(measures, device)
            return torch.cat([self.of_histograms(support, x) for x in masses])
        parts = []
        for clouds in chunks(measures):
            batches = self.batches(clouds, device)
            parts.append(in_order(batches, [self(batch) for batch in batches]))
        return torch.cat(parts)

    @torch.no_grad()
    def row_slopes(
        self,
        measures: Histograms | PointClouds,
        probes: Histograms | PointClouds,
        device: torch.device,
    ) -> LinearSlopes | SliceSlopes:
        """Return how gradients in rows of measures become slopes toward probes."""
        if not isinstance(self.pooled, SliceCells):
            return LinearSlopes(self.rows(probes, device)[:, : self.size])
        clouds = [probes.measure(i) for i in range(len(probes))]
        lines: list[tuple[int, Tensor, Tensor]] = []
        for batch in self.batches(clouds, device):
            places, masses = self.pooled.project(batch.points, batch.masses)
            lines += zip(batch.rows.tolist(), places, masses, strict=True)
        lines.sort(key=lambda line: line[0])
        quantiles, below = self._knots(self.pooled, measures, device)
        return SliceSlopes(
            quantiles,
            below,
            [places for _, places, _ in lines],
            [masses for _, _, masses in lines],
            gain=float(self.standard.inverse_std),
        )

    def _knots(
        self,
        cells: SliceCells,
        measures: Histograms | PointClouds,
        device: torch.device,
    ) -> tuple[Tensor, ...]:
        """Return quantiles of centred measures on lines, and what lies below them."""
        parts = []
        if are_dense_rows(measures):
            support = self.moved(measures.support, device)
            for masses in mass_chunks(measures, device):
                means = masses @ support
                parts.append(cells.knots_of_histograms(support, masses, means))
        else:
            for clouds in chunks(measures):
                batches = self.batches(clouds, device)
                found = [cells.knots(batch.points, batch.masses) for batch in batches]
                quantiles, below = zip(*found, strict=True)
                parts.append((in_order(batches, quantiles), in_order(batches, below)))
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    def moved(self, support: np.ndarray, device: torch.device | str) -> Tensor:
        """Return positions of bins relative to the center, which are then rounded."""
        return to_tensor(support - self.center.double().cpu().numpy(), device)


def chunks(measures: Histograms | PointClouds) -> Iterator[list[Cloud]]:
    """Yield all measures as lists of clouds."""
    for start in range(0, len(measures), CHUNK_CLOUDS):
        stop = min(start + CHUNK_CLOUDS, len(measures))
        yield [measures.measure(i) for i in range(start, stop)]


def _pool(parts: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Return means of clouds: [B, n, d], [B, n] each -> [sum of B, d]."""
    return torch.cat([torch.bmm(a[:, None], x)[:, 0] for x, a in parts])
