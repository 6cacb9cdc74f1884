"""Barycenters by optimal plans: the fixed-point iteration, and where it starts.

Reference: Alvarez-Esteban, del Barrio, Cuesta-Albertos, Matran (2016). A fixed-point
approach to barycenters in Wasserstein space. J. Math. Anal. Appl. 441(2).
"""

import numpy as np

from ..measures import Histograms
from ..measures.subsets import effective_size, evenly, means_of, support_of
from ..measures.thinning import thin
from ..ot import ExactWasserstein
from ..ot.maps import transport_maps

# Points of a barycenter of histograms, before they are spread on bins. On MNIST twice
# as many gain 0.1 % in mean W2^2.
_N_POINTS = 256
# Measures that the size of others is taken from, and points that are thinned at most.
_N_SIZED, _N_POOLED = 64, 20_000
# The iteration ends when a step takes less than this share off the mean W2^2, or after
# this number of steps.
_LEAST_GAIN, _MAX_STEPS = 1e-4, 50


def sample_by_weights(weights, n_kept):
    """Return at most `n_kept` rows that stand for all, and their weights.

    All rows with weight, if they are few enough; otherwise rows at even steps of the
    summed weights, a heavy one several times, so that no draw is needed.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Of sum 1.
    n_kept : int or None
        How many; all if None.

    Returns
    -------
    rows : ndarray of int of shape (n_rows,)
    weights : ndarray of shape (n_rows,)
    """
    rows = np.flatnonzero(weights)
    if n_kept is None or len(rows) <= n_kept:
        return rows, weights[rows]
    steps = (np.arange(n_kept) + 0.5) / n_kept
    drawn = np.searchsorted(np.cumsum(weights[rows]), steps).clip(max=len(rows) - 1)
    kept, times = np.unique(rows[drawn], return_counts=True)
    return kept, times / n_kept


def pooled(measures, weights):
    """Return where barycenters start: all mass laid over each other, about one mean.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Some measures.
    weights : ndarray of shape (n_measures,)
        Of sum 1.

    Returns
    -------
    points, masses : ndarray of shape (n_points, d) and (n_points,)
        Thinned to as many points as measures have, of histograms to a few hundred, and
        of even masses: steps move points and leave masses, and uneven ones fit fewer
        measures. Of ten clouds of 20 points, the mean W2^2 ends 4 % higher with those
        of cells.
    """
    n_points = _N_POINTS
    clouds = measures.to_clouds()
    if not isinstance(measures, Histograms):
        some = [clouds.measure(i) for i in evenly(len(clouds), _N_SIZED)]
        n_points = max(1, round(float(effective_size(some))))
    means = means_of(clouds, np.zeros(clouds.dim))
    points, masses = support_of(clouds)
    owners = np.repeat(np.arange(len(clouds)), clouds.sizes)
    points = points - means[owners] + weights @ means
    masses = masses * len(clouds) * weights[owners]
    if len(points) > _N_POOLED:
        kept, masses = sample_by_weights(masses / masses.sum(), _N_POOLED)
        points = points[kept]
    thinned = thin(points, masses / masses.sum(), n_points=n_points)
    n_points = len(thinned.points)
    return thinned.points, np.full(n_points, 1 / n_points)


def moved(points, masses, measures, weights, n_jobs, ground_truth=None):
    """Return where plans send points on average, and the share of W2^2 that takes off.

    Parameters
    ----------
    points, masses : ndarray of shape (n_points, d) and (n_points,)
        A measure.
    measures : Histograms or PointClouds
        Targets.
    weights : ndarray of shape (n_measures,)
        Of them, of sum 1.
    n_jobs : int or None
        Workers.
    ground_truth : GroundTruth, default=None
        Whose plans are meant; exact ones if None.

    Returns
    -------
    points : ndarray of shape (n_points, d)
        With the same masses they are nearer to the barycenter.
    gain : float
        The mean of W2^2 falls by this share or more.
    """
    truth = ExactWasserstein() if ground_truth is None else ground_truth
    moves = transport_maps(points, masses, measures, truth, n_jobs)
    mean = np.tensordot(weights, moves, axes=1)
    before = weights @ np.einsum("bkd,bkd,k->b", moves, moves, masses)
    after = np.einsum("kd,kd,k->", mean, mean, masses)
    return points + mean, after / before if before > 0 else 0.0


def refined(points, masses, measures, weights, n_steps, n_measures, n_jobs):
    """Return a measure after some steps toward the barycenter of others.

    Plans go to a sample of the measures; the mean of the result is that of all, which
    is cheap.

    Parameters
    ----------
    points, masses : ndarray of shape (n_points, d) and (n_points,)
        Where to start.
    measures : Histograms or PointClouds
        Of which the barycenter is wanted.
    weights : ndarray of shape (n_measures,)
        Of sum 1.
    n_steps : int or None
        How many; until they gain little, if None.
    n_measures : int or None
        Size of the sample.
    n_jobs : int or None
        Workers.

    Returns
    -------
    points : ndarray of shape (n_points, d)
    """
    rows, kept = sample_by_weights(weights, n_measures)
    some = measures[rows]
    points = np.asarray(points, dtype=np.float64)
    for _ in range(_MAX_STEPS if n_steps is None else n_steps):
        points, gain = moved(points, masses, some, kept, n_jobs)
        if gain < _LEAST_GAIN:
            break
    center = weights @ means_of(measures, np.zeros(measures.dim))
    return points + (center - masses @ points)
