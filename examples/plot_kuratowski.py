"""
===================================================
Metrics from all layers, or from a curve
===================================================

Kuratowski networks (He 2026) learn a distance as a weighted sum over feature maps: over
the layers of a network (DeepKENN), or over the points of a curve that a vector field
draws (ODE-KENN). What they learn is a metric by construction. Here both, and the
baseline that sees the last layer alone, learn the Wasserstein distance of handwritten
digits, at one number of weights.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import r2_score

from skwass import KuratowskiEmbedder
from skwass.architectures import ODEKENN, DeepKENN
from skwass.inspection import WeightProfileDisplay
from skwass.ot import pairwise_wasserstein

X, _ = load_digits(return_X_y=True)
X_train, X_test = X[:1400], X[1400:1700]
W = pairwise_wasserstein(X_test, grid_shape=(8, 8), n_jobs=2)
i, j = np.triu_indices(len(W), k=1)

# %%
# ``n_parameters`` scales the hidden layers, so that all three have 20,000 weights.

size = {"n_parameters": 20_000}
architectures = {
    "last layer": DeepKENN(layers="last", **size),
    "DeepKENN": DeepKENN(**size),
    "ODE-KENN": ODEKENN(n_nodes=9, **size),
}
embedders = {
    name: KuratowskiEmbedder(
        n_components=48,
        architecture=architecture,
        grid_shape=(8, 8),
        n_pairs=10_000,
        gradient_weight=0.0,
        max_iter=20,
        n_jobs=2,
        random_state=0,
    ).fit(X_train)
    for name, architecture in architectures.items()
}
print(f"{'':12}{'weights':>9}{'columns':>9}{'R2 of W':>10}{'error':>8}")
predictions = {}
for name, embedder in embedders.items():
    predictions[name] = embedder.pairwise_distances(X_test)[i, j]
    error = np.mean(np.abs(predictions[name] - W[i, j])) / W[i, j].mean()
    print(
        f"{name:12}{embedder.n_parameters_:9,}{sum(embedder.block_sizes_):9}"
        f"{r2_score(W[i, j], predictions[name]):10.4f}{error:8.2%}"
    )

# %%
# Whatever was learned, the triangle inequality holds: no way from one digit to another
# by a third one is shorter than the straight one.

for name, embedder in embedders.items():
    D = embedder.pairwise_distances(X_test[:100])
    away = np.where(np.eye(100), np.inf, D)  # from a digit to another than itself
    detour = (away[:, :, None] + away[None, :, :]).min(axis=1)
    ratio = detour[np.triu_indices(100, k=1)] / D[np.triu_indices(100, k=1)]
    print(f"{name:12}shortest detour: {ratio.min():.4f} times the distance")

# %%
# Where the distance is made: weights of layers, or over time; what each adds to the
# mean squared distance, which is what to look at where layers differ in scale; and how
# training went.

fig, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
for row, name in zip(axes, ("DeepKENN", "ODE-KENN"), strict=True):
    WeightProfileDisplay.from_estimator(embedders[name], X_test, axes=row)
    row[0].set_title(f"{name}: learned weights")
plt.show()

# %%
# True against learned distances of digits that were never seen.

fig, axes = plt.subplots(1, 3, figsize=(11, 4.4), sharey=True, layout="constrained")
limit = [0, 1.02 * W.max()]
for ax, (name, predicted) in zip(axes, predictions.items(), strict=True):
    ax.hexbin(W[i, j], predicted, gridsize=60, extent=limit * 2, bins="log", mincnt=1)
    ax.plot(limit, limit, color="tab:red", linewidth=1)
    r2 = r2_score(W[i, j], predicted)
    ax.set(
        xlim=limit,
        ylim=limit,
        aspect="equal",
        xlabel="exact W2 (pixels)",
        title=f"{name}: R2 {r2:.4f}",
    )
axes[0].set_ylabel("learned distance")
plt.show()
