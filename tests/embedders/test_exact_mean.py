"""Means that embeddings carry exactly: translates are where they belong."""

from functools import partial

import numpy as np
import pytest
from toys import LEARNING, make_small, relative_error

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder
from skwass.architectures import (
    ODEKENN,
    Convolutional,
    DeepKENN,
    Dense,
    HistogramDecoder,
    Slices,
    TransportMaps,
)
from skwass.datasets import make_translated
from skwass.ot import ExactWasserstein, SinkhornDivergence

EMBEDDERS = {
    "deep": DeepWassersteinEmbedder,
    "kuratowski": partial(KuratowskiEmbedder, architecture="deep_kenn"),
    "wormhole": WormholeEmbedder,
}
SHIFT = np.array([2, -1])


def on_larger_grid(X, shift=(0, 0)):
    """Put images in the middle of 14 x 14 pixels, moved by a shift."""
    images = np.zeros((len(X), 14, 14))
    row, column = 3 + np.asarray(shift)
    images[:, row : row + 8, column : column + 8] = X.reshape(-1, 8, 8)
    return images.reshape(len(X), -1)


@pytest.fixture(scope="module", params=EMBEDDERS)
def embedder(request, digits):
    small = partial(make_small, EMBEDDERS[request.param], grid_shape=(14, 14))
    return small(max_iter=2, n_pairs=500).fit(on_larger_grid(digits[0]))


def test_translation_moves_the_mean_and_nothing_else(embedder, digits):
    X, moved = on_larger_grid(digits[1]), on_larger_grid(digits[1], SHIFT)
    Z, Z_moved = embedder.transform(X), embedder.transform(moved)
    masses = X / X.sum(axis=1, keepdims=True)
    means = masses @ np.indices((14, 14)).reshape(2, -1).T
    expected = means - means.mean(axis=0)
    found = Z[:, -3:-1] - Z[:, -3:-1].mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    change = Z_moved - Z
    np.testing.assert_allclose(change[:, -3:-1], np.tile(SHIFT, (len(Z), 1)), atol=1e-5)
    np.testing.assert_allclose(np.delete(change, [-3, -2], axis=1), 0, atol=1e-3)
    own = np.array([embedder.pairwise_distances(X[:5], moved[:5])]).squeeze()
    assert np.diag(own) == pytest.approx(np.linalg.norm(SHIFT), rel=1e-3)


def test_without_it_translates_are_somewhere_else(digits):
    small = partial(make_small, DeepWassersteinEmbedder, grid_shape=(14, 14))
    other = small(max_iter=2, n_pairs=500, exact_mean=False)
    other.fit(on_larger_grid(digits[0]))
    X, moved = on_larger_grid(digits[1]), on_larger_grid(digits[1], SHIFT)
    own = np.diag(other.pairwise_distances(X[:20], moved[:20]))
    assert np.abs(own / np.linalg.norm(SHIFT) - 1).max() > 0.05


def test_decoded_images_move_with_the_mean(digits):
    small = partial(make_small, DeepWassersteinEmbedder, grid_shape=(14, 14))
    embedder = small(decoder=HistogramDecoder(0.02), **LEARNING)
    embedder.fit(on_larger_grid(digits[0]))
    Z = embedder.transform(on_larger_grid(digits[1]))
    for shift in ([1, 0], [0, -1], [0.5, 0]):
        change = np.zeros(Z.shape[1], dtype=np.float32)
        change[-3:-1] = shift
        moved = embedder.inverse_transform(Z + change)
        images = embedder.inverse_transform(Z).reshape(-1, 14, 14)
        np.testing.assert_allclose(moved.sum(axis=1), 1, atol=1e-5)
        bins = np.indices((14, 14)).reshape(2, -1).T
        gap = moved @ bins - images.reshape(len(Z), -1) @ bins
        np.testing.assert_allclose(gap, np.tile(shift, (len(Z), 1)), atol=0.05)


@pytest.mark.parametrize(
    ("embedder", "parameters", "expected"),
    [
        (DeepWassersteinEmbedder, {}, True),
        (DeepWassersteinEmbedder, {"architecture": "slices"}, True),
        (DeepWassersteinEmbedder, {"architecture": "dense"}, False),
        (DeepWassersteinEmbedder, {"n_components": 3}, False),
        (DeepWassersteinEmbedder, {"n_components": 3, "exact_mean": True}, True),
        (DeepWassersteinEmbedder, {"ground_truth": ExactWasserstein(p=1)}, False),
        (DeepWassersteinEmbedder, {"ground_truth": SinkhornDivergence()}, True),
        (KuratowskiEmbedder, {}, True),
        (KuratowskiEmbedder, {"architecture": ODEKENN(aggregation="l1")}, False),
        (
            KuratowskiEmbedder,
            {"architecture": DeepKENN(Convolutional((4,), (8,)))},
            False,
        ),
    ],
)
def test_where_the_mean_is_exact(embedder, parameters, expected, digits):
    fitted = make_small(embedder, max_iter=1, n_pairs=50, **parameters).fit(digits[0])
    assert fitted.module_.n_exact == (2 if expected else 0)


@pytest.mark.parametrize(
    ("embedder", "parameters", "match"),
    [
        (DeepWassersteinEmbedder, {"architecture": "convolutional"}, "Convolutional"),
        (DeepWassersteinEmbedder, {"n_components": 2}, "n_components=2"),
        (DeepWassersteinEmbedder, {"ground_truth": "gromov"}, "ground_truth=gromov"),
        (
            KuratowskiEmbedder,
            {"architecture": DeepKENN(aggregation="l1")},
            "aggregation='l1'",
        ),
        (KuratowskiEmbedder, {"architecture": ODEKENN("dense")}, "Dense"),
    ],
)
def test_means_that_cannot_be_exact(embedder, parameters, match, digits):
    small = make_small(embedder, exact_mean=True, n_pairs=50, **parameters)
    with pytest.raises(ValueError, match=match):
        small.fit(digits[0])


def test_given_distances_below_those_of_means_turn_it_off(digits, small):
    W = np.ones((40, 40)) - np.eye(40)
    embedder = small(architecture="auto", max_iter=1)
    with pytest.warns(UserWarning, match="times W, by no common factor"):
        embedder.fit(digits[0][:40], distances=1e-3 * W)
    assert embedder.module_.n_exact == 0
    assert isinstance(embedder.architecture_, Dense)


@pytest.mark.parametrize("embedder", [DeepWassersteinEmbedder, KuratowskiEmbedder])
def test_networks_of_masses_have_no_exact_mean(embedder):
    """In five dimensions there is room for the mean, but masses do not say it."""
    rng = np.random.default_rng(0)
    support, X = rng.normal(size=(12, 5)), rng.dirichlet(np.ones(12), 30)
    dense = Dense((16,))
    is_deep = embedder is DeepWassersteinEmbedder
    architecture = dense if is_deep else ODEKENN(lift=Dense(()), widths=(16,))
    own = {"grid_shape": None, "support": support, "architecture": architecture}
    small = partial(make_small, embedder, n_pairs=50, **own)
    fitted = small().fit(X)
    assert fitted.module_.n_exact == 0
    assert fitted.transform(X).shape[0] == 30
    with pytest.raises(ValueError, match="Got exact_mean=True with .*Dense"):
        small(exact_mean=True).fit(X)


def test_slices_are_for_few_dimensions():
    rng = np.random.default_rng(0)
    X = rng.random((30, 12))
    for dim, kind in ((2, Slices), (3, Slices), (10, TransportMaps)):
        support = rng.normal(size=(12, dim))
        common = {"architecture": "auto", "max_iter": 1, "n_pairs": 50}
        small = partial(make_small, grid_shape=None, **common)
        deep = small(DeepWassersteinEmbedder, support=support).fit(X)
        assert type(deep.architecture_) is kind
        clouds = rng.normal(size=(30, 8, dim))
        wormhole = small(WormholeEmbedder).fit(clouds)
        assert type(wormhole.architecture_) is kind


def test_booleans_may_be_of_numpy(digits, small):
    for wanted in (np.True_, np.False_):
        fitted = small(exact_mean=wanted, max_iter=1).fit(digits[0])
        assert (fitted.module_.n_exact == 2) == wanted


@pytest.mark.parametrize(
    "embedder", [DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder]
)
def test_rounding_is_not_learned(embedder):
    """All that differs between translates, beside means, is how their sums round."""
    X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    fitted = make_small(embedder, max_iter=10).fit(X)
    assert relative_error(fitted.pairwise_distances(X), W) < 1e-2
