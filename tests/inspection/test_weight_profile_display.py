"""WeightProfileDisplay: its numbers are those of the embedder, and what it draws."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.exceptions import NotFittedError

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder
from skwass.architectures import ODEKENN, DeepKENN, Slices
from skwass.datasets import make_translated
from skwass.inspection import WeightProfileDisplay

X, _ = make_translated(60, grid_shape=(6, 6), random_state=0)


def fit(**parameters):
    return KuratowskiEmbedder(
        4,
        n_pairs=300,
        max_iter=3,
        grid_shape=(6, 6),
        random_state=0,
        **parameters,
    ).fit(X)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("aggregation", ["l1", "l2"])
def test_layers(aggregation):
    embedder = fit(architecture=DeepKENN(Slices((16,)), aggregation=aggregation))
    display = WeightProfileDisplay.from_estimator(embedder, X)
    bars = [bar.get_height() for bar in display.weights_ax_.patches]
    np.testing.assert_allclose(bars, embedder.block_weights_)
    Z = embedder.transform(X)
    power = 1 if aggregation == "l1" else 2
    if aggregation == "l2":
        Z = Z[:, :-1]  # without the private axis
    blocks = np.split(Z, [16, 20], axis=1)  # the last is the exact mean, with "l2"
    *parts, of_means = [np.mean(pdist(block) ** power) for block in blocks]
    shares = [bar.get_height() for bar in display.shares_ax_.patches]
    np.testing.assert_allclose(shares, parts / np.sum(parts), rtol=1e-6)
    if aggregation == "l1":
        d = embedder.pairwise_distances(X)[np.triu_indices(60, 1)]
        assert sum(parts) == pytest.approx(np.mean(d), rel=1e-5)
    assert (of_means > 0) == (aggregation == "l2")
    loss, validation = display.training_ax_.lines
    np.testing.assert_array_equal(loss.get_ydata(), embedder.loss_curve_)
    scores = 1 - np.array(embedder.validation_scores_)
    np.testing.assert_array_equal(validation.get_ydata(), scores)
    assert len(display.figure_.axes) == 3


@pytest.mark.parametrize("velocity", [False, True])
def test_curves_over_time(velocity):
    embedder = fit(architecture=ODEKENN(velocity=velocity), early_stopping=False)
    display = WeightProfileDisplay.from_estimator(embedder, X)
    lines = display.weights_ax_.lines
    assert len(lines) == (2 if velocity else 1)
    for line, weights in zip(
        lines, embedder.block_weights_.reshape(-1, 3), strict=True
    ):
        np.testing.assert_array_equal(line.get_xdata(), [0, 0.5, 1])
        np.testing.assert_allclose(line.get_ydata(), weights)
    densities = [line.get_ydata() for line in display.shares_ax_.lines]
    assert sum(np.trapezoid(d, [0, 0.5, 1]) for d in densities) == pytest.approx(1)
    assert len(display.training_ax_.lines) == 1
    assert (display.weights_ax_.get_legend() is not None) == velocity


def test_last_layer_and_a_fit_that_went_on():
    embedder = fit(architecture=DeepKENN(Slices((16,)), layers="last")).partial_fit(X)
    display = WeightProfileDisplay.from_estimator(embedder, X)
    np.testing.assert_array_equal(display.positions, [2])
    loss, validation = display.training_ax_.lines
    assert len(loss.get_ydata()) == len(validation.get_ydata()) == 4
    assert np.isnan(validation.get_ydata()[-1])


def test_weights_far_apart_are_all_seen():
    embedder = fit(architecture=DeepKENN(Slices((16,))))
    display = WeightProfileDisplay.from_estimator(embedder, X)
    display.weights = np.array([[1.0, 20.0]])
    display.plot()
    assert display.weights_ax_.get_yscale() == "linear"
    display.weights = np.array([[0.01, 20.0]])
    display.plot()
    assert display.weights_ax_.get_yscale() == "log"
    low, high = display.weights_ax_.get_ylim()
    assert 0 < low < 0.01 < 20 < high


def test_axes_of_the_user():
    embedder = fit(architecture="ode_kenn")
    _, axes = plt.subplots(3, 1)
    display = WeightProfileDisplay.from_estimator(embedder, X, axes=axes)
    assert list(axes) == [
        display.weights_ax_,
        display.shares_ax_,
        display.training_ax_,
    ]


def test_bad_calls():
    embedder = fit(architecture=DeepKENN(Slices((16,)), layers="last"))
    with pytest.raises(ValueError, match="Got X=equal measures, 5 of them"):
        WeightProfileDisplay.from_estimator(embedder, np.tile(X[:1], (5, 1)))
    with pytest.raises(ValueError, match="Got axes of length 1, expected 3"):
        WeightProfileDisplay.from_estimator(embedder, X, axes=plt.gca())
    with pytest.raises(ValueError, match="Got X with n_samples=1"):
        WeightProfileDisplay.from_estimator(embedder, X[:1])
    other = DeepWassersteinEmbedder(grid_shape=(6, 6), n_pairs=50, max_iter=1).fit(X)
    with pytest.raises(TypeError, match="expected an embedder fitted with DeepKENN"):
        WeightProfileDisplay.from_estimator(other, X)
    with pytest.raises(NotFittedError):
        WeightProfileDisplay.from_estimator(KuratowskiEmbedder(), X)
