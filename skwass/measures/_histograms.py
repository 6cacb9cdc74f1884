"""Checks of masses on a shared support."""

import math
from numbers import Number

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils.validation import check_array

from ._collections import Histograms, grid_support
from ._sparse import SparseHistograms
from .layout import (
    listed,
    ndim,
    normalised,
    normalised_entries,
    refuse_far,
    refuse_masked,
    shown,
    to_numpy,
)


def check_masses(X, name):
    """Check a matrix of masses and return it in float64 with rows that sum to 1.

    A sparse one, or a data frame of sparse columns, becomes a `csr_array` of positive
    entries.
    """
    refuse_masked(X, name)
    _refuse_no_rows(X, name)
    given = X
    try:
        X = check_array(
            X,
            accept_sparse="csr",
            dtype=np.float64,
            ensure_all_finite=False,
            input_name=name,
        )
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        row = _first_row_of_no_numbers(X)
        if row is None:
            if str(error).startswith("Found"):  # as all of scikit-learn says it
                raise
            raise kind(
                f"Got {name} of type {type(X).__name__}, expected rows of numbers: "
                f"{shown(error, 150)}. Encode or drop what is none."
            ) from error
        why = f": {shown(error)}" if kind is TypeError else ""
        raise kind(
            f"Got {name}[{row}]={shown(X[row])}, expected numbers, as many as in "
            f"{name}[0]{why}. Encode or drop the row; if these are samples "
            "on a line and no histograms, pass a list of columns x[:, None]."
        ) from error
    if issparse(X):
        return _check_entries(X, name)
    is_copy = not np.may_share_memory(X, given) if _is_array(given) else False
    # One pass finds every fault: a NaN or an infinity anywhere spoils the sum.
    peak, low = X.max(axis=1), X.min(axis=1)
    _refuse_faults(
        name,
        ~(np.isfinite(peak) & np.isfinite(low)),
        low < 0,
        peak == 0,
        "Drop the row.",
    )
    return normalised(X, out=X if is_copy else None)


def _is_array(X):
    return isinstance(X, np.ndarray) and X.dtype.kind in "fiub"


def _refuse_no_rows(X, name):
    """Raise for what has no rows of numbers, as far as that can be seen at once."""
    if isinstance(X, list) and not X:
        raise ValueError(
            f"Found array with 0 sample(s): got {name} without measures, expected at "
            "least one. Check the selection that made it."
        )
    if _is_pair(X):
        raise TypeError(
            f"Got {name}[0]=a list of points and weights, expected a tuple of them. "
            f"Pass [tuple(x) for x in {name}]."
        )
    is_plain = isinstance(X, np.ndarray | str | Number) or X is None
    if is_plain and ndim(X) < 2:
        raise ValueError(
            f"Got {name} of {'shape' if np.ndim(X) else 'type'} "
            f"{np.shape(X) or type(X).__name__}, expected one row per measure. Reshape "
            f"your data: {name}[None] is one measure; samples on a line are a cloud, "
            "x[:, None], in a list of clouds."
        )
    dtypes = getattr(X, "dtypes", [getattr(X, "dtype", None)])
    strange = [dtype for dtype in dtypes if getattr(dtype, "kind", "f") in "cmMV"]
    if not strange:
        return
    if strange[0].kind == "c":
        raise ValueError(
            f"Complex data not supported: got {name} of dtype {strange[0]}, expected "
            f"masses >= 0. Pass abs({name}) or its real part."
        )
    raise TypeError(
        f"Got {name} of dtype {strange[0]}, expected masses, which are numbers >= 0. "
        "Drop or encode dates and other columns."
    )


def _is_pair(X):
    """Whether the first measure is a list of points and weights."""
    first = X[0] if isinstance(X, list) else None
    return (
        isinstance(first, list)
        and len(first) == 2
        and ndim(first[1]) == 1
        and (getattr(first[0], "ndim", 0) == 2)
    )


def _check_entries(X, name):
    """Do the same with a sparse matrix, which is not modified."""
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    n_rows, n_bins = X.shape
    rows = np.repeat(np.arange(n_rows), np.diff(X.indptr))

    def those_with(faulty):
        return np.bincount(rows[faulty], minlength=n_rows) > 0

    _refuse_faults(
        name,
        those_with(~np.isfinite(X.data)),
        those_with(X.data < 0),
        ~those_with(X.data > 0),
        # Such as documents without a word of the vocabulary: there may be many.
        f"Drop such rows: {name}[np.ravel({name}.sum(axis=1)) > 0].",
    )
    masses = normalised_entries(X.data, rows, n_rows, n_bins)
    masses = csr_array((masses, X.indices, X.indptr), X.shape)
    if masses.data.min() == 0:
        masses = masses.copy()  # indices are still those of the user
        masses.eliminate_zeros()
    return masses


def _refuse_faults(name, infinite, negative, empty, drop):
    """Raise for the first fault that some row has; masks say which rows."""
    _refuse_rows(
        name,
        infinite,
        "contains NaN or infinity, expected finite masses. Impute or drop the row.",
    )
    # scikit-learn's tag `positive_only` asks for the first four words.
    _refuse_rows(
        name,
        negative,
        "has a negative mass, expected masses >= 0. Shift, clip or drop the row.",
        prefix="Negative values in data: ",
    )
    _refuse_rows(
        name,
        empty,
        f"has no mass (all bins are zero), expected a positive sum. {drop}",
    )


def _first_row_of_no_numbers(X):
    if isinstance(X, list) or (isinstance(X, np.ndarray) and X.dtype.kind in "OUS"):
        for i, row in enumerate(X):
            try:
                if np.asarray(row, dtype=np.float64).shape != np.shape(X[0]):
                    return i
            except (TypeError, ValueError):
                return i
    return None


def _refuse_rows(name, faulty, fault, prefix=""):
    """Raise for the first row that is marked, and say how many there are."""
    rows = np.flatnonzero(faulty)
    if len(rows):
        others = f" ({len(rows)} such rows)" if len(rows) > 1 else ""
        raise ValueError(f"{prefix}Got {name} where {name}[{rows[0]}] {fault}{others}")


def with_support(masses, grid_shape, support):
    """Attach bin positions to masses."""
    n_bins = masses.shape[1]
    kind = SparseHistograms if issparse(masses) else Histograms
    if grid_shape is not None and support is not None:
        raise ValueError(
            f"Got grid_shape={shown(grid_shape)} and a support, expected one of the "
            "two. Leave out grid_shape if the bins are not the cells of a grid."
        )
    if grid_shape is not None:
        grid_shape = _check_grid(grid_shape, n_bins)
        return kind(masses, grid_support(grid_shape), grid_shape)
    if support is not None:
        return kind(masses, _check_support(support, n_bins))
    return kind(masses, grid_support((n_bins,)), (n_bins,))


def _check_grid(grid_shape, n_bins):
    try:
        sizes = tuple(np.atleast_1d(grid_shape).tolist())
    except ValueError:  # ragged
        sizes = (None,)
    are_sizes = all(type(size) is int and size > 0 for size in sizes)
    if not are_sizes or math.prod(sizes) != n_bins:
        raise ValueError(
            f"Got grid_shape={shown(grid_shape)}, expected positive integers whose "
            f"product is the number of features, {n_bins}. Check that images are "
            "flattened whole."
        )
    return sizes


def in_place(measures, grid_shape, support, name):
    """Return histograms that know their bins, unless others are asked for."""
    if grid_shape is None and support is None:
        return measures
    asked = with_support(measures.masses, grid_shape, support)
    if not measures.are_on(asked.support):
        raise ValueError(
            f"Got {name}=histograms that know their bins, and "
            f"{'a support' if grid_shape is None else f'grid_shape={grid_shape}'} that "
            "puts them elsewhere, expected one of the two. Leave out the latter, or "
            f"pass {name}.masses."
        )
    return asked


def _check_support(support, n_bins):
    refuse_masked(support, "support")
    try:
        given = np.asarray(to_numpy(listed(support, "support")))
        if given.dtype.kind not in "fiubO":
            raise TypeError(f"they are of dtype {given.dtype}")
        support = check_array(
            given, dtype=np.float64, input_name="support", ensure_2d=False
        )
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"Got support={shown(support)}, expected positions of bins, in numbers: "
            f"{shown(error, 150)}. Pass an array of shape (n_bins, d)."
        ) from error
    if support.ndim == 1:
        support = support[:, None]
    if len(support) != n_bins:
        raise ValueError(
            f"Got support of shape {support.shape}, expected one position per bin, "
            f"({n_bins}, d). Give the bins of X in the order of its columns."
        )
    refuse_far(support, "support")
    return support
