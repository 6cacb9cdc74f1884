"""
Distances of a class that was never seen
========================================

What a network knows of measures that are unlike all it was trained on: it is fitted
to the digits but one class, and asked for distances that involve this class. Slices
and the exact mean, which embeddings start from, know of no classes; so distances to
the unseen one are nearly as good as others.
"""

# %%
# Hold out a class
# ----------------
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skwass import WormholeEmbedder
from skwass.ot import pairwise_wasserstein

GRID, UNSEEN = (8, 8), 8
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=300, stratify=y, random_state=0
)
embedder = WormholeEmbedder(
    grid_shape=GRID, n_pairs=5_000, max_iter=15, gradient_weight=0.0, random_state=0
).fit(X_train[y_train != UNSEEN])

# %%
# How good are its distances?
# ---------------------------
# A classifier that knows all classes works on embeddings of a network that does not.
true = pairwise_wasserstein(X_test, grid_shape=GRID)
predicted = embedder.pairwise_distances(X_test)
i, j = np.triu_indices(len(X_test), 1)
is_unseen = (y_test[i] == UNSEEN) | (y_test[j] == UNSEEN)
W, d = true[i, j], predicted[i, j]
error = np.square(d**2 - W**2)
classifier = KNeighborsClassifier(5).fit(embedder.transform(X_train), y_train)
right = classifier.predict(embedder.transform(X_test)) == y_test
print("                       unseen class   other classes")
print(
    f"correlation with W     {np.corrcoef(d[is_unseen], W[is_unseen])[0, 1]:12.4f}"
    f"{np.corrcoef(d[~is_unseen], W[~is_unseen])[0, 1]:16.4f}\n"
    f"MSE of W^2             {error[is_unseen].mean():12.4f}"
    f"{error[~is_unseen].mean():16.4f}\n"
    f"accuracy of 5-NN       {right[y_test == UNSEEN].mean():12.3f}"
    f"{right[y_test != UNSEEN].mean():16.3f}"
)

fig, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
limit = [0, 1.02 * W.max()]
for ax, rows, name in (
    (axes[0], ~is_unseen, "pairs of seen classes"),
    (axes[1], is_unseen, f"pairs with the unseen class {UNSEEN}"),
):
    ax.hexbin(W[rows], d[rows], gridsize=60, bins="log", mincnt=1, cmap="viridis")
    ax.plot(limit, limit, color="tab:red", linewidth=1)
    ax.set(xlim=limit, ylim=limit, aspect="equal", title=name, xlabel="exact W2")
axes[0].set_ylabel("distance of embeddings")
fig.savefig("unseen_class.png", dpi=150)
print("figure: unseen_class.png")
