"""Measures toward which labels are differentiated, drawn from those for training."""

import numpy as np

from ..measures import Histograms, thin_clouds
from ..ot.probes import Probes

# How many, and points of each where they are clouds.
N_PROBES, _N_POINTS = 64, 24


def choose_probes(measures, held_out, rng, *, centred):
    """Draw probes. They are only for training: none is held out.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Training data.
    held_out : ndarray of bool of shape (n_measures,)
        Those for validation.
    rng : numpy.random.RandomState
        Draws.
    centred : bool
        Whether derivatives are about fixed means, so that probes are clouds about 0;
        otherwise they are where they are.

    Returns
    -------
    probes : Histograms or PointClouds
    """
    members = np.flatnonzero(~held_out)
    some = measures[np.sort(rng.permutation(members)[:N_PROBES])]
    if isinstance(some, Histograms) and not centred:
        return some
    return thin_clouds(some.to_clouds(), _N_POINTS)


def as_probes(some, *, centred):
    """Return what a ground truth differentiates toward, or False without probes."""
    if some is None:
        return False
    if isinstance(some, Histograms):
        return Probes.of_bins(some)
    return Probes.of_clouds(some, centred=centred)
