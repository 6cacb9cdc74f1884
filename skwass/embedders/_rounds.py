"""How many labels are enough: as many again, while that brings much."""

import copy

import numpy as np

from .. import _clock
from ..nn.train import TrainingResult
from ..ot import sample_pairs
from ._labelling import label
from ._slopes import as_probes

# What twice the labels must take off the validation error to go on. Where labels are
# what is missing, the error falls with about the root of their number: by 29 %.
LEAST_GAIN = 0.2


def train_in_rounds(
    module, first, fit_round, embedder, measures, labelled, rng, reporter, deadline
):
    """Label as many pairs again and go on with all, while the error falls enough.

    Parameters
    ----------
    module : torch.nn.Module
        Trained on the first round; goes on in place, and ends with the weights of the
        round that did best on held-out pairs.
    first : TrainingResult
        Of the first round, with validation scores.
    fit_round : callable
        `fit_round(labelled)` trains the module and returns a `TrainingResult`.
    embedder : TrainedEmbedder
        How to label.
    measures : Histograms or PointClouds
        Training data.
    labelled : LabelledPairs
        Of the first round.
    rng : numpy.random.RandomState
        Draws.
    reporter : FitReporter
        Told of labels.
    deadline : float or None
        When to begin no further round; those that have begun end by then.

    Returns
    -------
    labelled : LabelledPairs
        All that were labelled.
    result : TrainingResult
        Of all rounds.
    """
    losses, scores = list(first.loss_curve), list(first.validation_scores)
    error, stopped_by = 1 - max(scores), first.stopped_by
    while stopped_by != "callback":
        if deadline is not None and _clock.now() >= deadline:
            break
        more = _label_more(embedder, measures, labelled, rng, reporter, deadline)
        if more is None:
            break
        labelled, before = more, copy.deepcopy(module.state_dict())
        result = fit_round(labelled)
        losses += result.loss_curve
        scores += result.validation_scores
        stopped_by = result.stopped_by
        new_error = 1 - max(result.validation_scores)
        if new_error > error:
            module.load_state_dict(before)
        if new_error > (1 - LEAST_GAIN) * error:
            break
        error = new_error
    return labelled, TrainingResult(losses, scores, stopped_by)


def _label_more(embedder, measures, labelled, rng, reporter, deadline):
    """Return pairs with as many again for training, or None if there are no more."""
    ends = labelled.pairs[labelled.validation]
    members = np.setdiff1d(np.arange(len(measures)), ends)
    drawn = members[sample_pairs(len(members), 2 * len(labelled.train), rng)]
    keys = [pairs @ [len(measures), 1] for pairs in (drawn, np.sort(labelled.pairs))]
    fresh = rng.permutation(drawn[~np.isin(*keys)])[: len(labelled.train)]
    if not len(fresh):
        return None
    if deadline is not None:  # half of the time that is left is for training
        deadline = (_clock.now() + deadline) / 2
    on_chunk = reporter.begin_labels(len(fresh))
    w, slopes, n_solves = label(
        embedder,
        measures,
        fresh,
        gradients=as_probes(embedder, measures, labelled.probes),
        deadline=deadline,
        on_chunk=on_chunk,
    )
    reporter.end_labels()
    start = len(labelled.w)
    if slopes is not None:
        slopes = np.concatenate([labelled.slopes, slopes])
    return labelled._replace(
        pairs=np.concatenate([labelled.pairs, fresh[: len(w)]]),
        w=np.concatenate([labelled.w, w]),
        train=np.concatenate([labelled.train, np.arange(start, start + len(w))]),
        n_solves=labelled.n_solves + n_solves,
        slopes=slopes,
    )
