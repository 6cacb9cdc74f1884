"""
===================================================
How good could a Euclidean embedding be?
===================================================

Wasserstein distances are not Euclidean, so no embedding can keep them all.
:class:`skwass.WassersteinMDS` finds the embedding with the least stress,
``sum_ij (|z_i - z_j|^2 - W_ij^2)^2``, and proves that there is none better. Here it
does so for three small data sets in the manner of table 2 of the Wasserstein Wormhole
paper (Haviv et al. 2024), and judges a trained network by it.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skwass import DeepWassersteinEmbedder, WassersteinMDS
from skwass.inspection import StressBoundsDisplay
from skwass.manifold import stress_bounds
from skwass.ot import pairwise_wasserstein
from skwass.ot.bounds import gaussian_bound

# %%
# Three data sets: the 35 ways to put three equal masses on three of seven points around
# a circle; 128 Gaussian distributions in R^3, whose distances have a closed form that
# the Gaussian bound attains; 256 handwritten digits.

rng = np.random.default_rng(0)
triples = list(itertools.combinations(range(7), 3))
angles = 2 * np.pi * np.arange(7) / 7
circle = np.column_stack([np.cos(angles), np.sin(angles)])
masses = np.array([np.isin(range(7), triple) for triple in triples])
around = pairwise_wasserstein(masses, support=circle)

clouds = [
    2 * rng.normal(size=3) + rng.normal(size=(30, 3)) @ rng.normal(size=(3, 3))
    for _ in range(128)
]
gaussians = gaussian_bound(clouds)

X, y = load_digits(return_X_y=True)
X, y = X[:256], y[:256]
digits = pairwise_wasserstein(X, grid_shape=(8, 8), n_jobs=2)

data = {"triples": around, "Gaussians": gaussians, "digits": digits}

# %%
# The table, as stress per pair. ``L`` is the eigenvalue lower bound, and the optimum
# carries its certificate: the relative duality gap. Published are an upper bound ``U``,
# which is none (below), and classical scaling, which is far from the best; its best
# multiple is better, and costs nothing. The number of dimensions is what the optimum
# needs.

print(
    f"{'':16}{'L':>10}{'optimum':>10}{'gap':>9}{'scaled':>10}{'cMDS':>10}"
    f"{'U':>10}{'rank':>6}"
)
for name, W in data.items():
    mds = WassersteinMDS().fit(W)
    n = len(W)
    bounds = mds.bounds_
    columns = [
        f"{value / (n * (n - 1)):10.2g}"
        for value in (
            bounds.lower,
            mds.stress_,
            bounds.scaled_cmds,
            bounds.cmds,
            bounds.published_upper,
        )
    ]
    gap = mds.duality_gap_ / mds.stress_
    rank = mds.embedding_.shape[1]
    print(
        f"{name + f' ({n})':16}{columns[0]}{columns[1]}{gap:9.0e}"
        f"{''.join(columns[2:])}{rank:6}"
    )

# %%
# The published ``U`` is no upper bound. For squared distances of 128 Gaussian points in
# R^5 and noise on top, the optimum is above it.

points, noise = rng.normal(size=(128, 5)), rng.normal(size=(128, 128))
D = np.square(points[:, None] - points).sum(axis=-1) + 0.5 * (noise + noise.T)
D = np.abs(D)
np.fill_diagonal(D, 0)
optimum = WassersteinMDS().fit(np.sqrt(D))
print(
    f"published U {stress_bounds(D).published_upper:.0f}, "
    f"certified optimum {optimum.stress_:.0f}"
)

# %%
# How do embeddings of the digits compare? A network that is trained on all pairs of
# them, and the best embeddings in 2, 10 and 20 dimensions, without private axes and
# with them. The shaded part is where no
# Euclidean embedding can be, whatever its dimension.

network = DeepWassersteinEmbedder(
    n_components=20,
    grid_shape=(8, 8),
    batch_size=512,
    early_stopping=False,
    random_state=0,
).fit(X, distances=digits)
embedders = {"DWE, k=20": network.pairwise_distances(X)}
for k in (2, 10, 20):
    for axis, name in ((False, f"MDS, k={k}"), (True, f"MDS, k={k}, private")):
        mds = WassersteinMDS(k, private_axis=axis).fit(digits)
        embedders[name] = mds.distance_matrix_
display = StressBoundsDisplay.from_predictions(digits, embedders)
for name, certificate in display.certificates.items():
    print(f"{name:18} {certificate.ratio:8.2f} times the optimum")

# %%
# In the plane: a local optimum, in which no single digit has a better place given all
# others.

plane = WassersteinMDS(2, private_axis=False).fit_transform(digits)
fig, axis = plt.subplots(figsize=(6, 5), layout="constrained")
for digit in range(10):
    axis.scatter(*plane[y == digit].T, s=0)
    for z in plane[y == digit]:
        axis.annotate(digit, z, color=f"C{digit}", ha="center", va="center")
axis.set(xlabel="pixels", ylabel="pixels", aspect="equal", title="256 digits by W2")
plt.show()
