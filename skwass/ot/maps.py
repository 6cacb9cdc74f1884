"""Transport maps from one reference measure to many others."""

import numpy as np

from ..measures import PointClouds
from .engine import label_chunks, warn_unconverged
from .plans import ListedPairs

# Measures per task.
_CHUNK_SIZE = 32


def transport_maps(points, weights, measures, ground_truth, n_jobs=None):
    """Return where optimal transport moves the points of a reference, on average.

    The derivative of W2^2 in a point x of weight s is `2 s (x - T(x))`, with T(x) the
    mean of the points that receive its mass. So any distance that has gradients has
    maps; those of a Sinkhorn divergence are entropic and debiased.

    Parameters
    ----------
    points, weights : ndarray of shape (n_points, d) and (n_points,)
        The reference; weights of sum 1.
    measures : Histograms or PointClouds
        Targets.
    ground_truth : GroundTruth
        A W2 with the Euclidean metric.
    n_jobs : int, default=None
        Workers.

    Returns
    -------
    moves : ndarray of shape (n_measures, n_points, d)
        `T(x) - x` for each point. One solve per measure.
    """
    reference, clouds = PointClouds([points], [weights]), measures.to_clouds()
    pairs = np.column_stack([np.zeros(len(clouds), int), np.arange(len(clouds))])
    plan = ListedPairs(pairs, _CHUNK_SIZE)
    moves, n_unconverged = np.empty((len(clouds), *points.shape)), 0
    results = label_chunks(
        reference, clouds, plan, ground_truth, gradients=True, n_jobs=n_jobs
    )
    for number, labels in results:
        plan.store(moves, number, np.stack(labels.grad_mu))
        n_unconverged += labels.n_unconverged
    moves *= (-0.5 / weights)[:, None]
    warn_unconverged(n_unconverged, len(clouds), ground_truth)
    return moves
