"""Slopes: derivatives of W^2 toward a few measures, labels of the same solves."""

import numpy as np
import torch

from ..measures import Histograms, thin_clouds
from ..nn.slopes import LinearSlopes, SliceSlopes
from ..ot import ExactWasserstein
from ..ot.ground_truths import as_ground_truth
from ..ot.probes import Probes
from ._exact_parts import has_exact_mean
from ._fixed_rows import fixed_rows, knots

# Measures that slopes are toward, and points of each where they are clouds.
N_PROBES, _N_POINTS = 64, 24
# On MNIST 0.3 and 1 are the same from 5,000 and 20,000 pairs, 3 and 10 worse.
_WEIGHT = 0.3


def choose_probes(embedder, measures, held_out, rng):
    """Return measures that slopes shall be toward, or None if there are to be none.

    They are for training alone: none is held out.

    Slopes are those of the potentials of an exact W2. With an exact mean they are about
    fixed means, so that probes are clouds about 0; otherwise they are where they are.

    Returns
    -------
    probes : Histograms, PointClouds or None
    """
    truth = as_ground_truth(embedder.ground_truth)
    if not (
        slope_weight(embedder) > 0
        and isinstance(truth, ExactWasserstein)
        and truth.p == 2
        and embedder._takes_slopes(measures)
    ):
        return None
    members = np.flatnonzero(~held_out)
    some = measures[np.sort(rng.permutation(members)[:N_PROBES])]
    if isinstance(some, Histograms) and not are_centred(embedder, measures):
        return some
    return thin_clouds(some.to_clouds(), _N_POINTS)


def slope_weight(embedder):
    """Return the weight of slopes: by default none after maps, which teach as much."""
    if embedder.gradient_weight != "auto":
        return embedder.gradient_weight
    return 0.0 if embedder.n_maps else _WEIGHT


def as_probes(embedder, measures, some):
    """Return what a ground truth differentiates toward, or False."""
    if some is None:
        return False
    if isinstance(some, Histograms):
        return Probes.of_bins(some)
    return Probes.of_clouds(some, centred=are_centred(embedder, measures))


def are_centred(embedder, measures):
    """Return whether the network, there already or to be made, has an exact mean."""
    if will_go_on(embedder):
        return embedder.module_.n_exact > 0
    return has_exact_mean(embedder, measures)


def will_go_on(embedder):
    """Return whether a fit goes on with the network that there is."""
    return embedder.warm_start and hasattr(embedder, "module_")


def slopes_of(labels):
    """Return the slopes of both ends of each pair: (n_pairs, 2, n_probes), or None."""
    if labels.grad_mu is None:
        return None
    return np.stack([labels.grad_mu, labels.grad_nu], axis=1)


def in_units(w, slopes, scale):
    """Return W / scale and slopes of W^2 / scale^2 as tensors; None stays."""
    w = torch.from_numpy(w / scale).float()
    if slopes is None:
        return w, None
    return w, torch.from_numpy(slopes / np.float32(scale**2))


@torch.no_grad()
def row_slopes(inputs, measures, probes, device):
    """Return how gradients in rows of :class:`CloudInput` become slopes.

    Parameters
    ----------
    inputs : CloudInput
        Fitted.
    measures : Histograms or PointClouds
        Those whose rows there are gradients in.
    probes : Histograms or PointClouds
        What slopes are toward.
    device : torch.device
        Where to put it.
    """
    if not inputs.has_slices:
        rows = fixed_rows(inputs, probes, device, by_bins=True)
        return LinearSlopes(rows[:, : inputs.size])
    clouds = [probes.measure(i) for i in range(len(probes))]
    lines = []
    for batch in inputs.batches(clouds, device):
        places, masses = inputs.pooled.project(batch.points, batch.masses)
        lines += zip(batch.rows.tolist(), places, masses, strict=True)
    _, places, masses = zip(*sorted(lines, key=lambda line: line[0]), strict=True)
    quantiles, below = knots(inputs, measures, device)
    gain = float(inputs.standard.inverse_std)
    return SliceSlopes(quantiles, below, list(places), list(masses), gain)
