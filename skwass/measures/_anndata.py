"""Clouds from AnnData, or from what has its attributes: the package is not needed."""

import numpy as np

from ._convert import check_groups, clouds_from_groups
from ._niches import clouds_from_neighbors


def clouds_from_anndata(adata, groupby, *, use_rep=None, layer=None):
    """Build one point cloud a sample from cells in AnnData.

    Parameters
    ----------
    adata : AnnData
        Cells by genes; anything with `obs`, `obsm`, `layers`, `X`, `obs_names` and
        `var_names` will do.
    groupby : str
        Column of `adata.obs` that says which sample, patient or condition a cell is of.
    use_rep : str, default=None
        Key of `adata.obsm` that holds the points, such as `"X_pca"`; `adata.X` if None
        or `"X"`.
    layer : str, default=None
        Key of `adata.layers` that holds them instead.

    Returns
    -------
    clouds : CloudView
        One measure a distinct value of the column, in sorted order; the values are
        `clouds.names`. Names of genes, or of columns of a data frame in `obsm`, are
        `clouds.feature_names`: an embedder refuses other genes than those of `fit`.

    Raises
    ------
    KeyError
        For a key that is not there. The message lists those that are.
    ValueError
        For both `use_rep` and `layer`, no `X`, or a cell without a sample.

    See Also
    --------
    niches_from_anndata : A cloud around each cell.
    clouds_from_groups : The same from arrays.

    Notes
    -----
    The points are not copied, whether dense or sparse. Those of a file that is opened
    with `backed="r"` are read into memory, once.

    Distances are between samples, so answers are a table by their names::

        Z = pd.DataFrame(embedder.fit_transform(clouds), index=clouds.names)

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from skwass.measures import clouds_from_anndata
    >>> cells = SimpleNamespace(  # in your code: anndata.read_h5ad(...)
    ...     X=np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 0.0]]),
    ...     obs={"patient": ["P2", "P1", "P2"]},
    ...     obs_names=["c1", "c2", "c3"],
    ...     var_names=["CD3", "CD4"],
    ... )
    >>> clouds = clouds_from_anndata(cells, "patient")
    >>> clouds.names.tolist(), [len(x) for x in clouds.points]
    (['P1', 'P2'], [1, 2])
    """
    X, feature_names = _points_of(adata, use_rep, layer)
    groups = _column_of(adata, "groupby", groupby)
    clouds, _ = clouds_from_groups(X, groups)
    return _with_names(clouds, clouds.names, feature_names)


def niches_from_anndata(
    adata,
    spatial_key="spatial",
    n_neighbors=11,
    batch_key=None,
    *,
    use_rep=None,
    layer=None,
    include_self=False,
):
    """Build one point cloud around each cell in AnnData, of the cells around it.

    Parameters
    ----------
    adata : AnnData
        Cells by genes; anything with `obs`, `obsm`, `layers`, `X`, `obs_names` and
        `var_names` will do.
    spatial_key : str, default="spatial"
        Key of `adata.obsm` that holds the positions of cells.
    n_neighbors : int, default=11
        Cells of a niche.
    batch_key : str, default=None
        Column of `adata.obs` that says which slice of tissue a cell is in: neighbours
        are those of the same slice.
    use_rep : str, default=None
        Key of `adata.obsm` that holds the points, such as `"X_pca"`; `adata.X` if None
        or `"X"`.
    layer : str, default=None
        Key of `adata.layers` that holds them instead.
    include_self : bool, default=False
        Whether the cell itself is the first of the `n_neighbors`.

    Returns
    -------
    niches : CloudView
        One measure a cell, in the order of `adata`, whose `obs_names` are
        `niches.names`.

    Raises
    ------
    KeyError
        For a key that is not there. The message lists those that are.
    ValueError
        For both `use_rep` and `layer`, no `X`, a cell without a position or a slice,
        or a slice of too few cells.

    See Also
    --------
    clouds_from_anndata : One cloud a sample.
    clouds_from_neighbors : The same from arrays.

    Notes
    -----
    As there is one niche a cell, in the order of cells, answers go back as they are::

        adata.obsm["X_skwass"] = embedder.fit_transform(niches_from_anndata(adata))

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import numpy as np
    >>> from skwass.measures import niches_from_anndata
    >>> cells = SimpleNamespace(  # in your code: anndata.read_h5ad(...)
    ...     X=np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 0.0]]),
    ...     obsm={"spatial": np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 5.0]])},
    ...     obs_names=["c1", "c2", "c3"],
    ...     var_names=["CD3", "CD4"],
    ... )
    >>> niches = niches_from_anndata(cells, n_neighbors=2)
    >>> niches.points[2]
    array([[2., 1.],
           [0., 1.]])
    """
    positions = _taken(adata, "obsm", "spatial_key", spatial_key)
    X, feature_names = _points_of(adata, use_rep, layer)
    groups = None
    if batch_key is not None:
        groups = _column_of(adata, "batch_key", batch_key)
    niches = clouds_from_neighbors(
        X, positions, n_neighbors, groups, include_self=include_self
    )
    return _with_names(niches, np.asarray(adata.obs_names), feature_names)


def _points_of(adata, use_rep, layer):
    """Return points and names of their columns, if they have any."""
    if layer is not None and use_rep is not None:
        raise ValueError(
            f"Got use_rep={use_rep!r} and layer={layer!r}, expected one of the two. "
            "Leave one out."
        )
    if layer is not None:
        X = _taken(adata, "layers", "layer", layer)
    elif use_rep is not None and use_rep != "X":
        X = _taken(adata, "obsm", "use_rep", use_rep)
        return _in_memory(X), None  # a data frame brings its own names
    else:
        X = adata.X
        if X is None:
            raise ValueError(
                "Got adata with X=None, expected points. Pass use_rep or layer, which "
                "say where they are."
            )
    return _in_memory(X), np.asarray(adata.var_names, dtype=object)


def _in_memory(X):
    """Return what an open file holds, and the rest as it is."""
    if hasattr(X, "to_memory"):  # sparse, of anndata
        return X.to_memory()
    # Data sets of h5py and zarr read rows one by one, and only in increasing order.
    return X[()] if hasattr(X, "chunks") and not hasattr(X, "compute") else X


def _column_of(adata, argument, key):
    """Return a column of `obs`, of a value for each cell."""
    groups = _taken(adata, "obs", argument, key)
    check_groups(groups, len(adata.obs_names), f"adata.obs[{key!r}]")
    return groups


def _taken(adata, place, argument, key):
    """Return an entry of a part of AnnData, or raise with a list of its keys."""
    entries = getattr(adata, place)
    if not isinstance(key, str):
        raise TypeError(
            f"Got {argument} of type {type(key).__name__}, expected one key of "
            f"adata.{place}. Join columns first, and pass the name of the new one."
        )
    if key not in entries:
        keys = ", ".join(repr(name) for name in entries.keys())  # noqa: SIM118
        raise KeyError(
            f"Got {argument}={key!r}, expected a key of adata.{place}: "
            f"{keys or 'it has none'}. Check its name."
        )
    return entries[key]


def _with_names(clouds, names, feature_names):
    """Return clouds under the names that cells and genes have in AnnData."""
    if feature_names is None:
        return clouds.replace(names=names)
    return clouds.replace(names=names, feature_names=feature_names)
