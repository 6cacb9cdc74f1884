"""What a network is trained on: maps first, if there are any, then pairs."""

import warnings

import numpy as np
import torch

from .. import _clock
from ..nn.pairs import FreshPairs, PairBatches, RowDistances
from ..nn.train import TrainingOptions, TrainingResult, seeded, train

# Measures of a step on maps, all pairs of which are compared, and the fewest steps of
# an epoch, for few maps.
_MAP_BLOCK, _MIN_STEPS = 64, 100
# What maps leave to learn is little: pairs are then learned at this share of the rate.
TUNING_RATE = 0.3
# Pairs that the numbers of a formula are fitted to, before training.
N_FORMULA_PAIRS = 1_000
# Pairs that are labelled by default.
N_PAIRS = 20_000
# Epochs and steps, at least, of a schedule whose length is left open.
LEAST_EPOCHS, LEAST_STEPS = 30, 4_500
# Epochs to wait, at least. With 10 of 375, 1,000 pairs came out a twelfth worse.
_LEAST_PATIENCE = 10


def fresh_batches(labelled, labeller, scale, n_pairs, block_size, device):
    """Return batches of pairs that are labelled while training, by a BatchLabeller."""
    n_each = min(block_size, len(labelled.members))
    n_steps = -(-n_pairs * 2 // (n_each * (n_each - 1)))

    def label(numbers, pairs):
        w, slopes = labeller.label(numbers.numpy(), pairs.numpy())
        return in_units(w, slopes, scale)

    members = torch.from_numpy(labelled.members)
    return FreshPairs(members, label, block_size, n_steps, device, labeller)


def pairs_per_step(n_pairs):
    """Return the size of batches by default.

    Labels carry no noise: a few hundred steps per epoch do for any number.
    """
    return int(np.clip(n_pairs // 400, 128, 1024))


def pair_batches(labelled, scale, batch_size, device):
    """Return batches of labelled pairs."""
    rows = labelled.train
    slopes = None if labelled.slopes is None else labelled.slopes[rows]
    w, slopes = in_units(labelled.w[rows], slopes, scale)
    pairs = torch.from_numpy(labelled.pairs[rows])
    groups = labelled.groups
    if groups is not None:
        groups = torch.from_numpy(groups[rows])
    if batch_size == "auto":
        batch_size = pairs_per_step(len(pairs))
    return PairBatches(pairs, w, batch_size, device, groups, slopes)


def label_scale(labelled):
    """Return the root of the mean square of labels, in units of which to train."""
    scale = float(np.sqrt(np.mean(labelled.w[labelled.train] ** 2)))
    if scale == 0:
        warnings.warn(
            "Got labels that are all 0, expected some W > 0: all measures trained on "
            "are equal, and distances to others will mean nothing. Fit on measures "
            "that differ.",
            UserWarning,
            stacklevel=6,
        )
    return scale or 1.0


def ends_and_labels(labelled, rows, scale, device):
    """Return measures that some pairs join, pairs of their positions, and labels."""
    numbers, pairs = np.unique(labelled.pairs[rows], return_inverse=True)
    w = torch.from_numpy(labelled.w[rows] / scale).float()
    return numbers, torch.from_numpy(pairs.reshape(-1, 2)).to(device), w.to(device)


def map_batches(numbers, Z, scale, device):
    """Return batches of all pairs of mapped measures, whose vectors are Z.

    An epoch passes once over the measures, or some times if they are few.
    """
    rows = torch.from_numpy((Z - Z.mean(axis=0)) / scale).float()
    numbers = torch.from_numpy(numbers)
    n_steps = max(_MIN_STEPS, -(-len(numbers) // _MAP_BLOCK))
    label = RowDistances(rows, numbers)
    return FreshPairs(numbers, label, _MAP_BLOCK, n_steps, device)


def map_deadline(deadline):
    """Return when to stop training on maps: after half of the time left, if limited."""
    if deadline is None:
        return None
    now = _clock.now()
    return now + max(deadline - now, 0.0) / 2


def n_epochs(n_batches):
    """Return how many epochs to train by default.

    Few labels want more than many: what counts is the number of steps.
    """
    return max(LEAST_EPOCHS, -(-LEAST_STEPS // n_batches))


def patience(n_epochs):
    """Return how many epochs to wait for a better score by default."""
    return max(_LEAST_PATIENCE, n_epochs // 4)


def training_options(parameters, batches, deadline, rate=None):
    """Return how to train on batches; on one epoch of any, if they are None.

    Parameters
    ----------
    parameters : dict
        Of an embedder.
    batches : PairBatches, FreshPairs or None
        To train on.
    deadline : float or None
        When to end.
    rate : float, default=None
        Instead of the learning rate.
    """
    names = TrainingOptions.__dataclass_fields__.keys() - {"deadline"}
    settings = {name: parameters[name] for name in names}
    if batches is None:
        settings["max_iter"] = 1
    elif settings["max_iter"] == "auto":
        settings["max_iter"] = n_epochs(len(batches))
    if settings["n_iter_no_change"] == "auto":
        settings["n_iter_no_change"] = patience(settings["max_iter"])
    if rate is not None:
        settings["learning_rate"] = rate
    return TrainingOptions(**settings, deadline=deadline)


def train_stages(stages, module, loss, validate, generator, reporter, checkpoint):
    """Train on the batches of each stage in turn; return the result of all.

    Parameters
    ----------
    stages : list of (batches, TrainingOptions)
        At least one.
    module : torch.nn.Module
        Trained in place.
    loss, validate, generator, reporter : object
        As in :func:`skwass.nn.train.train`.
    checkpoint : Checkpoint or None
        Each stage goes on from what it has noted.
    """
    losses, scores, stopped_by = [], [], "max_iter"
    with seeded(generator, next(module.parameters()).device):
        for batches, options in stages:
            journal = None if checkpoint is None else checkpoint.training()
            parts = module, batches, loss, validate, options, generator, reporter
            result = train(*parts, journal)
            losses += result.loss_curve
            scores += result.validation_scores
            stopped_by = result.stopped_by
            if stopped_by == "callback":
                break
    return TrainingResult(losses, scores, stopped_by)


def in_units(w, slopes, scale):
    """Return W / scale and slopes of W^2 / scale^2 as tensors; None stays."""
    w = torch.from_numpy(w / scale).float()
    if slopes is None:
        return w, None
    return w, torch.from_numpy(slopes / np.float32(scale**2))
