"""Collections as named arrays, for files, and back."""

import numpy as np
from scipy.sparse import csr_array

from ._collections import Histograms, PointClouds
from ._sparse import SparseHistograms


def as_arrays(measures):
    """Return the arrays that measures are made of, without positions of bins.

    Parameters
    ----------
    measures : Histograms, PointClouds or None
        What to keep; nothing for None.

    Returns
    -------
    arrays : dict of ndarray
    """
    if measures is None:
        return {}
    if isinstance(measures, SparseHistograms):
        masses = measures.masses
        names = ("masses", "bins", "offsets")
        arrays = (masses.data, masses.indices, masses.indptr)
        return dict(zip(names, arrays, strict=True))
    if isinstance(measures, Histograms):
        return {"masses": measures.masses}
    return {
        "masses": np.concatenate(measures.masses),
        "points": np.concatenate(measures.points),
        "offsets": np.cumsum([0, *map(len, measures.masses)]),
    }


def from_arrays(arrays, support, grid_shape):
    """Return what :func:`as_arrays` took apart, with bins where they are."""
    if not arrays:
        return None
    if "bins" in arrays:
        entries = arrays["masses"], arrays["bins"], arrays["offsets"]
        masses = csr_array(entries, (len(entries[2]) - 1, len(support)))
        return SparseHistograms(masses, support, grid_shape)
    if "points" not in arrays:
        return Histograms(arrays["masses"], support, grid_shape)
    stops = arrays["offsets"][1:-1]
    points, masses = (np.split(arrays[name], stops) for name in ("points", "masses"))
    return PointClouds(points, masses)
