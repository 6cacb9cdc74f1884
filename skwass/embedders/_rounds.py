"""How many labels are enough: twice as many, as long as the error falls enough."""

import copy

from .. import _clock
from ..nn.train import TrainingResult


def train_in_rounds(
    module, first, fit_round, label_more, labelled, deadline, least_gain
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
    label_more : callable
        `label_more(labelled)` returns those and as many again, or None.
    labelled : LabelledPairs
        Of the first round.
    deadline : float or None
        After which no round begins; those that have begun end by then.
    least_gain : float
        Share of the validation error that a round must take off for another to follow.

    Returns
    -------
    labelled : LabelledPairs
        All that were labelled.
    result : TrainingResult
        Of all rounds.
    """
    losses, scores = list(first.loss_curve), list(first.validation_scores)
    least = error = 1 - max(scores)
    stopped_by = first.stopped_by
    while stopped_by != "callback":
        if deadline is not None and _clock.now() >= deadline:
            break
        more = label_more(labelled)
        if more is None:
            break
        labelled, before = more, copy.deepcopy(module.state_dict())
        result = fit_round(labelled)
        losses += result.loss_curve
        scores += result.validation_scores
        stopped_by = result.stopped_by
        new_error = 1 - max(result.validation_scores)
        if new_error > least:
            module.load_state_dict(before)
        least = min(least, new_error)
        if new_error > (1 - least_gain) * error:
            break
        error = new_error
    return labelled, TrainingResult(losses, scores, stopped_by)
