"""Quantile functions of measures on lines, many at a time."""

import numpy as np
import torch

from ..measures.subsets import are_dense_rows
from ._batches import pad_masses, pad_points

# Entries of a tensor of projected points: 8 MB in float64.
_MAX_ENTRIES = 2**20


def draw_directions(dim, n_projections, rng, *, axes_first=False):
    """Return directions of random orthonormal bases.

    Parameters
    ----------
    dim : int
        Dimension of the space.
    n_projections : int
        How many; on a line one is all there is. The last basis may be incomplete.
    rng : numpy.random.RandomState
        Draws.
    axes_first : bool, default=False
        Whether the first basis is that of the axes.

    Returns
    -------
    directions : ndarray of shape (dim, n_directions)
    """
    if dim == 1:
        return np.eye(1)
    bases = [np.eye(dim)] if axes_first else []
    while len(bases) * dim < n_projections:
        bases.append(np.linalg.qr(rng.normal(size=(dim, dim)))[0])
    return np.hstack(bases)[:, :n_projections]


def quantile_cells(z, a, n_quantiles):
    """Average quantile functions over cells of equal probability.

    Parameters
    ----------
    z : Tensor of shape (B, L, n)
        Positions, ascending.
    a : Tensor of shape (B, L, n)
        Their masses, of sum 1; positions without mass change nothing.
    n_quantiles : int
        Cells, Q.

    Returns
    -------
    cells : Tensor of shape (B, L, Q)
    """
    return cells_between(z, a.cumsum(-1), (a * z).cumsum(-1), n_quantiles)


def cells_between(z, upto, integral, n_quantiles):
    """Return the same from sums over atoms.

    Parameters
    ----------
    z : Tensor that expands to shape (B, L, n)
        Positions, ascending.
    upto, integral : Tensor of shape (B, L, n)
        Sums up to each atom, itself included, of masses, and of masses times positions.
    n_quantiles : int
        Cells, Q.

    Returns
    -------
    cells : Tensor of shape (B, L, Q)
    """
    # The integral of the quantile function from 0 to c is linear between atoms.
    k, levels = atoms_at_levels(upto, n_quantiles)
    # Up to the end of atom k, less what of it lies beyond the level.
    beyond = (upto.gather(-1, k) - levels) * z.expand_as(upto).gather(-1, k)
    inner = integral.gather(-1, k) - beyond
    ends = integral[..., -1:]
    sums = torch.cat([torch.zeros_like(ends), inner, ends], dim=-1)
    return sums.diff(dim=-1) * n_quantiles


def atoms_at_levels(upto, n_quantiles, shift=0.0):
    """Return which atoms the levels between cells fall on, and the levels.

    Parameters
    ----------
    upto : Tensor of shape (B, L, n)
        Sums of masses up to each atom, itself included.
    n_quantiles : int
        Cells, Q.
    shift : float, default=0.0
        What is added to levels.

    Returns
    -------
    k : Tensor of int64 of shape (B, L, Q - 1)
    levels : Tensor of shape (B, L, Q - 1)
    """
    steps = torch.arange(1, n_quantiles, dtype=upto.dtype, device=upto.device)
    levels = (steps / n_quantiles + shift).expand(*upto.shape[:2], -1).contiguous()
    k = torch.searchsorted(upto, levels)
    return k.clamp_(max=upto.shape[-1] - 1), levels  # the last sum may round below 1


def centred_cells(measures, directions, n_quantiles, origin):
    """Return means of measures, and quantile cells of their centred copies.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Measures, n of them.
    directions : ndarray of shape (d, L)
        Unit vectors to project on.
    n_quantiles : int
        Cells, Q.
    origin : ndarray of shape (d,)
        What means are relative to.

    Returns
    -------
    means : ndarray of shape (n, d)
    cells : ndarray of shape (n, L, Q)
    """
    n, (dim, n_lines) = len(measures), directions.shape
    means, cells = np.empty((n, dim)), np.empty((n, n_lines, n_quantiles))
    directions = torch.from_numpy(directions)
    if are_dense_rows(measures):
        batches = _of_histograms(measures, directions, origin)
    else:
        batches = _of_clouds(measures.to_clouds(), directions, origin)
    for rows, means_of, z, a in batches:
        means[rows] = means_of.numpy()
        found = quantile_cells(z, a, n_quantiles)
        cells[rows] = (found - (means_of @ directions)[..., None]).numpy()
    return means, cells


def _of_histograms(measures, directions, origin):
    """Yield rows, means, positions and masses; the support is sorted once."""
    support = torch.from_numpy(measures.support - origin)
    z, order = (support @ directions).T.contiguous().sort(dim=1)  # [L, n_bins]
    step = max(1, _MAX_ENTRIES // z.numel())
    for start in range(0, len(measures), step):
        rows = slice(start, start + step)
        masses = torch.from_numpy(measures.masses[rows])
        yield rows, masses @ support, z, masses[:, order]


def _of_clouds(measures, directions, origin):
    """Yield rows, means, positions and masses of clouds of similar size, padded."""
    sizes = np.array([len(a) for a in measures.masses])
    n_lines = directions.shape[1]
    batch: list[int] = []
    for i in np.argsort(sizes, kind="stable"):
        if batch and (len(batch) + 1) * sizes[i] * n_lines > _MAX_ENTRIES:
            yield _padded(measures, batch, directions, origin)
            batch = []
        batch.append(i)
    if batch:
        yield _padded(measures, batch, directions, origin)


def _padded(measures, rows, directions, origin):
    clouds = [measures.measure(i) for i in rows]
    a = pad_masses(clouds, "cpu")
    x = pad_points([(x - origin, b) for x, b in clouds], "cpu")
    z, order = (x @ directions).transpose(1, 2).contiguous().sort(dim=2)  # [B, L, n]
    means = (a[:, None] @ x).squeeze(1)
    return rows, means, z, a[:, None].expand_as(z).gather(2, order)
