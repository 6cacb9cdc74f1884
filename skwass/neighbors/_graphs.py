"""Neighbours as arrays, the way that openTSNE and UMAP take them."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from ._checks import check_count
from ._neighbors import WassersteinNeighbors


@validate_params(
    {
        "neighbors": [WassersteinNeighbors],
        "layout": [StrOptions({"umap", "opentsne"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
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
        For more neighbours than there are measures, or fewer than two for UMAP.

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
    check_is_fitted(neighbors)
    k = neighbors.n_neighbors if n_neighbors is None else n_neighbors
    if layout == "opentsne":
        found = neighbors.search(n_neighbors=k)
        return found.indices, found.distances
    check_count(k, neighbors.n_samples_fit_, least=2)
    found = neighbors.search(n_neighbors=k - 1)
    own = np.arange(len(found))[:, None]
    return (
        np.hstack([own, found.indices]),
        np.hstack([np.zeros(own.shape), found.distances]),
    )
