"""
Clusters and archetypes of measures
===================================

k-means on embeddings is k-means in Wasserstein space: its centers are barycenters,
which look like the digits that they stand for. Archetypes are the opposite: extremes
that all others lie between.
"""

# %%
# Clusters
# --------
# Twelve clusters of digits, without their labels; and the same on pixels, whose centers
# are blurs. Inertia in Wasserstein space is exact here, by one solve per image. That
# clusters are tighter in it need not mean that they are the classes: on these images,
# which are centred and of one size, those of pixels agree better with them.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score

from skwass import DeepWassersteinEmbedder
from skwass.geometry import WassersteinArchetypes, WassersteinKMeans
from skwass.ot import pairwise_wasserstein

GRID = (8, 8)
X, y = load_digits(return_X_y=True)
X = X / X.sum(axis=1, keepdims=True)
embedder = DeepWassersteinEmbedder(
    grid_shape=GRID, n_pairs=5_000, max_iter=15, gradient_weight=0.0, random_state=0
).fit(X[::2])
X, y = X[1::2], y[1::2]
clusters = WassersteinKMeans(embedder, 12, n_init=10, random_state=0).fit(X)
plain = KMeans(12, n_init=10, random_state=0).fit(X)
centers = plain.cluster_centers_.clip(min=0)  # of rounding
W = pairwise_wasserstein(X, centers, grid_shape=GRID)
pixel_inertia = np.square(W[np.arange(len(X)), plain.labels_]).sum()
print("                      embeddings   pixels")
print(
    f"sum of W2^2           {clusters.exact_inertia(X):10.1f}{pixel_inertia:9.1f}\n"
    f"adjusted Rand index   {adjusted_rand_score(y, clusters.labels_):10.3f}"
    f"{adjusted_rand_score(y, plain.labels_):9.3f}"
)

# %%
# Archetypes
# ----------
# Five archetypes of the digit 1, and one digit as a mixture of them.
ones = X[y == 1]
archetypes = WassersteinArchetypes(embedder, 5, random_state=0).fit(ones)
shares = archetypes.transform(ones)
print(f"explained by five archetypes: {archetypes.explained_variance_ratio_:.2f}")
print("a digit as shares of them:", shares[0].round(2))

fig, axes = plt.subplots(3, 12, figsize=(11, 3.2), layout="constrained")
images = [
    clusters.centers(X),
    centers,
    [*archetypes.inverse_transform(np.eye(5)), ones[0]],
    # What the archetypes make of it.
]
images[2].append(archetypes.inverse_transform(shares[:1])[0])
names = ["barycenters", "means of pixels", "archetypes"]
for row, name, some in zip(axes, names, images, strict=True):
    row[0].set_ylabel(name, fontsize="small")
    for ax in row:
        ax.set(xticks=[], yticks=[])
    for ax, image in zip(row, some, strict=False):
        ax.imshow(image.reshape(GRID), cmap="gray_r")
    for ax in row[len(some) :]:
        ax.set_axis_off()
axes[2, 5].set_title("a digit", fontsize="small")
axes[2, 6].set_title("of shares", fontsize="small")
fig.savefig("clusters.png", dpi=150)
print("figure: clusters.png")
