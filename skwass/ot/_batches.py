"""Ragged measures side by side in tensors; padding weighs nothing."""

import numpy as np
import torch

# Entries of the cost tensor of a batch: 8 million bytes stay near the caches.
_MAX_ENTRIES = 2**20


def by_size(sides):
    """Group pairs of similar size into batches of bounded memory.

    Parameters
    ----------
    sides : list of pairs of (points, masses)
        Pairs of measures.

    Returns
    -------
    batches : list of list of int
        Row numbers, each once.
    """
    sizes = np.array([(len(a), len(b)) for (_, a), (_, b) in sides]).reshape(-1, 2)
    batches: list[list[int]] = []
    n = m = 0
    for k in np.argsort(sizes.prod(axis=1), kind="stable"):
        n, m = max(n, sizes[k, 0]), max(m, sizes[k, 1])
        if not batches or (len(batches[-1]) + 1) * max(n, m) ** 2 > _MAX_ENTRIES:
            batches.append([])
            n, m = sizes[k]
        batches[-1].append(int(k))
    return batches


def pad_masses(measures, device):
    """Return masses of shape (B, n), zero where a measure has no more points."""
    return torch.nn.utils.rnn.pad_sequence(
        [torch.from_numpy(np.array(a, dtype=np.float64)) for _, a in measures],
        batch_first=True,
    ).to(device)


def pad_points(measures, device):
    """Return points of shape (B, n, d); padding repeats the first point."""
    n = max(len(a) for _, a in measures)
    padded = [
        np.concatenate([x, np.repeat(x[:1], n - len(x), axis=0)]) for x, _ in measures
    ]
    return torch.from_numpy(np.stack(padded).astype(np.float64)).to(device)


def pad_costs(costs, device):
    """Return costs of shape (B, n, m), zero in the padding."""
    n, m = (max(C.shape[axis] for C in costs) for axis in (0, 1))
    padded = np.zeros((len(costs), n, m))
    for C, row in zip(costs, padded, strict=True):
        row[: C.shape[0], : C.shape[1]] = C
    return torch.from_numpy(padded).to(device)
