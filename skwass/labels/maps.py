"""Maps that teach a network: linear optimal transport before any pair."""

import numpy as np

from ..formulas.linear_ot import fit_maps
from ..formulas.reference import make_reference, settle_solver

# Points of the reference.
N_REFERENCE = 128


def learn_maps(ground_truth, n_maps, measures, labelled, rng, n_jobs=None):
    """Return measures for training, and vectors whose distances are about W.

    One solve a measure teaches its distance to all others. Vectors are those of
    linear optimal transport, corrected by the labels that there are.

    Parameters
    ----------
    ground_truth : str or object
        What solves maps: a W2.
    n_maps : int
        Measures, at most.
    measures : Histograms or PointClouds
        Training data.
    labelled : LabelledPairs
        Its pairs for training say which measures to take first, and correct the maps;
        those for validation, which to leave out.
    rng : numpy.random.RandomState
        Draws.
    n_jobs : int, default=None
        Workers.

    Returns
    -------
    numbers : ndarray of int of shape (n_maps,)
        Measure numbers, ascending.
    Z : ndarray of shape (n_maps, n_features)
    n_solves : int
    """
    numbers = _choose(len(measures), n_maps, labelled, rng)
    pairs, w = labelled.pairs[labelled.train], labelled.w[labelled.train]
    inside = np.isin(pairs, numbers).all(axis=1)
    is_labelled = bool(inside.any())
    measures, w = measures[numbers], w[inside]
    ends = np.searchsorted(numbers, pairs[inside])
    solver = settle_solver(ground_truth, measures)
    *reference, n_solves = make_reference(
        "barycenter", N_REFERENCE, measures, solver, rng, n_jobs
    )
    _, Z = fit_maps(
        measures,
        reference,
        solver,
        np.arange(len(numbers)),
        ends,
        w,
        scale=is_labelled,
        correction=is_labelled,
        n_jobs=n_jobs,
    )
    return numbers, Z, n_solves + len(numbers)


def _choose(n_measures, n_maps, labelled, rng):
    """Choose measures that labelled pairs join, then others; none held out."""
    ends = labelled.pairs[labelled.train].ravel()
    _, first = np.unique(ends, return_index=True)
    joined = ends[np.sort(first)]  # in the order of the pairs, so that both ends come
    taken = np.union1d(ends, labelled.pairs[labelled.validation])
    others = rng.permutation(np.setdiff1d(np.arange(n_measures), taken))
    return np.sort(np.concatenate([joined, others])[:n_maps])
