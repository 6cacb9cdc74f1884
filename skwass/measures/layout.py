"""What kind of thing the user gave, before anything is checked."""

from collections.abc import Iterator, Mapping, Set

import numpy as np
from scipy.sparse import coo_array
from sklearn.utils.validation import _num_samples, check_array

from ._collections import PointClouds

# Of a matrix, relative to its largest entry: float32 passes, an error does not.
_ROUNDING = 1e-6

# Squared distances between coordinates beyond this overflow in float64.
MAX_COORDINATE = 1e150
# Sums of masses below this have lost digits.
_LEAST_SUM = 1e-290


def is_collection_of_clouds(X):
    """Whether `X` is laid out as point clouds rather than as rows of histograms.

    Parameters
    ----------
    X : object
        Anything. Point clouds are a list (or object array) whose first element is a
        matrix or a `(points, weights)` tuple, a 3-D array, or :class:`PointClouds`.

    Returns
    -------
    answer : bool
        By layout only; nothing is checked.
    """
    if isinstance(X, PointClouds):
        return True
    is_object_array = isinstance(X, np.ndarray) and X.dtype.kind == "O"
    if isinstance(X, list) or (is_object_array and X.ndim == 1):
        if len(X) and isinstance(X[0], tuple):
            # A row of numbers may be a tuple as well.
            return len(X[0]) > 0 and ndim(X[0][0]) > 0
        return len(X) > 0 and ndim(X[0]) == 2
    return getattr(X, "ndim", None) == 3


def shown(value, width=80):
    """Return what a message says of a value, which may be as long as data are.

    Parameters
    ----------
    value : object
        Anything; an exception is its text.
    width : int, default=80
        Characters at most.

    Returns
    -------
    text : str
    """
    text = str(value) if isinstance(value, Exception) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: width - 3]}..."


def refuse_asymmetric(W, name):
    """Raise unless a square matrix is symmetric with a zero diagonal, but for rounding.

    Parameters
    ----------
    W : ndarray of shape (n, n)
        Distances, or their squares.
    name : str
        For messages.
    """
    slack = _ROUNDING * np.abs(W).max(initial=0)
    diagonal = np.abs(np.diag(W))
    if diagonal.max(initial=0) > slack:
        i = int(diagonal.argmax())
        raise ValueError(
            f"Got {name} with {name}[{i}, {i}]={W[i, i]:.6g}, expected a zero "
            "diagonal. Use a debiased distance, or set the diagonal to zero."
        )
    lopsided = np.abs(W - W.T)
    if lopsided.max(initial=0) > slack:
        i, j = map(int, np.unravel_index(lopsided.argmax(), W.shape))
        raise ValueError(
            f"Got {name} with {name}[{i}, {j}]={W[i, j]:.6g} and {name}[{j}, {i}]="
            f"{W[j, i]:.6g}, expected a symmetric matrix. Pass ({name} + {name}.T) / 2 "
            "if that is what you mean."
        )


def to_numpy(X):
    """Turn torch tensors, alone or in a list, into arrays; leave the rest."""
    if hasattr(X, "detach"):
        return _of_tensor(X.detach())
    if isinstance(X, list) and any(
        hasattr(part, "detach")
        for x in X
        for part in (x if isinstance(x, tuple) else (x,))
    ):
        return [
            tuple(to_numpy(part) for part in x) if isinstance(x, tuple) else to_numpy(x)
            for x in X
        ]
    return X


def _of_tensor(X):
    """Return an array of a tensor of any layout; a matrix or list where it is one."""
    if X.is_meta:
        raise ValueError(
            "Got a tensor on the device 'meta', which has no numbers, expected one "
            "with data. Load its values first."
        )
    if X.is_nested:
        return [_of_tensor(part) for part in X.unbind()]
    if X.is_quantized:
        X = X.dequantize()
    elif "sparse" in str(X.layout):
        X = X.to_sparse_coo().coalesce() if X.ndim == 2 else X.to_dense()
    if X.is_sparse:
        at, entries = X.indices().cpu().numpy(), _of_tensor(X.values())
        return coo_array((entries, (at[0], at[1])), tuple(X.shape)).tocsr()
    if X.is_floating_point() and X.dtype.itemsize < 4:
        X = X.float()  # numpy knows one of several kinds
    return X.resolve_conj().resolve_neg().cpu().numpy()


def listed(X, name):
    """Return the list in what holds one, such as a column of a table; or `X`.

    Raises
    ------
    TypeError
        For what has no order, or can be read once only.
    """
    if hasattr(X, "to_list") and hasattr(X, "dtype"):  # of pandas, polars
        return X.to_list()
    if isinstance(X, Mapping | Set) and not hasattr(X, "shape"):  # as of scipy
        kind, items = ("dict", ".values()") if isinstance(X, Mapping) else ("set", "")
        raise TypeError(
            f"Got {name}=a {kind}, expected an array or a "
            f"list, whose order is known. Pass list({name}{items})."
        )
    if isinstance(X, Iterator):
        raise TypeError(
            f"Got {name}=an iterator, expected an array or "
            f"a list, which can be read more than once. Pass list({name})."
        )
    return X


def refuse_containers(X, name):
    """Raise for what holds tables, and measures only once it is said which.

    Reading AnnData as rows would take minutes, and fail in the end.
    """
    if hasattr(X, "obsm") and hasattr(X, "var_names"):
        raise TypeError(
            f"Got {name} of type {type(X).__name__}, expected measures. Build them "
            "with skwass.measures.niches_from_anndata or clouds_from_anndata."
        )
    if isinstance(X, tuple) and len(X) == 2 and isinstance(X[0], PointClouds):
        raise TypeError(
            f"Got {name}=clouds and their names, expected clouds. Unpack them: "
            "clouds, names = clouds_from_groups(...)."
        )


def refuse_other_order(X, given, name):
    """Raise if rows of two data frames have the same labels in another order."""
    labels = getattr(X, "index", None)
    others = getattr(given, "index", None)
    if not (hasattr(labels, "equals") and hasattr(others, "equals")):
        return
    if len(labels) == len(others) and not labels.equals(others):  # type: ignore[union-attr, arg-type]
        if set(labels) == set(others):  # type: ignore[arg-type]
            raise ValueError(
                f"Got {name} whose index has the labels of X in another order, "
                f"expected the same: rows are taken as they come. Pass "
                f"{name}.loc[X.index]."
            )


def refuse_masked(x, name):
    """Raise for masked entries: masks get lost, and what is under them would count."""
    parts = x if isinstance(x, list | tuple) else [x]
    if any(np.ma.is_masked(part) for part in parts):
        raise ValueError(
            f"Got {name} with masked entries, expected numbers: what is under a mask "
            f"would count. Fill them, as in {name}.filled(0), or drop their rows."
        )


def refuse_square(y, X, way_out):
    """Raise for distances of all pairs in the place of targets, which are ignored."""
    try:
        shape, n_measures = np.shape(y), _num_samples(X)
    except (TypeError, ValueError):  # ragged targets, or what is no collection
        return
    if shape == (n_measures, n_measures):
        raise ValueError(
            f"Got y of shape {shape}, which looks like distances and would be ignored, "
            f"expected None or targets. {way_out}"
        )


def normalised(masses, out=None):
    """Divide masses by their sums, along the last axis; a new array, or `out`.

    Sums that are 1 but for rounding stay, and so do those atoms that two measures have
    in common: far ones would have to move for the last bit.
    """
    with np.errstate(over="ignore"):
        total = masses.sum(axis=-1, keepdims=True)
    if not (total.min() > _LEAST_SUM and total.max() < np.inf):
        # By a power of two, which rounds nothing.
        _, exponent = np.frexp(masses.max(axis=-1, keepdims=True))
        masses = np.ldexp(masses, -exponent)
        total = masses.sum(axis=-1, keepdims=True)
    return np.divide(masses, _unless_one(total, masses.shape[-1]), out=out)


def normalised_entries(masses, rows, n_rows, n_bins):
    """Do the same with the entries of a sparse matrix, whose rows all have mass.

    Parameters
    ----------
    masses : ndarray of shape (n_entries,)
        Not negative.
    rows : ndarray of int of shape (n_entries,)
        The row of each.
    n_rows, n_bins : int
        Shape of the matrix.

    Returns
    -------
    masses : ndarray of shape (n_entries,)
    """
    total = np.bincount(rows, masses, minlength=n_rows)
    if not (total.min() > _LEAST_SUM and total.max() < np.inf):
        peak = np.zeros(n_rows)
        np.maximum.at(peak, rows, masses)
        _, exponent = np.frexp(peak)
        masses = np.ldexp(masses, -exponent[rows])
        total = np.bincount(rows, masses, minlength=n_rows)
    return masses / _unless_one(total, n_bins)[rows]


def _unless_one(total, n_bins):
    """Return sums, but those as 1 that are so up to rounding."""
    rounding = n_bins * np.finfo(float).eps
    return np.where(np.abs(total - 1) <= rounding, 1.0, total)


def ndim(x):
    """Return dimensions of an array-like by its first elements: it may be ragged."""
    if hasattr(x, "ndim"):
        return x.ndim
    if isinstance(x, list | tuple):
        return 1 + (ndim(x[0]) if len(x) else 0)
    return 0


def refuse_far(x, name):
    """Raise unless every coordinate is finite and its square is too."""
    # NaN fails the comparison as well; max and min need no temporary array.
    if not (float(x.max()) <= MAX_COORDINATE and float(x.min()) >= -MAX_COORDINATE):
        raise ValueError(
            f"Got {name} with NaN, infinity or a coordinate beyond {MAX_COORDINATE:g}, "
            "expected finite coordinates. Drop the points or rescale them all."
        )


def check_embeddings(Z, n_columns, name, dtype=np.float64):
    """Check rows of `transform` that a user gives back.

    Parameters
    ----------
    Z : array-like of shape (n, n_columns)
        As given.
    n_columns : int
        Of `transform`.
    name : str
        What messages call `Z`.
    dtype : dtype, default=float64
        Of the result.

    Returns
    -------
    Z : ndarray of shape (n, n_columns)
    """
    refuse_masked(Z, name)
    Z = check_array(Z, dtype=dtype, input_name=name, force_writeable=True)
    if Z.shape[1] != n_columns:
        raise ValueError(
            f"Got {name} with {Z.shape[1]} columns, expected {n_columns}. Pass rows of "
            "what transform gives."
        )
    return Z
