"""Point clouds as numbers of rows of one table, which is held once."""

from numbers import Integral

import numpy as np
from scipy.sparse import csr_array, csr_matrix, issparse
from sklearn.utils.validation import _get_feature_names, check_array

from ._collections import PointClouds
from .layout import MAX_COORDINATE, refuse_masked, to_numpy

# Rows of a table that are looked at in one go.
_BLOCK_ROWS = 2**14


class CloudView(PointClouds):
    """Point clouds that are rows of one table, which is held once.

    A row may be in many clouds, and points are gathered when they are asked for: niches
    of eleven cells take eleven numbers each, not eleven copies of cells. Everything
    that takes :class:`PointClouds` takes a view. Build it with
    :func:`clouds_from_neighbors`, :func:`clouds_from_groups` or from AnnData, which
    check the table.

    Parameters
    ----------
    table : ndarray or sparse matrix in CSR format, of shape (n_rows, d)
        Points, of any real dtype, in memory or mapped from a file; not copied, and not
        to be changed while the view is in use.
    rows : ndarray of int of shape (n_points,)
        Rows of `table`, cloud after cloud.
    offsets : ndarray of int of shape (n_measures + 1,)
        Cloud i has the rows from `offsets[i]` up to `offsets[i + 1]`.
    weights : ndarray of shape (n_points,), default=None
        Positive masses that sum to 1 in each cloud; even ones if None.
    names : ndarray of shape (n_measures,), default=None
        What clouds are called.
    feature_names : ndarray of shape (d,), default=None
        What the columns of `table` are called. Embedders keep them as
        `feature_names_in_`, and refuse others later.
    exponent : int, default=0
        Coordinates are those of `table` in units of two to this power.

    See Also
    --------
    clouds_from_neighbors : One cloud around each row.
    clouds_from_groups : One cloud a group of rows.
    PointClouds : The same with arrays of their own.

    Notes
    -----
    `points` and `masses` are sequences like the lists of :class:`PointClouds`, made as
    they are read. Points come in float64, or float32 if the table is in float32. An
    index that selects several clouds gives a view of the same table;
    `as_measures(list(view))` gives copies.

    A view that uses no more than half of the rows is pickled without the others. Of
    larger ones joblib maps the table into its workers, which share it.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.measures import clouds_from_neighbors
    >>> X = np.arange(10.0).reshape(5, 2)
    >>> niches = clouds_from_neighbors(X, [[0.0], [1.0], [2.5], [7.0], [9.0]], 2)
    >>> niches
    CloudView(5 measures, dimension 2, 5 rows)
    >>> niches.points[0]
    array([[2., 3.],
           [4., 5.]])
    >>> niches[3:].table is X
    True
    """

    def __init__(
        self,
        table,
        rows,
        offsets,
        weights=None,
        *,
        names=None,
        feature_names=None,
        exponent=0,
    ):
        self.table = table
        self.rows = rows
        self.offsets = offsets
        self.weights = weights
        self.names = names
        self.feature_names = feature_names
        self.exponent = exponent
        self._few = None

    def __len__(self):
        return len(self.offsets) - 1

    def __repr__(self):
        return (
            f"CloudView({len(self)} measures, dimension {self.dim}, "
            f"{self.table.shape[0]} rows)"
        )

    def __sizeof__(self):
        parts = _arrays_of(self.table)
        parts += [self.rows, self.offsets, self.weights, self.names]
        return sum(part.nbytes for part in parts if part is not None)

    def __getitem__(self, key):
        if isinstance(key, Integral):
            return self.measure(key)
        index = np.arange(len(self))[key]
        starts, sizes = self.offsets[index], self.sizes[index]
        chosen = _ranges(starts, sizes)
        return self.replace(
            rows=self.rows[chosen],
            offsets=np.concatenate([[0], np.cumsum(sizes)]),
            weights=None if self.weights is None else self.weights[chosen],
            names=None if self.names is None else self.names[index],
        )

    def __getstate__(self):
        view = self._without_unused_rows()
        # What is on its way somewhere else has nothing to keep for a second time.
        return {**vars(view), "_few": None}

    def measure(self, index):
        """Return `(points, masses)` of one measure."""
        own = self._slice(index)
        return self._gather(own), self._weigh(own)

    def packed(self):
        """Return self: the table is in one piece."""
        return self

    def in_unit(self, exponent):
        """Return the same clouds in units of two to a power, which rounds nothing."""
        return self.replace(exponent=self.exponent + exponent)

    @property
    def points(self):
        """Points of each measure: a sequence of arrays, gathered as they are read."""
        return _Lazily(self, self._gather)

    @property
    def masses(self):
        """Masses of each measure, a sequence as `points` is."""
        return _Lazily(self, self._weigh)

    @property
    def sizes(self):
        """Number of points of each measure."""
        return np.diff(self.offsets)

    @property
    def shape(self):
        """The number of measures: scikit-learn then leaves indexing to the view."""
        return (len(self),)

    @property
    def dim(self):
        """Dimension of the points."""
        return self.table.shape[1]

    @property
    def reach(self):
        """Largest absolute coordinate of a point."""
        used = self._used()
        largest = 0.0
        for start in range(0, len(used), _BLOCK_ROWS):
            block = _rows_of(self.table, used[start : start + _BLOCK_ROWS])
            largest = max(largest, _largest(block))
        return float(np.ldexp(largest, -self.exponent))

    def _slice(self, index):
        """Return where the points of a measure are in `rows`."""
        if not -len(self) <= index < len(self):
            # Python ends loops over a sequence by this.
            raise IndexError(
                f"Got index={index}, expected a number below {len(self)}. Count from "
                "zero."
            )
        index = index % len(self)
        return slice(self.offsets[index], self.offsets[index + 1])

    def _gather(self, own):
        x = _dense_rows(self.table, self.rows[own])
        return np.ldexp(x, -self.exponent) if self.exponent else x

    def _weigh(self, own):
        if self.weights is not None:
            return self.weights[own]
        n = own.stop - own.start
        return np.full(n, 1 / n)

    def replace(self, **changes):
        """Return a view with some arguments of the constructor changed."""
        kept = {**vars(self), **changes}
        del kept["_few"]
        return CloudView(**kept)

    def _used(self):
        """Return the rows of the table that are in a cloud, in order."""
        used = np.zeros(self.table.shape[0], dtype=bool)
        used[self.rows] = True
        return np.flatnonzero(used)

    def _without_unused_rows(self):
        """Return the same view of a smaller table, if that is at most half as large.

        It is kept: joblib sends to workers once what it has seen before.
        """
        if self._few is None:
            used = self._used()
            self._few = self.table.shape[0] < 2 * len(used) or self.replace(
                table=_rows_of(self.table, used),
                rows=np.searchsorted(used, self.rows).astype(self.rows.dtype),
            )
        return self if self._few is True else self._few


class _Lazily:
    """A sequence of what is read off each measure of a view."""

    def __init__(self, view, read):
        self.view, self.read = view, read

    def __len__(self):
        return len(self.view)

    def __getitem__(self, key):
        if isinstance(key, slice):
            return [self[i] for i in range(len(self))[key]]
        return self.read(self.view._slice(key))


def _ranges(starts, sizes):
    """Return the numbers from each start on, as many as its size, end to end."""
    ends = np.cumsum(sizes)
    return np.repeat(starts - (ends - sizes), sizes) + np.arange(sizes.sum())


def _arrays_of(table):
    return [table.data, table.indices, table.indptr] if issparse(table) else [table]


def _rows_of(table, rows):
    """Return rows in increasing order, of the kind that the table is; all uncopied."""
    return table if len(rows) == table.shape[0] else table[rows]


def _dense_rows(table, rows):
    """Return rows of a table in any order, dense and in float32 or float64."""
    if not issparse(table):
        return np.asarray(table[rows], dtype=_dtype_of(table))
    # For clouds of ten points twice as fast as table[rows].toarray().
    n, d = len(rows), table.shape[1]
    starts = table.indptr[rows]
    sizes = table.indptr[rows + 1] - starts
    entries = _ranges(starts, sizes)
    x = np.zeros(n * d, dtype=_dtype_of(table))
    x[np.repeat(np.arange(0, n * d, d), sizes) + table.indices[entries]] = table.data[
        entries
    ]
    return x.reshape(n, d)


def _dtype_of(table):
    """Return the dtype of points: as of single clouds, no less than float32."""
    is_kept = table.dtype.kind == "f" and table.dtype.itemsize in (4, 8)
    return table.dtype if is_kept else np.dtype(np.float64)


def _largest(table):
    """Return the largest absolute entry, or NaN if there is one, without temporaries.

    What a sparse matrix leaves out is zero, and larger than nothing.
    """
    entries = table.data if issparse(table) else table
    if entries.size == 0:
        return 0.0
    return np.maximum(float(entries.max()), -float(entries.min()))


def check_table(X, name="X"):
    """Check points that many clouds share, once, and name the rows at fault.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_rows, d)
        As given; a data frame has names of features.
    name : str, default="X"
        What messages call it.

    Returns
    -------
    table : ndarray or CSR matrix
        What was given, without a copy where it is one of these.
    feature_names : ndarray of str or None
    """
    refuse_masked(X, name)
    feature_names = _get_feature_names(X)
    table = check_array(
        to_numpy(X),
        accept_sparse="csr",
        dtype=None,
        input_name=name,
        ensure_all_finite=False,
    )
    if table.dtype.kind not in "fiub":
        raise TypeError(
            f"Got {name} of dtype {table.dtype}, expected real numbers. Encode or drop "
            "what is none."
        )
    if issparse(table) and type(table) not in (csr_array, csr_matrix):
        # Subclasses, as of AnnData, may hold on to more.
        table = csr_array((table.data, table.indices, table.indptr), table.shape)
    if issparse(table) and not table.has_canonical_format:
        table = table.copy()
        table.sum_duplicates()
    # NaN fails the comparison as well.
    if not _largest(table) <= MAX_COORDINATE:
        faulty = _faulty_rows(table)
        others = f" ({len(faulty)} such rows)" if len(faulty) > 1 else ""
        raise ValueError(
            f"Got {name} where {name}[{faulty[0]}] has NaN, infinity or a coordinate "
            f"beyond {MAX_COORDINATE:g}, expected finite coordinates. Drop the row or "
            f"rescale all.{others}"
        )
    return table, feature_names


def _faulty_rows(table):
    found = []
    for start in range(0, table.shape[0], _BLOCK_ROWS):
        rows = np.arange(start, min(start + _BLOCK_ROWS, table.shape[0]))
        block = np.abs(_dense_rows(table, rows))
        found.append(rows[~(block <= MAX_COORDINATE).all(axis=1)])
    return np.concatenate(found)
