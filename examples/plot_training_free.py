"""
Before you train: embedders that need no network
================================================

Four embedders follow from a formula, with at most a few numbers to fit. Here they
stand beside a trained one, in one table: what they cost, and how near their distances
are to W2.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skwass import (
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WormholeEmbedder,
)
from skwass.inspection import (
    BarycenterDisplay,
    EmbeddingReportDisplay,
    GeodesicDisplay,
)
from skwass.metrics import embedding_report

# %%
# One table
# ---------
# :func:`skwass.metrics.embedding_report` fits what is not fitted yet, and compares
# distances of unseen measures with exact ones. `stress_ratio` is the stress over the
# least that any Euclidean embedding of these measures can have.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
options = {"grid_shape": (8, 8), "n_jobs": 2, "random_state": 0}
embedders = {
    "linear OT": LinearOTEmbedder(**options),
    "linear OT, corrected": LinearOTEmbedder(correction=True, n_pairs=8_000, **options),
    "sliced, scaled": SlicedWassersteinEmbedder(scale=True, **options),
    "Gaussian": GaussianEmbedder(**options),
    "diffusion EMD": DiffusionEMDEmbedder(**options),
    "Wormhole": WormholeEmbedder(n_pairs=8_000, **options),
}
report = embedding_report(embedders, X_test, X_train=X_train, n_jobs=2)
print(report)

# %%
# Left, accuracy over speed: linear OT solves one transport problem a measure, which is
# slow, and it is as near to W2 as the network. Right, the ratio of each distance to W2:
# Gaussians only bound it from below, since two moments do not tell digits apart.

EmbeddingReportDisplay.from_report(report)

# %%
# Barycenters without a decoder
# -----------------------------
# An embedding by linear OT is itself a cloud: the reference, moved. So a mean of
# embeddings is one too, an approximate Wasserstein barycenter.

embedder = LinearOTEmbedder(**options).fit(X_train)
BarycenterDisplay.from_estimator(embedder, X_train, y_train)

# %%
# And from a 1 to a 7 every point of the reference moves along a straight line.

one, seven = (np.flatnonzero(y_test == digit)[0] for digit in (1, 7))
GeodesicDisplay.from_estimator(embedder, X_test[[one, seven]])

# %%
# It is a transformer as any other.

neighbors = make_pipeline(FrozenEstimator(embedder), KNeighborsClassifier(5))
neighbors.fit(X_train, y_train)
print(f"accuracy of five neighbours: {neighbors.score(X_test, y_test):.3f}")
