"""Maps that teach a network: linear optimal transport before any pair."""

import numpy as np

from ._linear_ot import LinearOTEmbedder


def learn_maps(embedder, measures, labelled, rng):
    """Return measures for training, and vectors whose distances are about W.

    One solve a measure teaches its distance to all others. Vectors are those of a
    :class:`LinearOTEmbedder`, corrected by the labels that there are.

    Parameters
    ----------
    embedder : TrainedEmbedder
        For its `n_maps`, `ground_truth` and `n_jobs`.
    measures : Histograms or PointClouds
        Training data.
    labelled : LabelledPairs
        Its pairs for training say which measures to take first, and correct the maps;
        those for validation, which to leave out.
    rng : numpy.random.RandomState
        Draws.

    Returns
    -------
    numbers : ndarray of int of shape (n_maps,)
        Measure numbers, ascending.
    Z : ndarray of shape (n_maps, n_features)
    n_solves : int
    """
    numbers = _choose(len(measures), embedder.n_maps, labelled, rng)
    pairs, w = labelled.pairs[labelled.train], labelled.w[labelled.train]
    inside = np.isin(pairs, numbers).all(axis=1)
    is_labelled = bool(inside.any())
    teacher = LinearOTEmbedder(
        scale=is_labelled,
        correction=is_labelled,
        n_maps=len(numbers),
        ground_truth=embedder.ground_truth,
        n_jobs=embedder.n_jobs,
    )
    known = (None, None)
    if is_labelled:
        known = np.searchsorted(numbers, pairs[inside]), w[inside]
    fitted, _, Z = teacher._learn(measures[numbers], *known, rng, needs_maps=True)
    return numbers, Z, fitted["n_solves_"]


def _choose(n_measures, n_maps, labelled, rng):
    """Choose measures that labelled pairs join, then others; none held out."""
    ends = labelled.pairs[labelled.train].ravel()
    _, first = np.unique(ends, return_index=True)
    joined = ends[np.sort(first)]  # in the order of the pairs, so that both ends come
    taken = np.union1d(ends, labelled.pairs[labelled.validation])
    others = rng.permutation(np.setdiff1d(np.arange(n_measures), taken))
    return np.sort(np.concatenate([joined, others])[:n_maps])
