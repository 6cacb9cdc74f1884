"""
Which network? A search over three papers
=========================================

The network of an embedder is an object with parameters of its own, and any network that
takes the measures goes into any embedder. So a grid search can ask the question that
three papers leave open: on these data, from these labels, which one is best, and what
does it cost? Exact distances are computed once per fold, whatever learns them.
"""

from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skwass import WormholeEmbedder
from skwass.architectures import (
    ODEKENN,
    Convolutional,
    DeepKENN,
    Dense,
    Fourier,
    SetTransformer,
    Slices,
)

X, _ = load_digits(return_X_y=True)
X = X[:500]

# %%
# ``Slices`` sees quantile functions of projections, ``Fourier`` coefficients, ``Dense``
# and ``Convolutional`` the masses of pixels. Kuratowski networks compare all layers of
# another network, or curves. The transformer lets pixels attend to each other. All have
# the same 1,000 labels, without derivatives, which not every network can use.
architectures = [
    Slices(),
    Fourier(),
    Dense(),
    Convolutional(),
    DeepKENN(),
    ODEKENN(),
    SetTransformer(n_layers=1, width=16),
]
with TemporaryDirectory() as cache:
    embedder = WormholeEmbedder(
        grid_shape=(8, 8),
        labels="pairs",
        n_pairs=1_000,
        gradient_weight=0.0,
        max_iter=20,
        memory=cache,
        n_jobs=2,
        random_state=0,
    )
    search = GridSearchCV(
        embedder, {"architecture": architectures}, cv=2, refit=False
    ).fit(X)

    # Parameters of one network are searched by their names, with the same labels.
    embedder.set_params(architecture=Slices())
    widths = {"architecture__widths": [(), (64,), (256,), (512, 512)]}
    of_slices = GridSearchCV(embedder, widths, cv=2, refit=False).fit(X)

# %%
# The score is R2 of W on the fold that was left out.
for values, results in (
    (architectures, search.cv_results_),
    (widths["architecture__widths"], of_slices.cv_results_),
):
    for value, r2 in zip(values, results["mean_test_score"], strict=True):
        name = value if isinstance(value, tuple) else type(value).__name__
        print(f"{name!s:16}{r2:8.4f}")

# %%
# What slices see is near W2 already, so networks of them are far ahead of those of
# pixels, and layers between the points of a cloud do not pay.
names = [type(architecture).__name__ for architecture in architectures]
errors = 1 - search.cv_results_["mean_test_score"]
seconds = search.cv_results_["mean_fit_time"]
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
axes[0].loglog(seconds, errors, "o")
for name, x, error in zip(names, seconds, errors, strict=True):
    axes[0].annotate(
        name, (x, error), xytext=(0, 7), textcoords="offset points", ha="center"
    )
axes[0].margins(0.22)
axes[0].set(
    xlabel="seconds of a fit",
    ylabel="1 - R2 of W, unseen digits",
    title="Architectures",
)
errors = 1 - of_slices.cv_results_["mean_test_score"]
labels = ["linear", "64", "256", "512, 512"]
axes[1].semilogy(np.arange(4), errors, "o-")
axes[1].set_xticks(np.arange(4), labels)
axes[1].set(xlabel="hidden widths", title="Slices")
for ax in axes:
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
