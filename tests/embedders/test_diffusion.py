"""Diffusion earth mover's distance against a direct dense evaluation."""

import numpy as np
import pytest
from numpy.linalg import matrix_power
from numpy.testing import assert_allclose

from skwass import DiffusionEMDEmbedder
from skwass.embedders import _diffusion
from skwass.formulas import diffusion as _diffusion_operator
from skwass.formulas.diffusion import (
    grid_affinity,
    grid_gap,
    n_mixing_scales,
    neighbor_affinity,
    share_mass,
    spectral_gap,
    without_density,
)
from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, pairwise_wasserstein


def dense_walk(affinity):
    """Return the transition matrix, from the formulas."""
    K = affinity.toarray()
    K = K / np.outer(K.sum(axis=1), K.sum(axis=1))
    return K / K.sum(axis=1, keepdims=True)


def dense_distance(mu, nu, P, n_scales, alpha):
    total = np.abs((mu - nu) @ matrix_power(P, 2**n_scales)).sum()
    for k in range(n_scales):
        step = matrix_power(P, 2 ** (k + 1)) - matrix_power(P, 2**k)
        weight = 2.0 ** (-(n_scales - k - 1) * alpha)
        total += weight * np.abs((mu - nu) @ step).sum()
    return total


@pytest.mark.parametrize("max_entries", [None, 300])
@pytest.mark.parametrize("alpha", [0.5, 0.8])
def test_images_against_a_dense_evaluation(max_entries, alpha, digits, monkeypatch):
    if max_entries is not None:  # powers are not multiplied out
        monkeypatch.setattr(_diffusion_operator, "MAX_ENTRIES", max_entries)
    X = digits[1][:6]
    embedder = DiffusionEMDEmbedder(
        n_scales=4, alpha=alpha, scale=False, grid_shape=(8, 8)
    ).fit(X)
    assert (len(embedder._steps) - sum(n == 1 for _, n in embedder._steps) > 0) == (
        max_entries is not None
    )
    P = dense_walk(grid_affinity((8, 8)))
    mu = X / X.sum(axis=1, keepdims=True)
    expected = [[dense_distance(a, b, P, 4, alpha) for b in mu] for a in mu]
    found = embedder.pairwise_distances(X)
    assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert embedder.transform(X).shape == (6, 5 * 64)
    squares = embedder.pairwise_distances(X[:2], X, squared=True)
    assert_allclose(squares, found[:2] ** 2, rtol=1e-5)


def test_clouds_against_a_dense_evaluation():
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(n, 2)) for n in (5, 20, 30)]
    embedder = DiffusionEMDEmbedder(
        n_scales=3, n_nodes=25, n_neighbors=4, scale=False, random_state=0
    ).fit(clouds)
    P = dense_walk(neighbor_affinity(embedder.nodes_, 4))
    mu = share_mass(embedder.nodes_, as_measures(clouds), 4)
    assert_allclose(mu.sum(axis=1), 1)
    assert (np.count_nonzero(mu, axis=1) <= [20, 25, 25]).all()
    expected = [[dense_distance(a, b, P, 3, 0.5) for b in mu] for a in mu]
    assert_allclose(embedder.pairwise_distances(clouds), expected, rtol=1e-4, atol=1e-6)


def test_grid_neighbours_are_those_along_the_axes():
    shape = (2, 3, 4)
    at = np.indices(shape).reshape(3, -1).T
    gaps = np.abs(at[:, None] - at).sum(axis=2)
    expected = np.where(gaps == 0, 1, np.where(gaps == 1, np.exp(-1), 0))
    assert_allclose(grid_affinity(shape).toarray(), expected)
    assert_allclose(grid_affinity((1, 5)).toarray(), grid_affinity((5,)).toarray())


def test_the_operator_keeps_mass():
    rng = np.random.default_rng(0)
    points = np.vstack([rng.normal(size=(40, 2)), np.ones((3, 2))])
    affinity = neighbor_affinity(points, 5)
    assert_allclose(affinity.toarray(), affinity.toarray().T)
    assert_allclose(_diffusion_operator.diffusion_operator(affinity).sum(axis=1), 1)


@pytest.mark.parametrize("shape", [(9, 9), (3,), (40,), (5, 12), (3, 4, 5)])
def test_mixing_scales_are_those_of_the_spectrum(shape):
    values = np.sort(np.linalg.eigvals(dense_walk(grid_affinity(shape))).real)
    gap = 1 - values[-2]
    assert spectral_gap(without_density(grid_affinity(shape))) == pytest.approx(
        gap, rel=1e-3
    )
    assert grid_gap(shape) == pytest.approx(gap, rel=0.5)
    assert n_mixing_scales(0.1) == 5
    assert n_mixing_scales(0.0) == 16


def test_far_from_the_origin():
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(30, 20)) for _ in range(6)]
    near, far = (
        DiffusionEMDEmbedder(n_nodes=50, scale=False, random_state=0).fit(some)
        for some in (clouds, [x + 1e7 for x in clouds])
    )
    W = far.pairwise_distances([x + 1e7 for x in clouds])
    assert_allclose(W, near.pairwise_distances(clouds), rtol=1e-3)


def test_many_points_are_drawn_from_few_measures(monkeypatch):
    monkeypatch.setattr(_diffusion, "_MAX_POINTS", 100)
    clouds = np.random.default_rng(0).normal(size=(30, 20, 2))
    embedder = DiffusionEMDEmbedder(n_nodes=10, random_state=0).fit(clouds)
    assert embedder.nodes_.shape == (10, 2)


def test_distance_grows_with_the_gap_and_scale_fits_it():
    X = np.eye(32)
    truth = ExactWasserstein(p=1)
    embedder = DiffusionEMDEmbedder(ground_truth=truth, random_state=0).fit(X)
    d = embedder.pairwise_distances(X)[4, 4:28]
    assert (np.diff(d) > 0).all()
    assert embedder.score(X) > 0.6
    raw = DiffusionEMDEmbedder(scale=False).fit(X)
    ratio = embedder.pairwise_distances(X)[0, 5] / raw.pairwise_distances(X)[0, 5]
    assert ratio == pytest.approx(embedder.scale_, rel=1e-5)


def test_a_graph_in_parts_is_warned_of():
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(20, 2)) + 1e3 * k for k in range(2)]
    with pytest.warns(UserWarning, match="The graph falls into 2 parts"):
        DiffusionEMDEmbedder(n_neighbors=3, scale=False, random_state=0).fit(clouds)


def test_support_without_a_grid():
    rng = np.random.default_rng(0)
    support, X = rng.normal(size=(30, 2)), rng.uniform(size=(20, 30)) ** 4
    embedder = DiffusionEMDEmbedder(support=support, random_state=0).fit(X)
    assert_allclose(embedder.nodes_, support)
    i, j = np.triu_indices(20, k=1)
    d, w = (
        D[i, j]
        for D in (
            embedder.pairwise_distances(X),
            pairwise_wasserstein(X, support=support),
        )
    )
    assert np.corrcoef(d, w)[0, 1] > 0.6
