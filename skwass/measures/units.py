"""The unit that coordinates are computed in: far from overflow, whatever they are."""

import numpy as np

from ._collections import Histograms, PointClouds
from ._views import CloudView

# Up to this power of two, and down to its inverse, coordinates are computed as they
# are: their squares, and sums of them, are far from the end of floats of 32 bits.
_ORDINARY = 30


def unit_exponent(measures):
    """Return k such that coordinates are of ordinary size in units of 2^k.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Measures.

    Returns
    -------
    k : int
        0 if coordinates are as they should be.
    """
    if isinstance(measures, CloudView):
        reach = measures.reach
    else:
        is_rows = isinstance(measures, Histograms)
        points = [measures.support] if is_rows else measures.points
        reach = max(max(float(x.max()), -float(x.min())) for x in points)
    exponent = int(np.frexp(reach)[1])
    return exponent if reach > 0 and abs(exponent) > _ORDINARY else 0


def in_unit(measures, exponent):
    """Return measures with coordinates in units of 2^exponent, which rounds nothing.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Measures.
    exponent : int
        Of two.

    Returns
    -------
    measures : Histograms or PointClouds
        The same object for 0; with copies of points otherwise, but for those of a view,
        which are divided as they are read.
    """
    if exponent == 0:
        return measures
    if isinstance(measures, CloudView):
        return measures.in_unit(exponent)
    if isinstance(measures, Histograms):
        support = np.ldexp(measures.support, -exponent)
        return measures.on(support, measures.grid_shape)
    points = [np.ldexp(x, -exponent) for x in measures.points]
    return PointClouds(points, measures.masses)
