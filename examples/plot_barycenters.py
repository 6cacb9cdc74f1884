"""
Barycenters and geodesics, decoded and exact
============================================

A network that embeds digits decodes the mean of embeddings to a barycenter at once;
two steps with optimal plans bring it near the exact one. The same call gives
barycenters by plans alone, by entropic regularisation and by plain means, so that they
can be compared: by what they minimise, the mean squared distance to the class, and by
what they cost.
"""

# %%
# Barycenters of classes
# ----------------------
# The network sees half of the digits that ship with scikit-learn. Barycenters are those
# of the other half. On a grid as coarse as this, the points of exact barycenters are
# spread on the pixels around them, which costs a little: the regularised ones, which
# live on pixels, come out slightly nearer.
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skwass import DeepWassersteinEmbedder
from skwass.geometry import barycenter, geodesic
from skwass.inspection import InterpolationDisplay
from skwass.metrics import variational_report

GRID = (8, 8)
X, y = load_digits(return_X_y=True)
embedder = DeepWassersteinEmbedder(
    grid_shape=GRID, n_pairs=5_000, max_iter=15, gradient_weight=0.0, random_state=0
).fit(X[::2])
X_test, y_test = X[1::2], y[1::2]

methods = {
    "mean of pixels": {"method": "euclidean"},
    "regularized": {"method": "regularized"},
    "decoded": {"refine": 0},
    "decoded, refined": {},
    "exact": {"method": "exact"},
}
classes = [1, 4, 7]
centers = {}
for label in classes:
    members = X_test[y_test == label]
    calls = {
        name: partial(barycenter, embedder, **options)
        for name, options in methods.items()
    }
    report = variational_report(calls, members, reference="exact", grid_shape=GRID)
    print(f"digit {label}\n{report}\n")
    centers[label] = [call(members) for call in calls.values()]

# %%
# A geodesic by the same methods
# ------------------------------
# Between two images, ``method="exact"`` moves mass along one optimal plan: a single
# solve. Plain means fade from one image to the other.
ends = X_test[[np.flatnonzero(y_test == label)[0] for label in (1, 7)]]
paths = {
    name: geodesic(embedder, ends, times=5, method=method)
    for name, method in (
        ("mean of pixels", "euclidean"),
        ("regularized", "regularized"),
        ("decoded", "decoder"),
        ("exact", "exact"),
    )
}

fig = plt.figure(figsize=(11, 5.2), layout="constrained")
left, right = fig.subfigures(1, 2)
axes = left.subplots(len(methods), len(classes))
for row, name in zip(range(len(methods)), methods, strict=True):
    axes[row, 0].set_ylabel(name, fontsize="small")
    for ax, label in zip(axes[row], classes, strict=True):
        ax.imshow(centers[label][row].reshape(GRID), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
left.suptitle("Barycenters of classes")
axes = right.subplots(len(paths), 5)
for row, (name, path) in zip(axes, paths.items(), strict=True):
    row[0].set_ylabel(name, fontsize="small")
    for ax, image in zip(row, path, strict=True):
        ax.imshow(image.reshape(GRID), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
right.suptitle("From a 1 to a 7")
fig.savefig("barycenters.png", dpi=150)

# %%
# Between four images
# -------------------
# Weights of the corners are bilinear.
corners = X_test[[np.flatnonzero(y_test == label)[1] for label in (0, 3, 4, 7)]]
display = InterpolationDisplay.from_estimator(embedder, corners, method="exact")
display.figure_.savefig("interpolation.png", dpi=150)
print("figures: barycenters.png, interpolation.png")
