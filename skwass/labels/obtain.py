"""Labelled pairs for a fit: drawn and solved, or given."""

import numpy as np

from .holdout import hold_out_measures
from .pairs import LabelledPairs
from .probes import as_probes, choose_probes


def draw_labelled(
    labeller,
    measures,
    rng,
    *,
    scheme,
    n_pairs,
    fraction=0.0,
    toward=None,
    reporter,
    deadline=None,
    until=None,
):
    """Draw pairs and label them.

    Parameters
    ----------
    labeller : Labeller
        Labels.
    measures : Histograms or PointClouds
        Training data.
    rng : numpy.random.RandomState
        Draws.
    scheme : LabelScheme
        Chooses. Where it labels while training, those drawn here are few.
    n_pairs : int
        Pairs for training; those of a first round where others follow.
    fraction : float, default=0.0
        Share of the measures to hold out.
    toward : {"fixed means", "places"}, default=None
        Whether to label derivatives too, about fixed means or where measures are.
    reporter : object
        Its `begin_labels(n_pairs)` gives what is called after each chunk.
    deadline : float, default=None
        When to stop.
    until : callable, default=None
        `until(n_labelled)` says whether labels are enough.

    Returns
    -------
    labelled : LabelledPairs
    """
    pairs, held_out, groups = scheme.draw(len(measures), n_pairs, fraction, rng)
    probes, centred = None, toward == "fixed means"
    if toward is not None:
        probes = choose_probes(measures, held_out, rng, centred=centred)
    gradients = as_probes(probes, centred=centred)
    w, slopes, n_solves = labeller.label_reported(
        measures,
        pairs,
        reporter,
        gradients=gradients,
        deadline=deadline,
        until=until,
    )
    return LabelledPairs.split(
        pairs[: len(w)],
        w,
        held_out,
        n_solves,
        groups=None if groups is None else groups[: len(w)],
        members=np.flatnonzero(~held_out) if scheme.in_batch else None,
        slopes=slopes,
        probes=probes,
    )


def split_given(n_measures, pairs, w, rng, *, scheme, fraction):
    """Return given labels, split by measures; parameters as above.

    Raises
    ------
    ValueError
        If labels are to come in the batch.
    """
    if scheme.in_batch:
        raise ValueError(
            f"Got labels={scheme} and distances, expected one of the two. Leave "
            "distances out, or set labels='auto' to train on them."
        )
    held_out = hold_out_measures(pairs, n_measures, fraction, rng)
    groups = scheme.group(pairs, n_measures, rng)
    return LabelledPairs.split(pairs, w, held_out, 0, groups=groups)
