"""What barycenters are worth, in one table."""

from functools import partial

import numpy as np
import pytest

from skwass import GaussianEmbedder
from skwass.geometry import barycenter, geodesic
from skwass.metrics import variational_report
from skwass.ot import pairwise_wasserstein

CLOUDS = list(np.random.default_rng(0).normal(size=(6, 9, 2)))
IMAGES = np.random.default_rng(1).random((5, 16)) ** 3
GRID = {"grid_shape": (4, 4)}


def test_it_reports_exact_means_of_squares():
    embedder = GaussianEmbedder().fit(CLOUDS)
    methods = {
        "exact": partial(barycenter, embedder, method="exact"),
        "first": CLOUDS[0],
        "weighted": (CLOUDS[1], np.arange(1.0, 10)),
    }
    weights = np.array([1.0, 2, 0, 1, 1, 1])
    report = variational_report(methods, CLOUDS, weights=weights, reference="exact")
    W = pairwise_wasserstein(CLOUDS[:1], CLOUDS)[0]
    np.testing.assert_allclose(
        report.table["mean_w2_sq"][1], weights @ W**2 / weights.sum()
    )
    assert report.table["ratio"][0] == 1
    assert report.table["ratio"][1] > 1
    p = np.arange(1, 10) / 45
    expected = [9, 9, np.exp(-p @ np.log(p))]
    np.testing.assert_allclose(report.table["effective_size"], expected)
    np.testing.assert_array_equal(np.isnan(report.table["time"]), [False, True, True])
    lines = repr(report).splitlines()
    assert lines[0].split() == ["mean_w2_sq", "ratio", "time", "effective_size"]
    assert [line.split()[0] for line in lines[1:]] == list(methods)


def test_geodesics_are_held_against_what_is_known():
    times = np.array([0.0, 0.25, 0.5])
    weights = np.column_stack([1 - times, times])
    embedder = GaussianEmbedder().fit(CLOUDS)
    methods = {
        name: partial(geodesic, embedder, times=times, method=name)
        for name in ("exact", "euclidean")
    }
    report = variational_report(methods, CLOUDS[:2], weights=weights)
    np.testing.assert_allclose(report.table["ratio"][0], 1)
    assert report.table["ratio"][1] > 1.1


def test_images():
    embedder = GaussianEmbedder(**GRID).fit(IMAGES)
    methods = {
        "pixels": partial(barycenter, embedder, method="euclidean"),
        "given": IMAGES[0],
        "row": IMAGES[:1],
        "exact": partial(barycenter, embedder, method="exact"),
    }
    report = variational_report(methods, IMAGES, **GRID)
    assert report.table["ratio"].min() == 1
    values = report.table["mean_w2_sq"]
    assert values[1] == values[2]
    assert report.n_measures == 5


def test_bad_input():
    with pytest.raises(ValueError, match="Got methods without any"):
        variational_report({}, CLOUDS)
    with pytest.raises(ValueError, match="Got reference='b', expected one of"):
        variational_report({"a": CLOUDS[0]}, CLOUDS, reference="b")
    with pytest.raises(ValueError, match="Got 2 barycenters of 'a', expected 1"):
        variational_report({"a": CLOUDS[:2]}, CLOUDS)
    with pytest.raises(ValueError, match="Got weights of shape"):
        variational_report({"a": CLOUDS[0]}, CLOUDS, weights=[1, 2])
    with pytest.raises(ValueError, match=r"Got .*None.* of 'a', expected masses"):
        variational_report({"a": lambda X: None}, CLOUDS)
    with pytest.raises(ValueError, match="expected weights >= 0"):
        variational_report({"a": CLOUDS[0]}, CLOUDS, weights=[1, 2, 3, -1, 0, 0])
