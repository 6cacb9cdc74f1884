"""Fixed first layers for point clouds: Fourier coefficients, and local distances.

B clouds of n points in R^d and their masses of sum 1; padding weighs nothing. These
layers give means over a measure, so the order of points, padding and points in two
halves do not matter. They hold no weights: training applies them once to all data.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Frequencies in units of 1 / (spread of points along their direction): the longest
# waves see a cloud as a whole, the shortest details of a fifth of its spread.
LOWEST, HIGHEST = 0.4, 5.0
# Power of the frequency that coefficients are divided by, which are dense on a
# logarithmic scale: between the L2 norm on a line and the dual Sobolev norm, which
# W2 is near (see SpectralInput). Between 1/2 and 1 it makes no difference on digits.
SMOOTHNESS = 0.75
# L of local distances over the largest that was seen.
HEADROOM = 1.25
# Directions in which points spread less than this share of their whole are flat.
_FLAT = 1e-3


class FourierCoefficients(nn.Module):
    """Characteristic function of a measure at fixed random frequencies.

    The coefficients `sum_i a_i exp(i w_k . x_i)`, each divided by a power of its
    frequency, are linear in the measure, and their distance is near W where measures
    are close: on a line, W2 is then the norm of the dual Sobolev space H^-1 [1]_.

    Parameters
    ----------
    dim : int
        Dimension of the space.
    n_frequencies : int
        How many; a cosine and a sine of each.

    References
    ----------
    .. [1] Peyre (2018). Comparison between W2 distance and H^-1 norm. ESAIM: COCV 24.
    """

    frequencies: Tensor
    weight: Tensor
    unit: Tensor

    def __init__(self, dim: int, n_frequencies: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.empty(n_frequencies, dim))
        self.register_buffer("weight", torch.empty(n_frequencies))
        self.register_buffer("unit", torch.empty(()))

    @torch.no_grad()
    def fit(self, points: Tensor, masses: Tensor, generator: torch.Generator) -> None:
        """Choose frequencies for points like these: [P, d], of masses [P].

        Directions are Gaussian with the covariance of the points, so that they lie
        where the data do, whatever the dimension.
        """
        points, share = points.double(), masses.double() / masses.double().sum()
        unit = float((share @ points.square().sum(dim=1)).sqrt()) or 1.0
        self.unit.fill_(unit)
        n = len(self.frequencies)
        directions = shaped_directions(points, share, n, generator)
        spread = (points @ directions.T).square().T @ share  # [F]
        spread = spread.sqrt().clamp_min(_FLAT * unit)
        ends = math.log(LOWEST), math.log(HIGHEST)
        radii = torch.linspace(*ends, n, dtype=torch.float64).exp()
        radii = radii[torch.randperm(n, generator=generator)]
        self.frequencies.copy_(directions * (radii / spread)[:, None])
        self.weight.copy_((radii * unit / spread) ** -SMOOTHNESS)

    def forward(self, points: Tensor, masses: Tensor) -> Tensor:
        """Return coefficients of clouds: [B, n, d], [B, n] -> [B, 2 F]."""
        phase = points @ self.frequencies.T  # [B, n, F]
        mass = masses[:, None]
        real = torch.bmm(mass, phase.cos())[:, 0] * self.weight
        imaginary = torch.bmm(mass, phase.sin())[:, 0] * self.weight
        return torch.cat([real, imaginary], dim=1)

    def of_histograms(
        self, support: Tensor, masses: Tensor, means: Tensor | None
    ) -> Tensor:
        """Return coefficients of masses [B, n] on one support [n, d]: [B, 2 F].

        Two matrix products. With their means [B, d], those of the centred measures: a
        shift turns each coefficient.
        """
        phase = support @ self.frequencies.T  # [n, F]
        real = masses @ phase.cos() * self.weight
        imaginary = masses @ phase.sin() * self.weight
        if means is not None:
            angle = means @ self.frequencies.T  # [B, F]
            cosine, sine = angle.cos(), angle.sin()
            real, imaginary = (
                real * cosine + imaginary * sine,
                imaginary * cosine - real * sine,
            )
        return torch.cat([real, imaginary], dim=1)

    def of_points(self, points: Tensor, n_frequencies: int) -> Tensor:
        """Return what a point is to a network: [..., d] -> [..., d + 2 n].

        Its position, and the waves of the first `n_frequencies`.
        """
        phase = points @ self.frequencies[:n_frequencies].T
        return torch.cat([points / self.unit, phase.cos(), phase.sin()], dim=-1)


def shaped_directions(
    points: Tensor, share: Tensor, n: int, generator: torch.Generator
) -> Tensor:
    """Return random unit vectors along which points differ: [n, d].

    Gaussian with the second moments of points [P, d], of masses [P] of sum 1.
    """
    variances, axes = torch.linalg.eigh(points.T @ (share[:, None] * points))
    # Where all points are one, any direction does.
    unit = float((share @ points.square().sum(dim=1)).sqrt()) or 1.0
    deviations = variances.clamp_min(0).sqrt() + 1e-6 * unit
    shape = n, points.shape[1]
    directions = torch.randn(shape, dtype=torch.float64, generator=generator)
    directions = directions @ (axes * deviations) @ axes.T  # the root is symmetric
    return directions / directions.norm(dim=1, keepdim=True)


class LocalDistances(nn.Module):
    """A cloud of what each point sees: invariant under isometries, exactly.

    Point i becomes the cosine coefficients `sum_j a_j cos(pi k D_ij / L) / k` of its
    distances to all points, k = 1 ... K: of its local distribution of distances, where
    what is farther than L counts as L. How far two clouds of these are apart is the
    third lower bound of Gromov-Wasserstein distance (Memoli 2011, definition 6.3), so
    they are what a network of it should see.

    Parameters
    ----------
    n_waves : int
        K.
    """

    length: Tensor

    def __init__(self, n_waves: int) -> None:
        super().__init__()
        self.n_waves = n_waves
        self.register_buffer("length", torch.empty(()))

    def fit(self, clouds: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Take the largest distance inside clouds: [B, n, d] and [B, n] each."""
        largest = 0.0
        for points, masses in clouds:
            weighs = (masses > 0).to(points.dtype)
            pairs = weighs[:, :, None] * weighs[:, None, :]
            largest = max(largest, float((_inner(points) * pairs).max()))
        self.length.fill_(HEADROOM * largest or 1.0)

    def forward(self, points: Tensor, masses: Tensor) -> Tensor:
        """Return clouds in R^K: [B, n, d], [B, n] -> [B, n, K]."""
        share = (_inner(points) / self.length).clamp_max(1.0)  # [B, n, n]
        cosine = torch.cos(math.pi * share)
        mass = masses[:, :, None]
        before, wave, parts = torch.ones_like(cosine), cosine, []
        for k in range(1, self.n_waves + 1):
            parts.append(torch.bmm(wave, mass) / k)  # [B, n, 1]
            # cos((k + 1) t) = 2 cos(t) cos(k t) - cos((k - 1) t), by Chebyshev.
            before, wave = wave, 2 * cosine * wave - before
        return torch.cat(parts, dim=2)


def _inner(points: Tensor) -> Tensor:
    """Return distances inside clouds: [B, n, d] -> [B, n, n]."""
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
