"""PrincipalGeodesicsDisplay and InterpolationDisplay: measures along two axes."""

import numpy as np
from sklearn.utils.validation import _num_samples, check_is_fitted

from ..geometry import PrincipalGeodesics, barycenter
from ._axes import as_axes
from ._drawing import common_limits, draw_measure, without_weights


class PrincipalGeodesicsDisplay:
    """Modes of variation, one per row, in both directions from the barycenter.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    paths : list of list of ndarray of shape (n_bins,) or (n_points, d)
        What was decoded, by component and time.
    times : list of ndarray of shape (n_times,)
        Where, in standard deviations, by component.
    ratios : ndarray of shape (n_components,)
        Shares of variance.
    grid_shape : tuple of int or None
        The grid of the bins.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of matplotlib Axes of shape (n_components, n_times)
        Its parts.

    See Also
    --------
    skwass.geometry.PrincipalGeodesics : What is drawn.

    Examples
    --------
    >>> from skwass import LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.geometry import PrincipalGeodesics
    >>> from skwass.inspection import PrincipalGeodesicsDisplay
    >>> clouds, W = make_gaussian_clouds(40, random_state=0)
    >>> modes = PrincipalGeodesics(LinearOTEmbedder(random_state=0), 2).fit(clouds)
    >>> PrincipalGeodesicsDisplay.from_estimator(modes).axes_.shape
    (2, 5)
    """

    def __init__(self, paths, times, ratios, grid_shape):
        self.paths = paths
        self.times = times
        self.ratios = ratios
        self.grid_shape = grid_shape

    @classmethod
    def from_estimator(
        cls, estimator, *, n_components=3, times=5, extent=2.0, axes=None
    ):
        """Draw the first directions of a fitted analysis.

        Parameters
        ----------
        estimator : fitted PrincipalGeodesics
            Whose embedder decodes.
        n_components : int, default=3
            How many directions, at most all there are.
        times : int, default=5
            How many measures each.
        extent : float, default=2.0
            How far to go in both directions, in standard deviations; less where maps
            would cross.
        axes : sequence of `n_components * times` matplotlib Axes, default=None
            Where to draw, row by row; a new figure if None.

        Returns
        -------
        display : PrincipalGeodesicsDisplay

        Raises
        ------
        ValueError
            If the estimator is another.
        AttributeError
            If its embedder has no decoder.
        """
        if not isinstance(estimator, PrincipalGeodesics):
            raise ValueError(
                f"Got estimator={estimator}, expected PrincipalGeodesics. Pass "
                "PrincipalGeodesics(embedder).fit(X)."
            )
        check_is_fitted(estimator)
        n = min(n_components, len(estimator.components_))
        where, paths = [], []
        for k in range(n):
            low, high = estimator.limits_[k].clip(-extent, extent)
            t = np.linspace(-1, 1, times)
            t = np.where(t < 0, -t * low, t * high)
            where.append(t)
            paths.append([without_weights(one) for one in estimator.path(k, t)])
        ratios = estimator.explained_variance_ratio_[:n]
        grid_shape = estimator.embedder_.grid_shape_
        return cls(paths, where, ratios, grid_shape).plot(axes)

    def plot(self, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            Where to draw, row by row; a new figure if None.

        Returns
        -------
        display : PrincipalGeodesicsDisplay
            With `figure_` and `axes_`.
        """
        titles = [[f"{t:+.1f} sd" for t in row] for row in self.times]
        self.axes_ = _draw_rows(self, self.paths, titles, axes, "modes")
        self.figure_ = self.axes_[0, 0].figure
        for ax, ratio in zip(self.axes_[:, 0], self.ratios, strict=True):
            ax.set_ylabel(f"{ratio:.0%}", fontsize="small")
        return self


class InterpolationDisplay:
    """Barycenters between four measures, which stand in the corners of a square.

    Weights are bilinear. Make it with :meth:`from_estimator`.

    Parameters
    ----------
    rows : list of list of ndarray of shape (n_bins,) or (n_points, d)
        Barycenters.
    grid_shape : tuple of int or None
        The grid of the bins.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of matplotlib Axes of shape (n_steps, n_steps)
        Its parts.

    See Also
    --------
    GeodesicDisplay : The way between two measures.
    skwass.geometry.barycenter : What is drawn.

    Examples
    --------
    >>> from skwass import LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.inspection import InterpolationDisplay
    >>> clouds, W = make_gaussian_clouds(40, random_state=0)
    >>> embedder = LinearOTEmbedder(random_state=0).fit(clouds)
    >>> InterpolationDisplay.from_estimator(embedder, clouds[:4], n_steps=3).axes_.shape
    (3, 3)
    """

    def __init__(self, rows, grid_shape):
        self.rows = rows
        self.grid_shape = grid_shape

    @classmethod
    def from_estimator(cls, estimator, X, *, n_steps=5, axes=None, **options):
        """Draw barycenters of four measures.

        Parameters
        ----------
        estimator : fitted WassersteinEmbedder
            That :func:`skwass.geometry.barycenter` is asked with.
        X : array-like of shape (4, n_features), or a collection of four point clouds
            Corners: above left, above right, below left, below right.
        n_steps : int, default=5
            Barycenters along each side, at least 2.
        axes : sequence of `n_steps ** 2` matplotlib Axes, default=None
            Where to draw, row by row; a new figure if None.
        **options : dict
            Of :func:`skwass.geometry.barycenter`, such as `refine=0`.

        Returns
        -------
        display : InterpolationDisplay

        Raises
        ------
        ValueError
            If there are not four measures, or fewer than two steps.
        """
        if _num_samples(X) != 4 or n_steps < 2:
            raise ValueError(
                f"Got X with n_samples={_num_samples(X)} and n_steps={n_steps}, "
                "expected four measures and at least two steps. Pass X[:4]."
            )
        times = np.linspace(0, 1, n_steps)
        rows = [
            [
                without_weights(
                    barycenter(estimator, X, weights=_bilinear(s, t), **options)
                )
                for t in times
            ]
            for s in times
        ]
        return cls(rows, estimator.grid_shape_).plot(axes)

    def plot(self, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            Where to draw, row by row; a new figure if None.

        Returns
        -------
        display : InterpolationDisplay
            With `figure_` and `axes_`.
        """
        titles = [["" for _ in row] for row in self.rows]
        self.axes_ = _draw_rows(self, self.rows, titles, axes, "barycenters")
        self.figure_ = self.axes_[0, 0].figure
        return self


def _bilinear(down, right):
    """Return weights of the corners of a square, row by row."""
    return np.outer([1 - down, down], [1 - right, right]).ravel()


def _draw_rows(display, rows, titles, axes, purpose):
    """Draw rows of measures, and return their axes."""
    n, m = len(rows), len(rows[0])
    size = (1.3 * m, 1.4 * n)
    axes = as_axes(display, axes, n * m, purpose, n_rows=n, figsize=size)
    measures = [one for row in rows for one in row]
    limits = common_limits(measures, display.grid_shape)
    names = [title for row in titles for title in row]
    for ax, measure, name in zip(axes, measures, names, strict=True):
        draw_measure(ax, measure, display.grid_shape, limits)
        ax.set_title(name, fontsize="small")
    return axes.reshape(n, m)
