"""Principal geodesics are principal axes of embeddings, decoded."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skwass import GaussianEmbedder, LinearOTEmbedder
from skwass.geometry import PrincipalGeodesics
from skwass.inspection import PrincipalGeodesicsDisplay
from skwass.ot import pairwise_wasserstein


@pytest.fixture(scope="module")
def stretched():
    """Clouds of one shape on a line, of several sizes."""
    rng = np.random.default_rng(0)
    shape, sizes = rng.normal(size=(14, 1)), rng.uniform(0.5, 1.5, size=30)
    return [(shape - shape.mean()) * size for size in sizes], sizes


def linear(**parameters):
    return LinearOTEmbedder(n_reference=14, random_state=0, **parameters)


def test_it_is_pca_of_embeddings():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(25, 8, 2)) * rng.uniform(0.5, 2, size=(25, 1, 1))
    embedder = linear().fit(X)
    found = PrincipalGeodesics(embedder, 5).fit(X)
    Z = embedder.transform(X).astype(float)
    pca = PCA(5, svd_solver="full").fit(Z)
    np.testing.assert_allclose(found.transform(X), pca.transform(Z), atol=1e-8)
    np.testing.assert_allclose(
        found.explained_variance_ratio_, pca.explained_variance_ratio_
    )
    assert found.embedder_ is embedder
    np.testing.assert_allclose(
        found.score(X), found.explained_variance_ratio_.sum(), rtol=1e-6
    )
    everything = PrincipalGeodesics(embedder).fit(X)
    assert len(everything.components_) == 24
    made = everything.inverse_transform(everything.transform(X))
    np.testing.assert_allclose(made, embedder.inverse_transform(Z), atol=1e-5)


def test_translates_vary_in_one_direction():
    rng = np.random.default_rng(0)
    cloud, t = rng.normal(size=(12, 2)), rng.normal(size=20)
    X = list(cloud + np.multiply.outer(t, [[3.0, 4.0]]))
    modes = PrincipalGeodesics(linear(), 1).fit(X)
    assert modes.explained_variance_ratio_[0] > 0.9999
    np.testing.assert_allclose(
        modes.explained_variance_[0], 25 * np.var(t, ddof=1), rtol=1e-4
    )
    ends = modes.path(0, [-1, 1], limited=False)
    (far,) = pairwise_wasserstein(list(ends), pairs=[[0, 1]])
    np.testing.assert_allclose(far, 2 * 5 * np.std(t, ddof=1), rtol=1e-4)
    assert np.isinf(modes.limits_).any(axis=1).all() or abs(modes.limits_).min() > 10


def test_limits_are_where_maps_stop_being_monotone(stretched):
    """A shape times 1 + t s turns around where that is 0."""
    X, sizes = stretched
    modes = PrincipalGeodesics(linear(scale=False), 1).fit(X)
    turn = sizes.mean() / sizes.std(ddof=1)
    low, high = modes.limits_[0]
    sign = 1 if np.isinf(high) else -1
    assert np.isinf([low, high]).sum() == 1
    np.testing.assert_allclose(min(-low, high), turn, rtol=1e-3)
    beyond = modes.path(0, [-sign * 2 * turn, -sign * turn])
    np.testing.assert_allclose(beyond[0], beyond[1], atol=1e-6)
    assert np.ptp(beyond[0]) < 0.01 * np.ptp(X[0])
    free = modes.path(0, [-sign * 2 * turn], limited=False)
    assert np.ptp(free[0]) > 0.5 * np.ptp(modes.path(0, [0])[0])


def test_a_private_axis_is_left_out():
    rng = np.random.default_rng(0)
    X = list(rng.normal(size=(40, 9, 3)) * rng.uniform(0.5, 2, size=(40, 1, 1)))
    embedder = LinearOTEmbedder(5, private_axis=True, random_state=0).fit(X)
    modes = PrincipalGeodesics(embedder).fit(X)
    assert modes.components_.shape == (5, 5)
    assert len(modes.path(1, [0.5])) == 1


def test_embedders_without_a_decoder(stretched):
    X, _ = stretched
    modes = PrincipalGeodesics(GaussianEmbedder(), 1).fit(X)
    assert np.isinf(modes.limits_).all()
    assert modes.transform(X).shape == (30, 1)
    with pytest.raises(AttributeError, match="without a decoder"):
        modes.path(0)


def test_bad_input(stretched):
    X, _ = stretched
    with pytest.raises(ValueError, match="Got n_components=40, expected at most"):
        PrincipalGeodesics(linear(), 40).fit(X)
    modes = PrincipalGeodesics(linear(), 2).fit(X)
    with pytest.raises(ValueError, match="Got component=2, expected an integer from"):
        modes.path(2)
    with pytest.raises(ValueError, match="expected a list of finite numbers"):
        modes.path(0, [np.nan])
    with pytest.raises(ValueError, match="Got X with 3 columns, expected 2"):
        modes.inverse_transform(np.ones((1, 3)))
    with pytest.raises(ValueError, match="n_samples=1"):
        PrincipalGeodesics(GaussianEmbedder().fit(X)).fit(X[:1])


def test_display(stretched):
    X, _ = stretched
    modes = PrincipalGeodesics(linear(), 2).fit(X)
    display = PrincipalGeodesicsDisplay.from_estimator(modes, times=3, extent=9.0)
    assert display.axes_.shape == (2, 3)
    titles = [ax.get_title() for ax in display.axes_[0]]
    low, high = modes.limits_[0].clip(-9, 9)
    assert titles == [f"{t:+.1f} sd" for t in (low, 0, high)]
    np.testing.assert_array_equal(display.paths[1][1], modes.path(1, [0])[0])
    display.figure_.canvas.draw()
