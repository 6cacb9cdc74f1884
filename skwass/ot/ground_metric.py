"""Ground metrics: what it costs to move one unit of mass between two points."""

import warnings

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_array

from ..measures import Histograms
from ..measures.layout import refuse_masked
from ..measures.subsets import evenly

# Bins, at most, of which all triangles are looked at.
_N_TRIANGLES = 60

# Metrics of scipy that need nothing but the points.
METRIC_NAMES = {
    "braycurtis",
    "canberra",
    "chebyshev",
    "cityblock",
    "correlation",
    "cosine",
    "euclidean",
    "jensenshannon",
    "sqeuclidean",
}
METRIC_CONSTRAINT = [StrOptions(METRIC_NAMES), callable, "array-like"]


class BinMetric:
    """Ground distances between numbered bins, looked up in a matrix.

    Parameters
    ----------
    matrix : ndarray of shape (n_bins, n_bins)
        Distances.
    """

    def __init__(self, matrix):
        self.matrix = matrix

    def __call__(self, X_a, X_b):
        """Return distances of bins, given as columns of numbers."""
        i, j = X_a[:, 0].astype(np.intp), X_b[:, 0].astype(np.intp)
        return self.matrix[i[:, None], j]


def settle_metric(ground_metric, mu, nu):
    """Turn a matrix of ground distances into a metric on bin numbers.

    Parameters
    ----------
    ground_metric : str, callable or array-like of shape (n_bins, n_bins)
        Given by the user.
    mu, nu : Histograms or PointClouds
        Collections it is meant for.

    Returns
    -------
    mu, nu : Histograms or PointClouds
        With bin numbers for points, if the metric was a matrix.
    ground_metric : str or callable
    """
    if isinstance(ground_metric, str) or callable(ground_metric):
        return mu, nu, ground_metric
    if not (isinstance(mu, Histograms) and isinstance(nu, Histograms)):
        raise ValueError(
            "Got ground_metric=a matrix with point clouds, expected histograms, whose "
            "bins its rows are. Pass a callable on two arrays of points."
        )
    if not mu.are_on(nu.support):
        raise ValueError(
            "Got ground_metric=a matrix with histograms X and Y on different bins, "
            "expected the same, whose distances it holds. Pass a callable on two "
            "arrays of points."
        )
    refuse_masked(ground_metric, "ground_metric")
    matrix = check_array(ground_metric, dtype=np.float64, input_name="ground_metric")
    n_bins = mu.n_features
    if matrix.shape != (n_bins, n_bins):
        raise ValueError(
            f"Got ground_metric of shape {matrix.shape}, expected ({n_bins}, {n_bins}),"
            " the distances between bins. Give one row per column of X."
        )
    largest = np.abs(matrix).max()
    if (
        matrix.min() < 0
        or np.abs(matrix - matrix.T).max() > 1e-9 * largest
        or np.diag(matrix).max() > 1e-9 * largest
    ):
        raise ValueError(
            "Got ground_metric=a matrix whose entries are not distances, expected "
            "entries >= 0, symmetric, with a zero diagonal. Pass ground distances, not "
            "their powers or similarities."
        )
    numbers = np.arange(n_bins, dtype=np.float64)[:, None]
    left = mu.on(numbers)
    right = left if nu is mu else nu.on(numbers)
    return left, right, BinMetric(matrix)


def warn_of_squares(ground_metric, p):
    """Warn of a matrix that a cost W^p would take to the power p for a second time.

    Squares of distances break the triangle inequality, which their roots keep. So does
    what is no metric at all: that is the business of the user.
    """
    if isinstance(ground_metric, str) or callable(ground_metric) or p == 1:
        return
    M = np.asarray(ground_metric, dtype=np.float64)
    some = evenly(len(M), _N_TRIANGLES)
    M = M[np.ix_(some, some)]
    if not _keeps_triangles(M) and _keeps_triangles(np.sqrt(M)):
        warnings.warn(
            f"Got ground_metric=a matrix that looks like squared distances, and p={p}, "
            "expected distances: entries are taken to the power p. Pass M ** 0.5, or "
            "set p=1 if W of these very costs is meant.",
            UserWarning,
            stacklevel=2,
        )


def _keeps_triangles(M):
    slack = 1e-9 * M.max(initial=0.0)
    return all((M <= via[:, None] + via + slack).all() for via in M)


def is_euclidean(ground_metric):
    """Whether a ground metric is the Euclidean distance, by its name."""
    return isinstance(ground_metric, str) and ground_metric == "euclidean"


def refuse_derivative(ground_metric):
    """Raise where the derivative in the points is asked for and not known."""
    if not is_euclidean(ground_metric):
        raise ValueError(
            f"Got gradients=True with ground_metric={ground_metric} and clouds, "
            "expected 'euclidean', whose derivative is known. Leave gradients out."
        )


def unit_cost(X_a, X_b, ground_metric, p):
    """Return the cost of a pair in units of its largest ground distance.

    Costs in [0, 1] keep data in any unit away from overflow and from tolerances.

    Parameters
    ----------
    X_a, X_b : ndarray of shape (n, d) and (m, d)
        Points.
    ground_metric : str or callable
        Settled ground metric.
    p : float
        Power of the ground distance.

    Returns
    -------
    C : ndarray of shape (n, m)
        `(distance / unit)^p`; zeros if `unit` is.
    unit : float
        The largest distance.
    """
    if is_euclidean(ground_metric):
        C = cdist(X_a, X_b, "sqeuclidean")
        peak = C.max()
        unit, power = peak**0.5, p / 2
    else:
        C = ground_distances(X_a, X_b, ground_metric)
        unit = peak = C.max()
        power = p
    if peak > 0:
        C /= peak
        if power != 1:
            C **= power
    return C, float(unit)


def ground_distances(X_a, X_b, ground_metric):
    """Return the matrix of ground distances between points.

    Parameters
    ----------
    X_a, X_b : ndarray of shape (n, d) and (m, d)
        Points.
    ground_metric : str or callable
        Settled ground metric.

    Returns
    -------
    D : ndarray of shape (n, m), float64, C order
        A new array.

    Raises
    ------
    ValueError
        If the ground metric answers with another shape, or not with finite numbers
        >= 0.
    """
    if isinstance(ground_metric, str):
        D = cdist(X_a, X_b, ground_metric)
        answered = f"ground_metric={ground_metric!r}"
        D = np.maximum(D, 0, out=D)  # "cosine" rounds below zero
    elif callable(ground_metric):
        answered = f"ground_metric={ground_metric}"
        found = ground_metric(X_a, X_b)
        refuse_masked(found, f"{answered} with an answer")
        D = np.array(found, dtype=np.float64, order="C")
    else:
        raise ValueError(
            "Got ground_metric=a matrix for two measures on their own, expected "
            "collections of histograms. Use pairwise_wasserstein or label."
        )
    if D.shape != (len(X_a), len(X_b)) or not (D.min() >= 0 and D.max() < np.inf):
        raise ValueError(
            f"Got {answered} with answers of shape {D.shape} for {len(X_a)} and "
            f"{len(X_b)} points, NaN, infinite or negative, expected a matrix of "
            "finite distances >= 0. Fix the metric or the points."
        )
    return D
