"""The picture of bounds: what it shows is what the certificates say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skwass import WassersteinMDS
from skwass.inspection import StressBoundsDisplay
from skwass.metrics import stress_certificate


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.slow
def test_one_or_several_embedders(labelled_digits):
    X, W = labelled_digits
    narrow, wide = (
        WassersteinMDS(k, ground_truth="exact", grid_shape=(8, 8)).fit(X)
        for k in (2, 20)
    )
    display = StressBoundsDisplay.from_estimator(narrow, X)
    assert list(display.certificates) == ["WassersteinMDS"]
    expected = stress_certificate(narrow, X)
    assert display.certificates["WassersteinMDS"].ratio == expected.ratio
    several = StressBoundsDisplay.from_estimator(
        {"narrow": narrow, "wide": wide}, X, distances=W
    )
    ratios = [c.ratio for c in several.certificates.values()]
    assert ratios[0] > ratios[1] > 1


def test_what_is_reachable(labelled_digits):
    """In few columns and a private axis: what WassersteinMDS finds there."""
    _, W = labelled_digits
    mds = WassersteinMDS(5).fit(W)
    d = mds.distance_matrix_
    certificate = stress_certificate(d, distances=W, n_components=5)
    assert certificate.reachable == pytest.approx(mds.stress_, rel=1e-3)
    assert certificate.optimum < certificate.reachable
    assert stress_certificate(d, distances=W).reachable is None
    display = StressBoundsDisplay.from_predictions(W, d, n_components=5)
    names = [label.get_text() for label in display.bounds_ax_.get_yticklabels()]
    assert names[2:4] == ["optimum", "5 columns + private"]


def test_what_is_drawn(labelled_digits):
    _, W = labelled_digits
    predictions = {"one": 0.9 * W, "two": 1.1 * W}
    display = StressBoundsDisplay.from_predictions(W, predictions)
    names = [label.get_text() for label in display.bounds_ax_.get_yticklabels()]
    assert names == [
        "eigenvalue bound",
        "shifted bound",
        "optimum",
        "one",
        "two",
        "scaled cMDS",
        "cMDS",
    ]
    certificate = display.certificates["one"]
    (points,) = (
        c for c in display.bounds_ax_.collections if len(c.get_offsets()) == len(names)
    )
    drawn = np.asarray(points.get_offsets())[:, 0]
    assert drawn[2] == pytest.approx(certificate.optimum / (60 * 59))
    assert drawn[3] == pytest.approx(certificate.mse)
    positive, negative = display.spectrum_ax_.lines
    assert len(positive.get_xdata()) + len(negative.get_xdata()) == 59
    assert len(negative.get_xdata()) == (certificate.eigenvalues < 0).sum() > 0


def test_given_axes_and_one_matrix(labelled_digits):
    _, W = labelled_digits
    figure, axes = plt.subplots(1, 2)
    display = StressBoundsDisplay.from_predictions(W, W, axes=axes)
    assert display.figure_ is figure
    assert display.plot(axes) is display
    assert list(display.certificates) == ["embedding"]


def test_euclidean_and_equal_measures_can_be_drawn():
    line = np.abs(np.arange(5.0)[:, None] - np.arange(5.0))
    for W in (line, np.zeros((3, 3))):
        display = StressBoundsDisplay.from_predictions(W, W)
        display.figure_.canvas.draw()


def test_bad_calls(labelled_digits):
    X, W = labelled_digits
    with pytest.raises(TypeError, match="Got estimator=list, which has no pairwise"):
        StressBoundsDisplay.from_estimator([WassersteinMDS()], X)
    with pytest.raises(ValueError, match="Got estimator={}"):
        StressBoundsDisplay.from_estimator({}, X)
    with pytest.raises(ValueError, match="Got y_pred={}"):
        StressBoundsDisplay.from_predictions(W, {})
    with pytest.raises(NotFittedError):
        StressBoundsDisplay.from_estimator(WassersteinMDS(ground_truth="exact"), X)
    with pytest.raises(ValueError, match="Got axes of length 1, expected 2"):
        StressBoundsDisplay.from_predictions(W, W, axes=plt.gca())
