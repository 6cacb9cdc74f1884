"""Where measures come from, chunk by chunk: memory, files, generators, dask."""

from collections.abc import Iterator
from os import PathLike, fspath, stat

import joblib
import numpy as np
from sklearn.utils.validation import _num_samples

from ..measures.subsets import rows_of


class Part:
    """Rows of a table, or measures of a collection, that is in memory or mapped."""

    def __init__(self, X):
        self.X = X

    def load(self):
        """Return the measures."""
        return self.X

    def token(self):
        """Return what tells the chunk from others."""
        X = self.X
        if isinstance(X, np.ndarray):  # a map or a view hashes otherwise
            X = np.array(X, order="C", subok=False, copy=None)
        return joblib.hash(X, coerce_mmap=True)  # joblib maps what processes get


class FilePart:
    """Rows of a `.npy` file, which are read where they are embedded."""

    def __init__(self, path, start, stop):
        self.path, self.start, self.stop = path, start, stop

    def load(self):
        """Return the measures, a map into the file."""
        return np.load(self.path, mmap_mode="r")[self.start : self.stop]

    def token(self):
        """Return what tells the chunk from others, without reading it."""
        state = stat(self.path)
        return joblib.hash(
            (self.path, state.st_size, state.st_mtime_ns, self.start, self.stop)
        )


class Block:
    """A delayed object of dask, which is computed where it is embedded."""

    def __init__(self, block):
        self.block = block

    def load(self):
        """Return the measures."""
        return self.block.compute(scheduler="synchronous")

    def token(self):
        """Return what tells the chunk from others: dask names data by content."""
        return str(self.block.key)


def chunks_of(X, chunk_size):
    """Yield the chunks of what a user gives.

    Parameters
    ----------
    X : object
        As in :func:`transform_chunks`.
    chunk_size : int
        Measures per chunk, where X is not cut already.

    Yields
    ------
    chunk : object
        Has `load()` and `token()`.
    """
    if hasattr(X, "to_delayed"):
        yield from _blocks_of(X)
    elif isinstance(X, Iterator):
        yield from map(Part, X)
    elif _are_paths(X):
        for path in [X] if isinstance(X, str | PathLike) else X:
            yield from _parts_of_file(path, chunk_size)
    else:
        n = _num_samples(X)
        for start in range(0, n, chunk_size):
            rows = slice(start, min(start + chunk_size, n))
            yield Part(rows_of(X, rows))


def _are_paths(X):
    if isinstance(X, str | PathLike):
        return True
    is_list = isinstance(X, list | tuple) and len(X) > 0
    return is_list and all(isinstance(path, str | PathLike) for path in X)


def _parts_of_file(path, chunk_size):
    path = fspath(path)
    try:
        n = np.load(path, mmap_mode="r").shape[0]
    except (OSError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(
            f"Got the file {path!r}, expected a .npy file of rows: {error}. Read other "
            "files yourself, in a generator of chunks."
        ) from error
    for start in range(0, n, chunk_size):
        yield FilePart(path, start, min(start + chunk_size, n))


def _blocks_of(X):
    """Yield blocks of rows of a dask array or frame, or partitions of a bag."""
    import dask

    if getattr(X, "ndim", 1) > 1 and hasattr(X, "rechunk"):
        X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
    blocks = np.ravel(np.array(X.to_delayed(), dtype=object))
    for block in blocks:
        # Of the graph only what this block needs.
        yield Block(dask.optimize(block)[0])
