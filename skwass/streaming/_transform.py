"""Transform by chunks, into a file, in threads, processes or on a cluster."""

from contextlib import nullcontext
from itertools import islice
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.utils.validation import check_is_fitted, check_scalar

from ..ot.threads import SingleThreaded
from ._chunks import chunks_of
from ._table import Table

# By how much rows of one measure may differ between machines, relative to the largest.
_TOLERANCE = 1e-4
# What dask sends once to each worker, rather than with each task, is large.
_LARGE = 2**20


def transform_chunks(embedder, X, out, *, chunk_size=10_000, n_jobs=None):
    """Embed any number of measures, chunk by chunk, into a file.

    What is written is never computed again: killed at any moment, the same call goes on
    where the file ends, and leaves the same bytes.

    Parameters
    ----------
    embedder : fitted WassersteinEmbedder
        Or any fitted transformer whose rows do not depend on each other.
    X : array-like, sparse matrix, collection, str, path, list, iterator or dask object
        Measures, as `embedder.transform` takes them, in memory or in a memory map; the
        path of a `.npy` file of rows, or a list of such paths, which workers read; an
        iterator, each of whose items is a chunk that `transform` takes; a dask array or
        data frame, whose blocks of rows are chunks, or a dask bag of clouds, whose
        partitions are.
    out : str or path
        The `.npy` file to write; beside it is `out` + ".ledger", which says what is
        done.
    chunk_size : int, default=10_000
        Measures per chunk, where `X` is not in chunks already.
    n_jobs : int, default=None
        Chunks at once, in threads, or by whatever :func:`joblib.parallel_config`
        chooses: processes, or a dask cluster, whose workers get the embedder once.

    Returns
    -------
    Z : memmap of shape (n_samples, n_features_out)
        The rows, read from the file as they are used.

    Raises
    ------
    ValueError
        If `out` is of other measures, other chunks or another embedder, or is not a
        file that an earlier call began; or if there are no measures.

    See Also
    --------
    skwass.ot.pairwise_wasserstein : Its `out=` does the same for exact distances.

    Notes
    -----
    Memory is that of as many chunks as are at work, and their rows. Rows of the first
    chunk are computed again by a call that goes on, to see that the embedder is the
    same. Chunks in memory are told from others by their content, files by name, size
    and date, blocks of dask by their name. A longer `X` that begins with the same
    chunks adds rows to the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skwass import SlicedWassersteinEmbedder
    >>> from skwass.datasets import make_translated
    >>> from skwass.streaming import transform_chunks
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = SlicedWassersteinEmbedder(grid_shape=(8, 8)).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Z = transform_chunks(embedder, X, Path(folder) / "Z.npy", chunk_size=25)
    ...     print(Z.shape == embedder.transform(X).shape)
    True
    """
    check_is_fitted(embedder)
    check_scalar(chunk_size, "chunk_size", Integral, min_val=1)
    table = Table(out)
    chunks = chunks_of(X, chunk_size)
    _skip_known(embedder, chunks, table)
    work = _Work(embedder, effective_n_jobs(n_jobs) > 1)
    parallel = Parallel(
        n_jobs=n_jobs, prefer="threads", batch_size=1, return_as="generator"
    )
    results = parallel(delayed(_embed)(work, chunk) for chunk in chunks)
    try:
        for rows, token in results:
            table.append(rows, token)
    finally:
        results.close()
    if not len(table):
        raise ValueError(
            "Got X without any chunk, expected measures. Was an iterator used up?"
        )
    return table.close()


def _skip_known(embedder, chunks, table):
    """Pass over chunks that are written; raise if they are others."""
    first, n_known = None, 0
    for chunk in islice(chunks, len(table)):  # of which one at a time is in memory
        table.refuse_other(n_known, chunk.token())
        first, n_known = first or chunk, n_known + 1
    if n_known < len(table):
        raise ValueError(
            f"Got X of {n_known} chunks for out={str(table.path)!r}, which has "
            f"{len(table)}, expected the measures of the call that began it. Name "
            "another file, or delete it and its ledger."
        )
    if first is None:
        return
    found, rows = table.read_first(), np.asarray(embedder.transform(first.load()))
    scale = _TOLERANCE * max(np.abs(rows).max(), np.finfo(np.float32).tiny)
    if found.shape != rows.shape or not np.allclose(found, rows, rtol=0, atol=scale):
        raise ValueError(
            f"Got out={str(table.path)!r} with rows of another embedder, expected "
            "those of the call that began it. Name another file, or delete it and its "
            "ledger."
        )


class _Work:
    """The embedder; one object, so that a cluster gets it once."""

    def __init__(self, embedder, is_shared):
        self.embedder = embedder
        self.is_shared = is_shared  # whether other chunks compete for the processor

    def __sizeof__(self):
        return _LARGE


def _embed(work, chunk):
    """Return rows of a chunk, and its token, in whatever process this is."""
    token = chunk.token()  # before transform, which may note something in the chunk
    with SingleThreaded() if work.is_shared else nullcontext():
        rows = work.embedder.transform(chunk.load())
    return np.asarray(rows), token
