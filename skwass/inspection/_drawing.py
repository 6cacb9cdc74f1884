"""How one measure is drawn: an image, bars, or points."""

import numpy as np


def draw_measure(ax, measure, grid_shape, limits=None, **options):
    """Draw a histogram or a cloud, without ticks.

    Parameters
    ----------
    ax : matplotlib Axes
        Where.
    measure : ndarray of shape (n_bins,) or (n_points, d)
        Masses, or points; of points in space the third coordinate is the colour.
    grid_shape : tuple of int or None
        The grid that bins form. Points are drawn in it as (row, column) if it has two
        axes.
    limits : ndarray of shape (2, d), default=None
        Least and largest coordinates to show.
    **options : dict
        Of `scatter`.
    """
    is_image = grid_shape is not None and len(grid_shape) == 2
    if measure.ndim == 1:
        if is_image:
            ax.imshow(measure.reshape(grid_shape), cmap="gray_r")
        else:
            ax.bar(np.arange(len(measure)), measure, width=1.0)
    else:
        _draw_points(ax, measure, is_image, limits, options)
    ax.set(xticks=[], yticks=[])


def _draw_points(ax, points, is_image, limits, options):
    x = points[:, 0]
    y = points[:, 1] if points.shape[1] > 1 else np.zeros(len(points))
    if limits is None:
        limits = np.stack([points.min(axis=0), points.max(axis=0)])
    (x_low, *low), (x_high, *high) = limits
    y_low, y_high = (low[0], high[0]) if low else (-1, 1)
    options = {"s": 6, "linewidths": 0, **options}
    if points.shape[1] > 2 and "color" not in options:
        options |= {"c": points[:, 2], "vmin": low[1], "vmax": high[1]}
    if is_image:  # rows go down
        ax.scatter(y, x, **options)
        ax.set(xlim=(y_low - 0.5, y_high + 0.5), ylim=(x_high + 0.5, x_low - 0.5))
    else:
        ax.scatter(x, y, **options)
        room = 0.03 * max(x_high - x_low, y_high - y_low)
        ax.set(xlim=(x_low - room, x_high + room), ylim=(y_low - room, y_high + room))
    ax.set_aspect("equal")


def without_weights(measure):
    """Return the points of a measure that has weights, or what has none."""
    return measure[0] if isinstance(measure, tuple) else measure


def common_limits(collections, grid_shape):
    """Return least and largest coordinates of clouds, [2, d], or None without any."""
    clouds = [measure for measure in collections if measure.ndim == 2]
    if not clouds:
        return None
    if grid_shape is not None and len(grid_shape) == 2:
        return np.array([[0, 0], np.array(grid_shape) - 1], dtype=float)
    points = np.concatenate(clouds)
    return np.stack([points.min(axis=0), points.max(axis=0)])
