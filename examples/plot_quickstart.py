"""
Embed digits so that distance is Wasserstein distance
=====================================================

Trains :class:`skwass.DeepWassersteinEmbedder` on images of 8 x 8 pixels that ship with
scikit-learn, and shows what one gets for it: all pairwise Wasserstein distances at the
price of Euclidean ones, a classifier on embeddings, and barycenters.
"""

# %%
# Measures and exact labels
# -------------------------
# An image is a probability distribution over its pixels. ``grid_shape`` says where the
# pixels are, and distances then come in pixels. Labelling pairs is what costs: the
# embedder does it by itself, but here we do it first, to time it.
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skwass import DeepWassersteinEmbedder
from skwass.ot import pairwise_wasserstein, sample_pairs

GRID = (8, 8)
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=400, stratify=y, random_state=0
)
pairs = sample_pairs(len(X_train), 60_000, random_state=0)
start = time.perf_counter()
distances = pairwise_wasserstein(X_train, pairs=pairs, grid_shape=GRID, n_jobs=2)
label_time = time.perf_counter() - start

# %%
# Fit
# ---
embedder = DeepWassersteinEmbedder(grid_shape=GRID, random_state=0)
start = time.perf_counter()
embedder.fit(X_train, pairs=pairs, distances=distances)
fit_time = time.perf_counter() - start

# %%
# How good, how fast
# ------------------
# The test images were never seen: neither they nor any pair of them.
start = time.perf_counter()
true = pairwise_wasserstein(X_test, grid_shape=GRID, n_jobs=2)
exact_time = time.perf_counter() - start
start = time.perf_counter()
predicted = embedder.pairwise_distances(X_test)
embedding_time = time.perf_counter() - start

upper = np.triu_indices(len(X_test), k=1)
correlation = np.corrcoef(true[upper], predicted[upper])[0, 1]
relative_error = np.mean(np.abs(predicted[upper] - true[upper]) / true[upper])
on_pixels = KNeighborsClassifier(5).fit(X_train, y_train).score(X_test, y_test)
classifier = make_pipeline(embedder, KNeighborsClassifier(5))
classifier[-1].fit(embedder.transform(X_train), y_train)
on_embedding = classifier.score(X_test, y_test)

print(f"exact labels a second              {len(pairs) / label_time:10,.0f}")
print(f"fit, seconds                       {fit_time:10.1f}")
print(f"correlation with W, unseen images  {correlation:10.4f}")
print(f"mean relative error of W           {relative_error:10.2%}")
print(f"exact time / embedding time        {exact_time / embedding_time:10,.0f}")
print(f"accuracy of 5-NN on embeddings     {on_embedding:10.3f}")
print(f"accuracy of 5-NN on pixels         {on_pixels:10.3f}")

# %%
# Barycenters
# -----------
# The mean of embeddings decodes to a Wasserstein barycenter: strokes stay strokes,
# where the mean of pixels is a blur.
Z = embedder.transform(X_train)
classes = np.unique(y_train)
barycenters = embedder.inverse_transform(
    np.array([Z[y_train == c].mean(axis=0) for c in classes])
)
X_unit = X_train / X_train.sum(axis=1, keepdims=True)
means = np.array([X_unit[y_train == c].mean(axis=0) for c in classes])

fig = plt.figure(figsize=(11, 4.6), layout="constrained")
left, right = fig.subfigures(1, 2, width_ratios=[1.1, 1])
ax = left.subplots()
hexes = ax.hexbin(
    true[upper], predicted[upper], gridsize=70, bins="log", mincnt=1, cmap="viridis"
)
left.colorbar(hexes, ax=ax, label="pairs")
limit = [0, 1.02 * true.max()]
ax.plot(limit, limit, color="tab:red", linewidth=1)
ax.set(
    xlim=limit,
    ylim=limit,
    aspect="equal",
    xlabel="exact W2 (pixels)",
    ylabel="distance of embeddings",
    title=f"Unseen digits: correlation {correlation:.4f}",
)
axes = right.subplots(4, 5)
for c, column in zip(classes, [*axes[:2].T, *axes[2:].T], strict=True):
    for ax, images in zip(column, (barycenters, means), strict=True):
        ax.imshow(images[c].reshape(GRID), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
for row, name in enumerate(["barycenter", "mean"] * 2):
    axes[row, 0].set_ylabel(name)
fig.savefig("quickstart.png", dpi=150)
print("figure: quickstart.png")
