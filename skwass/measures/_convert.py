"""From what users have to collections of measures."""

import numpy as np
from sklearn.utils._missing import is_pandas_na, is_scalar_nan
from sklearn.utils.validation import check_array

from ._clouds import check_clouds
from ._collections import Histograms, PointClouds
from ._histograms import check_masses, in_place, with_support
from .layout import is_collection_of_clouds, refuse_masked, to_numpy


def as_measures(X, *, grid_shape=None, support=None, input_name="X"):
    """Check `X` and return it as a collection of probability measures.

    Parameters
    ----------
    X : array-like of shape (n_measures, n_bins), or a collection of point clouds
        Rows of non-negative masses with a positive sum; or a list of `(n_i, d)` arrays
        (uniform weights), a list of `(points, weights)` tuples, or an array of shape
        (n_measures, m, d). Rows and weights are normalised to sum to 1. Torch tensors
        are accepted.
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
    measures : Histograms or PointClouds

    Raises
    ------
    ValueError
        For NaN, infinity, negative or no mass, an empty cloud, ragged or mixed
        dimensions, weights of the wrong length, a grid that does not hold the bins, or
        :class:`Histograms` whose bins are elsewhere.
        The message names the row.
    TypeError
        For what is no collection of real numbers: clouds of strings, sparse matrices,
        one `(points, weights)` tuple in place of a list of them.

    See Also
    --------
    clouds_from_groups : Clouds from one long table.
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
    """
    if isinstance(X, tuple):
        raise TypeError(
            f"Got {input_name}=a tuple, expected an array or a list of measures. Pass "
            "[X] if it is one (points, weights) measure, list(X) if it holds several."
        )
    X = to_numpy(X)
    if is_collection_of_clouds(X):
        if grid_shape is not None and getattr(X, "shape", ())[1:] == tuple(
            np.atleast_1d(grid_shape)
        ):
            raise ValueError(
                f"Got images of shape {X.shape}, expected one row each, "
                f"({len(X)}, {np.prod(grid_shape)}). Pass X.reshape(len(X), -1)."
            )
        if grid_shape is not None or support is not None:
            raise ValueError(
                f"Got {input_name}=a collection of point clouds with "
                f"grid_shape={grid_shape} or a support, expected histograms. Leave "
                "both out: clouds carry their own points."
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
    X : array-like of shape (n_rows, d)
        One point per row: a cell of a patient, a word of a document.
    groups : array-like of shape (n_rows,)
        The measure that each row belongs to.
    weights : array-like of shape (n_rows,), default=None
        Mass of each row; uniform if None.

    Returns
    -------
    clouds : PointClouds
        One measure a distinct group, in the order of `names`.
    names : ndarray of shape (n_groups,)
        Distinct values of `groups`, sorted.

    Raises
    ------
    ValueError
        If lengths differ, a row has no group, or a group no mass. The message names the
        row or the group.

    See Also
    --------
    thin_clouds : Fewer points per cloud.
    as_measures : All other layouts.

    Examples
    --------
    >>> from skwass.measures import clouds_from_groups
    >>> clouds, names = clouds_from_groups([[0.0], [1.0], [5.0]], ["b", "a", "b"])
    >>> [str(name) for name in names], [len(p) for p in clouds.points]
    (['a', 'b'], [1, 2])
    """
    for given, name in ((X, "X"), (groups, "groups"), (weights, "weights")):
        refuse_masked(given, name)
    X = check_array(to_numpy(X), dtype=None, input_name="X", ensure_all_finite=False)
    groups = np.asarray(to_numpy(groups))
    if groups.dtype.kind in "fO":
        for row, name in enumerate(groups.ravel()):
            if name is None or is_scalar_nan(name) or is_pandas_na(name):
                raise ValueError(
                    f"Got groups[{row}]={name}, expected one name per row. Drop rows "
                    "without a group."
                )
    if groups.shape != (len(X),):
        raise ValueError(
            f"Got groups of shape {groups.shape}, expected ({len(X)},), one entry per "
            "row of X. Repeat the group's name on each of its rows."
        )
    names, codes = np.unique(groups, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    splits = np.cumsum(np.bincount(codes))[:-1]
    clouds = np.split(X[order], splits)

    def named(i):
        return f"the cloud of group {names.tolist()[i]!r}"

    if weights is None:
        return check_clouds(clouds, named), names
    weights = np.asarray(to_numpy(weights))
    if weights.shape != groups.shape:
        raise ValueError(
            f"Got weights of shape {weights.shape}, expected {groups.shape}, one per "
            "row of X. Leave them out for uniform weights."
        )
    weighted = list(zip(clouds, np.split(weights[order], splits), strict=True))
    return check_clouds(weighted, named), names
