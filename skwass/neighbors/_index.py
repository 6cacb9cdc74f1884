"""Which stored embeddings are nearest to others: candidates, the nearest first."""

from typing import Any

import numpy as np

# Predicted distances that are held at a time: 64 MB in float32.
_MAX_NUMBERS = 2**24
# Neighbours more that an index is asked for, which does not know private axes.
_SPARE = 10
INDEXES = ("brute", "sklearn", "faiss", "pynndescent")


class Index:
    """Rows of embeddings, asked for those that are nearest to other rows.

    Parameters
    ----------
    embedder : object
        Fitted; its `embedded_distances` says what is near.
    rows : ndarray of shape (n, n_features_out)
        Embeddings of stored measures, in float32 and C order.
    kind : {"brute", "sklearn", "faiss", "pynndescent"}
        How they are searched. All but the first need an index over Euclidean
        distances, and rank what it finds by `embedded_distances`.
    random_state : int
        Of pynndescent.
    """

    def __init__(self, embedder, rows, kind, random_state=0):
        self.embedder, self.rows, self.kind = embedder, rows, kind
        self.has_private = getattr(embedder, "private_reach_", None) is not None
        self.search: Any = None
        if kind != "brute":
            self.search = _BUILDERS[kind](rows, random_state)

    def nearest(self, Z, n, exclude=None):
        """Return the rows nearest to each of Z.

        Parameters
        ----------
        Z : ndarray of shape (n_queries, n_features_out)
            Embeddings.
        n : int
            How many rows are wanted for each.
        exclude : ndarray of int of shape (n_queries,), default=None
            A row that is not to be returned, for each.

        Returns
        -------
        rows : list of ndarray of int
            The nearest first; an approximate index may find fewer.
        """
        if n == 0:
            return [np.zeros(0, dtype=np.intp)] * len(Z)
        asked = n + (exclude is not None)
        if self.search is None:
            found = self._all(Z, min(asked, len(self.rows)))
        else:
            found = self._ask(Z, min(asked + _SPARE, len(self.rows)))
        if exclude is not None:
            found = [
                rows[rows != own] for rows, own in zip(found, exclude, strict=True)
            ]
        return [rows[:n] for rows in found]

    def _all(self, Z, n):
        found, step = [], max(1, _MAX_NUMBERS // len(self.rows))
        for start in range(0, len(Z), step):
            D = self.embedder.embedded_distances(Z[start : start + step], self.rows)
            part = np.arange(D.shape[1])[None].repeat(len(D), axis=0)
            if n < D.shape[1]:
                part = np.argpartition(D, n - 1, axis=1)[:, :n]
            part.sort(axis=1)  # equal distances in the order of rows
            order = np.take_along_axis(D, part, axis=1).argsort(axis=1, kind="stable")
            found += list(np.take_along_axis(part, order, axis=1))
        return found

    def _ask(self, Z, n):
        asked = np.array(Z, dtype=np.float32, order="C")
        if self.has_private:
            # Distances are then |z - z'|^2 + s', and their order is nearly right.
            asked[:, -1] = 0
        found = []
        for k, rows in enumerate(self.search(asked, n)):
            rows = np.unique(rows[rows >= 0])
            pairs = np.column_stack([np.zeros(len(rows), dtype=int), rows])
            d = self.embedder.embedded_distances(Z[k : k + 1], self.rows, pairs=pairs)
            found.append(rows[np.argsort(d, kind="stable")])
        return found


def _sklearn(rows, random_state):
    from sklearn.neighbors import NearestNeighbors

    fitted = NearestNeighbors().fit(rows)
    return lambda Z, n: fitted.kneighbors(Z, n, return_distance=False)


def _faiss(rows, random_state):
    faiss = _imported("faiss", "faiss-cpu")
    index = faiss.IndexHNSWFlat(rows.shape[1], 32)
    index.hnsw.efConstruction = 80
    index.add(rows)

    def search(Z, n):
        index.hnsw.efSearch = max(64, 2 * n)
        return index.search(Z, n)[1]

    return search


def _pynndescent(rows, random_state):
    pynndescent = _imported("pynndescent", "pynndescent")
    n_neighbors = min(30, len(rows) - 1)
    fitted = pynndescent.NNDescent(
        rows, n_neighbors=n_neighbors, random_state=random_state
    )
    fitted.prepare()
    return lambda Z, n: fitted.query(Z, n)[0]


def _imported(module, package):
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"Got index={module!r} without that package, expected it to be there. "
            f"Run pip install {package}, or leave index='brute'."
        ) from error


_BUILDERS = {"sklearn": _sklearn, "faiss": _faiss, "pynndescent": _pynndescent}
