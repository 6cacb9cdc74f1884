"""
What an exact solve teaches
===========================

An exact Wasserstein distance takes a millisecond or more, so labels are the bill of a
learned embedding. But a solve says more than one number, and some of W2 is known
without any. Here the error of one embedder falls, label by label, by what it is told.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skwass import DeepWassersteinEmbedder
from skwass.ot import pairwise_wasserstein

X, _ = load_digits(return_X_y=True)
X_train, X_test = train_test_split(X, test_size=200, random_state=0)
i, j = np.triu_indices(len(X_test), k=1)
W = pairwise_wasserstein(X_test, grid_shape=(8, 8), n_jobs=2)[i, j]


def fit(X, shape=(8, 8), **parameters):
    """Return an embedder without a decoder."""
    return DeepWassersteinEmbedder(
        grid_shape=shape,
        decoder=None,
        max_iter=15,
        n_jobs=2,
        random_state=0,
        **parameters,
    ).fit(X)


# %%
# Four kinds of lessons
# ---------------------
# *Numbers*: the distances of pairs, and a network that sees masses. *Slices*: it sees
# quantile functions of projections instead, near W2 already, and the exact mean.
# *Derivatives*: beside each distance, how it changes as either image gives way to 64
# others, out of the same solve. *Maps*: 1,000 solves more, of transport from one
# reference to the training images.

signals = {
    "numbers": {"architecture": "dense", "gradient_weight": 0.0},
    "slices": {"gradient_weight": 0.0},
    "slices, derivatives": {},
    "slices, maps": {"n_maps": 1_000},
}
errors, solves = {}, {}
for name, parameters in signals.items():
    fitted = [fit(X_train, n_pairs=n, **parameters) for n in (200, 600, 2_000)]
    gaps = [one.pairwise_distances(X_test)[i, j] ** 2 - W**2 for one in fitted]
    errors[name] = [np.mean(gap**2) for gap in gaps]
    solves[name] = [one.n_solves_ for one in fitted]
    print(name, *(f"{error:.4f}" for error in errors[name]))

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in errors.items():
    ax.loglog(solves[name], values, "o-", label=name)
ax.set_xticks([250, 500, 1_000, 2_000, 4_000], ["250", "500", "1000", "2000", "4000"])
ax.minorticks_off()
ax.set_xlabel("exact solves")
ax.set_ylabel("mean squared error of $W_2^2$, unseen digits")
ax.legend()
plt.show()

# %%
# What is exact is not learned
# ----------------------------
# W2^2 of two measures is the squared distance of their means plus W2^2 of the centred
# measures. An embedding whose last two columns are the mean knows where images are that
# lie elsewhere than all that it was trained on.


def on_larger_grid(images, shift=0):
    """Return digits on 16 x 16 pixels, moved down and right from the middle."""
    large = np.zeros((len(images), 16, 16))
    large[:, 4 + shift : 12 + shift, 4 + shift : 12 + shift] = images.reshape(-1, 8, 8)
    return large.reshape(len(images), -1)


shifts = np.arange(5)
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, exact_mean in (("exact mean", "auto"), ("without", False)):
    embedder = fit(
        on_larger_grid(X_train), (16, 16), n_pairs=2_000, exact_mean=exact_mean
    )
    relative = []
    for shift in shifts:
        found = embedder.pairwise_distances(on_larger_grid(X_test, shift))[i, j]
        relative.append(np.mean(np.abs(found - W) / W))
    ax.plot(shifts, relative, "o-", label=name)
ax.set_xlabel("pixels that unseen digits are moved by, both ways")
ax.set_ylabel("relative error of $W_2$ between them")
ax.set_ylim(bottom=0)
ax.legend()
plt.show()
