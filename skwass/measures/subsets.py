"""Parts of collections, and what is soon said about them."""

from typing import TypeGuard

import numpy as np
from sklearn.utils import _safe_indexing

from ._collections import Histograms
from ._sparse import SparseHistograms

# Numbers in float64 that are held at a time, besides results.
_MAX_NUMBERS = 2**23
# Those that stay near the processor.
_NEAR_NUMBERS = 2**18


def are_dense_rows(measures: object) -> TypeGuard[Histograms]:
    """Whether measures are histograms of which matrix products see every bin."""
    return isinstance(measures, Histograms) and not isinstance(
        measures, SparseHistograms
    )


def evenly(n, n_kept):
    """Return at most `n_kept` of n row numbers, first and last among them.

    Parameters
    ----------
    n, n_kept : int
        How many rows there are, and how many are wanted.

    Returns
    -------
    rows : ndarray of int of shape (min(n, n_kept),)
    """
    return np.unique(np.linspace(0, n - 1, min(n, n_kept)).astype(int))


def rows_of(X, rows):
    """Return some of the measures that a user gave, laid out as they were.

    Parameters
    ----------
    X : array-like, sparse matrix, dataframe, or a collection or list of measures
        Measures.
    rows : ndarray of int of shape (n_rows,)
        Which.

    Returns
    -------
    some : the type of X
    """
    if hasattr(X, "iloc") or isinstance(X, list | tuple):
        return _safe_indexing(X, rows)
    return X[rows]


def support_of(measures):
    """Return all points of a collection, stacked, and their masses, of sum 1 in all."""
    if isinstance(measures, Histograms):
        mass = measures.masses.sum(axis=0)
        used = mass > 0
        return measures.support[used], mass[used] / len(measures)
    points = np.concatenate(measures.points).astype(np.float64)
    return points, np.concatenate(measures.masses) / len(measures)


def merge_coincident(points, masses):
    """Return points in order, those that coincide as one, with their masses."""
    points, owners = np.unique(points, axis=0, return_inverse=True)
    return points, np.bincount(owners.ravel(), masses)


def center_of(measures):
    """Return the mean of the means of measures."""
    if isinstance(measures, Histograms):
        return measures.masses.mean(axis=0) @ measures.support
    means = np.empty((len(measures), measures.dim))
    for i, (x, a) in enumerate(zip(measures.points, measures.masses, strict=True)):
        means[i] = a @ x
    return means.mean(axis=0)


def means_of(measures, origin):
    """Return the mean of each measure, less an origin: [n, d]."""
    if isinstance(measures, Histograms):
        return measures.masses @ (measures.support - origin)
    clouds = zip(measures.masses, measures.points, strict=True)
    return np.array([a @ (x - origin) for a, x in clouds])


def variances_of(measures):
    """Return the total variance of each measure, the trace of its covariance: [n]."""
    if isinstance(measures, Histograms):
        places = measures.support - measures.support.mean(axis=0)
        means = measures.masses @ places
        squares = measures.masses @ np.square(places).sum(axis=1)
        return np.maximum(squares - np.square(means).sum(axis=1), 0)
    variances = np.empty(len(measures))
    for rows, x, a in side_by_side(measures):
        x = x - np.einsum("bi,bij->bj", a, x)[:, None]
        variances[rows] = np.einsum("bi,bij,bij->b", a, x, x)
    return variances


def side_by_side(measures):
    """Yield row numbers, points [B, n, d] in float64 and masses [B, n] of clouds.

    Those of one size go together, in blocks of bounded memory.

    Parameters
    ----------
    measures : PointClouds
        Of any sizes.
    """
    sizes = measures.sizes
    order = np.argsort(sizes, kind="stable")
    bounds = np.flatnonzero(np.diff(sizes[order])) + 1
    for rows in np.split(order, bounds):
        step = max(1, _NEAR_NUMBERS // (sizes[rows[0]] * measures.dim))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            x, a = zip(*map(measures.measure, some.tolist()), strict=True)
            yield some, np.stack(x).astype(np.float64, copy=False), np.stack(a)


def some_clouds(measures, n_clouds):
    """Return some measures as clouds, evenly spaced in the order of the data."""
    return [measures.measure(i) for i in evenly(len(measures), n_clouds)]


def effective_size(clouds):
    """Return the mean of exp(entropy of the weights): points, if weights are even."""
    return np.mean([np.exp(-(a * np.log(a)).sum()) for _, a in clouds])


def blocks_of(measures, n_numbers):
    """Yield parts of a collection whose features take some hundred megabytes.

    Parameters
    ----------
    measures : Histograms or PointClouds
        The whole.
    n_numbers : int
        Numbers in float64 that a measure becomes.
    """
    step = max(1, _MAX_NUMBERS // n_numbers)
    for start in range(0, len(measures), step):
        yield measures[start : start + step]
