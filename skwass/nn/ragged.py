"""Clouds of different sizes in padded batches, without much padding."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# A batch has no cloud smaller than this share of its largest.
TIGHTNESS = 0.8
# Numbers of a padded batch, points times points or times features: 16 MB in float32.
MAX_ENTRIES = 2**22

Cloud = tuple[np.ndarray, np.ndarray]  # points [n, d], masses [n]


class CloudBatch(NamedTuple):
    """Clouds of similar size, padded by points that weigh nothing."""

    rows: Tensor  # [B] positions in what was split
    points: Tensor  # [B, n, d], relative to an origin or to the mean of the cloud
    masses: Tensor  # [B, n]
    means: Tensor  # [B, d], relative to the origin


def size_buckets(sizes: Sequence[int], width: int) -> list[np.ndarray]:
    """Split clouds into batches of similar size and bounded memory.

    Parameters
    ----------
    sizes : sequence of int
        Points of each cloud.
    width : int
        Numbers that a point takes, at least; one for each other point, at most.

    Returns
    -------
    batches : list of ndarray of int
        Positions of clouds, each once; largest clouds first.
    """
    n_points = np.asarray(sizes)
    order = np.argsort(-n_points, kind="stable")
    batches, start = [], 0
    for k in range(1, len(order) + 1):
        n = n_points[order[start]]
        room = max(1, MAX_ENTRIES // (n * max(n, width)))
        if k == len(order) or k - start == room or n_points[order[k]] < TIGHTNESS * n:
            batches.append(order[start:k])
            start = k
    return batches


def padded_share(sizes: Sequence[int], width: int = 1) -> float:
    """Return which share of the points of padded batches is padding."""
    total = sum(len(rows) * sizes[rows[0]] for rows in size_buckets(sizes, width))
    return float(1 - np.sum(sizes) / total)


def padded_batches(
    clouds: Sequence[Cloud],
    origin: np.ndarray,
    *,
    centred: bool,
    width: int,
    device: torch.device | str = "cpu",
) -> list[CloudBatch]:
    """Return clouds in padded batches of similar size, in float32.

    Clouds are moved in float64, before they are rounded: far from the origin of their
    coordinates they keep their shape.

    Parameters
    ----------
    clouds : sequence of (points, masses)
        Only these are copied to the device.
    origin : ndarray [d]
        What positions are relative to.
    centred : bool
        Whether points are relative to the mean of their cloud instead.
    width : int
        As in `size_buckets`.
    device : torch.device or str
        Where to put them.

    Returns
    -------
    batches : list of CloudBatch
    """
    batches = []
    for rows in size_buckets([len(a) for _, a in clouds], width):
        n, dim = len(clouds[rows[0]][1]), len(origin)
        points = np.zeros((len(rows), n, dim), dtype=np.float32)
        masses = np.zeros((len(rows), n), dtype=np.float32)
        means = np.empty((len(rows), dim), dtype=np.float32)
        for k, row in enumerate(rows):
            x, a = clouds[row]
            mean = a @ x
            points[k, : len(a)] = x - (mean if centred else origin)
            masses[k, : len(a)], means[k] = a, mean - origin
        arrays = (rows, points, masses, means)
        batches.append(CloudBatch(*(torch.from_numpy(x).to(device) for x in arrays)))
    return batches


def in_order(batches: Sequence[CloudBatch], answers: Sequence[Tensor]) -> Tensor:
    """Join answers of batches in the order of what was split."""
    rows = torch.cat([batch.rows for batch in batches])
    return torch.cat(list(answers))[torch.argsort(rows)]


def subsample(cloud: Cloud, n_points: int, generator: torch.Generator) -> Cloud:
    """Return a cloud with at most `n_points` of its points, drawn without replacement.

    Their masses are those they had, up to a factor.
    """
    points, masses = cloud
    if len(masses) <= n_points:
        return cloud
    rows = torch.randperm(len(masses), generator=generator)[:n_points].numpy()
    masses = masses[rows]
    return points[rows], masses / masses.sum()
