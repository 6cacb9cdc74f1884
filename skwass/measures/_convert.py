"""From what users have to collections of measures."""

import numpy as np
from sklearn.utils._missing import is_pandas_na, is_scalar_nan

from ._clouds import check_clouds, check_weights
from ._collections import Histograms, PointClouds
from ._histograms import check_masses, in_place, with_support
from ._views import CloudView, check_table
from .layout import (
    is_collection_of_clouds,
    listed,
    refuse_containers,
    refuse_masked,
    refuse_other_order,
    shown,
    to_numpy,
)


def as_measures(X, *, grid_shape=None, support=None, input_name="X"):
    """Check `X` and return it as a collection of probability measures.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_measures, n_bins), or point clouds
        Rows of non-negative masses with a positive sum, such as counts of words by
        document, which are not made dense if they are sparse; or a list of `(n_i, d)`
        arrays (uniform weights), a list of `(points, weights)` tuples, or an array of
        shape (n_measures, m, d). Rows and weights are normalised to sum to 1. Torch
        tensors are accepted, and data frames of sparse columns.
    grid_shape : tuple of int, default=None
        Histograms only: the bins are the cells of this grid in C order, at integer
        positions, e.g. `(28, 28)` for images, in pixels.
    support : array-like of shape (n_bins, d), default=None
        Histograms only: positions of the bins. With neither, bins are at 0, 1, 2, ...
        on a line. :class:`Histograms` know their bins and keep them.
    input_name : str, default="X"
        What messages call `X`.

    Returns
    -------
    measures : Histograms, SparseHistograms or PointClouds
        Sparse are histograms of a sparse matrix.

    Raises
    ------
    ValueError
        For NaN, infinity, negative or no mass, an empty cloud, ragged or mixed
        dimensions, weights of the wrong length, a grid that does not hold the bins, or
        :class:`Histograms` whose bins are elsewhere.
        The message names the row.
    TypeError
        For what is no collection of real numbers: clouds of strings, one `(points,
        weights)` tuple in place of a list of them.

    See Also
    --------
    clouds_from_groups : Clouds from one long table.
    clouds_from_neighbors : Niches: clouds of neighbours in space.
    thin_clouds : Fewer points per cloud.

    Examples
    --------
    >>> from skwass.measures import as_measures
    >>> images = as_measures([[0, 2, 2, 0], [1, 0, 0, 0]], grid_shape=(2, 2))
    >>> images.masses
    array([[0. , 0.5, 0.5, 0. ],
           [1. , 0. , 0. , 0. ]])
    >>> len(as_measures([[[0.0, 0.0]], [[1.0, 0.0], [1.0, 2.0]]]))
    2
    >>> from scipy.sparse import csr_array
    >>> vectors = [[0.0, 1.0], [3.0, 4.0], [5.0, 6.0]]
    >>> as_measures(csr_array([[0, 2, 2], [1, 0, 0]]), support=vectors)
    SparseHistograms(2 measures, 3 bins)
    """
    refuse_containers(X, input_name)
    X = listed(X, input_name)
    if isinstance(X, tuple):
        raise TypeError(
            f"Got {input_name}=a tuple, expected an array or a list of measures. Pass "
            "[X] if it is one (points, weights) measure, list(X) if it holds several."
        )
    X = to_numpy(X)
    if is_collection_of_clouds(X):
        if grid_shape is not None and getattr(X, "shape", ())[1:] == tuple(
            np.ravel(grid_shape)
        ):
            raise ValueError(
                f"Got images of shape {X.shape}, expected one row each, "
                f"({len(X)}, {np.prod(grid_shape)}). Pass X.reshape(len(X), -1)."
            )
        if grid_shape is not None or support is not None:
            raise ValueError(
                f"Got {input_name}=a collection of point clouds with "
                f"grid_shape={shown(grid_shape)} or a support, expected histograms. "
                "Leave both out: clouds carry their own points."
            )
        if isinstance(X, PointClouds):
            return X
        return check_clouds(X, lambda i: f"{input_name}[{i}]")
    if isinstance(X, Histograms):
        return in_place(X, grid_shape, support, input_name)
    return with_support(check_masses(X, input_name), grid_shape, support)


def clouds_from_groups(X, groups, weights=None):
    """Build one point cloud a group from a long table.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_rows, d)
        One point per row: a cell of a patient, a word of a document. It is held once
        and not copied: do not change it while the clouds are in use. Arrays may be
        memory-mapped, and of any real dtype; sparse matrices stay sparse.
    groups : array-like of shape (n_rows,)
        The measure that each row belongs to.
    weights : array-like of shape (n_rows,), default=None
        Mass of each row; uniform if None.

    Returns
    -------
    clouds : CloudView
        One measure a distinct group, in the order of `names`, which it remembers, as
        it does the columns of a data frame.
    names : ndarray of shape (n_groups,)
        Distinct values of `groups`, sorted.

    Raises
    ------
    ValueError
        If lengths differ, a row has no group, or a group no mass. The message names the
        row or the group.

    See Also
    --------
    clouds_from_anndata : The same from AnnData.
    clouds_from_neighbors : A cloud around each row.
    thin_clouds : Fewer points per cloud.
    as_measures : All other layouts.

    Examples
    --------
    >>> from skwass.measures import clouds_from_groups
    >>> clouds, names = clouds_from_groups([[0.0], [1.0], [5.0]], ["b", "a", "b"])
    >>> [str(name) for name in names], [len(p) for p in clouds.points]
    (['a', 'b'], [1, 2])
    """
    refuse_masked(weights, "weights")
    for given, name in ((groups, "groups"), (weights, "weights")):
        refuse_other_order(X, given, name)
    table, feature_names = check_table(X)
    n_rows = table.shape[0]
    names, order, offsets = check_groups(groups, n_rows)
    if weights is not None:
        weights = np.asarray(to_numpy(weights))
        if weights.shape != (n_rows,):
            raise ValueError(
                f"Got weights of shape {weights.shape}, expected ({n_rows},), one per "
                "row of X. Leave them out for uniform weights."
            )
        order, offsets, weights = _weighted(order, offsets, weights[order], names)
    order = order.astype(fewest_bytes(n_rows), copy=False)
    clouds = CloudView(
        table, order, offsets, weights, names=names, feature_names=feature_names
    )
    return clouds, names


def _weighted(rows, offsets, weights, names):
    """Return rows that weigh something, and normalised weights, cloud by cloud."""
    kept_rows, masses = [], []
    for name, start, stop in zip(names.tolist(), offsets, offsets[1:], strict=False):
        own, a = check_weights(
            rows[start:stop], weights[start:stop], f"the cloud of group {name!r}"
        )
        kept_rows.append(own)
        masses.append(a)
    offsets = np.cumsum([0, *map(len, masses)])
    return np.concatenate(kept_rows), offsets, np.concatenate(masses)


def check_groups(groups, n_rows, name="groups"):
    """Check which group each row is in.

    Parameters
    ----------
    groups : array-like of shape (n_rows,)
        As given.
    n_rows : int
        Rows of the table.
    name : str, default="groups"
        What messages call them.

    Returns
    -------
    names : ndarray of shape (n_groups,)
        Distinct values, sorted.
    rows : ndarray of int of shape (n_rows,)
        Rows, those of the first group first, in their order within a group.
    offsets : ndarray of int of shape (n_groups + 1,)
        Where groups begin in `rows`.
    """
    refuse_masked(groups, name)
    groups = np.asarray(to_numpy(groups))
    missing = _missing(groups)
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(
            f"Got {name}[{row}]={groups.ravel()[row]}, expected one name per row. Drop "
            "rows without a group."
        )
    if groups.shape != (n_rows,):
        raise ValueError(
            f"Got {name} of shape {groups.shape}, expected ({n_rows},), one entry per "
            "row of X. Repeat the group's name on each of its rows."
        )
    names, codes = np.unique(groups, return_inverse=True)
    offsets = np.cumsum([0, *np.bincount(codes)])
    return names, np.argsort(codes, kind="stable"), offsets


def _missing(groups):
    """Return which entries are no names: NaN, NaT, None."""
    if groups.dtype.kind in "mM":
        return np.isnat(groups).ravel()
    if groups.dtype.kind in "fc":
        return np.isnan(groups).ravel()
    if groups.dtype.kind != "O":
        return np.zeros(1, dtype=bool)
    return np.array([_is_missing(value) for value in groups.ravel()], dtype=bool)


def _is_missing(value):
    is_date = isinstance(value, np.datetime64 | np.timedelta64)
    # NaT of pandas is none of numpy's, and like NaN not itself.
    is_nat = np.isnat(value) if is_date else type(value).__name__ == "NaTType"
    return value is None or is_nat or is_scalar_nan(value) or is_pandas_na(value)


def fewest_bytes(n_rows):
    """Return the type that row numbers are held in."""
    return np.int32 if n_rows < 2**31 else np.int64
