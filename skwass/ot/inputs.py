"""What users of this floor pass in: measures of one space, and pairs of them."""

import numpy as np

from ..measures import Histograms, as_measures, is_collection_of_clouds
from ..measures.layout import listed, refuse_masked, shown, to_numpy


def read_measures(X, Y=None, *, grid_shape=None, support=None):
    """Check measures and return both sides of the pairs.

    Parameters
    ----------
    X, Y : array-like of shape (n, n_bins), or a collection of n point clouds
        As in :func:`skwass.measures.as_measures`. `Y` may be None.
    grid_shape, support : tuple of int, array-like
        Where the bins of rows are; one of the two or none. Beside rows, measures that
        know their points keep them.

    Returns
    -------
    mu, nu : Histograms or PointClouds
        `nu` is `mu` if `Y` is None.

    Raises
    ------
    ValueError
        For bad measures, or measures of two spaces.
    """
    given = {"grid_shape": grid_shape, "support": support}
    if Y is None:
        mu = as_measures(X, **given)
        return mu, mu
    knows = [_knows_points(measures) for measures in (X, Y)]
    mu, nu = (
        as_measures(
            measures, **({} if known and not all(knows) else given), input_name=name
        )
        for name, measures, known in zip("XY", (X, Y), knows, strict=True)
    )
    are_rows = isinstance(mu, Histograms) and isinstance(nu, Histograms)
    differ = are_rows and mu.n_features != nu.n_features and not all(knows)
    if mu.dim != nu.dim or differ:
        raise ValueError(
            f"Got X and Y with {mu.n_features} and {nu.n_features} features in spaces "
            f"of dimension {mu.dim} and {nu.dim}, expected one space. "
            "Pass as_measures(X, grid_shape=...) if only X has a grid."
        )
    return mu, nu


def _knows_points(X):
    return isinstance(X, Histograms) or is_collection_of_clouds(X)


def check_pairs(pairs, n_left, n_right):
    """Check pairs given by a user.

    Parameters
    ----------
    pairs : array-like of int of shape (n_pairs, 2)
        Row numbers.
    n_left, n_right : int
        Number of measures that each column indexes.

    Returns
    -------
    pairs : ndarray of int64 of shape (n_pairs, 2)

    Raises
    ------
    ValueError
        If the shape, the type or an index is wrong.
    """
    refuse_masked(pairs, "pairs")
    try:
        pairs = np.asarray(to_numpy(listed(pairs, "pairs")))
    except ValueError as error:
        raise ValueError(
            f"Got pairs={shown(pairs)}, expected integers of shape (n_pairs, 2). Use "
            "np.column_stack([i, j])."
        ) from error
    is_table = pairs.ndim == 2 and pairs.shape[1] == 2 and len(pairs) > 0
    if not is_table or pairs.dtype.kind not in "iu":
        raise ValueError(
            f"Got pairs of shape {pairs.shape} and dtype {pairs.dtype}, expected "
            "integers of shape (n_pairs, 2). Use np.column_stack([i, j])."
        )
    pairs = pairs.astype(np.int64)
    faulty = ((pairs < 0) | (pairs >= [n_left, n_right])).any(axis=1)
    if faulty.any():
        row = int(np.flatnonzero(faulty)[0])
        raise ValueError(
            f"Got pairs[{row}]={pairs[row].tolist()}, expected row numbers below "
            f"({n_left}, {n_right}) and >= 0. Count from zero."
        )
    return pairs
