"""What a measure is up to isometry: the distances inside it."""

from functools import lru_cache

import numpy as np

from .ground_metric import ground_distances

# Measures of each side whose inner distances are kept: a tile has each 16 times.
keep_latest = lru_cache(maxsize=64)
# Quantiles that a local distribution of distances is known by.
_N_LEVELS = 32


def inner_distances(measure, ground_metric):
    """Return the ground distances inside one measure, and its masses.

    Parameters
    ----------
    measure : tuple of (points, masses)
        Arrays of shape (n, d) and (n,).
    ground_metric : str or callable
        Settled ground metric.

    Returns
    -------
    D : ndarray of shape (n, n)
        Points without mass are left out.
    masses : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If the ground metric is not symmetric.
    """
    points, masses = measure
    points, masses = points[masses > 0], masses[masses > 0]
    D = ground_distances(points, points, ground_metric)
    if np.abs(D - D.T).max() > 1e-9 * D.max():
        raise ValueError(
            f"Got ground_metric={ground_metric} that is not symmetric, expected "
            "d(x, y) = d(y, x). Pass the mean of both directions."
        )
    return D, masses / masses.sum()


def look_up_inner(measures, ground_metric):
    """Return a function from a number to its inner distances, the latest kept."""

    @keep_latest
    def look_up(i):
        return inner_distances(measures.measure(i), ground_metric)

    return look_up


def local_quantiles(D, a):
    """Return quantiles of the distances that each point sees.

    Parameters
    ----------
    D : ndarray of shape (n, n)
        Distances inside a measure.
    a : ndarray of shape (n,)
        Positive masses of sum 1.

    Returns
    -------
    quantiles : ndarray of shape (n, 32)
        Euclidean distance of two rows is about sqrt(32) W2 of two local distributions.
    """
    order = np.argsort(D, axis=1)
    below = np.cumsum(a[order], axis=1)
    levels = (np.arange(_N_LEVELS) + 0.5) / _N_LEVELS
    # How many points lie below each level.
    ranks = np.stack([(below < level - 1e-12).sum(axis=1) for level in levels], axis=1)
    column = np.take_along_axis(order, ranks.clip(max=len(a) - 1), axis=1)
    return np.take_along_axis(D, column, axis=1)
