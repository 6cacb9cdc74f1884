"""Toy measures, and embedders that fit them in a fraction of a second."""

from functools import partial

import numpy as np
from scipy.spatial.distance import cdist

from skwass import (
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    PseudobulkEmbedder,
    SlicedRegressionEmbedder,
    SlicedWassersteinEmbedder,
    WassersteinMDS,
    WormholeEmbedder,
)
from skwass.architectures import ODEKENN, Slices

# Enough to learn something from 200 images; most tests do not need it. Without
# derivatives, which take five times as long and have tests of their own.
LEARNING = {
    "n_pairs": 1_500,
    "max_iter": 8,
    "batch_size": 128,
    "gradient_weight": 0.0,
}

# Small embedders of clouds, one of each kind.
TRAINED = {
    "n_components": 6,
    "n_pairs": 100,
    "max_iter": 2,
    "random_state": 0,
}
ON_CLOUDS = {
    "linear": partial(LinearOTEmbedder, n_reference=8, random_state=0),
    "corrected": partial(
        LinearOTEmbedder, 6, n_reference=8, correction=True, random_state=0
    ),
    "sliced": partial(SlicedWassersteinEmbedder, random_state=0),
    "scaled": partial(SlicedWassersteinEmbedder, scale=True, random_state=0),
    "gaussian": GaussianEmbedder,
    "pseudobulk": PseudobulkEmbedder,
    "means": partial(PseudobulkEmbedder, scale=True, random_state=0),
    "means and axes": partial(
        PseudobulkEmbedder, scale=True, private_axis=True, random_state=0
    ),
    "regression": partial(SlicedRegressionEmbedder, 8, random_state=0),
    "diffusion": partial(DiffusionEMDEmbedder, random_state=0),
    "walk": partial(DiffusionEMDEmbedder, scale=False, random_state=0),
    "mds": partial(WassersteinMDS, 3, ground_truth="exact"),
    "wormhole": partial(WormholeEmbedder, decoder="cloud", **TRAINED),
    "fourier": partial(WormholeEmbedder, architecture="fourier", **TRAINED),
    "maps": partial(WormholeEmbedder, architecture="transport_maps", **TRAINED),
}


def clouds_of(sizes, dim=2, seed=0):
    """Return clouds of these sizes, of different means and spreads."""
    rng = np.random.default_rng(seed)
    return [
        rng.uniform(0.5, 2) * rng.normal(size=(n, dim)) + rng.normal(size=dim)
        for n in sizes
    ]


def make_small(embedder, **parameters):
    """Return an embedder of images of 8 x 8 pixels that is small and fast."""
    is_curve = embedder is KuratowskiEmbedder
    defaults = {
        "architecture": (ODEKENN if is_curve else Slices)(widths=(64,)),
        "grid_shape": (8, 8),
        "n_components": 16,
        "n_pairs": 100,
        "max_iter": 2,
        "batch_size": 32,
        "learning_rate": 3e-3,
        "n_score_pairs": 200,
        "random_state": 0,
    }
    return embedder(**{**defaults, **parameters})


def distances_of_rows(Z, readout):
    """Return what rows of `transform` say, in one block: [n, n], float64."""
    Z = Z.astype(np.float64)
    if readout.reach is None:
        return cdist(Z, Z)
    shape, r = Z[:, : readout.n_common - readout.n_exact], Z[:, -1]
    rho = np.exp(-cdist(shape, shape, "sqeuclidean") / (2 * readout.reach**2))
    common = cdist(Z[:, :-1], Z[:, :-1], "sqeuclidean")
    return np.sqrt(common + r[:, None] ** 2 + r**2 - 2 * r[:, None] * r * rho)


def relative_error(W, truth):
    """Mean of |W - truth| over the mean of truth."""
    return np.abs(W - truth).mean() / truth.mean()
