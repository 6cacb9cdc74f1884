"""As many labels again: pairs of measures for training that have none yet."""

import numpy as np

from .. import _clock
from ..ot import sample_pairs
from .probes import as_probes


def label_more(labeller, measures, labelled, rng, *, centred, reporter, deadline=None):
    """Return labelled pairs with as many again for training, or None if there are none.

    Parameters
    ----------
    labeller : Labeller
        Labels.
    measures : Histograms or PointClouds
        Training data.
    labelled : LabelledPairs
        All so far; its probes are kept.
    rng : numpy.random.RandomState
        Draws.
    centred : bool
        Whether derivatives, if there are any, are about fixed means.
    reporter : object
        Told of labels.
    deadline : float, default=None
        Half of the time that is left until then is for labels.
    """
    ends = labelled.pairs[labelled.validation]
    members = np.setdiff1d(np.arange(len(measures)), ends)
    drawn = members[sample_pairs(len(members), 2 * len(labelled.train), rng)]
    number = [len(measures), 1]
    is_known = np.isin(drawn @ number, np.sort(labelled.pairs) @ number)
    fresh = rng.permutation(drawn[~is_known])[: len(labelled.train)]
    if not len(fresh):
        return None
    if deadline is not None:
        deadline = (_clock.now() + deadline) / 2
    gradients = as_probes(labelled.probes, centred=centred)
    w, slopes, n_solves = labeller.label_reported(
        measures, fresh, reporter, gradients=gradients, deadline=deadline
    )
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
