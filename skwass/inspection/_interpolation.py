"""GeodesicDisplay and BarycenterDisplay: what an embedding decodes to between data."""

import numpy as np
from sklearn.utils.validation import _num_samples

from ..geometry import barycenter, geodesic
from ..measures import as_measures, is_collection_of_clouds
from ..measures.subsets import rows_of
from ._axes import as_axes
from ._drawing import common_limits, draw_measure, without_weights


class GeodesicDisplay:
    """Measures on the way from one to another.

    The given measures at both ends, and between them what the embedder decodes at even
    times. Images are drawn as images; points in the plane of their first two
    coordinates, without their weights, and the third, if any, as colour.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    ends : list of two ndarray of shape (n_bins,) or (n_points, d)
        The given measures.
    path : list of ndarray of shape (n_bins,) or (n_points, d)
        What was decoded.
    times : ndarray of shape (n_times,)
        When, from 0 to 1.
    grid_shape : tuple of int or None
        The grid of the bins.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of matplotlib Axes of shape (n_times + 2,)
        Its parts.

    See Also
    --------
    skwass.geometry.geodesic : What is drawn.

    Examples
    --------
    >>> from skwass import DeepWassersteinEmbedder
    >>> from skwass.datasets import make_translated
    >>> from skwass.inspection import GeodesicDisplay
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = DeepWassersteinEmbedder(
    ...     grid_shape=(8, 8), n_pairs=200, max_iter=20, random_state=0
    ... ).fit(X)
    >>> display = GeodesicDisplay.from_estimator(embedder, X[:2], times=3)
    >>> len(display.axes_)
    5
    """

    def __init__(self, ends, path, times, grid_shape):
        self.ends = ends
        self.path = path
        self.times = times
        self.grid_shape = grid_shape

    @classmethod
    def from_estimator(cls, estimator, X, *, times=7, method="decoder", axes=None):
        """Draw the way between two measures.

        Parameters
        ----------
        estimator : fitted WassersteinEmbedder with `inverse_transform`
            Decodes.
        X : array-like of shape (2, n_features), or a collection of two point clouds
            Start and end.
        times : int, default=7
            How many measures to decode.
        method : str, default="decoder"
            Of :func:`skwass.geometry.geodesic`.
        axes : sequence of `times + 2` matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : GeodesicDisplay
        """
        path = geodesic(estimator, X, times=times, method=method)
        path = [without_weights(measure) for measure in path]
        ends = [_drawable(estimator, X, i) for i in range(2)]
        grid_shape = estimator.grid_shape_
        return cls(ends, path, np.linspace(0, 1, len(path)), grid_shape).plot(axes)

    def plot(self, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            Where to draw; a new figure if None.

        Returns
        -------
        display : GeodesicDisplay
            With `figure_` and `axes_`.
        """
        n = len(self.times) + 2
        size = (1.4 * n, 1.7)
        self.axes_ = as_axes(self, axes, n, "both ends and the way", figsize=size)
        self.figure_ = self.axes_[0].figure
        start, end = self.ends
        limits = common_limits([start, end, *self.path], self.grid_shape)
        titles = ["start", *(f"t = {t:.2f}" for t in self.times), "end"]
        for ax, title, measure in zip(
            self.axes_, titles, [start, *self.path, end], strict=True
        ):
            draw_measure(ax, measure, self.grid_shape, limits)
            ax.set_title(title, fontsize="small")
        return self


class BarycenterDisplay:
    """Wasserstein barycenters next to plain means, one column per class.

    Above the mean of the measures, all of them laid over each other; below what
    :func:`skwass.geometry.barycenter` makes of them.

    Make it with :meth:`from_estimator`.

    Parameters
    ----------
    means : list of ndarray of shape (n_bins,) or (n_points, d)
        Superpositions.
    barycenters : list of ndarray of shape (n_bins,) or (n_points, d)
        What was decoded.
    names : list of str
        Of the classes.
    grid_shape : tuple of int or None
        The grid of the bins.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    axes_ : ndarray of matplotlib Axes of shape (2, n_classes)
        Its parts.

    See Also
    --------
    skwass.geometry.barycenter : What is drawn.

    Examples
    --------
    >>> from skwass import DeepWassersteinEmbedder
    >>> from skwass.datasets import make_translated
    >>> from skwass.inspection import BarycenterDisplay
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = DeepWassersteinEmbedder(
    ...     grid_shape=(8, 8), n_pairs=200, max_iter=20, random_state=0
    ... ).fit(X)
    >>> display = BarycenterDisplay.from_estimator(embedder, X)
    >>> display.axes_.shape
    (2, 1)
    """

    def __init__(self, means, barycenters, names, grid_shape):
        self.means = means
        self.barycenters = barycenters
        self.names = names
        self.grid_shape = grid_shape

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, axes=None, **options):
        """Draw the barycenter of each class.

        Parameters
        ----------
        estimator : fitted WassersteinEmbedder with `inverse_transform`
            Decodes.
        X : array-like of shape (n_samples, n_features), or a collection of clouds
            Measures.
        y : array-like of shape (n_samples,), default=None
            Their classes; one class if None.
        axes : sequence of `2 n_classes` matplotlib Axes, default=None
            Where to draw, row by row; a new figure if None.
        **options : dict
            Of :func:`skwass.geometry.barycenter`, such as `method="exact"`.

        Returns
        -------
        display : BarycenterDisplay
        """
        n = _num_samples(X)
        y = np.full(n, "") if y is None else np.asarray(y)
        if len(y) != n:
            raise ValueError(
                f"Got y of length {len(y)}, expected {n}, one class a measure. "
                "Leave y out for one barycenter."
            )
        names, means, centers = np.unique(y), [], []
        for name in names:
            rows = np.flatnonzero(y == name)
            members = rows_of(X, rows)
            means.append(_superposition(members, estimator.grid_shape_))
            center = barycenter(estimator, members, **options)
            centers.append(without_weights(center))
        return cls(means, centers, names.tolist(), estimator.grid_shape_).plot(axes)

    def plot(self, axes=None):
        """Draw.

        Parameters
        ----------
        axes : sequence of matplotlib Axes, default=None
            Where to draw, row by row; a new figure if None.

        Returns
        -------
        display : BarycenterDisplay
            With `figure_` and `axes_`.
        """
        n = len(self.names)
        purpose = "means and barycenters"
        size = (1.4 * n + 0.8, 3.4)
        axes = as_axes(self, axes, 2 * n, purpose, n_rows=2, figsize=size)
        self.axes_ = axes.reshape(2, n)
        self.figure_ = axes[0].figure
        limits = common_limits([*self.means, *self.barycenters], self.grid_shape)
        for k, name in enumerate(self.names):
            above, below = self.axes_[:, k]
            faint = {"s": 1, "alpha": 0.3} if self.means[k].ndim == 2 else {}
            draw_measure(above, self.means[k], self.grid_shape, limits, **faint)
            draw_measure(below, self.barycenters[k], self.grid_shape, limits)
            above.set_title(name, fontsize="small")
        for ax, label in zip(self.axes_[:, 0], ("mean", "barycenter"), strict=True):
            ax.set_ylabel(label)
        return self


def _drawable(estimator, X, i):
    """Return the masses of a histogram, or the points of a cloud."""
    measures = as_measures(X, grid_shape=estimator.grid_shape_)
    if estimator.support_ is not None:
        return measures[[i]].dense_masses()[0]
    return measures.measure(i)[0]


def _superposition(X, grid_shape):
    """Return the mean of histograms, or all points of clouds without their weights."""
    if is_collection_of_clouds(X):
        return np.concatenate(as_measures(X).points)
    return as_measures(X, grid_shape=grid_shape).masses.mean(axis=0)
