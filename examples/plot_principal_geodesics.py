"""
Modes of digits and of shapes
=============================

Principal component analysis of pixels adds and subtracts images, and blurs them. That
of embeddings whose distances are Wasserstein distances moves mass: the foot of a 1 and
its flag grow and shrink. With linear optimal transport nothing is trained, and each
mode says how far it goes before maps cross.
"""

# %%
# Digits
# ------
# Three modes of the digit 1, from two standard deviations below the barycenter to two
# above it, unless maps cross before.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skwass import LinearOTEmbedder
from skwass.geometry import PrincipalGeodesics
from skwass.inspection import PrincipalGeodesicsDisplay
from skwass.ot import pairwise_wasserstein

GRID = (8, 8)
X, y = load_digits(return_X_y=True)
X = X[y == 1]
X = X / X.sum(axis=1, keepdims=True)
X_train, X_test = X[::2], X[1::2]
embedder = LinearOTEmbedder(grid_shape=GRID, n_reference=200, random_state=0)
modes = PrincipalGeodesics(embedder, 10).fit(X_train)
print("standard deviations until maps cross:")
print(modes.limits_[:3].round(2))


# %%
# Few directions of this kind say more about unseen digits than as many of pixels: the
# share of the mean squared distance to the barycenter that they explain.
def unexplained(measures):
    """Return the mean of W2^2 between unseen digits and what is made of them."""
    images = [(np.argwhere(np.ones(GRID)), x) for x in X_test]
    pairs = np.tile(np.arange(len(X_test))[:, None], 2)
    W = pairwise_wasserstein(measures, images, pairs=pairs)
    return np.mean(W**2)


def on_pixels(images):
    """Return images without their negative masses, as weighted pixels."""
    return [(np.argwhere(np.ones(GRID)), np.clip(x, 0, None)) for x in images]


pca = PCA(10).fit(X_train)
scores, on_axes = modes.transform(X_test), pca.transform(X_test)
total = unexplained(list(modes.inverse_transform(0 * scores)))
print("components   geodesics   pixels")
for k in (1, 2, 5, 10):
    kept = np.arange(10) < k
    geodesics = unexplained(list(modes.inverse_transform(scores * kept)))
    pixels = unexplained(on_pixels(pca.inverse_transform(on_axes * kept)))
    print(f"{k:10}{1 - geodesics / total:12.3f}{1 - pixels / total:9.3f}")

# %%
# Shapes
# ------
# Rings of two hundred points that are stretched, turned and pinched: three modes.
rng = np.random.default_rng(0)
rings = []
for _ in range(150):
    angle = rng.uniform(0, 2 * np.pi, size=200)
    pinch = rng.uniform(0, 0.5)
    radius = 1 + 0.05 * rng.normal(size=200) - pinch * np.cos(2 * angle)
    points = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    turn = rng.normal(scale=0.3)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    rings.append((points * [rng.uniform(0.7, 1.6), 1]) @ spin)
shapes = PrincipalGeodesics(LinearOTEmbedder(n_reference=200, random_state=0), 3)
shapes.fit(rings)
print("shares of variance of shapes:", shapes.explained_variance_ratio_.round(3))

fig = plt.figure(figsize=(11, 4.2), layout="constrained")
left, right = fig.subfigures(1, 2)
for part, analysis, title in (
    (left, modes, "Modes of the digit 1"),
    (right, shapes, "Modes of rings"),
):
    axes = part.subplots(3, 5)
    PrincipalGeodesicsDisplay.from_estimator(analysis, axes=axes.ravel())
    part.suptitle(title)
fig.savefig("principal_geodesics.png", dpi=150)
print("figure: principal_geodesics.png")
