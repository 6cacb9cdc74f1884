"""Strategies: measures in any layout, unit and type, and what is none of these."""

import numpy as np
import pandas as pd
import torch
from hypothesis import strategies as st
from scipy import sparse

# Powers of ten that coordinates are multiplied by.
UNITS = st.integers(-9, 9).map(lambda power: 10.0**power)
DIRTY = [np.nan, np.inf, -np.inf, -1.0, 1e200, -1e200, 1e-320, 0.0]


@st.composite
def arrays(draw, shape, low=-1.0, high=1.0):
    """Return numbers, some equal, some zero, at times one that should not be there."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.uniform(low, high, shape)
    if draw(st.booleans()):
        x = np.round(x, draw(st.integers(0, 1)))
    if x.size and draw(st.integers(0, 5)) == 0:
        x.flat[draw(st.integers(0, x.size - 1))] = draw(st.sampled_from(DIRTY))
    return x


@st.composite
def clouds(draw):
    """Return lists of points, with weights or without."""
    dim, n = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    unit, is_weighted = draw(UNITS), draw(st.booleans())
    found = []
    for _ in range(n):
        size = draw(st.integers(0 if draw(st.integers(0, 9)) == 0 else 1, 5))
        x = unit * draw(arrays((size, dim)))
        weights = draw(arrays((size,), 0.0)) if is_weighted else None
        found.append((x, weights) if is_weighted else x)
    return found


@st.composite
def masses(draw):
    """Return rows of masses, at times in numbers of other types."""
    return draw(arrays((draw(st.integers(1, 6)), draw(st.integers(1, 9))), 0.0))


def _typed(dtype):
    def convert(X):
        with np.errstate(all="ignore"):
            return np.asarray(X).astype(dtype)

    return convert


def _dates(X):
    return np.clip(np.nan_to_num(X), -1e9, 1e9).astype(np.int64).astype("M8[D]")


# How people hand over rows of numbers.
OF_ROWS = {
    "array": lambda X: X,
    "float32": _typed(np.float32),
    "float16": _typed(np.float16),
    "longdouble": _typed(np.longdouble),
    "big endian": _typed(">f8"),
    "int": _typed(np.int64),
    "uint8": _typed(np.uint8),
    "bool": _typed(bool),
    "object": _typed(object),
    "complex": _typed(complex),
    "dates": _dates,
    "lists": lambda X: X.tolist(),
    "fortran": np.asfortranarray,
    "reversed": lambda X: X[::-1, ::-1],
    "frame": pd.DataFrame,
    "csr": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "coo": sparse.coo_array,
    "tensor": lambda X: torch.tensor(np.array(X)),
    "bfloat16": lambda X: torch.tensor(np.array(X)).to(torch.bfloat16),
    "sparse tensor": lambda X: torch.tensor(np.array(X)).to_sparse(),
    "series": lambda X: pd.Series(list(X)),
    "masked": lambda X: np.ma.masked_greater(X, 0.9),
    "dict": lambda X: dict(enumerate(X)),
    "set": lambda X: set(X.ravel().tolist()),
    "generator": lambda X: (row for row in X),
    "tuple": tuple,
    "one row": lambda X: X[0],
    "cube": lambda X: np.stack([X, X]),
    "deep": lambda X: X[None, None],
    "strings": lambda X: X.astype(str),
    "words": lambda X: [["a", "b"] for _ in X],
    "none": lambda X: None,
    "number": lambda X: 3.0,
    "empty": lambda X: [],
    "ragged": lambda X: [*X.tolist(), [1.0] * (X.shape[1] + 1)],
    "without rows": lambda X: X[:0],
    "without bins": lambda X: X[:, :0],
}


def _each(function):
    """Apply a function to points, whether they have weights or not."""
    return lambda X: [
        (function(x[0]), x[1]) if isinstance(x, tuple) else function(x) for x in X
    ]


# How people hand over clouds.
OF_CLOUDS = {
    "list": lambda X: X,
    "float32": _each(_typed(np.float32)),
    "longdouble": _each(_typed(np.longdouble)),
    "int": _each(_typed(np.int64)),
    "lists": _each(lambda x: x.tolist()),
    "tensors": _each(lambda x: torch.tensor(np.array(x))),
    "bfloat16": _each(lambda x: torch.tensor(np.array(x)).to(torch.bfloat16)),
    "frames": _each(pd.DataFrame),
    "sparse": _each(sparse.csr_array),
    "dates": _each(_dates),
    "transposed": _each(lambda x: x.T),
    "flat": _each(np.ravel),
    "series": lambda X: pd.Series(X),
    "pairs in lists": lambda X: [list(x) for x in X],
    "dict": lambda X: dict(enumerate(X)),
    "generator": iter,
    "one": lambda X: X[0],
    "tuple": tuple,
    "holes": lambda X: [*X, None],
    "words": lambda X: [*X, "cloud"],
    "rows too": lambda X: [*X, [1.0, 2.0]],
    "nested": lambda X: [X],
}


@st.composite
def inputs(draw):
    """Return anything that somebody may take for measures, and its layout."""
    if draw(st.booleans()):
        layout = draw(st.sampled_from(sorted(OF_ROWS)))
        return f"rows, {layout}", OF_ROWS[layout], draw(masses())
    layout = draw(st.sampled_from(sorted(OF_CLOUDS)))
    return f"clouds, {layout}", OF_CLOUDS[layout], draw(clouds())
