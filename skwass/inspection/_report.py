"""EmbeddingReportDisplay: embedders side by side."""

import numpy as np

from ._axes import as_axes


class EmbeddingReportDisplay:
    """Accuracy against speed of embedders, and how their distances err.

    Left the mean relative error of distances over the rate of `transform`; right the
    ratio of distances to W over all pairs: boxes from the lower to the upper quartile,
    whiskers from the smallest ratio to the largest.

    Make it with :meth:`from_report`.

    Parameters
    ----------
    report : EmbeddingReport
        What is drawn.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of matplotlib Axes of shape (2,)
        Its parts.

    See Also
    --------
    skwass.metrics.embedding_report : The numbers.

    Examples
    --------
    >>> from skwass import GaussianEmbedder, LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.inspection import EmbeddingReportDisplay
    >>> from skwass.metrics import embedding_report
    >>> clouds, W = make_gaussian_clouds(40, random_state=0)
    >>> embedders = [GaussianEmbedder(), LinearOTEmbedder(random_state=0)]
    >>> report = embedding_report(embedders, clouds[:10], X_train=clouds[10:])
    >>> display = EmbeddingReportDisplay.from_report(report)
    >>> len(display.axes_)
    2
    """

    def __init__(self, report):
        self.report = report

    @classmethod
    def from_report(cls, report, *, axes=None):
        """Draw a report.

        Parameters
        ----------
        report : EmbeddingReport
            From :func:`skwass.metrics.embedding_report`.
        axes : sequence of two matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : EmbeddingReportDisplay
        """
        return cls(report).plot(axes)

    def plot(self, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of two matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : EmbeddingReportDisplay
            With `figure_` and `axes_`.
        """
        names, table = self.report.names, self.report.table
        size = (10, 1.6 + 0.35 * len(names))
        self.axes_ = as_axes(self, axes, 2, "accuracy and ratios", figsize=size)
        self.figure_ = self.axes_[0].figure
        left, right = self.axes_
        colors = [f"C{k % 10}" for k in range(len(names))]
        left.scatter(table["transform_rate"], table["relative_error"], color=colors)
        # Names at the right are the legend of both: colours and order are the same.
        left.set(
            xscale="log",
            yscale="log",
            xlabel="measures per second, transform",
            ylabel="relative error of W",
        )
        places = np.arange(len(names), 0, -1)
        boxes = right.boxplot(
            self.report.ratios,
            positions=places,
            orientation="horizontal",
            whis=(0, 100),
            patch_artist=True,
            widths=0.6,
        )
        for box, color in zip(boxes["boxes"], colors, strict=True):
            box.set_facecolor(color)
        for line in boxes["medians"]:
            line.set_color("black")
        right.axvline(1, color="0.6", linewidth=1, zorder=0)
        right.set_yticks(places, names)
        for text, color in zip(right.get_yticklabels(), colors, strict=True):
            text.set_color(color)
        right.set(xlabel="distance / W")
        return self
