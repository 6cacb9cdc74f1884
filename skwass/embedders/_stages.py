"""What a network is trained on: maps first, if there are any, then pairs."""

from dataclasses import replace

import numpy as np
import torch

from .. import _clock
from ..nn.pairs import FreshPairs, PairBatches, RowDistances
from ..nn.train import TrainingResult, seeded, train
from ._labelling import BatchLabeller
from ._slopes import in_units
from ._teacher import learn_maps

# Measures of a step on maps, all pairs of which are compared, and the fewest steps of
# an epoch, for few maps.
_MAP_BLOCK, _MIN_STEPS = 64, 100
# What maps leave to learn is little: pairs are then learned at this share of the rate.
_TUNING_RATE = 0.3


def pair_batches(embedder, module, measures, labelled, device):
    """Return batches of labelled pairs, or of pairs to label while training."""
    scale = float(module.scale)
    if labelled.members is not None:
        n_each = min(embedder.block_size, len(labelled.members))
        n_steps = -(-embedder.n_pairs * 2 // (n_each * (n_each - 1)))
        members = torch.from_numpy(labelled.members)
        labeller = BatchLabeller(embedder, measures, scale, labelled.probes)
        return FreshPairs(members, labeller, embedder.block_size, n_steps, device)
    rows = labelled.train
    slopes = None if labelled.slopes is None else labelled.slopes[rows]
    w, slopes = in_units(labelled.w[rows], slopes, scale)
    pairs = torch.from_numpy(labelled.pairs[rows])
    groups = labelled.groups
    if groups is not None:
        groups = torch.from_numpy(groups[rows])
    batch_size = embedder.batch_size
    if batch_size == "auto":
        # Labels carry no noise: a few hundred steps an epoch do for any number.
        batch_size = int(np.clip(len(pairs) // 400, 128, 1024))
    return PairBatches(pairs, w, batch_size, device, groups, slopes)


def map_batches(embedder, module, measures, labelled, device, rng):
    """Return batches of all pairs of mapped measures, and how many solves they took.

    An epoch passes once over the measures, or some times if they are few.
    """
    numbers, Z, n_solves = learn_maps(embedder, measures, labelled, rng)
    rows = torch.from_numpy((Z - Z.mean(axis=0)) / float(module.scale)).float()
    numbers = torch.from_numpy(numbers)
    n_steps = max(_MIN_STEPS, -(-len(numbers) // _MAP_BLOCK))
    label = RowDistances(rows, numbers)
    return FreshPairs(numbers, label, _MAP_BLOCK, n_steps, device), n_solves


def map_options(options):
    """Return how to train on maps: in half of the time that is left, if limited."""
    if options.deadline is None:
        return options
    now = _clock.now()
    return replace(options, deadline=now + max(options.deadline - now, 0.0) / 2)


def tuning_options(options):
    """Return how to train on pairs what has been trained on maps."""
    return replace(options, learning_rate=_TUNING_RATE * options.learning_rate)


def train_stages(stages, module, loss, validate, generator, reporter):
    """Train on one lot of batches after the other; return the result of all.

    Parameters
    ----------
    stages : list of (batches, TrainingOptions)
        At least one.
    module : torch.nn.Module
        Trained in place.
    loss, validate, generator, reporter : object
        As in :func:`skwass.nn.train.train`.
    """
    losses, scores, stopped_by = [], [], "max_iter"
    with seeded(generator, next(module.parameters()).device):
        for batches, options in stages:
            result = train(
                module, batches, loss, validate, options, generator, reporter
            )
            losses += result.loss_curve
            scores += result.validation_scores
            stopped_by = result.stopped_by
            if stopped_by == "callback":
                break
    return TrainingResult(losses, scores, stopped_by)
