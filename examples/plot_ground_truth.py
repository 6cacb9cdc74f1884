"""
=====================================
All distances, and what they cost
=====================================

:func:`skwass.ot.pairwise_wasserstein` gives exact Wasserstein distances between all
pairs of measures. Here it sorts 120 handwritten digits into a tree, and then stands
beside the Sinkhorn divergence: the error of the latter, and the time of both.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import squareform
from sklearn.datasets import load_digits

from skwass.ot import SinkhornDivergence, pairwise_wasserstein

GRID = (8, 8)
X, y = load_digits(return_X_y=True)
X, y = X[:120], y[:120]

# %%
# Every pair is solved once: 7,140 problems, exactly, in about a second. ``out="W.npy"``
# would keep them in a file and take up where a crash left off; ``n_jobs=2`` uses two
# threads.

start = time.perf_counter()
W = pairwise_wasserstein(X, grid_shape=GRID, n_jobs=2)
exact_seconds = time.perf_counter() - start
print(f"{len(X) * (len(X) - 1) // 2} exact distances in {exact_seconds:.2f} s")

# %%
# A tree of the digits by average linkage, and the matrix in its order: blocks are
# shapes, named by the digits they hold.

tree = linkage(squareform(W), method="average")
fig, (above, heat) = plt.subplots(
    2, 1, figsize=(6.5, 8), height_ratios=[1, 3.2], layout="constrained"
)
leaves = dendrogram(tree, ax=above, no_labels=True, color_threshold=0.45 * W.max())
above.set(ylabel="W2 in pixels")
above.spines[["top", "right", "bottom"]].set_visible(False)
order = np.array(leaves["leaves"])
image = heat.imshow(W[np.ix_(order, order)], cmap="viridis")
heat.set_xticks(range(0, len(X), 3), y[order][::3], fontsize=6)
heat.set_yticks(range(0, len(X), 3), y[order][::3], fontsize=6)
heat.set(xlabel="digit", ylabel="digit")
fig.colorbar(image, ax=heat, label="W2 in pixels", location="bottom", aspect=40)

# %%
# The Sinkhorn divergence is smoother and runs in batches on a GPU. Its ``reg`` trades
# error for time. On a CPU and measures this small, exact distances win on both; the
# picture shows by how much.

pairs = np.column_stack(np.triu_indices(len(X), k=1))[::20]
exact = W[tuple(pairs.T)]
regs = [0.3, 0.1, 0.03, 0.01, 0.003, 0.001]
errors, seconds = [], []
for reg in regs:
    truth = SinkhornDivergence(reg=reg, tol=1e-4, max_iter=20_000)
    start = time.perf_counter()
    S = pairwise_wasserstein(X, pairs=pairs, grid_shape=GRID, ground_truth=truth)
    seconds.append(time.perf_counter() - start)
    errors.append(np.abs(S / exact - 1).mean())
start = time.perf_counter()
pairwise_wasserstein(X, pairs=pairs, grid_shape=GRID)
seconds_exact = time.perf_counter() - start

fig, axis = plt.subplots(figsize=(6, 4), layout="constrained")
axis.plot(np.array(seconds) * 1e3 / len(pairs), errors, "o-", color="C0")
for reg, error, second in zip(regs, errors, seconds, strict=True):
    axis.annotate(
        f"reg={reg}",
        (second * 1e3 / len(pairs), error),
        textcoords="offset points",
        xytext=(6, 6),
    )
axis.axvline(seconds_exact * 1e3 / len(pairs), color="C3", label="exact: no error")
axis.set(
    xscale="log",
    yscale="log",
    xlabel="milliseconds per pair, one thread",
    ylabel="mean relative error of W2",
    title="Sinkhorn divergence against exact distance",
)
axis.margins(0.15)
axis.legend()
plt.show()
