"""What of W2 is exact without learning: the distance of means."""

import numpy as np
from sklearn.utils._param_validation import StrOptions

from ..measures.subsets import evenly
from ..ot.ground_truths import is_w2

EXACT_MEAN_CONSTRAINT = ["boolean", StrOptions({"auto"})]
# Lines see all of a measure in few dimensions alone: in 10, Fourier coefficients or
# masses are better.
_SLICED_DIM = 3
# Pairs whose labels are held against the distances of means, and how far below these
# rounding, or entropy, may bring them.
_N_CHECKED_PAIRS, _TOLERANCE = 1_000, 1e-2


def are_w2(embedder, measures, labelled=None):
    """Return whether labels are W2 in the space of the points, so far as one can see.

    They are to be by `ground_truth`, and where given none may be below the distance of
    means.
    """
    return is_w2(embedder.ground_truth) and (
        labelled is None or exceed_means(labelled, measures)
    )


def suit_slices(embedder, measures, labelled=None):
    """Return whether networks best see slices: W2 in few dimensions."""
    return measures.dim <= _SLICED_DIM and are_w2(embedder, measures, labelled)


def has_exact_mean(embedder, measures, labelled=None):
    """Return whether the last d columns of an embedding are to be the mean.

    Parameters
    ----------
    embedder : TrainedEmbedder
        For its `exact_mean` and `ground_truth`, and `_no_exact_mean`.
    measures : Histograms or PointClouds
        Training data.
    labelled : LabelledPairs, default=None
        Labels, if they may be of another distance than they should.

    Raises
    ------
    ValueError
        If the mean is asked for and cannot be exact.
    """
    dim = measures.dim
    obstacle = embedder._no_exact_mean(dim)
    if embedder.exact_mean is False:
        return False
    fits = are_w2(embedder, measures, labelled)
    if embedder.exact_mean == "auto":
        return fits and not obstacle and 2 * dim <= embedder.n_components
    if obstacle or not fits:
        if not obstacle:
            is_named = not is_w2(embedder.ground_truth)
            cause = f"ground_truth={embedder.ground_truth}"
            obstacle = cause if is_named else "distances below those of means"
        raise ValueError(
            f"Got exact_mean=True with {obstacle} and points of dimension {dim}, "
            "expected W2 with the Euclidean metric, and a network of slices or Fourier "
            "coefficients with room for the mean. Use 'auto'."
        )
    return True


def exceed_means(labelled, measures):
    """Return whether labels are no less than the distances of means, as W_p must be."""
    rows = evenly(len(labelled.w), _N_CHECKED_PAIRS)
    pairs, w = labelled.pairs[rows], labelled.w[rows]
    numbers, positions = np.unique(pairs, return_inverse=True)
    means = np.stack([a @ x for x, a in map(measures.measure, numbers)])
    left, right = positions.reshape(-1, 2).T
    gaps = np.linalg.norm(means[left] - means[right], axis=1)
    return bool((w >= gaps * (1 - _TOLERANCE) - _TOLERANCE * w.max()).all())
