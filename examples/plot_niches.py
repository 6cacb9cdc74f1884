"""
Niches of a tissue
==================

A cell lives among others. Its niche is what the cells around it express: a cloud of a
few points with a coordinate for each gene. W2 compares niches by which cells they hold,
not only by their average; but a slice of tissue has as many niches as cells, hundreds
of thousands. Here they become rows of a table, by which k-means finds the regions of a
made-up tissue.
"""

# %%
# A tissue
# --------
# Six kinds of cells, in 60 genes, in four regions. Two regions have the same average
# expression and differ in what it is made of: half of the cells of one kind and half
# of another, or all of a third kind that lies between both.
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from skwass import LinearOTEmbedder, PseudobulkEmbedder, WormholeEmbedder
from skwass.measures import clouds_from_neighbors
from skwass.ot import pairwise_wasserstein, sample_pairs

rng = np.random.default_rng(0)
n_cells, n_genes = 4_000, 60
xy = rng.uniform(0, 1, size=(n_cells, 2))
radius = np.hypot(*(xy - 0.5).T)
wave = xy[:, 1] > 0.5 + 0.12 * np.sin(8 * xy[:, 0])
region = np.where(radius < 0.18, 3, np.where(radius > 0.5, 2, wave.astype(int)))
kinds = rng.normal(size=(6, n_genes))
kinds[2] = (kinds[0] + kinds[1]) / 2
shares = np.array(
    [
        [0.5, 0.5, 0.0, 0.0, 0.0, 0.0],  # below the wave
        [0.0, 0.0, 1.0, 0.0, 0.0, 0.0],  # above it: the same on average
        [0.2, 0.1, 0.1, 0.6, 0.0, 0.0],  # the corners
        [0.0, 0.1, 0.1, 0.0, 0.4, 0.4],  # the disc
    ]
)
kind = np.array([rng.choice(6, p=shares[k]) for k in region])
X = (kinds[kind] + 0.7 * rng.normal(size=(n_cells, n_genes))).astype(np.float32)

# %%
# Niches
# ------
# :func:`~skwass.measures.clouds_from_neighbors` copies nothing: its clouds are rows of
# one table. With AnnData, :func:`~skwass.measures.niches_from_anndata` does the same.
niches = clouds_from_neighbors(X, xy, n_neighbors=11)
print(niches)

# %%
# In 60 dimensions small clouds share little, and means alone, which is what pseudobulk
# keeps, say little of W2. Linear optimal transport and a network that starts with it
# take a quarter of the tissue to learn from, and are judged on the rest.
known = niches[xy[:, 0] < 0.25]
unseen = np.flatnonzero(xy[:, 0] > 0.3)  # these share no cells with them
embedders = {
    "means": PseudobulkEmbedder(scale=True, random_state=0),
    "means, private axis": PseudobulkEmbedder(
        scale=True, private_axis=True, random_state=0
    ),
    "linear OT": LinearOTEmbedder(64, random_state=0),
    "Wormhole": WormholeEmbedder(
        n_components=64, n_pairs=10_000, max_iter=10, random_state=0
    ),
}
pairs = unseen[sample_pairs(len(unseen), 2_000, random_state=0)]
w = pairwise_wasserstein(niches, pairs=pairs)
rows, found = {}, {}
for name, embedder in embedders.items():
    rows[name] = embedder.fit(known).transform(niches)
    found[name] = embedder.embedded_distances(rows[name], pairs=pairs)
    r2 = 1 - np.mean((found[name] - w) ** 2) / np.var(w)
    print(f"{name:20} columns {rows[name].shape[1]:3}  R2 of W {r2:6.3f}")

# %%
# Regions
# -------
# The last column is what each niche has alone; k-means groups by the others.
clusters, agreement = {}, {}
for name in ("means", "Wormhole"):
    Z = rows[name] if name == "means" else rows[name][:, :-1]
    groups = KMeans(4, n_init=10, random_state=0).fit_predict(Z)
    # Clusters have no order: give each the number of the region that it is most like.
    shared = np.array(
        [[np.sum((groups == k) & (region == r)) for r in range(4)] for k in range(4)]
    )
    groups = linear_sum_assignment(-shared)[1][groups]
    clusters[name] = groups
    agreement[name] = adjusted_rand_score(region, groups)
    knn = KNeighborsClassifier(15)
    accuracy = cross_val_score(knn, Z, region, cv=5).mean()
    print(f"{name:9} agreement of clusters {agreement[name]:.2f}, kNN {accuracy:.2f}")

fig, axes = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
panels = [("regions", region), *((name, clusters[name]) for name in clusters)]
for ax, (name, colors) in zip(axes, panels, strict=False):
    ax.scatter(*xy.T, c=colors, s=3, cmap="Set2")
    title = name if name == "regions" else f"{name}: agreement {agreement[name]:.2f}"
    ax.set(title=title, aspect="equal", xticks=[], yticks=[])
ax = axes[-1]
limits = [0, 1.05 * w.max()]
for name, color in (("means", "0.7"), ("Wormhole", "C0")):
    ax.plot(w, found[name], ".", ms=2, color=color, label=name)
ax.plot(limits, limits, "k", lw=0.8)
ax.set(xlim=limits, ylim=limits, xlabel="exact W2", title="niches never seen")
ax.set_ylabel("embedding")
ax.legend(markerscale=5)
plt.show()
