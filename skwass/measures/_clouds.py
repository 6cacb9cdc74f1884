"""Checks of point clouds, one by one."""

import numpy as np

from ._collections import PointClouds
from .layout import normalised, refuse_far, refuse_masked


def check_clouds(X, name_of):
    """Check a collection of clouds, one by one; `name_of(i)` names the i-th."""
    points: list = []
    masses: list = []
    dim = None
    for i, cloud in enumerate(X):
        item = name_of(i)
        x, a = cloud if _is_weighted(cloud, item) else (cloud, None)
        x = _check_points(x, item)
        dim = x.shape[1] if dim is None else dim
        if x.shape[1] != dim:
            are_columns = all(len(x) == len(first) for first in points)
            remedy = " Pass x.T if points are columns." if are_columns else ""
            raise ValueError(
                f"Got {item} of dimension {x.shape[1]}, expected {dim} as in "
                f"{name_of(0)}. All clouds live in one space.{remedy}"
            )
        if a is None:
            a = np.full(len(x), 1 / len(x))
        else:
            x, a = check_weights(x, a, item)
        points.append(x)
        masses.append(a)
    if not points:
        raise ValueError(
            "Found array with 0 sample(s): got an empty X, expected at least one "
            "cloud. Check the selection that made it."
        )
    return PointClouds(points, masses)


def _is_weighted(cloud, item):
    if not isinstance(cloud, tuple):
        return False
    if len(cloud) != 2:
        raise TypeError(
            f"Got {item}=a tuple of length {len(cloud)}, expected (points, weights). "
            "Pass an array if the points have no weights."
        )
    return True


def _check_points(x, item):
    refuse_masked(x, item)
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"Got {item} with points of different lengths, expected an array of shape "
            "(n_points, d). Pad or drop the odd point."
        ) from error
    if x.ndim == 0 and hasattr(x.item(), "toarray"):
        raise TypeError(
            f"Got {item}=a sparse matrix, expected an array of points. Build clouds of "
            "sparse rows with clouds_from_groups."
        )
    if x.dtype.kind not in "fiub":
        raise TypeError(
            f"Got {item} of dtype {x.dtype}, expected real numbers. Encode or drop it."
        )
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            f"Got {item} of shape {x.shape}, expected (n_points, d). Reshape points on "
            "a line with x[:, None]."
        )
    if len(x) == 0:
        raise ValueError(
            f"Got {item} without points, expected at least one. Drop empty clouds."
        )
    if x.dtype.kind != "f" or x.dtype.itemsize not in (4, 8):
        x = x.astype(np.float64)
    refuse_far(x, item)
    return x


def check_weights(x, a, item):
    """Return points and normalised masses without the points that weigh nothing.

    Parameters
    ----------
    x : ndarray of shape (n_points, ...)
        Points, or their numbers.
    a : array-like of shape (n_points,)
        Weights as given.
    item : str
        What messages call the measure.
    """
    refuse_masked(a, f"the weights of {item}")
    try:
        a = np.asarray(a)
    except ValueError as error:
        raise ValueError(
            f"Got {item} with ragged weights, expected shape ({len(x)},). Pass one "
            "number per point."
        ) from error
    if a.dtype.kind not in "fiub":
        raise TypeError(
            f"Got {item} with weights of dtype {a.dtype}, expected real numbers. "
            "Encode them."
        )
    if a.shape != (len(x),):
        raise ValueError(
            f"Got {item} with weights of shape {a.shape}, expected ({len(x)},), one "
            "per point. Pass the array of points alone for uniform weights."
        )
    a = a.astype(np.float64)
    low, peak = a.min(), a.max()
    if not (np.isfinite(low) and np.isfinite(peak)):
        raise ValueError(
            f"Got {item} with NaN or infinite weights, expected finite ones. Drop the "
            "points."
        )
    if low < 0 or peak == 0:
        raise ValueError(
            f"Got {item} with {'negative weights' if low < 0 else 'no mass'}, expected "
            "weights >= 0 with a positive sum. Clip them or drop the cloud."
        )
    a = normalised(a)
    # Weights are dropped last: some are zero only once they are normalised.
    return (x, a) if a.min() > 0 else (x[a > 0], a[a > 0])
