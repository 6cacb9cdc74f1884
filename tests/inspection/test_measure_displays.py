"""Displays of measures: what is drawn is what was computed."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA

from skwass import DeepWassersteinEmbedder, LinearOTEmbedder, WormholeEmbedder
from skwass.architectures import CloudDecoder
from skwass.datasets import make_gaussian_clouds, make_translated
from skwass.geometry import barycenter, geodesic
from skwass.inspection import (
    BarycenterDisplay,
    EmbeddingDisplay,
    GeodesicDisplay,
    InterpolationDisplay,
)
from skwass.measures import as_measures
from skwass.ot import pairwise_wasserstein


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


def small(dim=2, **parameters):
    return WormholeEmbedder(
        n_components=8, n_pairs=60, max_iter=1,
        decoder=CloudDecoder(n_points=12, point_width=16), random_state=0, **parameters,
    )  # fmt: skip


def images():
    return make_translated(30, grid_shape=(6, 6), random_state=0)[0]


def points(dim):
    return make_gaussian_clouds(30, n_points=9, dim=dim, random_state=0)[0]


CASES = {
    "images": (
        DeepWassersteinEmbedder(
            grid_shape=(6, 6), n_pairs=60, max_iter=1, random_state=0
        ),
        images(),
    ),
    "images as clouds": (small(grid_shape=(6, 6)), images()),
    "line": (small(), points(1)),
    "plane": (small(), points(2)),
    "space": (small(), points(3)),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    embedder, X = CASES[request.param]
    return embedder.fit(X), X


def drawn_points(ax):
    (collection,) = ax.collections
    return np.asarray(collection.get_offsets())


def test_geodesic(case):
    embedder, X = case
    display = GeodesicDisplay.from_estimator(embedder, X[:2], times=3)
    path = geodesic(embedder, X[:2], times=3)
    np.testing.assert_array_equal(display.path, path)
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["start", "t = 0.00", "t = 0.50", "t = 1.00", "end"]
    if path.ndim == 2:
        image = display.axes_[2].images[0].get_array()
        np.testing.assert_allclose(image, path[1].reshape(6, 6))
    else:
        found = drawn_points(display.axes_[2])
        own = path[1][:, :2] if path.shape[2] > 1 else path[1][:, [0, 0]] * [1, 0]
        expected = own[:, ::-1] if embedder.grid_shape_ else own
        np.testing.assert_allclose(found, expected)
    display.figure_.canvas.draw()
    axes = plt.subplots(1, 5)[1]
    assert display.plot(axes).axes_[0] is axes[0]
    with pytest.raises(ValueError, match="Got axes of length 2, expected 5"):
        display.plot(plt.subplots(1, 2)[1])


def test_barycenters(case):
    embedder, X = case
    y = np.repeat(["a", "b"], 15)
    display = BarycenterDisplay.from_estimator(embedder, X, y)
    assert display.names == ["a", "b"]
    np.testing.assert_allclose(display.barycenters[1], barycenter(embedder, X[15:]))
    if isinstance(X, list):
        np.testing.assert_array_equal(display.means[0], np.concatenate(X[:15]))
    else:
        expected = (X[:15] / X[:15].sum(axis=1, keepdims=True)).mean(axis=0)
        np.testing.assert_allclose(display.means[0], expected)
    assert [ax.get_title() for ax in display.axes_[0]] == ["a", "b"]
    display.figure_.canvas.draw()
    with pytest.raises(ValueError, match="Got y of length 2, expected 30"):
        BarycenterDisplay.from_estimator(embedder, X, ["a", "b"])


def test_maps(case):
    embedder, X = case
    Z = embedder.transform(X)
    display = EmbeddingDisplay.from_estimator(embedder, X, np.arange(30) % 3)
    np.testing.assert_allclose(display.positions, PCA(2).fit_transform(Z), atol=1e-4)
    assert len(display.ax_.collections) == 3
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["0", "1", "2"]
    reducer = PCA(3)
    ax = plt.subplots()[1]
    display = EmbeddingDisplay.from_estimator(embedder, X, reducer=reducer, ax=ax)
    assert display.ax_ is ax
    assert not hasattr(reducer, "components_")
    display.figure_.canvas.draw()


def test_four_corners():
    X = points(2)[:4]
    embedder = LinearOTEmbedder(n_reference=8, random_state=0).fit(points(2))
    display = InterpolationDisplay.from_estimator(
        embedder, X, n_steps=3, method="exact"
    )
    assert display.axes_.shape == (3, 3)
    W = pairwise_wasserstein([display.rows[i][j] for i in (0, 2) for j in (0, 2)], X)
    assert W.diagonal().max() < 0.3 * W[~np.eye(4, dtype=bool)].min()
    expected = barycenter(embedder, X, weights=[0.5, 0, 0.5, 0], method="exact")
    found = display.rows[1][0]
    np.testing.assert_array_equal(
        found, expected[0] if isinstance(expected, tuple) else expected
    )
    display.figure_.canvas.draw()
    with pytest.raises(ValueError, match="Got X with n_samples=3 and n_steps=5"):
        InterpolationDisplay.from_estimator(embedder, X[:3])


def test_collections_are_drawn_as_rows_are():
    X, y = images(), np.arange(30) % 2
    given = as_measures(X, grid_shape=(6, 6))
    embedder = LinearOTEmbedder(grid_shape=(6, 6), random_state=0).fit(X)
    expected = BarycenterDisplay.from_estimator(embedder, X, y, refine=0)
    display = BarycenterDisplay.from_estimator(embedder, given, y, refine=0)
    for name in ("means", "barycenters"):
        for found, one in zip(
            getattr(display, name), getattr(expected, name), strict=True
        ):
            np.testing.assert_allclose(found, one, atol=1e-6)
