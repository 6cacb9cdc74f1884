"""Maps that teach a network: linear optimal transport before any pair."""

import numpy as np

from ..formulas.linear_ot import fit_maps
from ..formulas.reference import make_reference, settle_solver
from ..ot.maps import transport_maps

# Points of the reference.
N_REFERENCE = 128


def learn_maps(labeller, n_maps, measures, labelled, seed):
    """Return measures for training, and vectors whose distances are about W.

    One solve per measure teaches its distance to all others. Vectors are those of
    linear optimal transport, corrected by the labels that there are.

    Parameters
    ----------
    labeller : Labeller
        Its ground truth, a W2, solves maps, and its memory keeps them.
    n_maps : int
        Measures, at most.
    measures : Histograms or PointClouds
        Training data.
    labelled : LabelledPairs
        Its pairs for training say which measures to take first, and correct the maps;
        those for validation, which to leave out.
    seed : int
        Of draws.

    Returns
    -------
    numbers : ndarray of int of shape (n_maps,)
        Measure numbers, ascending.
    Z : ndarray of shape (n_maps, n_features)
    n_solves : int
        0 for maps from the memory.
    """
    rng = np.random.RandomState(seed)
    numbers = _choose(len(measures), n_maps, labelled, rng)
    pairs, w = labelled.pairs[labelled.train], labelled.w[labelled.train]
    inside = np.isin(pairs, numbers).all(axis=1)
    ends = np.searchsorted(numbers, pairs[inside])
    (Z, n_solves), is_kept = labeller.recall(
        _map, measures[numbers], ends, w[inside], rng.get_state()
    )
    return numbers, Z, 0 if is_kept else n_solves


def _map(measures, pairs, w, state, ground_truth, n_jobs, known):
    """Return embeddings by maps that are corrected by labels, and how many solves."""
    rng = np.random.RandomState()
    rng.set_state(state)
    solver = settle_solver(ground_truth, measures)
    points, weights, n_solves = make_reference(
        "barycenter", N_REFERENCE, measures, solver, rng, n_jobs
    )
    moves = transport_maps(points, weights, measures, solver, n_jobs, known)
    fits = {"scale": len(pairs) > 0, "correction": len(pairs) > 0}
    _, Z = fit_maps(moves, (points, weights), solver, pairs, w, **fits)
    return Z, n_solves + len(measures)


def _choose(n_measures, n_maps, labelled, rng):
    """Choose measures that labelled pairs join, then others; none held out."""
    ends = labelled.pairs[labelled.train].ravel()
    _, first = np.unique(ends, return_index=True)
    joined = ends[np.sort(first)]  # in the order of the pairs, so that both ends come
    taken = np.union1d(ends, labelled.pairs[labelled.validation])
    others = rng.permutation(np.setdiff1d(np.arange(n_measures), taken))
    return np.sort(np.concatenate([joined, others])[:n_maps])
