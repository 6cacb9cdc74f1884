"""Slopes: derivatives of W^2 toward a few measures, labels of the same solves."""

import numpy as np
import torch

from ..nn.slopes import LinearSlopes, SliceSlopes
from ._fixed_rows import fixed_rows, knots


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
