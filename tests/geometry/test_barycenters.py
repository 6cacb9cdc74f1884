"""Barycenters and geodesics: decoded means of embeddings, refined or by plans."""

import copy

import numpy as np
import pytest

from skwass import (
    DeepWassersteinEmbedder,
    GaussianEmbedder,
    LinearOTEmbedder,
    WormholeEmbedder,
)
from skwass.architectures import CloudDecoder
from skwass.datasets import make_gaussian_clouds, make_translated
from skwass.geometry import barycenter, geodesic
from skwass.geometry._bins import Bins, without_faint
from skwass.geometry._fixed_point import sample_by_weights
from skwass.measures import as_measures, grid_support
from skwass.ot import ExactWasserstein, pairwise_wasserstein

METHODS = ("linear_ot", "exact", "regularized", "euclidean")


def mean_w2_sq(one, X, **space):
    """Mean of W2^2 of one measure to others."""
    is_row = not isinstance(one, tuple) and np.ndim(one) == 1
    one = one[None] if is_row else [one]
    return np.square(pairwise_wasserstein(one, X, **space)).mean()


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
            barycenter(embedder, X[:4], weights=weights, refine=0), expected, atol=1e-5
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


@pytest.fixture(scope="module")
def blobs():
    """Images of one smooth spot each, of several widths and places."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((9, 9))
    images = np.array(
        [
            np.exp(-((rows - r) ** 2 / a + (columns - c) ** 2 / b)).ravel()
            for r, c, a, b in zip(
                *rng.uniform(3, 5, size=(2, 12)),
                *rng.uniform(1, 6, size=(2, 12)),
                strict=True,
            )
        ]
    )
    return np.where(images > 0.02, images, 0)


def test_refining_brings_it_nearer(clouds, histograms):
    embedder, X = clouds
    values = [
        mean_w2_sq(barycenter(embedder, X[:6], refine=n), X[:6]) for n in (0, 1, 3)
    ]
    assert values[2] <= values[1] < values[0]
    np.testing.assert_array_equal(
        barycenter(embedder, X[:6]), barycenter(embedder, X[:6], refine=2)
    )
    embedder, X = histograms
    grid = {"grid_shape": (8, 8)}
    values = [
        mean_w2_sq(barycenter(embedder, X[:9], refine=n).astype(float), X[:9], **grid)
        for n in (0, 2)
    ]
    assert values[1] < values[0]


def test_the_mean_is_that_of_all_though_plans_go_to_few(clouds):
    embedder, X = clouds
    found = barycenter(embedder, X, n_measures=3)
    expected = np.mean([x.mean(axis=0) for x in X], axis=0)
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=1e-5)


def test_exact_is_best(blobs, clouds):
    embedder = GaussianEmbedder(grid_shape=(9, 9)).fit(blobs)
    values = {
        method: mean_w2_sq(
            barycenter(embedder, blobs, method=method), blobs, grid_shape=(9, 9)
        )
        for method in METHODS
    }
    assert values["exact"] <= 1.01 * min(values.values())
    assert max(values, key=values.get) == "euclidean"
    X = clouds[1][:10]
    embedder = LinearOTEmbedder(n_reference=20, random_state=0).fit(X)
    values = {
        method: mean_w2_sq(barycenter(embedder, X, method=method), X)
        for method in ("linear_ot", "exact", "euclidean")
    }
    assert values["exact"] <= 1.001 * values["linear_ot"] < values["euclidean"]
    assert mean_w2_sq(barycenter(embedder, X, refine=3), X) < 1.05 * values["exact"]


def test_on_a_line_it_has_the_mean_quantile_function():
    rng = np.random.default_rng(0)
    X = [np.sort(rng.normal(m, s, size=(30, 1)), axis=0) for m, s in rng.random((5, 2))]
    embedder = GaussianEmbedder().fit(X)
    weights = rng.random(5)
    expected = np.tensordot(weights / weights.sum(), np.array(X), axes=1)
    center = barycenter(embedder, X, weights=weights, method="exact")
    (error,) = pairwise_wasserstein([center], [expected]).ravel()
    assert error < 0.15 * np.std(expected)


@pytest.mark.parametrize("method", METHODS[:2])
def test_the_barycenter_of_translates_is_a_translate(method):
    rng = np.random.default_rng(1)
    cloud, shifts = rng.normal(size=(15, 3)), rng.normal(size=(6, 1, 3))
    X = list(cloud + shifts)
    embedder = GaussianEmbedder().fit(X)
    center = barycenter(embedder, X, method=method)
    expected = cloud + shifts.mean(axis=0)
    assert pairwise_wasserstein([center], [expected])[0, 0] < 1e-6


def test_exact_geodesics_are_geodesics(clouds, blobs):
    embedder = GaussianEmbedder().fit(clouds[1])
    ends = [(clouds[1][0], np.arange(1.0, 21)), clouds[1][1][:13]]
    (far,) = pairwise_wasserstein(ends[:1], ends[1:]).ravel()
    path = geodesic(embedder, ends, times=[0, 0.25, 1], method="exact")
    W = pairwise_wasserstein(path, ends)
    expected = far * np.array([[0, 1], [0.25, 0.75], [1, 0]])
    np.testing.assert_allclose(W, expected, atol=1e-6 * far)
    middle = barycenter(embedder, ends, method="exact")
    W = pairwise_wasserstein([middle], ends)
    np.testing.assert_allclose(W, far / 2)
    embedder = GaussianEmbedder(grid_shape=(9, 9)).fit(blobs)
    path = geodesic(embedder, blobs[:2], times=[0, 0.5, 1], method="exact")
    np.testing.assert_allclose(path.sum(axis=1), 1)
    given = blobs[:2] / blobs[:2].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(path[[0, 2]], given, atol=1e-12)


# An entropic image shares faint masses with others, far away.
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_all_methods_go_from_one_end_to_the_other(blobs):
    embedder = LinearOTEmbedder(grid_shape=(9, 9), random_state=0).fit(blobs)
    masses = blobs / blobs.sum(axis=1, keepdims=True)
    far = pairwise_wasserstein(blobs[:2], grid_shape=(9, 9))[0, 1]
    for method in METHODS:
        path = geodesic(embedder, blobs[:2], times=3, method=method, reg=0.001)
        W = pairwise_wasserstein(path, masses[:2], grid_shape=(9, 9))
        assert W[[0, 2], [0, 1]].max() < 0.5 * far, method
        assert abs(W[1, 0] - W[1, 1]) < 0.35 * far, method


def test_bins_without_a_grid(blobs):
    """A linear program finds barycenters of few measures on them, and nothing moves."""
    rng = np.random.default_rng(0)
    support, X = rng.normal(size=(12, 2)), rng.random((4, 12))
    embedder = GaussianEmbedder(support=support).fit(X)
    exact = barycenter(embedder, X, method="exact")
    value = mean_w2_sq(exact, X, support=support)
    others = [*X, X.mean(axis=0), *rng.dirichlet(np.ones(12), size=20)]
    assert value < min(mean_w2_sq(one, X, support=support) for one in others)
    entropic = barycenter(embedder, X, method="regularized", reg=0.002)
    assert mean_w2_sq(entropic, X, support=support) < 1.1 * value
    way = geodesic(embedder, X[:2], times=[0.5], method="exact")
    assert way.shape == (1, 12)
    with pytest.raises(ValueError, match="no grid with method='exact', expected bins"):
        barycenter(embedder, np.tile(X, (2_000, 1)), method="exact", n_measures=None)
    with pytest.raises(ValueError, match="Got a weight of -1"):
        geodesic(embedder, X[:2], times=[2.0], method="exact")
    with pytest.raises(ValueError, match="neither a grid nor on a line"):
        barycenter(embedder, X, method="linear_ot")
    trained = DeepWassersteinEmbedder(
        support=support, n_pairs=6, max_iter=1, random_state=0
    ).fit(X)
    assert barycenter(trained, X).shape == (12,)
    with pytest.raises(ValueError, match="Got refine=1 and bins that are neither"):
        barycenter(trained, X, refine=1)


def test_clouds_of_one_line_of_bins():
    """Bins on a line need not be even."""
    support = np.array([0.0, 1, 5, 2, 9])
    X = np.eye(5)[:2]
    embedder = GaussianEmbedder(support=support).fit(np.eye(5))
    path = geodesic(embedder, X, times=[0, 0.5, 3, 7], method="exact")
    expected = np.array(
        [
            [1, 0, 0, 0, 0],
            [0.5, 0.5, 0, 0, 0],
            [0, 0, 1 / 3, 2 / 3, 0],
            [0, 0, 0.5, 0, 0.5],
        ]
    )
    np.testing.assert_allclose(path, expected, atol=1e-12)


def test_spreading_keeps_mass_and_mean():
    rng = np.random.default_rng(0)
    points, weights = rng.uniform([0, 0], [4, 6], size=(50, 2)), rng.random(50)
    support = grid_support((5, 7))
    bins = Bins.of(support, (5, 7))
    masses = bins.spread(points, weights)
    np.testing.assert_allclose(masses.sum(), weights.sum())
    np.testing.assert_allclose(masses @ support, weights @ points)
    np.testing.assert_array_equal(bins.spread(support, np.arange(35.0)), np.arange(35))
    outside = bins.spread(np.array([[-3.0, 2.5]]), np.ones(1))
    np.testing.assert_allclose(outside.reshape(5, 7)[0, 2:4], 0.5)
    assert Bins.of(rng.normal(size=(6, 2)), None) is None


def test_faint_masses_are_dropped():
    masses = np.array([0.5, 1e-5, 0.3, 0, 0.2])
    points, kept = without_faint(masses, np.arange(5.0)[:, None])
    np.testing.assert_array_equal(points[:, 0], [0, 2, 4])
    np.testing.assert_allclose(kept, [0.5, 0.3, 0.2])
    assert len(without_faint(np.ones(1), np.zeros((1, 2)))[0]) == 1


def test_samples_stand_for_all():
    rows, kept = sample_by_weights(np.full(9, 1 / 9), 3)
    np.testing.assert_array_equal(rows, [1, 4, 7])
    np.testing.assert_allclose(kept, 1 / 3)
    rows, kept = sample_by_weights(np.array([0, 0.7, 0.1, 0.1, 0.1]), 3)
    assert rows[0] == 1
    np.testing.assert_allclose(kept.sum(), 1)
    assert kept[0] >= 0.5
    rows, kept = sample_by_weights(np.array([0, 0.7, 0.3]), None)
    np.testing.assert_array_equal(rows, [1, 2])


def test_weights_choose_measures(clouds):
    embedder = GaussianEmbedder().fit(clouds[1])
    X = clouds[1][:4]
    for method in ("linear_ot", "exact", "regularized", "euclidean"):
        center = barycenter(embedder, X, weights=[0, 0, 1, 0], method=method)
        W = pairwise_wasserstein([center], X).ravel()
        assert W.argmin() == 2, method
        assert W[2] < 0.2 * np.delete(W, 2).min(), method


def test_what_is_no_w2_has_decoded_ones_alone(histograms):
    X = histograms[1]
    embedder = DeepWassersteinEmbedder(
        grid_shape=(8, 8),
        ground_truth=ExactWasserstein(p=1),
        n_pairs=60,
        max_iter=1,
        random_state=0,
    ).fit(X)
    np.testing.assert_array_equal(
        barycenter(embedder, X[:3]), barycenter(embedder, X[:3], refine=0)
    )
    with pytest.raises(ValueError, match="Got refine=1 and an embedder with"):
        barycenter(embedder, X[:3], refine=1)
    with pytest.raises(ValueError, match="Got method='exact' and an embedder with"):
        barycenter(embedder, X[:3], method="exact")
    with pytest.raises(ValueError, match=r"expected them in \[0, 1\]"):
        geodesic(embedder, X[:2], times=[1.5], method="euclidean")
    with pytest.raises(ValueError, match="'method' parameter"):
        geodesic(embedder, X[:2], method="magic")


def test_histograms_that_know_their_bins(blobs):
    embedder = GaussianEmbedder(grid_shape=(9, 9)).fit(blobs)
    given = as_measures(blobs, grid_shape=(9, 9))
    np.testing.assert_array_equal(
        barycenter(embedder, given, method="exact"),
        barycenter(embedder, blobs, method="exact"),
    )
