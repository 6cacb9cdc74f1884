"""Fixed first layers: oracle of scipy, standardisation, and the law W2 ~ H^-1."""

import math
from functools import partial

import numpy as np
import ot
import pytest
import scipy.fft
import torch

from skwass.nn.inputs import SpectralInput, StandardInput

GRIDS = [(12,), (5, 8), (1, 7), (3, 4, 6)]
LAYERS = {
    "standard": lambda grid, gain: StandardInput(math.prod(grid), gain),
    "spectral": partial(SpectralInput, smoothness=1.0),
}


def random_masses(grid, n_measures=20, seed=0):
    masses = np.random.default_rng(seed).dirichlet(
        np.ones(math.prod(grid)), size=n_measures
    )
    return torch.from_numpy(masses).float()


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_spectral_features_are_cosine_coefficients_over_frequency(grid):
    x = random_masses(grid)
    layer = SpectralInput(grid, 1.0, smoothness=1.0)
    layer.fit(x)
    axes = tuple(range(1, 1 + len(grid)))
    coefficients = scipy.fft.dctn(
        x.double().numpy().reshape(-1, *grid), axes=axes, norm="ortho"
    )
    frequencies = np.meshgrid(*(np.pi * np.arange(n) / n for n in grid), indexing="ij")
    omega = np.sqrt(np.sum(np.square(frequencies), axis=0))
    omega.flat[0] = np.inf
    expected = (coefficients / omega).reshape(len(x), -1)
    features = layer.features(x).numpy()
    np.testing.assert_allclose(features, expected, atol=1e-6)
    assert not features[:, 0].any()


@pytest.mark.parametrize("gain", [0.3, 1.0])
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_output_is_centred_with_the_asked_deviation(kind, grid, gain):
    x = random_masses(grid)
    layer = LAYERS[kind](grid, gain)
    layer.fit(x)
    out = layer(x)
    assert out.shape == x.shape
    np.testing.assert_allclose(out.mean(dim=0), 0, atol=1e-5)
    assert float(out.square().mean().sqrt()) == pytest.approx(gain, rel=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_one_factor_for_all_bins(kind):
    # The output differs from the features by a shift and one factor, so that ratios of
    # distances are those of the features.
    x, unseen = random_masses((5, 8)), random_masses((5, 8), seed=1)
    layer = LAYERS[kind]((5, 8), 0.3)
    layer.fit(x)
    out = torch.pdist(layer(unseen))
    features = torch.pdist(layer.features(unseen))
    np.testing.assert_allclose(
        out / features, np.full(len(out), float(out[0] / features[0])), rtol=1e-4
    )


@pytest.mark.parametrize("n_measures", [1, 2, 7, 100])
@pytest.mark.parametrize("kind", LAYERS)
def test_equal_measures_give_zeros(kind, n_measures):
    x = random_masses((5, 8), n_measures=1).repeat(n_measures, 1)
    layer = LAYERS[kind]((5, 8), 0.3)
    layer.fit(x)
    np.testing.assert_allclose(layer(x), 0, atol=1e-4)


@pytest.mark.parametrize(("k_a", "k_b"), [(0, 1), (0, 2), (0, 3), (1, 2)])
def test_spectral_norm_is_w2_near_the_uniform_measure(k_a, k_b):
    """Near a density rho, W2 is the H^-1 norm weighted by rho.

    W2^2 ~ int rho |grad u|^2 with -div(rho grad u) = a - b. Uniform measures on n unit
    cells have rho = 1/n, so u = n (-Laplace)^-1 (a - b) and
    W2^2 ~ n int |grad (-Laplace)^-1 (a - b)|^2 = n |a - b|_{H^-1}^2: W2 is sqrt(n)
    times the unscaled spectral norm. For a uniform and b = (1 + h cos(pi k x / n)) / n,
    both are h n / (sqrt(2) pi k), up to O(h^2).
    """
    n, h = 1000, 0.1  # displacements h n / (pi k) of many cells: no lattice effects
    x = np.arange(n) + 0.5
    a, b = (
        (1 + (h * np.cos(np.pi * k * x / n) if k else 0 * x)) / n for k in (k_a, k_b)
    )
    masses = torch.from_numpy(np.stack([a, b])).float()
    layer = SpectralInput((n,), 1.0, smoothness=1.0)
    layer.fit(masses)
    feature_a, feature_b = layer.features(masses)
    predicted = math.sqrt(n) * float((feature_a - feature_b).norm())
    w2 = math.sqrt(ot.emd2_1d(x, x, a, b, metric="sqeuclidean"))
    assert predicted == pytest.approx(w2, rel=0.02)
    if k_a == 0:
        closed_form = h * n / (math.sqrt(2) * math.pi * k_b)
        assert predicted == pytest.approx(closed_form, rel=1e-3)
