"""Neighbours as arrays, the way that openTSNE and UMAP take them."""

import numpy as np
from sklearn.utils._param_validation import StrOptions, validate_params

from ._neighbors import WassersteinNeighbors


@validate_params(
    {
        "neighbors": [WassersteinNeighbors],
        "layout": [StrOptions({"umap", "opentsne"})],
        "n_neighbors": "no_validation",
    },
    prefer_skip_nested_validation=True,
)
def knn_layout(neighbors, layout="umap", n_neighbors=None):
    """Return the neighbours of all stored measures, for a map of them.

    Parameters
    ----------
    neighbors : WassersteinNeighbors
        Fitted.
    layout : {"umap", "opentsne"}, default="umap"
        `"umap"`: each measure is its own first neighbour, for
        `umap.UMAP(precomputed_knn=...)`. `"opentsne"`: none is, for
        `openTSNE.nearest_neighbors.PrecomputedNeighbors`.
    n_neighbors : int, default=None
        How many, each measure itself included for UMAP; that of `neighbors` if None.

    Returns
    -------
    indices : ndarray of int of shape (n_samples, n_neighbors)
        Which measures.
    distances : ndarray of shape (n_samples, n_neighbors)
        W.

    Raises
    ------
    ValueError
        For more neighbours than there are measures.

    See Also
    --------
    WassersteinNeighborsTransformer : The same as a sparse graph.

    Notes
    -----
    One line for each::

        UMAP(n_neighbors=15, precomputed_knn=knn_layout(neighbors, "umap", 15))
        PerplexityBasedNN(
            knn_index=PrecomputedNeighbors(*knn_layout(neighbors, "opentsne", 90))
        )

    Examples
    --------
    >>> from skwass.neighbors import WassersteinNeighbors, knn_layout
    >>> X = [[9, 1, 0, 0], [8, 2, 0, 0], [0, 0, 2, 9], [0, 0, 3, 9]]
    >>> indices, distances = knn_layout(WassersteinNeighbors().fit(X), n_neighbors=2)
    >>> indices
    array([[0, 1],
           [1, 0],
           [2, 3],
           [3, 2]])
    """
    k = neighbors.n_neighbors if n_neighbors is None else n_neighbors
    found = neighbors.search(n_neighbors=k - (layout == "umap"))
    if layout == "opentsne":
        return found.indices, found.distances
    own = np.arange(len(found))[:, None]
    return (
        np.hstack([own, found.indices]),
        np.hstack([np.zeros(own.shape), found.distances]),
    )
