"""Fixed first layer of measures: quantile functions of their projections on lines.

On a line, W2 is the L2 distance of quantile functions [1]_. Those of projections on a
few lines are the numbers that come nearest to W2 without transport: what a network has
left to learn is the little that lines do not see.

References
----------
.. [1] Bonneel, Rabin, Peyre, Pfister (2015). Sliced and Radon Wasserstein barycenters
   of measures. JMIV 51(1).
"""

import itertools
import math
import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from ..ot.quantiles import atoms_at_levels, cells_between, quantile_cells
from .fourier import shaped_directions

# Up to this dimension, lines go through points of the lattice of integers.
_LATTICE_DIM = 3
# Histograms that are projected at once, so that what is made of them stays in caches,
# and numbers of each of a handful of tensors then.
_ROWS, _MAX_ENTRIES = 512, 2**22
# Up to this many places on a line, products with triangles beat running sums.
_MOST_PLACES = 256
# Levels that are as near to a sum of masses fall between two atoms.
_TIE = 1e-5
# Lines of one group have at most this many times the places of others.
_ALIKE = 1.3
# Positions on a line that differ by less than this share of their range are one.
_SAME = 1e-6


class SliceCells(nn.Module):
    """Quantile functions of projections, averaged over cells of equal probability.

    Parameters
    ----------
    dim : int
        Dimension of the space.
    n_lines : int
        Lines to project on; one in dimension 1.
    n_cells : int
        Cells of each quantile function.
    """

    directions: Tensor
    unit: Tensor

    def __init__(self, dim: int, n_lines: int, n_cells: int) -> None:
        super().__init__()
        self.n_cells = n_cells
        self.size = n_lines * n_cells
        self.register_buffer("directions", torch.empty(dim, n_lines))
        self.register_buffer("unit", torch.empty(()))
        # The latest support and its lines, which take as long as a thousand histograms.
        self._latest: tuple[Tensor, list] | None = None

    def __getstate__(self) -> dict:
        return {**vars(self), "_latest": None}

    @torch.no_grad()
    def fit(self, points: Tensor, masses: Tensor, generator: torch.Generator) -> None:
        """Choose lines for points like these: [P, d], of masses [P].

        In few dimensions those through the nearest points of the lattice of integers,
        for many bins of a grid then share a place on a line; otherwise at random, along
        directions in which points differ.
        """
        points, share = points.double(), masses.double() / masses.double().sum()
        self.unit.fill_(float((share @ points.square().sum(dim=1)).sqrt()) or 1.0)
        dim, n_lines = self.directions.shape
        if dim <= _LATTICE_DIM:
            directions = _lattice_directions(dim, n_lines)
        else:
            directions = shaped_directions(points, share, n_lines, generator).T
        self.directions.copy_(directions)
        self._latest = None

    def forward(self, points: Tensor, masses: Tensor) -> Tensor:
        """Return cells of clouds: [B, n, d], [B, n] -> [B, size]."""
        places, masses = self.project(points, masses)
        return quantile_cells(places, masses, self.n_cells).flatten(1)

    def of_histograms(
        self, support: Tensor, masses: Tensor, means: Tensor | None
    ) -> Tensor:
        """Return cells of masses [B, n] on one support [n, d]: [B, size].

        With their means [B, d], those of the centred measures.
        """
        cells = masses.new_empty(len(masses), self.directions.shape[1], self.n_cells)
        for rows, which, places, upto, integral in self._on_lines(support, masses):
            found = cells_between(places[:, None], upto, integral, self.n_cells)
            cells[rows, which] = found.transpose(0, 1)
        if means is not None:
            cells -= (means @ self.directions)[:, :, None]
        return cells.flatten(1)

    def project(self, points: Tensor, masses: Tensor) -> tuple[Tensor, Tensor]:
        """Return ascending places on lines and their masses: [B, L, n] each."""
        places = (points @ self.directions).transpose(1, 2).contiguous()
        masses = masses[:, None].expand_as(places)
        if places.device.type != "cpu":
            places, order = places.sort(dim=2)
            return places, masses.gather(2, order)
        places = places.detach()
        # NumPy sorts floats ten times as fast as torch, and argsorts them three times.
        if bool((masses == masses[0, 0, 0]).all()):
            return torch.from_numpy(np.sort(places.numpy(), axis=2)), masses
        order = torch.from_numpy(np.argsort(places.numpy(), axis=2))
        return places.gather(2, order), masses.gather(2, order)

    def knots(self, points: Tensor, masses: Tensor) -> tuple[Tensor, Tensor]:
        """Return quantiles of clouds at the ends of cells, and what lies below them.

        Returns
        -------
        quantiles : Tensor [B, L, n_cells - 1]
            q at the levels between cells.
        below : Tensor [B, L, n_cells - 1]
            The integral of max(q - z, 0) over the projected measure in z.
        """
        places, masses = self.project(points, masses)
        sums = masses.cumsum(-1), (masses * places).cumsum(-1)
        return _knots(places, *sums, self.n_cells)

    def knots_of_histograms(
        self, support: Tensor, masses: Tensor, means: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the same of centred histograms."""
        shape = len(masses), self.directions.shape[1], self.n_cells - 1
        quantiles, below = masses.new_empty(shape), masses.new_empty(shape)
        for rows, which, places, upto, integral in self._on_lines(support, masses):
            found = _knots(places[:, None], upto, integral, self.n_cells)
            quantiles[rows, which], below[rows, which] = (
                part.transpose(0, 1) for part in found
            )
        return quantiles - (means @ self.directions)[:, :, None], below

    def _on_lines(
        self, support: Tensor, masses: Tensor
    ) -> Iterator[tuple[slice, Tensor, Tensor, Tensor, Tensor]]:
        """Yield parts of histograms on lines.

        That is the rows and the lines of the part, as slice and index, the places on
        these lines [l, m], and the sums up to each place, [l, b, m], of masses, and of
        masses times places.
        """
        groups = self._groups(support)
        widest = max(lines.places.numel() for _, lines in groups)
        step = min(_ROWS, max(1, _MAX_ENTRIES // max(widest, len(support))))
        for start in range(0, len(masses), step):
            rows = slice(start, start + step)
            columns = masses[rows].T.contiguous()
            for which, lines in groups:
                yield rows, which, lines.places, *lines.sums(columns)

    def _groups(self, support: Tensor) -> list[tuple[Tensor, "Lines"]]:
        """Return groups of lines for a support, the latest kept."""
        latest = self._latest
        if (
            latest is None
            or latest[0].device != support.device
            or not torch.equal(latest[0], support)
        ):
            # What is kept may meet gradients later.
            with torch.inference_mode(False), torch.no_grad():
                kept = support.clone()
                groups = _group_lines(kept @ self.directions.clone())
            self._latest = latest = kept, groups
        return latest[1]


def _group_lines(places: Tensor) -> list[tuple[Tensor, "Lines"]]:
    """Group lines that have about as many places for bins: [n, L]."""
    places = places.T.contiguous()
    rounding = _SAME * max(float(places.max() - places.min()), 1e-30)
    numbers = (places / rounding).round()
    counts = torch.tensor([len(torch.unique(line)) for line in numbers])
    groups: list[list[int]] = []
    for k in torch.argsort(counts).tolist():
        if not groups or counts[k] > _ALIKE * counts[groups[-1][0]]:
            groups.append([])
        groups[-1].append(k)
    return [
        (torch.tensor(group, device=places.device), Lines(places[group], rounding))
        for group in groups
    ]


class Lines:
    """Bins of histograms on lines, those in one place together.

    Parameters
    ----------
    places : Tensor [L, n]
        Where the bins are on each line.
    rounding : float
        Places are the same that differ by less.
    """

    def __init__(self, places: Tensor, rounding: float) -> None:
        found = [
            torch.unique((line / rounding).round(), return_inverse=True)
            for line in places
        ]
        m = max(len(line) for line, _ in found)
        # Places that are left over, at the end, weigh nothing.
        self.places = places.amax(dim=1, keepdim=True).repeat(1, m)  # [L, m]
        where = torch.stack([inverse for _, inverse in found])
        lines = torch.arange(len(places), device=places.device)
        self.places.scatter_reduce_(1, where, places, "amin", include_self=True)
        rows = (where + m * lines[:, None]).flatten()
        bins = torch.arange(places.shape[1], device=places.device).repeat(len(places))
        with warnings.catch_warnings():  # that sparse matrices are in beta
            warnings.simplefilter("ignore", UserWarning)
            self.adds = torch.sparse_coo_tensor(
                torch.stack([rows, bins]),
                places.new_ones(len(bins)),
                (self.places.numel(), places.shape[1]),
            ).to_sparse_csr()
        self.triangles: tuple[Tensor, Tensor] | None = None
        if m <= _MOST_PLACES:
            upto = places.new_ones(m, m).triu().expand(len(places), m, m)
            self.triangles = upto, upto * self.places[:, :, None]

    def sums(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return sums up to each place, of masses, and of masses times places.

        Histograms are columns: [n, B] -> [L, B, m] each.
        """
        added = (self.adds @ columns).unflatten(0, self.places.shape).transpose(1, 2)
        if self.triangles is not None:
            upto, integral = self.triangles
            return torch.bmm(added, upto), torch.bmm(added, integral)
        return added.cumsum(-1), (added * self.places[:, None]).cumsum(-1)


def _knots(
    places: Tensor, upto: Tensor, integral: Tensor, n_cells: int
) -> tuple[Tensor, Tensor]:
    """Return quantiles between cells and what lies below; see `SliceCells.knots`.

    Where a level falls between two atoms, any place between them is a quantile, and the
    middle is taken: rounding must not choose. What lies below is linear there.
    """
    found = []
    for side in (-_TIE, _TIE):
        k, _ = atoms_at_levels(upto, n_cells, side)
        quantiles = places.expand_as(upto).gather(-1, k)
        below = quantiles * upto.gather(-1, k) - integral.gather(-1, k)
        found.append((quantiles, below))
    (q_a, below_a), (q_b, below_b) = found
    return (q_a + q_b) / 2, (below_a + below_b) / 2


def _lattice_directions(dim: int, n_lines: int) -> Tensor:
    """Return unit vectors along the shortest vectors of integers: [d, n_lines].

    Of those along one line the shortest is taken, with a positive last entry but zeros.
    """
    found: list[tuple[int, ...]] = []
    radius = 1
    while len(found) < n_lines:
        box = itertools.product(range(-radius, radius + 1), repeat=dim)
        found = [
            v
            for v in box
            if math.gcd(*v) == 1 and next(x for x in reversed(v) if x) > 0
        ]
        radius += 1 if dim > 1 else n_lines
    vectors = sorted(found, key=lambda v: (sum(x * x for x in v), v))[:n_lines]
    directions = torch.tensor(vectors, dtype=torch.float64).T
    return directions / directions.norm(dim=0)
