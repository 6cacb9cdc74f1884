"""
Clouds of any size: digits and shapes in space
==============================================

:class:`skwass.WormholeEmbedder` embeds weighted point clouds of different sizes. Images
are clouds of pixels that weigh what they show, and shapes in space need no grid at all.
Here both are embedded, drawn as a map, and decoded again: what lies halfway between two
embeddings is halfway on a Wasserstein geodesic.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skwass import WormholeEmbedder
from skwass.architectures import CloudDecoder
from skwass.inspection import BarycenterDisplay, EmbeddingDisplay, GeodesicDisplay
from skwass.ot import pairwise_wasserstein

# %%
# Digits as clouds
# ----------------
# With `grid_shape`, rows of an image matrix are read as clouds of pixels. A decoder
# costs most of the time, so it has to be asked for.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
embedder = WormholeEmbedder(
    grid_shape=(8, 8),
    decoder=CloudDecoder(n_points=40),
    n_pairs=8_000,
    max_iter=20,
    n_jobs=2,
    random_state=0,
).fit(X_train)
print(f"R2 of W between unseen digits: {embedder.score(X_test):.4f}")
frozen = FrozenEstimator(embedder)
neighbors = make_pipeline(frozen, KNeighborsClassifier(5)).fit(X_train, y_train)
print(f"accuracy of five neighbours: {neighbors.score(X_test, y_test):.3f}")

# %%
# Distances between embeddings are Wasserstein distances, so a map of the embeddings is
# a map of the digits.

EmbeddingDisplay.from_estimator(embedder, X_test, y_test)

# %%
# The mean of the embeddings of a class decodes to its Wasserstein barycenter. The mean
# of the pixels is a blur of all positions; the barycenter has a stroke.

BarycenterDisplay.from_estimator(embedder, X_train, y_train)

# %%
# From a 1 to a 7, where mass moves rather than fades.

one, seven = (np.flatnonzero(y_test == digit)[0] for digit in (1, 7))
GeodesicDisplay.from_estimator(embedder, X_test[[one, seven]])

# %%
# Shapes in space
# ---------------
# Boxes, balls and rings of random proportions, of 80 to 160 points each.


def make_shape(kind, rng):
    """Return points on the surface of a shape of random size and proportions."""
    n = rng.integers(80, 161)
    if kind == "ring":
        around, across = rng.uniform(0, 2 * np.pi, size=(2, n))
        tube = rng.uniform(0.15, 0.35)
        radius = 1 + tube * np.cos(across)
        x, y, z = radius * np.cos(around), radius * np.sin(around), np.sin(across)
        points = np.column_stack([x, y, tube * z])
    else:
        points = rng.normal(size=(n, 3))
        order = np.inf if kind == "box" else 2
        points /= np.linalg.norm(points, ord=order, axis=1, keepdims=True)
    return points * rng.uniform(0.8, 1.2, size=3) + rng.normal(scale=0.1, size=3)


rng = np.random.default_rng(0)
kinds = rng.choice(["box", "ball", "ring"], size=700)
shapes = [make_shape(kind, rng) for kind in kinds]
train, test = shapes[:600], shapes[600:]
embedder = WormholeEmbedder(
    decoder=CloudDecoder(n_points=100),
    n_pairs=4_000,
    max_iter=20,
    n_jobs=2,
    random_state=0,
).fit(train)

# %%
# All pairs of a hundred unseen shapes: predicted in milliseconds, and exactly.

W = pairwise_wasserstein(test, n_jobs=2)
predicted = embedder.pairwise_distances(test)
upper = np.triu_indices(len(test), k=1)
correlation = np.corrcoef(W[upper], predicted[upper])[0, 1]
print(f"correlation of W between unseen shapes: {correlation:.4f}")

# %%
EmbeddingDisplay.from_estimator(embedder, test, kinds[600:])

# %%
# On the way from a box to a ring a hole opens. Colour is the third coordinate.

box, ring = (np.flatnonzero(kinds[600:] == kind)[0] for kind in ("box", "ring"))
GeodesicDisplay.from_estimator(embedder, [test[box], test[ring]], times=5)
