"""Transport maps from one reference measure to many others."""

from functools import partial
from itertools import chain

import numpy as np

from .. import _ranks
from ..measures import PointClouds
from ._exact import ExactWasserstein
from .assignment import assign
from .engine import label_chunks, warn_unconverged
from .plans import ListedPairs

# Measures per task, and those that are matched side by side.
_CHUNK_SIZE, _BLOCK_SIZE = 32, 512


def transport_maps(points, weights, measures, ground_truth, n_jobs=None, known=None):
    """Return where optimal transport moves the points of a reference, on average.

    The derivative of W2^2 in a point x of weight s is `2 s (x - T(x))`, with T(x) the
    mean of the points that receive its mass. So any distance that has gradients has
    maps; those of a Sinkhorn divergence are entropic and debiased. Small clouds that
    have as many points as the reference are matched: their plan is a permutation.

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
    known : mutable mapping of int to dict, default=None
        What an earlier call has left of its chunks, by their number; added to.

    Returns
    -------
    moves : ndarray of shape (n_measures, n_points, d)
        `T(x) - x` for each point. One solve per measure.
    """
    clouds = measures.to_clouds()
    moves, n_unconverged = np.empty((len(clouds), *points.shape)), 0
    numbers = np.arange(len(clouds))
    if isinstance(ground_truth, ExactWasserstein):
        numbers = _match(points, weights, clouds, moves)
    if not len(numbers):
        return moves
    reference = PointClouds([points], [weights])
    pairs = np.column_stack([np.zeros(len(numbers), int), numbers])
    plan = ListedPairs(pairs, _CHUNK_SIZE)
    done = _ranks.from_first({} if known is None else dict(known))
    pending = [k for k in range(plan.n_chunks) if k not in done]
    how = {"gradients": True, "n_jobs": n_jobs}
    label = partial(label_chunks, reference, clouds, plan, ground_truth, **how)
    solved = _as_parts(_ranks.by_all(pending, label), weights, known)
    for number, part in chain(done.items(), solved):
        moves[plan.chunk(number)[:, 1]] = part["moves"]
        n_unconverged += part["n_unconverged"]
    warn_unconverged(n_unconverged, len(clouds), ground_truth)
    return moves


def _as_parts(results, weights, known):
    """Yield what is wanted of labels of chunks, and add it to what is known, if any."""
    for number, labels in results:
        moves = np.stack(labels.grad_mu) * (-0.5 / weights)[:, None]
        part = {"moves": moves, "n_unconverged": int(labels.n_unconverged)}
        if known is not None:
            known[number] = part
        yield number, part


def _match(points, weights, clouds, moves):
    """Write the maps that are permutations; return the numbers of all others.

    Nothing but the points that are assigned is wanted of them: no derivatives.
    """
    others = [np.arange(0)]
    for start in range(0, len(clouds), _BLOCK_SIZE):
        numbers = range(start, min(start + _BLOCK_SIZE, len(clouds)))
        pairs = np.column_stack([np.zeros(len(numbers), int), numbers])
        targets = {i: clouds.measure(i) for i in numbers}
        solved = assign({0: (points, weights)}, targets, pairs)
        for row, target in zip(solved.numbers.tolist(), solved.targets, strict=True):
            np.subtract(targets[start + row][0][target], points, out=moves[start + row])
        others.append(np.delete(numbers, solved.numbers))
    return np.concatenate(others)
