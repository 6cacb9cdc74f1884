"""
Nearest neighbours, with a proof
================================

Which digits are nearest to a new one in W2, and how many exact distances does it take
to be certain? An embedding proposes neighbours. The potentials of each exact solve
bound the distances to all other digits, so that most are ruled out without a solve.
The graph of neighbours is then a map of the digits.
"""

# %%
# Neighbours and their proof
# --------------------------
# The six nearest of 1,000 digits, for five that were not stored.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances

from skwass.neighbors import WassersteinNeighbors, knn_layout

X, y = load_digits(return_X_y=True)
stored, new = X[:1000], X[1200:1205]
neighbors = WassersteinNeighbors(n_neighbors=6, grid_shape=(8, 8), random_state=0)
found = neighbors.fit(stored).search(new)
print(found)

fig, axes = plt.subplots(5, 7, figsize=(8, 6.6), layout="constrained")
for row, image, w, own, n_solves in zip(
    axes, new, found.distances, found.indices, found.n_solves, strict=True
):
    row[0].imshow(image.reshape(8, 8), cmap="Blues")
    row[0].set_title(f"{n_solves} solves", fontsize=9)
    for ax, distance, k in zip(row[1:], w, own, strict=True):
        ax.imshow(stored[k].reshape(8, 8), cmap="gray_r")
        ax.set_title(f"{distance:.2f} pixels", fontsize=9)
for ax in axes.ravel():
    ax.set(xticks=[], yticks=[])
fig.suptitle("New digits (blue) and their nearest of 1,000, all proved")
plt.show()

# %%
# What rules out the others
# -------------------------
# How many of the 1,000 are left, neither solved nor certain to be far, after each kind
# of bound: means, Gaussians, quantiles on lines, and the potentials of the first six
# solves. What remains is bounded by potentials of its own, or solved.
stages = ["all", "means", "gaussian", "projections", "potentials", "rest"]
left = [np.median(found.left[stage]) for stage in stages]
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
bars = ax.bar(stages, left, color="tab:blue")
ax.bar_label(bars, fmt="{:.0f}")
ax.margins(y=0.12)
ax.set(ylabel="digits left, median", title="After each kind of bound")
plt.show()

# %%
# A map of the graph
# ------------------
# t-SNE sees only distances of neighbours: in W2 from the certified graph, and of
# pixels. `openTSNE` and UMAP take the same neighbours (`layout`).
some = slice(0, 400)
graph = WassersteinNeighbors(n_neighbors=45, grid_shape=(8, 8), random_state=0)
indices, distances = knn_layout(graph.fit(X[some]), "umap")
D = np.full((400, 400), distances.max())
np.put_along_axis(D, indices, distances, axis=1)
settings = {"metric": "precomputed", "init": "random", "random_state": 0}
settings["perplexity"] = 15
maps = {
    "W2, certified neighbours": TSNE(**settings).fit_transform(np.minimum(D, D.T)),
    "pixels": TSNE(**settings).fit_transform(pairwise_distances(X[some])),
    "pixels, PCA": PCA(2).fit_transform(X[some]),
}
fig, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, (name, Z) in zip(axes, maps.items(), strict=True):
    ax.scatter(*Z.T, c=y[some], cmap="tab10", s=12)
    ax.set(title=name, xticks=[], yticks=[])
plt.show()
