"""DeepWassersteinEmbedder: what it learns, in which units, and what it decodes."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone
from toys import LEARNING, relative_error

from skwass import DeepWassersteinEmbedder
from skwass.architectures import Convolutional, Dense, HistogramDecoder
from skwass.datasets import make_translated
from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, pairwise_wasserstein


def test_learned_distance_beats_scaled_pixels_on_unseen_images(
    fitted, digits, test_distances
):
    X_test = digits[1] / digits[1].sum(axis=1, keepdims=True)
    pixels = cdist(X_test, X_test)
    pixels *= test_distances.mean() / pixels.mean()
    learned = fitted.pairwise_distances(digits[1])
    error = relative_error(learned, test_distances)
    assert error < 0.5 * relative_error(pixels, test_distances)


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture", ["slices", "dense", "convolutional", "courty2018"]
)
def test_every_architecture_learns(architecture, small, digits, test_distances):
    own = {
        "convolutional": {
            "architecture": Convolutional((8, 16), (64,)),
            "learning_rate": 1e-2,
        },
    }
    parameters = {**LEARNING, "max_iter": 16, **own.get(architecture, {})}
    embedder = small(**{"architecture": architecture, **parameters}, decoder=None).fit(
        digits[0]
    )
    assert embedder.transform(digits[1]).shape == (100, 17)
    learned = embedder.pairwise_distances(digits[1])
    constant = np.full_like(test_distances, test_distances.mean())
    error = relative_error(learned, test_distances)
    assert error < 0.6 * relative_error(constant, test_distances)


@pytest.mark.parametrize("unit", [2.0**-20, 2.0**17])
def test_the_unit_of_the_support_is_the_unit_of_W(unit, small, digits):
    """The same bytes come out, times the unit, for a power of two."""
    support = unit * np.indices((8, 8)).reshape(2, -1).T
    scaled = small(grid_shape=None, support=support).fit(digits[0])
    plain = small(grid_shape=None, support=support / unit).fit(digits[0])
    expected = unit * plain.pairwise_distances(digits[1])
    assert_array_equal(scaled.pairwise_distances(digits[1]), expected)


def test_order_of_the_ground_truth_is_a_parameter(small, digits):
    embedder = small(ground_truth=ExactWasserstein(), **LEARNING)
    embedder.set_params(ground_truth__p=1)
    X = digits[1][:40]
    W = pairwise_wasserstein(X, p=1, grid_shape=(8, 8))
    learned = embedder.fit(digits[0]).pairwise_distances(X)
    W2 = small(**LEARNING).fit(digits[0]).pairwise_distances(X)
    assert relative_error(learned, W) < 0.5 * relative_error(W2, W)


def test_histograms_that_are_no_image(small):
    """Bins on a line: W2 of one-dimensional data."""
    rng = np.random.RandomState(0)
    means = rng.uniform(8, 24, size=(150, 1))
    X = np.exp(-((np.arange(32) - means) ** 2) / rng.uniform(4, 30, size=(150, 1)))
    embedder = small(grid_shape=None, **LEARNING).fit(X[:100])
    assert embedder.score(X[100:]) > 0.9


def test_given_labels_are_used(small, labelled_digits):
    small = partial(small, batch_size=256)
    X, W = labelled_digits
    pairs = np.column_stack(np.triu_indices(len(X), k=1))
    listed = small().fit(X, pairs=pairs, distances=W[pairs[:, 0], pairs[:, 1]])
    matrix = small().fit(X, distances=W)
    assert listed.n_solves_ == 0
    assert listed.n_pairs_ == len(pairs)
    assert_array_equal(listed.transform(X), matrix.transform(X))
    # Beside exact means, distances would not double.
    matrix = small(exact_mean=False).fit(X, distances=W)
    with pytest.warns(UserWarning, match="are 2 times W, going by 12"):
        doubled = small(exact_mean=False).fit(X, distances=2 * W)
    ratio = doubled.pairwise_distances(X).mean() / matrix.pairwise_distances(X).mean()
    assert ratio == pytest.approx(2, rel=1e-5)


@pytest.mark.filterwarnings("ignore:Got labels that are all 0")
@pytest.mark.parametrize("measure", [np.arange(64.0), np.ones(64), np.eye(64)[5]])
def test_all_measures_equal(measure, small):
    X = np.tile(measure, (12, 1))
    W = small().fit(X).pairwise_distances(X)
    assert np.isfinite(W).all()
    assert np.abs(W).max() < 1e-3


def test_decoded_images_are_measures_like_the_data(fitted, digits):
    X = digits[0] / digits[0].sum(axis=1, keepdims=True)
    decoded = fitted.inverse_transform(fitted.transform(X))
    np.testing.assert_allclose(decoded.sum(axis=1), 1, rtol=1e-5)
    assert decoded.min() >= 0
    mean_image = np.abs(X - X.mean(axis=0)).sum()
    assert np.abs(X - decoded).sum() < 0.7 * mean_image


def test_sparsity_concentrates_the_decoded_mass(small, digits):
    spread = []
    for weight in (0.0, 0.05):
        embedder = small(
            decoder=HistogramDecoder(sparsity_weight=weight), **LEARNING
        ).fit(digits[0])
        decoded = embedder.inverse_transform(embedder.transform(digits[0]))
        spread.append(np.sqrt(decoded).sum(axis=1).mean())
    assert spread[1] < 0.95 * spread[0]


def test_no_decoder_without_a_weight(small, digits):
    embedder = small(decoder=None).fit(digits[0])
    assert embedder.module_.decoder is None
    assert not hasattr(embedder, "inverse_transform")
    with pytest.raises(AttributeError) as error:
        embedder.inverse_transform(digits[0])
    assert "Set decoder='auto'" in str(error.value.__cause__)


def test_decoding_the_wrong_width(fitted):
    with pytest.raises(ValueError, match="Got X with 3 columns, expected 51"):
        fitted.inverse_transform(np.zeros((2, 3)))


@pytest.mark.parametrize("architecture", ["convolutional", "courty2018"])
def test_images_are_asked_for(architecture, small, digits):
    embedder = small(architecture=architecture, grid_shape=None)
    with pytest.raises(ValueError, match="set architecture='auto'"):
        embedder.fit(digits[0])


def test_images_in_three_dimensions_are_told_the_way(small, digits):
    with pytest.raises(ValueError, match=r"Pass X.reshape\(len\(X\), -1\)"):
        small().fit(digits[0].reshape(-1, 8, 8))


def test_checked_measures_and_tensors_are_accepted(small, digits):
    torch = pytest.importorskip("torch")
    Z = small(max_iter=1).fit(digits[0]).transform(digits[0])
    for X in (
        as_measures(digits[0], grid_shape=(8, 8)),
        torch.from_numpy(digits[0]).requires_grad_(),
        [tuple(row) for row in digits[0]],
    ):
        again = small(max_iter=1).fit(X)
        assert_array_equal(again.transform(X), Z)


@pytest.mark.parametrize(
    "architecture", [Convolutional(()), Dense((8, 0)), Dense((2.5,)), Dense(("a",))]
)
def test_bad_widths(architecture, small, digits):
    with pytest.raises(ValueError, match="Got (widths|channels)=.* positive integers"):
        small(architecture=architecture).fit(digits[0])


def test_point_clouds_are_refused(small):
    with pytest.raises(TypeError, match="Bin the clouds first"):
        small().fit([np.zeros((3, 2)), np.ones((4, 2))])


def test_translates_by_their_shift():
    X, W = make_translated(80, grid_shape=(8, 8), random_state=0)
    embedder = DeepWassersteinEmbedder(
        grid_shape=(8, 8),
        n_pairs=1_000,
        max_iter=40,
        gradient_weight=0.0,
        random_state=0,
    )
    learned = clone(embedder).fit(X).pairwise_distances(X)
    assert relative_error(learned, W) < 0.05
