"""What a measure is: histograms on a shared support, or weighted point clouds.

The one place that reads user input. Everything above works with the two collections
defined here and never checks again.
"""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_array

# Squared distances between coordinates beyond this overflow in float64.
MAX_COORDINATE = 1e150


@dataclass(frozen=True, eq=False)
class Histograms:
    """Measures that share their support points.

    Build it with :func:`as_measures`, which checks and normalises.

    Parameters
    ----------
    masses : ndarray of shape (n_measures, n_bins), float64
        Rows are non-negative and sum to 1.
    support : ndarray of shape (n_bins, d), float64
        Positions of the bins.
    grid_shape : tuple of int or None
        The grid that `support` enumerates in C order, if it is one.
    """

    masses: np.ndarray
    support: np.ndarray
    grid_shape: tuple | None = None

    def __len__(self):
        return len(self.masses)

    def __getitem__(self, key):
        if isinstance(key, Integral):
            return self.measure(key)
        return Histograms(self.masses[key], self.support, self.grid_shape)

    def measure(self, index):
        """Return `(points, masses)` of one measure, bins without mass dropped."""
        row = self.masses[index]
        occupied = np.flatnonzero(row)
        return self.support[occupied], row[occupied]

    def to_clouds(self):
        """Return the same measures as :class:`PointClouds`."""
        pairs = [self.measure(i) for i in range(len(self))]
        return PointClouds([p for p, _ in pairs], [w for _, w in pairs])

    @property
    def n_features(self):
        """Number of bins."""
        return self.masses.shape[1]

    @property
    def dim(self):
        """Dimension of the space that the bins lie in."""
        return self.support.shape[1]


@dataclass(frozen=True, eq=False)
class PointClouds:
    """Measures with a support of their own each, of any size.

    Build it with :func:`as_measures` or :func:`clouds_from_groups`.

    Parameters
    ----------
    points : list of ndarray of shape (n_i, d)
        Support points; the user's arrays, not copies, where no point was dropped.
    masses : list of ndarray of shape (n_i,), float64
        Positive weights that sum to 1.
    """

    points: list
    masses: list

    def __len__(self):
        return len(self.points)

    def __getitem__(self, key):
        if isinstance(key, Integral):
            return self.measure(key)
        index = np.arange(len(self))[key]
        return PointClouds(
            [self.points[i] for i in index], [self.masses[i] for i in index]
        )

    def measure(self, index):
        """Return `(points, masses)` of one measure."""
        return self.points[index], self.masses[index]

    def to_clouds(self):
        """Return self."""
        return self

    @property
    def n_features(self):
        """Dimension of the points, which scikit-learn calls the number of features."""
        return self.dim

    @property
    def dim(self):
        """Dimension of the points."""
        return self.points[0].shape[1]


def is_collection_of_clouds(X):
    """Whether `X` is laid out as point clouds rather than as rows of histograms.

    Decides by layout alone and accepts anything: a list (or object array) whose first
    element is a matrix or a `(points, weights)` tuple, a 3-D array, or
    :class:`PointClouds`.
    """
    if isinstance(X, PointClouds):
        return True
    if isinstance(X, list) or (_is_object_array(X) and X.ndim == 1):
        return len(X) > 0 and (isinstance(X[0], tuple) or _ndim(X[0]) == 2)
    return getattr(X, "ndim", None) == 3


def as_measures(X, *, grid_shape=None, support=None):
    """Check `X` and return it as a collection of probability measures.

    Parameters
    ----------
    X : array-like of shape (n_measures, n_bins), or a collection of point clouds
        Rows of non-negative masses with a positive sum; or a list of `(n_i, d)` arrays
        (uniform weights), a list of `(points, weights)` tuples, or an array of shape
        (n_measures, m, d). Rows and weights are normalised to sum to 1. Torch tensors
        are accepted.
    grid_shape : tuple of int, default=None
        Histograms only: the bins are the cells of this grid in C order, at integer
        positions, e.g. `(28, 28)` for images, in pixels.
    support : array-like of shape (n_bins, d), default=None
        Histograms only: positions of the bins. With neither, bins are at 0, 1, 2, ...
        on a line.

    Returns
    -------
    measures : Histograms or PointClouds

    Raises
    ------
    ValueError
        For NaN, infinity, negative or no mass, an empty cloud, ragged or mixed
        dimensions, weights of the wrong length, or a grid that does not hold the bins.
        The message names the row.
    TypeError
        For what is no collection of numbers: strings, sparse matrices, one
        `(points, weights)` tuple in place of a list of them.

    Examples
    --------
    >>> from skwass.measures import as_measures
    >>> images = as_measures([[0, 2, 2, 0], [1, 0, 0, 0]], grid_shape=(2, 2))
    >>> images.masses
    array([[0. , 0.5, 0.5, 0. ],
           [1. , 0. , 0. , 0. ]])
    >>> len(as_measures([[[0.0, 0.0]], [[1.0, 0.0], [1.0, 2.0]]]))
    2
    """
    if isinstance(X, tuple):
        raise TypeError(
            "Got X=a tuple, expected an array or a list of measures. Pass [X] if it is "
            "one (points, weights) measure, list(X) if it holds several."
        )
    X = _to_numpy(X)
    if is_collection_of_clouds(X):
        if grid_shape is not None or support is not None:
            raise ValueError(
                f"Got X=a collection of point clouds with grid_shape={grid_shape} or a "
                "support, expected histograms. Leave both out: clouds carry their own "
                "points."
            )
        return X if isinstance(X, PointClouds) else _check_clouds(X)
    if isinstance(X, Histograms):
        return _with_support(X.masses, grid_shape, support, X)
    return _with_support(_check_masses(X), grid_shape, support)


def clouds_from_groups(X, groups, weights=None):
    """Build one point cloud a group from a long table.

    Parameters
    ----------
    X : array-like of shape (n_rows, d)
        One point a row: a cell of a patient, a word of a document.
    groups : array-like of shape (n_rows,)
        The measure that each row belongs to.
    weights : array-like of shape (n_rows,), default=None
        Mass of each row; uniform if None.

    Returns
    -------
    clouds : PointClouds
        One measure a distinct group, in the order of `names`.
    names : ndarray of shape (n_groups,)
        Distinct values of `groups`, sorted.

    Raises
    ------
    ValueError
        If lengths differ, or a group has no mass.

    Examples
    --------
    >>> from skwass.measures import clouds_from_groups
    >>> clouds, names = clouds_from_groups([[0.0], [1.0], [5.0]], ["b", "a", "b"])
    >>> [str(name) for name in names], [len(p) for p in clouds.points]
    (['a', 'b'], [1, 2])
    """
    X = check_array(_to_numpy(X), dtype=None, input_name="X", ensure_all_finite=False)
    groups = np.asarray(groups)
    if groups.shape != (len(X),):
        raise ValueError(
            f"Got groups of shape {groups.shape}, expected ({len(X)},), one entry a "
            "row of X. Repeat the group's name on each of its rows."
        )
    names, codes = np.unique(groups, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    splits = np.cumsum(np.bincount(codes))[:-1]
    clouds = np.split(X[order], splits)
    if weights is None:
        return _check_clouds(clouds), names
    weights = np.asarray(weights)
    if weights.shape != groups.shape:
        raise ValueError(
            f"Got weights of shape {weights.shape}, expected {groups.shape}, one a row "
            "of X. Leave them out for uniform weights."
        )
    clouds = list(zip(clouds, np.split(weights[order], splits), strict=True))
    return _check_clouds(clouds), names


def grid_support(grid_shape):
    """Return the integer positions of the cells of a grid, in C order.

    Parameters
    ----------
    grid_shape : tuple of int
        Number of cells along each axis.

    Returns
    -------
    support : ndarray of shape (prod(grid_shape), len(grid_shape))
    """
    return np.indices(grid_shape, dtype=np.float64).reshape(len(grid_shape), -1).T


def _to_numpy(X):
    """Turn torch tensors, alone or in a list, into arrays; leave the rest."""
    if hasattr(X, "detach"):
        return X.detach().cpu().numpy()
    if isinstance(X, list) and any(
        hasattr(part, "detach")
        for x in X
        for part in (x if isinstance(x, tuple) else (x,))
    ):
        return [
            tuple(_to_numpy(part) for part in x)
            if isinstance(x, tuple)
            else _to_numpy(x)
            for x in X
        ]
    return X


def _ndim(x):
    """Dimensions of an array-like by its first elements, so that ragged is no error."""
    if hasattr(x, "ndim"):
        return x.ndim
    if isinstance(x, list | tuple):
        return 1 + (_ndim(x[0]) if len(x) else 0)
    return 0


def _is_object_array(X):
    return isinstance(X, np.ndarray) and X.dtype.kind == "O"


def _check_masses(X):
    """Check a matrix of masses and return it in float64 with rows that sum to 1."""
    try:
        X = check_array(X, dtype=np.float64, ensure_all_finite=False, input_name="X")
    except (TypeError, ValueError) as error:
        row = _first_row_of_no_numbers(X)
        if row is None:
            raise
        raise type(error)(
            f"{error}. Got X[{row}]={X[row]!r}, expected numbers. Encode or drop it."
        ) from error
    # One pass finds every fault: a NaN or an infinity anywhere spoils the sum.
    peak, low = X.max(axis=1), X.min(axis=1)
    _refuse_rows(
        ~np.isfinite(peak) | ~np.isfinite(low),
        "contains NaN or infinity, expected finite masses. Impute or drop the row.",
    )
    # scikit-learn's tag `positive_only` asks for the first four words.
    _refuse_rows(
        low < 0,
        "has a negative mass, expected masses >= 0. Shift, clip or drop the row.",
        prefix="Negative values in data: ",
    )
    _refuse_rows(
        peak == 0,
        "has no mass (all bins are zero), expected a positive sum. Drop the row.",
    )
    # The division by the peak keeps the sum of huge or subnormal masses finite.
    masses = X / peak[:, None]
    masses /= masses.sum(axis=1, keepdims=True)
    return masses


def _first_row_of_no_numbers(X):
    if isinstance(X, list) or _is_object_array(X):
        for i, row in enumerate(X):
            try:
                np.asarray(row, dtype=np.float64)
            except (TypeError, ValueError):
                return i
    return None


def _refuse_rows(faulty, fault, prefix=""):
    """Raise for the first row that is marked, and say how many there are."""
    rows = np.flatnonzero(faulty)
    if len(rows):
        others = f" ({len(rows)} such rows)" if len(rows) > 1 else ""
        raise ValueError(f"{prefix}Got X where X[{rows[0]}] {fault}{others}")


def _with_support(masses, grid_shape, support, source=None):
    """Attach bin positions; those of `source` where nothing else is said."""
    n_bins = masses.shape[1]
    if grid_shape is not None and support is not None:
        raise ValueError(
            f"Got grid_shape={grid_shape} and a support, expected one of the two. "
            "Leave out grid_shape if the bins are not the cells of a grid."
        )
    if grid_shape is not None:
        grid_shape = tuple(int(size) for size in np.atleast_1d(grid_shape))
        if min(grid_shape) < 1 or np.prod(grid_shape) != n_bins:
            raise ValueError(
                f"Got grid_shape={grid_shape}, expected sizes whose product is the "
                f"number of features, {n_bins}. Check that images are flattened whole."
            )
        return Histograms(masses, grid_support(grid_shape), grid_shape)
    if support is not None:
        return Histograms(masses, _check_support(support, n_bins))
    if source is not None:
        return source
    return Histograms(masses, grid_support((n_bins,)), (n_bins,))


def _check_support(support, n_bins):
    support = check_array(
        _to_numpy(support), dtype=np.float64, input_name="support", ensure_2d=False
    )
    if support.ndim == 1:
        support = support[:, None]
    if len(support) != n_bins:
        raise ValueError(
            f"Got support of shape {support.shape}, expected one position a bin, "
            f"({n_bins}, d). Give the bins of X in the order of its columns."
        )
    _refuse_far(support, "support")
    return support


def _check_clouds(X):
    """Check a collection of clouds, one by one."""
    points, masses = [], []
    dim = None
    for i, cloud in enumerate(X):
        x, a = cloud if _is_weighted(cloud, i) else (cloud, None)
        x = _check_points(x, i)
        dim = x.shape[1] if dim is None else dim
        if x.shape[1] != dim:
            raise ValueError(
                f"Got X[{i}] of dimension {x.shape[1]}, expected {dim} as in X[0]. All "
                "clouds live in one space."
            )
        if a is None:
            a = np.full(len(x), 1 / len(x))
        else:
            x, a = _check_weights(x, a, i)
        points.append(x)
        masses.append(a)
    if not points:
        raise ValueError(
            "Found array with 0 sample(s): got an empty X, expected at least one "
            "cloud. Check the selection that made it."
        )
    return PointClouds(points, masses)


def _is_weighted(cloud, i):
    if not isinstance(cloud, tuple):
        return False
    if len(cloud) != 2:
        raise TypeError(
            f"Got X[{i}]=a tuple of length {len(cloud)}, expected (points, weights). "
            "Pass an array if the points have no weights."
        )
    return True


def _check_points(x, i):
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"Got X[{i}] with points of different lengths, expected an array of shape "
            "(n_points, d). Pad or drop the odd point."
        ) from error
    if x.dtype.kind not in "fiub":
        raise TypeError(
            f"Got X[{i}] of dtype {x.dtype}, expected real numbers. Encode or drop it."
        )
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            f"Got X[{i}] of shape {x.shape}, expected (n_points, d). Reshape points on "
            "a line with x[:, None]."
        )
    if len(x) == 0:
        raise ValueError(
            f"Got X[{i}] without points, expected at least one. Drop empty clouds."
        )
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        x = x.astype(np.float64)
    _refuse_far(x, f"X[{i}]")
    return x


def _refuse_far(x, name):
    """Raise unless every coordinate is finite and its square is too."""
    # NaN fails the comparison as well; max and min need no temporary array.
    if not (x.max() <= MAX_COORDINATE and x.min() >= -MAX_COORDINATE):
        raise ValueError(
            f"Got {name} with NaN, infinity or a coordinate beyond {MAX_COORDINATE:g}, "
            "expected finite coordinates. Drop the points or rescale them all."
        )


def _check_weights(x, a, i):
    """Return points and normalised masses without the points that weigh nothing."""
    a = np.asarray(a)
    if a.dtype.kind not in "fiub":
        raise TypeError(
            f"Got X[{i}] with weights of dtype {a.dtype}, expected real numbers. "
            "Encode them."
        )
    if a.shape != (len(x),):
        raise ValueError(
            f"Got X[{i}] with weights of shape {a.shape}, expected ({len(x)},), one a "
            "point. Pass the array of points alone for uniform weights."
        )
    a = a.astype(np.float64)
    low, peak = a.min(), a.max()
    if not (np.isfinite(low) and np.isfinite(peak)):
        raise ValueError(
            f"Got X[{i}] with NaN or infinite weights, expected finite ones. Drop the "
            "points."
        )
    if low < 0 or peak == 0:
        raise ValueError(
            f"Got X[{i}] with {'negative weights' if low < 0 else 'no mass'}, expected "
            "weights >= 0 with a positive sum. Clip them or drop the cloud."
        )
    if low == 0:
        x, a = x[a > 0], a[a > 0]
    a /= peak
    return x, a / a.sum()
