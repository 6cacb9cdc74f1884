"""Fewer points for clouds of thousands."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from ._collections import Histograms, PointClouds
from ._convert import as_measures
from .layout import is_collection_of_clouds


@validate_params(
    {"n_points": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def thin_clouds(X, n_points):
    """Replace each cloud by one of few weighted points that is near in W2.

    Points far apart are chosen one by one, each the farthest from those before; every
    point goes to the nearest of them, and each cell becomes its mean with its mass. So
    the mean of a cloud stays, and thinning costs W2 no more than the largest cell is
    wide.

    Parameters
    ----------
    X : collection of n_measures point clouds
        As in :func:`as_measures`, or :class:`Histograms`.
    n_points : int
        Points to keep, at most; clouds that have no more are kept as they are.

    Returns
    -------
    clouds : PointClouds
        Weighted clouds of `n_points` points or fewer.

    See Also
    --------
    clouds_from_groups : Clouds from one long table.

    Notes
    -----
    Time is `O(n * n_points)` per cloud. Drawing points at random is faster and far
    worse: for 128 of 1,024 points on furniture, distances of two draws correlate less.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.measures import thin_clouds
    >>> cloud = np.array([[0.0], [0.2], [4.0], [5.0]])
    >>> points, masses = thin_clouds([cloud], 2).measure(0)
    >>> points.ravel().tolist(), masses.tolist()
    ([4.5, 0.1], [0.5, 0.5])
    """
    if not (isinstance(X, Histograms) or is_collection_of_clouds(X)):
        raise ValueError(
            f"Got X of type {type(X).__name__}, expected a collection of point clouds. "
            "For images pass as_measures(X, grid_shape=...)."
        )
    clouds = as_measures(X).to_clouds()
    pairs = [_thin(x, a, n_points) for x, a in map(clouds.measure, range(len(clouds)))]
    return PointClouds([x for x, _ in pairs], [a for _, a in pairs])


def _thin(x, a, n_points):
    if len(x) <= n_points:
        return x, a
    points = np.asarray(x, dtype=np.float64)
    gap = np.square(points - a @ points).sum(axis=1)  # the first is far from the mean
    nearest, cell = np.full(len(points), np.inf), np.zeros(len(points), dtype=int)
    for k in range(n_points):
        center = points[np.argmax(gap if k == 0 else nearest)]
        distance = np.square(points - center).sum(axis=1)
        closer = distance < nearest
        cell[closer], nearest[closer] = k, distance[closer]
    masses = np.bincount(cell, weights=a, minlength=n_points)
    sums = np.zeros((n_points, points.shape[1]))
    np.add.at(sums, cell, a[:, None] * points)
    occupied = masses > 0  # none is chosen twice unless points coincide
    return sums[occupied] / masses[occupied, None], masses[occupied] / masses.sum()
