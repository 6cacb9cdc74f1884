"""Checks of distance matrices, and every message about bad ones."""

import warnings

import numpy as np
from sklearn.utils.validation import check_array

from ..measures import Histograms, is_collection_of_clouds
from ..measures.layout import refuse_asymmetric, refuse_masked, to_numpy

# Stresses are sums of fourth powers of distances, in float64.
LARGEST, SMALLEST = 1e75, 1e-75


def check_distances(W, name, *, squared=False):
    """Check distances of all pairs of some measures.

    Parameters
    ----------
    W : array-like of shape (n, n)
        Distances, or squared distances.
    name : str
        What messages call `W`.
    squared : bool, default=False
        Whether entries are squares.

    Returns
    -------
    W : ndarray of shape (n, n), float64
        Symmetric with a zero diagonal: a copy.

    Raises
    ------
    ValueError
        For fewer than two measures, a matrix that is not square, NaN, infinite or
        negative entries, distances whose fourth power is no float64, an asymmetric
        matrix, or a diagonal that is not zero.
    """
    W = check_rectangle(W, name, squared=squared, is_square=True)
    refuse_asymmetric(W, name)
    W = (W + W.T) / 2
    np.fill_diagonal(W, 0)
    return W


def check_rectangle(W, name, *, squared=False, is_square=False):
    """Check distances between two lots of measures, or of one; parameters as above.

    Returns
    -------
    W : ndarray of shape (n, m), float64
        Finite, not negative, and of a size that can be squared twice.
    """
    refuse_masked(W, name)
    W = to_numpy(W)
    if isinstance(W, Histograms) or is_collection_of_clouds(W):
        kind = (
            "histograms"
            if isinstance(W, Histograms)
            else "a collection of point clouds"
        )
        raise ValueError(
            f"Got {name}={kind}, expected a matrix of distances. "
            "WassersteinMDS takes measures with ground_truth='exact'."
        )
    W = check_array(
        W,
        dtype=np.float64,
        input_name=name,
        ensure_min_samples=2 if is_square else 1,
    )
    # First, as it says most about what was passed instead.
    if is_square and W.shape[0] != W.shape[1]:
        raise ValueError(
            f"Got {name} of shape {W.shape}, expected a square matrix, the distances "
            "of all pairs. Pass those if rows are coordinates; if they are measures, "
            "WassersteinMDS needs ground_truth='exact'."
        )
    low, high = W.min(), W.max()
    if low < 0:
        i, j = map(int, np.unravel_index(W.argmin(), W.shape))
        # scikit-learn's tag `positive_only` asks for the first four words.
        raise ValueError(
            f"Negative values in data: got {name}[{i}, {j}]={low:.6g}, expected "
            "distances >= 0. Clip rounding to zero; a debiased distance is clipped "
            "already."
        )
    power = 2 if squared else 1
    if high > LARGEST**power or 0 < high < SMALLEST**power:
        raise ValueError(
            f"Got {name} with entries up to {high:.3g}, expected them between "
            f"{SMALLEST**power:g} and {LARGEST**power:g}: stresses are fourth powers "
            "of distances. Measure in another unit."
        )
    return W


def look_like_distances(X):
    """Whether histograms have mass where distances are positive, by symmetry.

    Parameters
    ----------
    X : ndarray or csr_array of shape (n, n_bins)
        Rows with mass.

    Returns
    -------
    answer : bool
        True for three rows or more on as many bins, symmetric and hollow.
    """
    if not X.shape[0] == X.shape[1] > 2:
        return False
    occupied = X > 0
    # The sum is the same for arrays and sparse ones.
    return not occupied.diagonal().any() and not (occupied != occupied.T).sum()


def warn_of_distances(measures, ground_truth):
    """Warn where a matrix of distances is read as histograms."""
    if isinstance(measures, Histograms) and look_like_distances(measures.masses):
        warnings.warn(
            f"Got X with a zero diagonal and ground_truth={ground_truth!r}: its rows "
            "are taken for histograms, not for distances. Pass "
            "ground_truth='precomputed' if they are distances.",
            UserWarning,
            stacklevel=5,
        )
