"""StressBoundsDisplay: how good an embedding could be, and how good embeddings are."""

import numpy as np

from ..manifold.nearest_edm import negative_share
from ..metrics.certificate import certify, true_distances
from ._axes import as_axes

# Bounds that are drawn: attribute, and name in the picture.
_BELOW = [("lower", "eigenvalue bound"), ("shifted_lower", "shifted bound")]
_ABOVE = [("scaled_cmds", "scaled cMDS"), ("cmds", "cMDS")]
# Eigenvalues relative to the largest: less is rounding.
_SMALLEST = 1e-16
_BOUND, _OPTIMUM, _EMBEDDER, _IMPOSSIBLE = "0.45", "C2", "C0", "C3"


class StressBoundsDisplay:
    """Stresses of embeddings between the optimum and the bounds, and the spectrum.

    Left, on one logarithmic axis: bounds that one eigendecomposition gives, the
    certified optimum, what is reachable in few columns and a private axis, if that was
    asked for, and embeddings. Nothing Euclidean can be in the shaded part.
    Right: eigenvalues of `-J W^2 J`, the negative ones in red; they are what no
    Euclidean embedding can have.

    Make it with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    certificates : dict of str to StressCertificate
        One an embedding, of the same measures.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    bounds_ax_, spectrum_ax_ : matplotlib Axes
        Its two parts.

    See Also
    --------
    skwass.metrics.stress_certificate : The numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.inspection import StressBoundsDisplay
    >>> W = np.array([[0, 1, 3], [1, 0, 1], [3, 1, 0]])
    >>> line = np.array([[0.0], [1.5], [3.0]])
    >>> display = StressBoundsDisplay.from_predictions(W, {"line": abs(line - line.T)})
    >>> round(display.certificates["line"].ratio, 3)
    1.125
    """

    def __init__(self, certificates):
        self.certificates = certificates

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        distances=None,
        n_components=None,
        n_jobs=None,
        axes=None,
    ):
        """Draw what fitted embedders make of measures.

        Parameters
        ----------
        estimator : fitted embedder, or dict of str to fitted embedder
            One, or several by the name to draw.
        X : array-like of shape (n, n_features), or a collection of n clouds
            Measures.
        distances : array-like of shape (n, n), default=None
            True distances W, not squared; computed by the first embedder's ground truth
            if None.
        n_components : int, default=None
            Columns for which to draw what is reachable, with a private axis.
        n_jobs : int, default=None
            Workers for distances.
        axes : sequence of two matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : StressBoundsDisplay
        """
        if not isinstance(estimator, dict):
            estimator = {type(estimator).__name__: estimator}
        for name, embedder in estimator.items():
            if not hasattr(embedder, "pairwise_distances"):
                raise TypeError(
                    f"Got estimator={name}, which has no pairwise_distances, expected "
                    "a fitted embedder. Pass several as a dict of name to embedder."
                )
        _refuse_empty(estimator, "estimator")
        if distances is None:
            distances = true_distances(next(iter(estimator.values())), X, n_jobs)
        predictions = {
            name: embedder.pairwise_distances(X) for name, embedder in estimator.items()
        }
        return cls.from_predictions(
            distances, predictions, n_components=n_components, axes=axes
        )

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, n_components=None, axes=None):
        """Draw given distances.

        Parameters
        ----------
        y_true : array-like of shape (n, n)
            True distances W, not squared.
        y_pred : array-like of shape (n, n), or dict of str to array-like
            Distances between embeddings, not squared; one lot, or several by name.
        n_components : int, default=None
            As in :meth:`from_estimator`.
        axes : sequence of two matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : StressBoundsDisplay
        """
        if not isinstance(y_pred, dict):
            y_pred = {"embedding": y_pred}
        _refuse_empty(y_pred, "y_pred")
        certificates = certify(y_pred.values(), y_true, n_components=n_components)
        return cls(dict(zip(y_pred, certificates, strict=True))).plot(axes)

    def plot(self, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : StressBoundsDisplay
            With `figure_`, `bounds_ax_` and `spectrum_ax_`.
        """
        options = {"figsize": (10, 4), "width_ratios": [1.3, 1]}
        axes = as_axes(self, axes, 2, "bounds and spectrum", **options)
        self.bounds_ax_, self.spectrum_ax_ = axes
        self.figure_ = self.bounds_ax_.figure
        self._plot_bounds(self.bounds_ax_)
        self._plot_spectrum(self.spectrum_ax_)
        return self

    def _plot_bounds(self, ax):
        from matplotlib.ticker import LogLocator

        certificate = next(iter(self.certificates.values()))
        reachable = []
        if certificate.reachable is not None:
            name = f"{certificate.n_components} columns + private"
            reachable = [(name, certificate.reachable, _OPTIMUM)]
        rows = [
            *((name, getattr(certificate.bounds, key), _BOUND) for key, name in _BELOW),
            ("optimum", certificate.optimum, _OPTIMUM),
            *reachable,
            *((name, c.stress, _EMBEDDER) for name, c in self.certificates.items()),
            *((name, getattr(certificate.bounds, key), _BOUND) for key, name in _ABOVE),
        ]
        names, stresses, colors = zip(*rows, strict=True)
        # Per pair, so that numbers mean something whatever n is.
        n = certificate.n_measures
        mse = np.array(stresses) / (n * (n - 1))
        # A logarithmic axis has no zero: it is drawn left of all that is not.
        floor = mse[mse > 0].min(initial=1.0) / 10
        labels, mse = [f"{value:.3g}" for value in mse], np.maximum(mse, floor)
        y = np.arange(len(rows))[::-1]
        edge = max(certificate.optimum / (n * (n - 1)), floor)
        ax.set_xscale("log")
        # Room for numbers on both sides.
        room = max(3.0, (mse.max() / mse.min()) ** 0.3)
        left, right = mse.min() / room, mse.max() * room
        ax.set_xlim(left, right)
        ax.hlines(y, edge, mse, color=colors, lw=1.5)
        ax.scatter(mse, y, color=colors, zorder=3)
        ax.axvline(edge, color=_OPTIMUM, lw=1)
        for label, value, height in zip(labels, mse, y, strict=True):
            side = -1 if value < edge else 1
            ax.annotate(
                label,
                (value, height),
                xytext=(7 * side, 0),
                textcoords="offset points",
                ha="right" if side < 0 else "left",
                va="center",
                fontsize="small",
            )
        ax.set_yticks(y, names)
        ax.set_ylim(-0.6, len(rows) - 0.3)
        if mse.max() < 30 * mse.min():
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("")
        ax.axvspan(left, edge, color="0.93", zorder=0)
        ax.set(xlabel="mean over pairs of (d$^2$ - W$^2$)$^2$", title="Stress")
        ax.spines[["top", "right"]].set_visible(False)

    def _plot_spectrum(self, ax):
        certificate = next(iter(self.certificates.values()))
        values = certificate.eigenvalues
        sizes, rank = np.abs(values), np.arange(1, len(values) + 1)
        drawn = np.maximum(sizes / (sizes.max() or 1.0), _SMALLEST)
        is_negative = values < 0
        for mask, color, label in (
            (~is_negative, _EMBEDDER, "positive"),
            (is_negative, _IMPOSSIBLE, f"negative ({is_negative.sum()})"),
        ):
            ax.plot(rank[mask], drawn[mask], ".", color=color, label=label)
        ax.set_yscale("log")
        ax.set_ylim(min(drawn.min() / 2, 0.1), 2)
        ax.set(
            xlabel="eigenvalue of -J W$^2$ J",
            ylabel="size over the largest",
            title=f"Spectrum: {negative_share(values):.1%} of it negative",
        )
        ax.legend(frameon=False)
        ax.spines[["top", "right"]].set_visible(False)


def _refuse_empty(embeddings, name):
    if not embeddings:
        raise ValueError(
            f"Got {name}={{}}, expected at least one embedding. Name those to be drawn."
        )
