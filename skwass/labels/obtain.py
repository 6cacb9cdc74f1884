"""Labelled pairs for a fit: drawn and solved, or given."""

import numpy as np

from .holdout import MAX_VALIDATION_PAIRS, hold_out_measures
from .pairs import (
    FIRST_PAIRS,
    N_SCALE_PAIRS,
    LabelledPairs,
    choose_pairs,
    group_by_blocks,
)
from .probes import as_probes, choose_probes


def draw_labelled(
    labeller,
    measures,
    rng,
    *,
    n_pairs,
    mode="pairs",
    block_size=None,
    fraction=0.0,
    toward=None,
    reporter,
    deadline=None,
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
    n_pairs : int or "auto"
        Pairs for training; those of a first round if `"auto"`.
    mode : {"pairs", "blocks", "in_batch"}, default="pairs"
        One by one, or all pairs within blocks of measures. With `"in_batch"` those for
        training are few, for the scale alone, and others are labelled while training.
    block_size : int, default=None
        Measures of a block.
    fraction : float, default=0.0
        Share of the measures to hold out.
    toward : {"fixed means", "places"}, default=None
        Whether to label derivatives too, about fixed means or where measures are.
    reporter : object
        Its `begin_labels(n_pairs)` gives what is called after each chunk.
    deadline : float, default=None
        When to stop.

    Returns
    -------
    labelled : LabelledPairs
    """
    options = {}
    if n_pairs == "auto":
        n_pairs, options["n_validation"] = FIRST_PAIRS, MAX_VALIDATION_PAIRS
    if mode == "blocks":
        options["block_size"] = block_size
    elif mode == "in_batch":
        n_validation = int(np.ceil(fraction * n_pairs))
        options["n_validation"] = min(MAX_VALIDATION_PAIRS, n_validation)
        n_pairs = N_SCALE_PAIRS
    pairs, held_out, groups = choose_pairs(
        len(measures), n_pairs, fraction, rng, **options
    )
    probes, centred = None, toward == "fixed means"
    if toward is not None:
        probes = choose_probes(measures, held_out, rng, centred=centred)
    gradients = as_probes(probes, centred=centred)
    w, slopes, n_solves = labeller.label_reported(
        measures, pairs, reporter, gradients=gradients, deadline=deadline
    )
    return LabelledPairs.split(
        pairs[: len(w)],
        w,
        held_out,
        n_solves,
        groups=None if groups is None else groups[: len(w)],
        members=np.flatnonzero(~held_out) if mode == "in_batch" else None,
        slopes=slopes,
        probes=probes,
    )


def split_given(n_measures, pairs, w, rng, *, mode="pairs", block_size=None, fraction):
    """Return given labels, split by measures; parameters as above.

    Raises
    ------
    ValueError
        If labels are to come in the batch.
    """
    if mode == "in_batch":
        raise ValueError(
            "Got labels='in_batch' and distances, expected one of the two. Leave "
            "distances out, or set labels='auto' to train on them."
        )
    held_out = hold_out_measures(pairs, n_measures, fraction, rng)
    groups = None
    if mode == "blocks":
        groups = group_by_blocks(pairs, n_measures, block_size, rng)
    return LabelledPairs.split(pairs, w, held_out, 0, groups=groups)
