"""WeightProfileDisplay: which feature maps a learned metric is made of."""

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.utils.validation import check_is_fitted

from ..embedders import WassersteinEmbedder
from ..nn.readouts import ROUNDING
from ._axes import as_axes

# Weights farther apart than this are drawn on a logarithmic axis.
_LINEAR = 30
# Measures whose distances are taken apart.
_MOST_ROWS = 256
_COLORS = ("C0", "C1")


class WeightProfileDisplay:
    """Weights of a Kuratowski network by layer or time, and how it was trained.

    Left: the learned weights lambda, of each layer, or over time in [0, 1] for curves,
    with those of velocities too, if there are any. Middle: what each layer adds
    to the mean distance (with `aggregation="l2"`, to the mean squared one), or what
    each moment does, as a density over time, an exact mean left out; weights say little
    where layers differ in scale. Right: the mean squared error of W, in training over
    the mean of W^2 (and with the decoder's loss, if there is one), on measures held out
    over the variance of W, which is 1 - R2.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    weights : ndarray of shape (n_kinds, n_blocks)
        Learned weights; a row more for velocities.
    shares : ndarray of shape (n_kinds, n_blocks)
        Shares of the mean distance, of sum 1; for curves a density, of integral 1 by
        the trapezoidal rule.
    positions : ndarray of shape (n_blocks,)
        Times of a curve, or numbers of layers from 1.
    loss_curve : array-like of shape (n_epochs,)
        Mean training loss of each epoch.
    validation_scores : array-like of shape (n_epochs,) or (0,)
        R2 on held-out measures after each.
    is_curve : bool
        Whether positions are times.
    is_squared : bool
        Whether shares are of the squared distance.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    weights_ax_, shares_ax_, training_ax_ : matplotlib Axes
        Its three parts.

    See Also
    --------
    skwass.KuratowskiEmbedder : What is drawn.

    Examples
    --------
    >>> from skwass import KuratowskiEmbedder
    >>> from skwass.datasets import make_translated
    >>> from skwass.inspection import WeightProfileDisplay
    >>> X, W = make_translated(40, grid_shape=(6, 6), random_state=0)
    >>> embedder = KuratowskiEmbedder(
    ...     architecture="deep_kenn", grid_shape=(6, 6), max_iter=5, random_state=0
    ... ).fit(X)
    >>> display = WeightProfileDisplay.from_estimator(embedder, X)
    >>> display.positions
    array([1, 2, 3])
    """

    def __init__(
        self,
        weights,
        shares,
        positions,
        loss_curve,
        validation_scores,
        is_curve,
        is_squared,
    ):
        self.weights = weights
        self.shares = shares
        self.positions = positions
        self.loss_curve = loss_curve
        self.validation_scores = validation_scores
        self.is_curve = is_curve
        self.is_squared = is_squared

    @classmethod
    def from_estimator(cls, estimator, X, *, axes=None):
        """Draw a fitted embedder with a Kuratowski network.

        Parameters
        ----------
        estimator : KuratowskiEmbedder, or another trained embedder
            Fitted with :class:`~skwass.architectures.DeepKENN` or
            :class:`~skwass.architectures.ODEKENN`.
        X : array-like of shape (n_samples, n_features)
            Measures whose distances are taken apart, at least two; of more than 256,
            the first.
        axes : sequence of three matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : WeightProfileDisplay
        """
        if isinstance(estimator, WassersteinEmbedder):
            check_is_fitted(estimator)
        if not hasattr(estimator, "block_weights_"):
            raise TypeError(
                f"Got estimator={estimator!r}, expected an embedder fitted with "
                "DeepKENN or ODEKENN: others have no weights to draw. Pass the step of "
                "a pipeline that is one."
            )
        Z = estimator.transform(X[:_MOST_ROWS])
        if len(Z) < 2:
            raise ValueError(
                "Got X with n_samples=1, expected at least two measures: one alone has "
                "no distances. Add measures."
            )
        module = estimator.module_
        power = module.encoder.weights.power
        # An exact mean, in columns after the feature maps, is no share of theirs.
        sizes = estimator.block_sizes_
        parts = np.split(Z, np.cumsum(sizes), axis=1)[: len(sizes)]
        means = np.array([np.mean(pdist(part) ** power) for part in parts])
        if means.sum() <= (ROUNDING * np.abs(Z).max()) ** power:
            raise ValueError(
                f"Got X=equal measures, {len(Z)} of them, expected different ones: "
                "there is no distance to take apart. Pass others."
            )
        shares = means / means.sum()
        positions, is_curve = estimator.times_, estimator.times_ is not None
        if is_curve:
            shares /= module.encoder.weights.quadrature
        else:
            last = len(module.encoder.features.stages)
            positions = np.arange(last - len(parts), last) + 1
        return cls(
            estimator.block_weights_.reshape(-1, len(positions)),
            shares.reshape(-1, len(positions)),
            positions,
            estimator.loss_curve_,
            estimator.validation_scores_,
            is_curve,
            power == 2,
        ).plot(axes)

    def plot(self, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of three matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : WeightProfileDisplay
            With `figure_`, `weights_ax_`, `shares_ax_` and `training_ax_`.
        """
        axes = as_axes(self, axes, 3, "weights, shares and training", figsize=(11, 3.2))
        self.weights_ax_, self.shares_ax_, self.training_ax_ = axes
        self.figure_ = self.weights_ax_.figure
        self._plot_profile(self.weights_ax_, self.weights)
        least, most = np.min(self.weights), np.max(self.weights)
        if most > _LINEAR * least:
            self.weights_ax_.set(yscale="log", ylim=(least / 4, 2 * most))
        self.weights_ax_.set(
            title="Learned weights",
            ylabel=r"$\lambda(t)$" if self.is_curve else r"$\lambda_k$",
        )
        self._plot_profile(self.shares_ax_, self.shares)
        label = "share per unit of time" if self.is_curve else "share"
        whole = "squared distance" if self.is_squared else "distance"
        self.shares_ax_.set(title=f"Share of the {whole}", ylabel=label)
        self._plot_training(self.training_ax_)
        for ax in axes:
            ax.spines[["top", "right"]].set_visible(False)
        return self

    def _plot_profile(self, ax, values):
        names = ("states", "velocities")
        for row, color, name in zip(values, _COLORS, names, strict=False):
            if self.is_curve:
                ax.plot(self.positions, row, "o-", ms=4, color=color, label=name)
            else:
                ax.bar(self.positions, row, color=color)
        if len(values) > 1:
            ax.legend(frameon=False)
        ax.set_ylim(0, 1.08 * np.max(values))
        if self.is_curve:
            ax.set_xlabel("time t")
        else:
            first, last = self.positions[0], self.positions[-1]
            # Room for two more bars, or a single one would fill the axes.
            ax.set(xlabel="layer k", xticks=self.positions, xlim=(first - 1, last + 1))

    def _plot_training(self, ax):
        from matplotlib.ticker import MaxNLocator

        epochs = np.arange(1, len(self.loss_curve) + 1)
        label = "training: over mean W$^2$"
        ax.plot(epochs, self.loss_curve, "--.", color="0.45", label=label)
        if len(self.validation_scores):
            unexplained = 1 - np.asarray(self.validation_scores)
            label = "held out: over variance of W"
            ax.plot(epochs, unexplained, ".-", color="C2", label=label)
        ax.set_yscale("log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(title="Training", xlabel="epoch", ylabel="MSE of W")
        ax.legend(frameon=False, fontsize="small")
