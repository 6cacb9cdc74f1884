"""
Embed digits so that distance is Wasserstein distance
=====================================================

Trains :class:`skwass.DeepWassersteinEmbedder` on images of 8 x 8 pixels that ship with
scikit-learn, and shows what one gets for it: all pairwise Wasserstein distances at the
price of Euclidean ones, a classifier on embeddings, and barycenters.
"""

# %%
# Fit
# ---
# An image is a probability distribution over its pixels. ``grid_shape`` says where the
# pixels are, and distances then come in pixels. ``fit`` draws pairs of training images,
# computes their exact distances in two threads, and trains on them; by default twice as
# long.
import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skwass import DeepWassersteinEmbedder
from skwass.ot import pairwise_wasserstein

GRID = (8, 8)
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=400, stratify=y, random_state=0
)
embedder = DeepWassersteinEmbedder(
    grid_shape=GRID, n_pairs=10_000, max_iter=20, n_jobs=2, random_state=0
)
start = time.perf_counter()
embedder.fit(X_train)
fit_time = time.perf_counter() - start

# %%
# How good, how fast
# ------------------
# The test images were never seen: neither they nor any pair of them.
# :meth:`~skwass.DeepWassersteinEmbedder.pairwise_distances` takes the place of
# :func:`~skwass.ot.pairwise_wasserstein`.
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
Z = embedder.transform(X_train)
classifier = KNeighborsClassifier(5).fit(Z, y_train)
on_embedding = classifier.score(embedder.transform(X_test), y_test)

print(f"exact labels per second            {len(upper[0]) / exact_time:10,.0f}")
print(f"labels for the fit                 {embedder.n_solves_:10,}")
print(f"fit, labels included, seconds      {fit_time:10.1f}")
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
