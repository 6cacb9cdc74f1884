"""
What each measure has alone
===========================

A vector of few numbers holds what measures have in common. What each has for itself,
the noise of its sample or a detail that no other shows, adds to its squared distance
from *every* other measure, and few columns have no room for that: small distances come
out too small. A private axis costs one column and makes up for it. With
:math:`\\sqrt{s}` in the last column and z in the others,
:math:`d^2 = |z - z'|^2 + s + s'`. See :doc:`/private_axis`.
"""

# %%
# With and without
# ----------------
# Linear optimal transport of digits, cut to 8 of 130 columns. The axis holds what the
# projection drops, times a number that is fitted to 500 exact distances.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skwass import LinearOTEmbedder, WassersteinMDS
from skwass.ot import pairwise_wasserstein

GRID = (8, 8)
X = load_digits().data
X_train, X_test = X[:1_000], X[1_000:1_250]
W = pairwise_wasserstein(X_test, grid_shape=GRID, n_jobs=2)
upper = np.triu_indices(len(X_test), k=1)
embedders = {
    name: LinearOTEmbedder(
        8, private_axis=axis, n_reference=64, grid_shape=GRID, random_state=0
    ).fit(X_train)
    for name, axis in (("without", False), ("with", True))
}
print("R2 of W, unseen digits")
for name, embedder in embedders.items():
    print(f"  {name:8} {embedder.score(X_test):.3f}")

# %%
# Small distances are where it matters: without the axis, the nearest pairs seem to be a
# third nearer than they are.
deciles = np.array_split(np.argsort(W[upper]), 10)


def bias(embedder):
    """Return the mean relative error of W, by size of W."""
    error = embedder.pairwise_distances(X_test)[upper] / W[upper] - 1
    return [100 * error[rows].mean() for rows in deciles]


# %%
# How good could it be?
# ---------------------
# :class:`~skwass.WassersteinMDS` finds the least stress of these very digits in k
# columns, with a private axis and without; the certified optimum in any dimension is
# the floor.
dimensions = [1, 2, 4, 8, 16, 32]
n_pairs = W.size - len(W)
mse = {
    axis: [
        WassersteinMDS(k, private_axis=axis).fit(W).stress_ / n_pairs
        for k in dimensions
    ]
    for axis in (False, True)
}
optimum = WassersteinMDS().fit(W).stress_ / n_pairs

# %%
# Which measures have long private axes?
# --------------------------------------
# A narrow stroke has little for itself; digits that can vary in many ways have most.
s = embedders["with"].transform(X_test)[:, -1] ** 2
order = np.argsort(s)

fig = plt.figure(figsize=(11, 3.9), layout="constrained")
left, middle, right = fig.subfigures(1, 3, width_ratios=[1, 1, 0.75])
ax = left.subplots()
width = 0.4
for k, (name, color) in enumerate([("without", "0.6"), ("with", "C0")]):
    ax.bar(
        np.arange(10) + (k - 0.5) * width,
        bias(embedders[name]),
        width,
        color=color,
        label=f"{name} private axis",
    )
ax.axhline(0, color="0.3", lw=0.8)
ax.set(
    xticks=range(10),
    xticklabels=[f"{W[upper][rows].mean():.1f}" for rows in deciles],
    xlabel="exact W2 (pixels), ten groups of pairs",
    ylabel="mean error of W2, %",
    title="8 columns, unseen digits",
)
ax.legend(frameon=False)
ax = middle.subplots()
for axis, color in ((False, "0.6"), (True, "C0")):
    name = "with" if axis else "without"
    ax.loglog(dimensions, mse[axis], "o-", color=color, label=f"{name} private axis")
ax.axhline(optimum, color="C2", lw=1, label="certified optimum")
ax.set(
    xticks=dimensions,
    xticklabels=dimensions,
    xlabel="columns",
    ylabel="mean squared error of W2$^2$",
    title="The best in k columns",
)
ax.minorticks_off()
ax.legend(frameon=False)
axes = right.subplots(4, 3)
for rows, numbers in ((axes[:2], order[:6]), (axes[2:], order[-6:])):
    for ax, number in zip(rows.ravel(), numbers, strict=True):
        ax.imshow(X_test[number].reshape(GRID), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
axes[0, 1].set_title("shortest axes")
axes[2, 1].set_title("longest axes")
plt.show()
