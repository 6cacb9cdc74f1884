"""Gaussians in place of measures: closed forms, POT, bounds."""

import numpy as np
import ot
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from skwass import GaussianEmbedder
from skwass.ot import pairwise_wasserstein
from skwass.ot.bounds import gaussian_bound


def clouds_of(sizes, dim=2, seed=0):
    rng = np.random.default_rng(seed)
    return [
        rng.normal(size=(n, dim)) @ rng.normal(size=(dim, dim)) + rng.normal(size=dim)
        for n in sizes
    ]


@pytest.mark.parametrize("dim", [1, 2, 3, 6])
def test_distances_are_those_of_gaussians(dim):
    clouds = clouds_of([8, 9, 14, 20, 30], dim)
    moments = [
        (x.mean(axis=0), np.cov(x.T, bias=True).reshape(dim, dim)) for x in clouds
    ]
    expected = np.zeros((5, 5))
    for i, j in zip(*np.triu_indices(5, k=1), strict=True):
        (m, S), (n, T) = moments[i], moments[j]
        w = ot.gaussian.bures_wasserstein_distance(m, n, S, T)
        expected[i, j] = expected[j, i] = w
    embedder = GaussianEmbedder().fit(clouds[:3])
    found = embedder.pairwise_distances(clouds)
    assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert_allclose(found, gaussian_bound(clouds), rtol=1e-6, atol=1e-6)
    rectangle = embedder.pairwise_distances(clouds[:2], clouds, squared=True)
    assert_allclose(rectangle, found[:2] ** 2, rtol=1e-5, atol=1e-6)
    assert (found <= pairwise_wasserstein(clouds) + 1e-5).all()


def test_the_tangent_is_never_shorter_and_scores_less():
    clouds = clouds_of([20] * 12, 3)
    embedder = GaussianEmbedder().fit(clouds)
    Z = embedder.transform(clouds)
    assert Z.shape == (12, 6 + 3)
    tangent, exact = cdist(Z, Z), embedder.pairwise_distances(clouds)
    assert (tangent >= exact - 1e-5).all()
    assert tangent.sum() < 1.2 * exact.sum()


def test_the_tangent_is_exact_where_covariances_commute():
    cloud = clouds_of([15], 3)[0]
    axes = np.linalg.eigh(np.cov(cloud.T))[1]
    rng = np.random.default_rng(1)
    clouds = [
        cloud @ axes @ np.diag(rng.uniform(0.2, 3, 3)) @ axes.T + rng.normal(size=3)
        for _ in range(8)
    ]
    embedder = GaussianEmbedder().fit(clouds)
    Z = embedder.transform(clouds)
    assert_allclose(cdist(Z, Z), embedder.pairwise_distances(clouds), atol=1e-5)
    # Such maps are optimal for the clouds themselves.
    assert_allclose(cdist(Z, Z), pairwise_wasserstein(clouds), atol=1e-5)


def test_translates_and_points_are_exact():
    cloud, shifts = clouds_of([7])[0], 50 * clouds_of([12])[0]
    for one in (cloud, np.zeros((1, 2)), np.array([[0.0, 0.0], [1.0, 2.0]])):
        moved = [one + t for t in shifts]
        embedder = GaussianEmbedder().fit(moved)
        W = cdist(shifts, shifts)
        assert_allclose(embedder.pairwise_distances(moved), W, rtol=1e-5, atol=1e-4)
        Z = embedder.transform(moved)
        assert_allclose(cdist(Z, Z), W, rtol=1e-5, atol=1e-4)


def test_null_directions_have_no_columns():
    flat = [np.column_stack([x, np.zeros(len(x))]) for x in clouds_of([9] * 5, 2)]
    embedder = GaussianEmbedder().fit(flat)
    assert embedder.transform(flat).shape == (5, 3 + 3)
    assert embedder.covariance_.shape == (3, 3)


def test_score_is_of_exact_distances():
    clouds = clouds_of([30] * 30)
    embedder = GaussianEmbedder(n_score_pairs=10**6).fit(clouds)
    i, j = np.triu_indices(30, k=1)
    w, d = (
        D[i, j]
        for D in (pairwise_wasserstein(clouds), embedder.pairwise_distances(clouds))
    )
    expected = 1 - np.mean((d - w) ** 2) / w.var()
    assert embedder.score(clouds) == pytest.approx(expected, abs=1e-5)
