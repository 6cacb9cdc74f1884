"""Small images that an embedder learns in a second."""

from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skwass import DeepWassersteinEmbedder
from skwass.ot import pairwise_wasserstein


@pytest.fixture(scope="session")
def digits():
    """Return 200 training and 100 test images of 8 x 8 pixels, and their classes."""
    X, y = load_digits(return_X_y=True)
    return X[:200], X[200:300], y[:200], y[200:300]


@pytest.fixture(scope="session")
def test_distances(digits):
    return pairwise_wasserstein(digits[1], grid_shape=(8, 8))


def clouds_of(sizes, dim=2, seed=0):
    """Return clouds of these sizes, of different means and spreads."""
    rng = np.random.default_rng(seed)
    return [
        rng.uniform(0.5, 2) * rng.normal(size=(n, dim)) + rng.normal(size=dim)
        for n in sizes
    ]


def make_small(embedder, **parameters):
    """Return an embedder that is small and fast."""
    defaults = {
        "grid_shape": (8, 8),
        "widths": (64,),
        "n_components": 16,
        "n_pairs": 1_500,
        "max_iter": 8,
        "batch_size": 128,
        "learning_rate": 3e-3,
        "random_state": 0,
    }
    return embedder(**{**defaults, **parameters})


@pytest.fixture
def small():
    """Return a constructor of embedders that are small and fast."""
    return partial(make_small, DeepWassersteinEmbedder)


@pytest.fixture(scope="session")
def fitted(digits):
    """Return an embedder that nobody may change."""
    larger = {"n_components": 50, "widths": (128,), "n_pairs": 4_000, "max_iter": 20}
    return make_small(DeepWassersteinEmbedder, **larger).fit(digits[0])


def relative_error(W, truth):
    """Mean of |W - truth| over the mean of truth."""
    return np.abs(W - truth).mean() / truth.mean()
