"""Laws of barycenters and geodesics, whatever the method, and what is refused."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV

from skwass import DeepWassersteinEmbedder, GaussianEmbedder, LinearOTEmbedder
from skwass.geometry import (
    PrincipalGeodesics,
    WassersteinArchetypes,
    WassersteinKMeans,
    barycenter,
    geodesic,
)
from skwass.inspection import InterpolationDisplay, PrincipalGeodesicsDisplay
from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, pairwise_wasserstein

METHODS = ("decoder", "linear_ot", "exact", "regularized", "euclidean")
ESTIMATORS = (PrincipalGeodesics, WassersteinKMeans, WassersteinArchetypes)


@pytest.fixture(scope="module")
def clouds():
    rng = np.random.default_rng(0)
    return [
        rng.normal(size=(n, 2)) * rng.uniform(0.5, 2) + rng.normal(size=2)
        for n in rng.integers(9, 15, size=12)
    ]


@pytest.fixture(scope="module")
def embedder(clouds):
    return LinearOTEmbedder(n_reference=12, random_state=0).fit(clouds)


@pytest.fixture(scope="module")
def images():
    X = np.random.default_rng(0).random((8, 16)) ** 6
    return X / X.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def on_grid(images):
    return GaussianEmbedder(grid_shape=(4, 4)).fit(images)


def test_one_measure_is_its_own_exact_barycenter(clouds, embedder, images, on_grid):
    """Whatever its masses, and on bins, where points of equal masses do not fit."""
    one = (clouds[0], np.arange(1.0, len(clouds[0]) + 1))
    for X, weights in (([one], None), ([clouds[1], one, clouds[2]], [0, 3, 0])):
        center = barycenter(embedder, X, weights=weights, method="exact")
        assert pairwise_wasserstein([center], [one])[0, 0] < 1e-7
    center = barycenter(on_grid, images[:3], weights=[0, 1, 0], method="exact")
    np.testing.assert_allclose(center, images[1], atol=1e-8)


def test_measures_without_weight_do_not_count(clouds, embedder, images, on_grid):
    two = barycenter(embedder, clouds[:2], weights=[1, 3], method="exact")
    three = barycenter(embedder, clouds[:3], weights=[1, 3, 0], method="exact")
    np.testing.assert_array_equal(two[0], three[0])
    (way,) = geodesic(embedder, clouds[:2], times=[0.75], method="exact")
    np.testing.assert_array_equal(two[0], way[0])
    for method in METHODS[2:]:
        few = barycenter(on_grid, images[:4], method=method)
        weights = np.repeat([1.0, 0], 4)
        np.testing.assert_allclose(
            barycenter(on_grid, images, weights=weights, method=method), few
        )


@pytest.mark.parametrize("method", METHODS)
def test_what_is_moved_has_a_barycenter_that_is_moved(method, clouds, embedder):
    move = np.array([40.0, -7.0])
    found = barycenter(embedder, clouds, method=method)
    shifted = barycenter(embedder, [x + move for x in clouds], method=method)
    if method == "euclidean":
        (found, masses), (shifted, others) = found, shifted
        np.testing.assert_array_equal(masses, others)
    np.testing.assert_allclose(shifted, found + move, atol=1e-9)


@pytest.mark.parametrize("method", METHODS[1:])
def test_the_order_of_measures_does_not_matter(method, images, on_grid):
    order = np.random.default_rng(1).permutation(len(images))
    weights = np.arange(1.0, 9)
    found = barycenter(on_grid, images, weights=weights, method=method)
    mixed = barycenter(on_grid, images[order], weights=weights[order], method=method)
    W = pairwise_wasserstein(np.array([found, mixed]), images, grid_shape=(4, 4))
    values = np.square(W) @ weights
    np.testing.assert_allclose(values[0], values[1], rtol=0.03)


@pytest.mark.parametrize("shape", [(12,), (7, 9)])
def test_regularized_barycenters_of_measures_that_are_far_apart(shape):
    """Kernels underflow between two corners; half of the way there is mass for all."""
    X = np.zeros((2, np.prod(shape)))
    X[[0, 1], [0, -1]] = 1
    embedder = GaussianEmbedder(grid_shape=shape).fit(X)
    center = barycenter(embedder, X, method="regularized", reg=0.001)
    W = pairwise_wasserstein(center[None], X, grid_shape=shape)[0]
    far = pairwise_wasserstein(X, grid_shape=shape)[0, 1]
    np.testing.assert_allclose(W, far / 2, rtol=0.05)


def test_regularized_barycenters_say_that_they_did_not_converge():
    X = np.random.default_rng(0).random((4, 12)) ** 3
    embedder = GaussianEmbedder(grid_shape=(12,)).fit(X)
    with pytest.warns(ConvergenceWarning, match=r"reg=0\.0002 .* did not converge in"):
        barycenter(embedder, X, method="regularized", reg=2e-4)


def test_collections_are_taken_apart_as_lists_are(clouds, embedder, images):
    X = as_measures(clouds)
    kmeans = WassersteinKMeans(embedder, 2, random_state=0).fit(clouds)
    np.testing.assert_allclose(kmeans.exact_inertia(X), kmeans.exact_inertia(clouds))
    moved = LinearOTEmbedder(grid_shape=(4, 4), random_state=0).fit(images)
    kmeans = WassersteinKMeans(moved, 2, random_state=0).fit(images)
    given = as_measures(images, grid_shape=(4, 4))
    np.testing.assert_allclose(
        kmeans.exact_inertia(given), kmeans.exact_inertia(images)
    )


def test_bins_are_those_of_the_measures(images, on_grid):
    finer = as_measures(np.eye(36)[[0, 35]], grid_shape=(6, 6))
    middle = geodesic(on_grid, finer, times=[0.4], method="exact")
    np.testing.assert_array_equal(np.flatnonzero(middle[0]), [14])


@pytest.mark.parametrize(
    ("times", "cause"),
    [(-1, "-1"), (0.5, "0.5"), ([np.nan], r"\[nan\]"), ("few", "'few'"), ([], r"\[\]")],
)
@pytest.mark.parametrize("method", ["decoder", "exact"])
def test_times_that_are_none(times, cause, method, clouds, embedder):
    with pytest.raises(ValueError, match=f"Got times={cause}, expected a positive"):
        geodesic(embedder, clouds[:2], times=times, method=method)


@pytest.mark.parametrize("method", METHODS[1:])
def test_measures_of_another_kind_or_space(method, clouds, embedder):
    with pytest.raises(ValueError, match="points of dimension 3, expected 2"):
        barycenter(embedder, [np.ones((4, 3))] * 2, method=method)
    with pytest.raises(ValueError, match="Got X=histograms, expected point clouds"):
        barycenter(embedder, np.ones((4, 2)), method=method)
    with pytest.raises(ValueError, match="Got X with n_samples=0, expected at least"):
        barycenter(embedder, [], method=method)


def test_estimators_that_are_no_embedders(images):
    other = PCA(2).fit(images)
    with pytest.raises(ValueError, match=r"Got embedder=PCA.*expected an embedder of"):
        barycenter(other, images)
    with pytest.raises(ValueError, match=r"Got embedder=PCA.*expected an embedder of"):
        geodesic(other, images[:2])
    for estimator in ESTIMATORS:
        with pytest.raises(ValueError, match=r"Got embedder=PCA.*expected an embedder"):
            estimator(other, 2).fit(images)
    with pytest.raises(ValueError, match=r"Got estimator=PCA.*PrincipalGeodesics"):
        PrincipalGeodesicsDisplay.from_estimator(other)


def test_a_display_needs_a_fit_and_four_corners(embedder, clouds):
    with pytest.raises(ValueError, match="not fitted yet"):
        PrincipalGeodesicsDisplay.from_estimator(PrincipalGeodesics(embedder))
    with pytest.raises(ValueError, match="expected four measures and at least two"):
        InterpolationDisplay.from_estimator(embedder, clouds[:3])


def test_exact_inertia_is_of_w2(images):
    embedder = DeepWassersteinEmbedder(
        grid_shape=(4, 4),
        ground_truth=ExactWasserstein(p=1),
        n_pairs=20,
        max_iter=1,
        random_state=0,
    ).fit(images)
    kmeans = WassersteinKMeans(embedder, 2, random_state=0).fit(images)
    with pytest.raises(ValueError, match=r"Got exact_inertia .* Use inertia_"):
        kmeans.exact_inertia(images)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_frozen_embedder_is_not_fitted_again(estimator, clouds, embedder):
    frozen = estimator(FrozenEstimator(embedder), 2).set_params(
        **({} if estimator is PrincipalGeodesics else {"random_state": 0})
    )
    name = {
        PrincipalGeodesics: "n_components",
        WassersteinKMeans: "n_clusters",
        WassersteinArchetypes: "n_archetypes",
    }[estimator]
    search = GridSearchCV(frozen, {name: [1, 3]}, cv=2).fit(clouds)
    best = search.best_estimator_
    assert getattr(best, name) == 3
    assert best.embedder_.estimator is embedder
    free = estimator(embedder, 3).set_params(
        **best.get_params(deep=False) | {"embedder": embedder}
    )
    np.testing.assert_array_equal(best.transform(clouds), free.fit_transform(clouds))


def test_a_path_passes_the_barycenter(clouds, embedder):
    modes = PrincipalGeodesics(embedder).fit(clouds)
    np.testing.assert_allclose(
        modes.path(1, [0])[0], barycenter(embedder, clouds, refine=0), atol=1e-6
    )
    ratios = modes.explained_variance_ratio_
    assert ratios.min() >= 0
    assert (np.diff(ratios) <= 0).all()
    np.testing.assert_allclose(ratios.sum(), 1)
    assert (modes.limits_ * [-1, 1] >= 0).all()
