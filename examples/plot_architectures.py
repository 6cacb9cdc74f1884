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
    SetTransformer(n_layers=1, point_width=16),
]
with TemporaryDirectory() as cache:
    embedder = WormholeEmbedder(
        grid_shape=(8, 8),
        labels="pairs",
        n_pairs=1_000,
        gradient_weight=0.0,
        max_iter=40,
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
# What slices see is near W2 already, so networks of them are ahead of those of pixels,
# and attention between pixels does not pay here. The number beside a dot is the time of
# a fit.
def draw(ax, names, results, title):
    """Draw the error of each candidate, the best at the top."""
    errors, seconds = 1 - results["mean_test_score"], results["mean_fit_time"]
    order = np.argsort(-errors)
    ax.semilogx(errors[order], np.arange(len(order)), "o")
    for place, k in enumerate(order):
        ax.annotate(
            f"{seconds[k]:.1f} s",
            (errors[k], place),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color="0.4",
        )
    ax.set_yticks(np.arange(len(order)), [names[k] for k in order])
    ax.set_xticks(ticks := [0.02, 0.05, 0.1, 0.2], [f"{tick}" for tick in ticks])
    ax.set(xlim=(0.015, 0.35), title=title, xlabel="1 - R2 of W, unseen digits")
    ax.minorticks_off()
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)


fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
names = [type(architecture).__name__ for architecture in architectures]
draw(axes[0], names, search.cv_results_, "Architectures")
names = ["linear map" if not w else str(w) for w in widths["architecture__widths"]]
draw(axes[1], names, of_slices.cv_results_, "Hidden widths of Slices")
plt.show()
