"""How many pairs are cut into chunks, and where their distances go.

A plan numbers its chunks and makes the pairs of one when asked: a million measures have
more pairs than memory has room for.
"""

from math import isqrt

import numpy as np

from .inputs import check_pairs


class ListedPairs:
    """Pairs given one by one; distances in a vector.

    Parameters
    ----------
    pairs : ndarray of int of shape (n_pairs, 2)
        Rows `(i, j)`.
    chunk_size : int
        Pairs per chunk.
    """

    def __init__(self, pairs, chunk_size):
        self.pairs, self.chunk_size = pairs, chunk_size
        self.shape = (len(pairs),)
        self.n_pairs = len(pairs)
        self.n_chunks = -(-len(pairs) // chunk_size)

    def __sizeof__(self):
        return self.pairs.nbytes

    def chunk(self, number):
        """Return the pairs of a chunk, shape (<= chunk_size, 2)."""
        return self.pairs[self._rows(number)]

    def store(self, out, number, w):
        """Write the distances of a chunk where they belong."""
        out[self._rows(number)] = w

    def _rows(self, number):
        return slice(number * self.chunk_size, (number + 1) * self.chunk_size)


class Rectangle:
    """All pairs of two collections, by square tiles; distances in a matrix.

    A tile of 16 x 16 pairs touches 32 measures, where 256 pairs of a row touch 257.

    Parameters
    ----------
    n_left, n_right : int
        Sizes of the collections.
    chunk_size : int
        Pairs per tile, at most.
    """

    def __init__(self, n_left, n_right, chunk_size):
        self.tile = isqrt(chunk_size)
        self.shape = (n_left, n_right)
        self.n_pairs = n_left * n_right
        self.n_columns = -(-n_right // self.tile)
        self.n_chunks = -(-n_left // self.tile) * self.n_columns

    def chunk(self, number):
        """Return the pairs of a tile, shape (<= chunk_size, 2)."""
        rows, columns = self._ranges(number)
        i, j = np.meshgrid(np.arange(*rows), np.arange(*columns), indexing="ij")
        return np.column_stack([i.ravel(), j.ravel()])

    def store(self, out, number, w):
        """Write the distances of a tile where they belong."""
        rows, columns = self._ranges(number)
        tile = slice(*rows), slice(*columns)
        out[tile] = w.reshape(out[tile].shape)

    def _ranges(self, number):
        """Return the first and last measure of a tile on both sides."""
        blocks = divmod(number, self.n_columns)
        return [
            (block * self.tile, min((block + 1) * self.tile, size))
            for block, size in zip(blocks, self.shape, strict=True)
        ]


class Triangle:
    """All pairs within one collection, each once, by tiles; a symmetric matrix.

    Parameters
    ----------
    n_measures : int
        Size of the collection.
    chunk_size : int
        Pairs per tile, at most.
    """

    def __init__(self, n_measures, chunk_size):
        self.square = Rectangle(n_measures, n_measures, chunk_size)
        self.shape = self.square.shape
        self.n_pairs = n_measures * (n_measures - 1) // 2
        n_blocks = self.square.n_columns
        self.n_chunks = n_blocks * (n_blocks + 1) // 2

    def chunk(self, number):
        """Return the pairs `i < j` of a tile; none in the last tile of one measure."""
        pairs = self.square.chunk(self._square_number(number))
        return pairs[pairs[:, 0] < pairs[:, 1]]

    def store(self, out, number, w):
        """Write the distances of a tile above and below the diagonal."""
        i, j = self.chunk(number).T
        out[i, j] = w
        out[j, i] = w

    def _square_number(self, number):
        """Number a tile of the upper triangle as the whole square does."""
        # Tiles column after column: number = column (column + 1) / 2 + row.
        column = (isqrt(8 * number + 1) - 1) // 2
        row = number - column * (column + 1) // 2
        return row * self.square.n_columns + column


def plan_of(mu, nu, pairs, within, chunk_size):
    """Return the plan for listed pairs, or all of one collection or of two.

    Parameters
    ----------
    mu, nu : Histograms or PointClouds
        Collections.
    pairs : array-like of int of shape (n_pairs, 2) or None
        As the user gave them.
    within : bool
        Whether all pairs are those of one collection.
    chunk_size : int
        Pairs per chunk, at most.
    """
    if pairs is not None:
        return ListedPairs(check_pairs(pairs, len(mu), len(nu)), chunk_size)
    if within:
        return Triangle(len(mu), chunk_size)
    return Rectangle(len(mu), len(nu), chunk_size)
