"""Quantile cells of slices: of clouds and histograms, and how they move."""

import math

import numpy as np
import pytest
import torch

from skwass.measures import PointClouds
from skwass.nn.slices import SliceCells, _group_lines, _lattice_directions
from skwass.nn.slopes import N_TABLE, LinearSlopes, SliceSlopes
from skwass.ot.quantiles import centred_cells


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make_cells(dim, n_lines, n_cells):
    cells = SliceCells(dim, n_lines, n_cells)
    points = torch.randn(100, dim, generator=seeded(1))
    cells.fit(points, torch.ones(100), seeded())
    return cells


def grid(height, width):
    return torch.cartesian_prod(torch.arange(height), torch.arange(width)).float()


def random_masses(n, n_bins, seed=0):
    masses = torch.rand(n, n_bins, generator=seeded(seed)) ** 4
    return masses / masses.sum(dim=1, keepdim=True)


@pytest.mark.parametrize(("dim", "n_lines"), [(1, 1), (2, 16), (3, 9), (7, 5)])
def test_cells_are_those_of_sliced_distances(dim, n_lines):
    """The quantile cells of the embedder without training, in double precision."""
    cells = make_cells(dim, n_lines, 6)
    norms = cells.directions.norm(dim=0)
    torch.testing.assert_close(norms, torch.ones(n_lines))
    points = torch.randn(4, 20, dim, generator=seeded(2))
    masses = random_masses(4, 20)
    clouds = PointClouds(list(points.double().numpy()), list(masses.double().numpy()))
    means, expected = centred_cells(
        clouds, cells.directions.double().numpy(), 6, np.zeros(dim)
    )
    moved = points - torch.from_numpy(means).float()[:, None]
    found = cells(moved, masses).unflatten(1, (n_lines, 6))
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(
    "support",
    [grid(6, 9), grid(40, 1)[:, :1], torch.randn(50, 2), torch.randn(300, 3)],
    ids=["grid", "line", "scattered", "many"],
)
def test_histograms_are_clouds_of_their_bins(support):
    """With bins that share places and without, by products and by running sums."""
    dim = support.shape[1]
    cells = make_cells(dim, 1 if dim == 1 else 10, 5)
    masses = random_masses(7, len(support))
    means = masses @ support
    points = support.expand(7, -1, -1)
    scale = float(support.abs().max())
    for shift in (None, means):
        moved = points if shift is None else points - shift[:, None]
        found = cells.of_histograms(support, masses, shift)
        gap = (found - cells(moved, masses)).abs().max()
        assert gap < 1e-4 * scale
    knots = cells.knots(points - means[:, None], masses)
    for found, expected in zip(
        cells.knots_of_histograms(support, masses, means), knots, strict=True
    ):
        assert found.shape == expected.shape
        off = (found - expected).abs() > 1e-4 * scale
        assert off.float().mean() < 0.01  # rounding may take the next bin


def test_bins_in_one_place_are_one():
    cells = make_cells(2, 16, 4)
    groups = _group_lines(grid(5, 5) @ cells.directions)
    sizes = torch.empty(16, dtype=torch.int64)
    for which, lines in groups:
        sizes[which] = (
            (lines.adds.to_dense().sum(dim=1) > 0).view(len(which), -1).sum(1)
        )
        assert (lines.places.diff(dim=1) >= 0).all()
    # Along i + j, 2 i + j, 3 i + j and 3 i + 2 j; of the last, 1 and 19 do not occur.
    assert sizes.tolist() == [5] * 2 + [9] * 2 + [13] * 4 + [17] * 4 + [19] * 4
    assert sum(len(which) for which, _ in groups) == 16


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_lattice_directions_are_short_and_distinct(dim):
    n_lines = 1 if dim == 1 else 13
    directions = _lattice_directions(dim, n_lines)
    assert directions.shape == (dim, n_lines)
    cosines = (directions.T @ directions).abs() - torch.eye(n_lines)
    assert cosines.max() < 0.999
    # The axes come first.
    assert torch.equal(directions[:, :dim].abs().sum(dim=0), torch.ones(dim).double())


def test_slopes_of_cells_are_finite_differences():
    """Of cells, as a measure gives way to a probe, both about one mean."""
    cells = make_cells(2, 4, 5)
    points = torch.randn(3, 30, 2, generator=seeded(3)).double()
    masses = random_masses(3, 30, seed=4).double()
    points = points - (masses[:, None] @ points)
    probes = torch.randn(2, 8, 2, generator=seeded(5)).double()
    probes = probes - probes.mean(dim=1, keepdim=True)
    even = torch.full((2, 8), 1 / 8).double()
    cells = cells.double()
    toward = SliceSlopes(
        *cells.knots(points, masses),
        *(list(part) for part in cells.project(probes, even)),
        gain=2.0,
    )
    gradient = torch.randn(3, 20, generator=seeded(6)).double()
    found = toward(gradient, None, torch.arange(3))
    share = 1e-5
    for k, probe in enumerate(probes):
        both = torch.cat([points, probe.expand(3, -1, -1)], dim=1)
        mixed = torch.cat([(1 - share) * masses, share * even[:1].expand(3, -1)], dim=1)
        change = 2 * (cells(both, mixed) - cells(points, masses)) / share
        expected = (gradient * change).sum(dim=1)
        # The table is linear between its places.
        room = 0.05 * gradient.norm() * math.sqrt(128 / N_TABLE)
        assert (found[:, k] - expected).abs().max() < room


def test_slopes_of_linear_rows_are_exact():
    rows, probes = torch.randn(3, 6), torch.randn(4, 6)
    gradient = torch.randn(3, 6)
    found = LinearSlopes(probes)(gradient, rows, torch.arange(3))
    expected = torch.einsum("bn,brn->br", gradient, probes - rows[:, None])
    torch.testing.assert_close(found, expected)


def test_embeddings_differentiate_after_a_transform():
    """What is kept of a support must not be of inference mode."""
    cells, support = make_cells(2, 16, 4), grid(5, 5)
    masses = random_masses(3, 25)
    with torch.inference_mode():
        before = cells.of_histograms(support, masses, None)
    masses.requires_grad_()
    after = cells.of_histograms(support, masses, None)
    torch.testing.assert_close(after.detach(), before.clone())
    after.square().sum().backward()
    assert masses.grad.isfinite().all()


def test_another_support_is_another():
    cells, masses = make_cells(2, 16, 4), random_masses(3, 25)
    for support in (grid(5, 5), 2 * grid(5, 5), grid(5, 5)):
        found = cells.of_histograms(support, masses, None)
        expected = cells(support.expand(3, -1, -1), masses)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_levels_between_atoms_are_at_the_middle():
    """Even masses, and cells that end on atoms."""
    cells = make_cells(1, 1, 4)
    points = torch.arange(8.0).reshape(1, 8, 1)
    even = torch.full((1, 8), 1 / 8)
    quantiles, below = cells.knots(points, even)
    torch.testing.assert_close(quantiles.flatten(), torch.tensor([1.5, 3.5, 5.5]))
    expected = (quantiles.flatten()[:, None] - torch.arange(8.0)).clamp_min(0).mean(1)
    torch.testing.assert_close(below.flatten(), expected)
