"""Fixed layers of clouds against their formulas."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group

from skwass.nn.fourier import HIGHEST, LOWEST, FourierCoefficients, LocalDistances


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 7, 2)) * [4.0, 0.5]
    masses = rng.dirichlet(np.ones(7), size=3)
    return torch.from_numpy(points).float(), torch.from_numpy(masses).float()


def fitted(points, masses, n=50):
    waves = FourierCoefficients(points.shape[2], n)
    generator = torch.Generator().manual_seed(0)
    waves.fit(points.flatten(0, 1), masses.flatten(), generator)
    return waves


def test_coefficients_are_the_characteristic_function(cloud):
    points, masses = cloud
    waves = fitted(points, masses)
    found = waves(points, masses).double().numpy()
    x, a, w = (t.double().numpy() for t in (points, masses, waves.frequencies))
    values = np.einsum("bn,bnk->bk", a, np.exp(1j * x @ w.T)) * waves.weight.numpy()
    np.testing.assert_allclose(found, np.hstack([values.real, values.imag]), atol=1e-5)


def test_frequencies_span_the_spread_of_the_data(cloud):
    points, masses = cloud
    waves = fitted(points, masses, 200)
    phases = points.flatten(0, 1) @ waves.frequencies.T
    spread = (masses.flatten() @ phases.square() / masses.sum()).sqrt()
    assert spread.min() == pytest.approx(LOWEST, rel=1e-3)
    assert spread.max() == pytest.approx(HIGHEST, rel=1e-3)
    # Directions follow the data: most are near the long axis.
    axis = waves.frequencies.abs()
    assert (axis[:, 0] / waves.frequencies.norm(dim=1)).median() > 0.9


@pytest.mark.parametrize("points", [torch.zeros(1, 4, 3), torch.ones(1, 4, 3)])
def test_points_at_one_place_do_no_harm(points):
    masses = torch.full((1, 4), 0.25)
    assert torch.isfinite(fitted(points, masses)(points, masses)).all()


def test_histograms_are_clouds_on_one_support(cloud):
    points, masses = cloud
    support = points[0]
    waves = fitted(points, masses)
    together = support.expand(3, 7, 2)
    found = waves.of_histograms(support, masses, None)
    np.testing.assert_allclose(found, waves(together, masses), atol=1e-5)
    means = masses @ support
    centred = waves(together - means[:, None], masses)
    found = waves.of_histograms(support, masses, means)
    np.testing.assert_allclose(found, centred, atol=1e-5)


def test_local_distances_are_cosine_coefficients(cloud):
    points, masses = cloud
    local = LocalDistances(5)
    local.fit([(points[:1], masses[:1]), (points[1:], masses[1:])])
    x, a = points[1].double().numpy(), masses[1].double().numpy()
    length = 1.25 * max(cdist(y, y).max() for y in points.double().numpy())
    assert float(local.length) == pytest.approx(length)
    k = np.arange(1, 6)
    waves = np.cos(math.pi * cdist(x, x)[:, :, None] * k / length) / k
    expected = np.einsum("j,ijk->ik", a, waves)
    np.testing.assert_allclose(local(points, masses)[1], expected, atol=1e-5)


def test_local_distances_do_not_see_isometries(cloud):
    points, masses = cloud
    local = LocalDistances(16)
    local.fit([(points[:1], masses[:1]), (points[1:], masses[1:])])
    turn = torch.from_numpy(ortho_group.rvs(2, random_state=0)).float()
    moved = local(points @ turn + 3, masses)
    np.testing.assert_allclose(moved, local(points, masses), atol=1e-4)
