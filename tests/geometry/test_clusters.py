"""Clusters and archetypes are those of embeddings."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from skwass import GaussianEmbedder, LinearOTEmbedder
from skwass.geometry import WassersteinArchetypes, WassersteinKMeans
from skwass.geometry._archetypes import _shares
from skwass.ot import pairwise_wasserstein


@pytest.fixture(scope="module")
def groups():
    """Clouds of three shapes, far apart, and which each is."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 8)
    places = np.array([[0.0, 0], [9, 0], [0, 9]])
    return [rng.normal(size=(10, 2)) + places[k] for k in y], y


@pytest.fixture(scope="module")
def embedder(groups):
    return LinearOTEmbedder(n_reference=10, random_state=0).fit(groups[0])


def test_clusters(groups, embedder):
    X, y = groups
    found = WassersteinKMeans(embedder, 3, random_state=0).fit(X)
    Z = embedder.transform(X).astype(float)
    expected = KMeans(3, random_state=0).fit(Z)
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    np.testing.assert_array_equal(found.predict(X), found.labels_)
    np.testing.assert_allclose(found.transform(X), expected.transform(Z))
    np.testing.assert_allclose(found.score(X), -found.inertia_)
    assert all(len(np.unique(found.labels_[y == k])) == 1 for k in range(3))


def test_exact_inertia(groups, embedder):
    X, _ = groups
    found = WassersteinKMeans(embedder, 3, random_state=0).fit(X)
    centers = found.centers(X, method="exact")
    W = pairwise_wasserstein(X, centers)
    exact = found.exact_inertia(X, method="exact")
    np.testing.assert_allclose(exact, np.square(W.min(axis=1)).sum())
    assert exact <= 1.01 * found.exact_inertia(X, refine=0)
    assert abs(found.inertia_ / exact - 1) < 0.15
    assert sum(center is None for center in found.centers(X[:3])) == 2


def test_exact_inertia_of_images():
    rng = np.random.default_rng(0)
    X = rng.random((12, 16)) ** 4
    embedder = GaussianEmbedder(grid_shape=(4, 4)).fit(X)
    found = WassersteinKMeans(embedder, 2, random_state=0).fit(X)
    centers = np.array(found.centers(X, method="exact"))
    W = pairwise_wasserstein(X, centers, grid_shape=(4, 4))
    expected = np.square(W[np.arange(12), found.labels_]).sum()
    np.testing.assert_allclose(found.exact_inertia(X, method="exact"), expected)


def test_archetypes_are_the_corners_of_data(embedder):
    """Of translates in a triangle, with its corners among them."""
    rng = np.random.default_rng(0)
    shares = np.vstack([np.eye(3), rng.dirichlet(np.ones(3), size=17)])
    corners, cloud = np.array([[0.0, 0], [9, 0], [0, 9]]), rng.normal(size=(10, 2))
    X = list(cloud + (shares @ corners)[:, None])
    found = WassersteinArchetypes(embedder, 3, tol=0.0, random_state=0).fit(X)
    assert found.explained_variance_ratio_ > 0.999
    np.testing.assert_allclose(found.score(X), found.explained_variance_ratio_)
    order = found.weights_.argmax(axis=1)
    np.testing.assert_array_equal(np.sort(order), [0, 1, 2])
    np.testing.assert_allclose(
        found.transform(X)[:, np.argsort(order)], shares, atol=0.02
    )
    made = found.inverse_transform(np.eye(3)[np.argsort(order)])
    W = pairwise_wasserstein(list(made), X[:3]).diagonal()
    assert W.max() < 0.1


def test_more_archetypes_explain_more(groups, embedder):
    X, _ = groups
    shares = [
        WassersteinArchetypes(embedder, k, random_state=0)
        .fit(X)
        .explained_variance_ratio_
        for k in (1, 2, 4)
    ]
    assert shares[0] < 0.01 < shares[1] < shares[2] < 1


def test_nearest_points_of_a_hull():
    """No corner lies further in the direction that is left."""
    rng = np.random.default_rng(0)
    Z, corners = 2 * rng.normal(size=(30, 5)) + 7, rng.normal(size=(8, 5)) + 7
    shares = _shares(Z, corners)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares.min() >= 0
    nearest = shares @ corners
    left = Z - nearest
    ahead = left @ corners.T - np.einsum("ij,ij->i", left, nearest)[:, None]
    assert ahead.max() < 1e-3
    inside = rng.dirichlet(np.ones(8), size=5) @ corners
    np.testing.assert_allclose(_shares(inside, corners) @ corners, inside, atol=1e-6)


def test_bad_input(groups, embedder):
    X, _ = groups
    with pytest.raises(ValueError, match="Got n_archetypes=30 and X with n_samples=24"):
        WassersteinArchetypes(embedder, 30).fit(X)
    with pytest.raises(ValueError, match="'n_clusters' parameter"):
        WassersteinKMeans(embedder, 0).fit(X)


def test_equal_measures_have_one_archetype(embedder):
    X = [np.arange(20.0).reshape(10, 2)] * 4
    found = WassersteinArchetypes(embedder, 2, random_state=0).fit(X)
    assert found.loss_ < 1e-6
    assert np.isfinite(found.transform(X)).all()
