"""Barycenters and geodesics are decoded means of embeddings."""

import copy

import numpy as np
import pytest

from skwass import DeepWassersteinEmbedder, WormholeEmbedder
from skwass.architectures import CloudDecoder
from skwass.datasets import make_gaussian_clouds, make_translated
from skwass.geometry import barycenter, geodesic
from skwass.ot import pairwise_wasserstein


@pytest.fixture(scope="module")
def histograms():
    X, _ = make_translated(80, grid_shape=(8, 8), random_state=0)
    embedder = DeepWassersteinEmbedder(
        grid_shape=(8, 8), n_pairs=200, max_iter=5, random_state=0
    )
    return embedder.fit(X), X


@pytest.fixture(scope="module")
def clouds():
    X, _ = make_gaussian_clouds(80, n_points=20, random_state=0)
    embedder = WormholeEmbedder(
        n_components=16,
        decoder=CloudDecoder(1.0),
        n_pairs=700,
        max_iter=20,
        gradient_weight=0.0,
        random_state=0,
    )
    return embedder.fit(X), X


def test_they_are_decoded_means(histograms, clouds):
    for embedder, X in (histograms, clouds):
        Z = embedder.transform(X[:4]).astype(float)
        weights = np.array([2.0, 0, 1, 3])
        expected = embedder.inverse_transform((weights @ Z / 6)[None])[0]
        np.testing.assert_allclose(
            barycenter(embedder, X[:4], weights=weights), expected, atol=1e-5
        )
        middle = embedder.inverse_transform(Z[:2].mean(axis=0, keepdims=True))
        path = geodesic(embedder, X[:2], times=3)
        np.testing.assert_allclose(path[1], middle[0], atol=1e-4)
        np.testing.assert_allclose(
            path[[0, 2]], embedder.inverse_transform(Z[:2]), atol=1e-4
        )
        assert geodesic(embedder, X[:2], times=[0.3]).shape == (1, *path.shape[1:])


def test_halfway_is_halfway(clouds):
    """In W2, to the precision of the decoder, and better than either end."""
    embedder, X = clouds
    ends = [X[0], X[1]]
    path = geodesic(embedder, ends, times=3)
    W = pairwise_wasserstein(list(path), ends)
    far = pairwise_wasserstein(ends)[0, 1]
    np.testing.assert_allclose(W[1] / far, 0.5, atol=0.15)
    assert W[0, 0] < 0.25 * far
    assert W[2, 1] < 0.25 * far


def test_a_barycenter_beats_every_measure(clouds):
    embedder, X = clouds
    members = X[:6]
    center = barycenter(embedder, members)
    W = pairwise_wasserstein([center, *members], members) ** 2
    assert W[0].mean() < W[1:].mean(axis=1).min()


@pytest.mark.parametrize(
    "weights", [[1, 2], [1, -1, 1], [0, 0, 0], [[1, 1, 1]], [1, np.nan, 1]]
)
def test_bad_weights(weights, clouds):
    embedder, X = clouds
    with pytest.raises(ValueError, match="Got weights|contains NaN"):
        barycenter(embedder, X[:3], weights=weights)


def test_pandas_out_changes_nothing(histograms):
    embedder, X = histograms
    expected = barycenter(embedder, X[:3]), geodesic(embedder, X[:2])
    pickled = copy.deepcopy(embedder).set_output(transform="pandas")
    np.testing.assert_array_equal(barycenter(pickled, X[:3]), expected[0])
    np.testing.assert_array_equal(geodesic(pickled, X[:2]), expected[1])


def test_bad_input(clouds):
    embedder, X = clouds
    with pytest.raises(ValueError, match="Got X with n_samples=3, expected two"):
        geodesic(embedder, X[:3])
    with pytest.raises(ValueError, match="Got times=0, expected a positive number"):
        geodesic(embedder, X[:2], times=0)
    without = WormholeEmbedder(n_pairs=50, max_iter=1).fit(X)
    with pytest.raises(AttributeError, match="decoder='auto'"):
        barycenter(without, X)
