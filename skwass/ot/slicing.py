"""Plans that sort along lines: what they cost on the line, and in the whole space.

Many pairs at a time; the ground metric is Euclidean and the cost its square.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Pieces of plans that are held at a time: 1 MB in float64, a few times over.
_MAX_PIECES = 2**17
# Inner products of points of a pair, at most, and how many take as long as it takes to
# look up one coordinate.
_MAX_PRODUCTS, _GATHER = 2**22, 4


class SlicedMeasure(NamedTuple):
    """A measure of n points, sorted along L lines."""

    mean: Tensor  # [d], relative to an origin
    points: Tensor  # [n, d], minus the mean
    masses: Tensor  # [n]
    order: Tensor  # [L, n], the points along each line
    z: Tensor  # [L, n], ascending positions on it
    upto: Tensor  # [L, n], sums of masses up to each point, itself included
    is_even: bool  # whether all points weigh the same


class SlicedCosts(NamedTuple):
    """What plans cost that sort along lines, between measures less their means."""

    gaps: np.ndarray  # [n_pairs, d], of means
    on_lines: np.ndarray  # [n_pairs, L], W2^2 of projections
    lifted: np.ndarray  # [n_pairs, L], of the same plans in the whole space


def slice_measures(measures, directions, origin):
    """Sort measures along lines.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Measures.
    directions : ndarray of shape (d, L)
        Unit vectors.
    origin : ndarray of shape (d,)
        What means are relative to.

    Returns
    -------
    sliced : list of SlicedMeasure
    """
    U, sliced = torch.from_numpy(np.ascontiguousarray(directions)), []
    for k in range(len(measures)):
        x, a = measures.measure(k)
        points = torch.from_numpy(np.asarray(x, dtype=np.float64) - origin)
        masses = torch.from_numpy(np.array(a, dtype=np.float64))
        mean = masses @ points
        points = points - mean
        z, order = (points @ U).T.contiguous().sort(dim=1)
        upto = masses[order].cumsum(dim=1)
        is_even = bool(np.ptp(a) <= 1e-12 * np.max(a))
        sliced.append(SlicedMeasure(mean, points, masses, order, z, upto, is_even))
    return sliced


def pairs_at_a_time(sliced):
    """Return how many pairs of some measures :func:`sliced_costs` should be given."""
    n_lines, n = sliced[0].z.shape[0], max(len(one.masses) for one in sliced)
    return max(1, _MAX_PIECES // (2 * n_lines * n))


def sliced_costs(left, right, pairs):
    """Return costs of the plans that sort along each line, for some pairs.

    Parameters
    ----------
    left, right : list of SlicedMeasure
        Measures.
    pairs : ndarray of int of shape (n_pairs, 2)
        Which; at most :func:`pairs_at_a_time`, lest memory run out.

    Returns
    -------
    costs : SlicedCosts
    """
    a, i = _stacked(left, pairs[:, 0])
    b, j = _stacked(right, pairs[:, 1])
    gaps = a.mean[i] - b.mean[j]
    if a.is_even and b.is_even and a.z.shape[2] == b.z.shape[2]:
        # Point after point, as all of them weigh the same.
        mass = 1 / a.z.shape[2]
        z_a, z_b, order_a, order_b = a.z[i], b.z[j], a.order[i], b.order[j]
    else:
        k_a, k_b, mass = _pieces(a.upto[i], b.upto[j])  # [B, L, n + m]
        z_a, z_b = a.z[i].gather(2, k_a), b.z[j].gather(2, k_b)
        order_a, order_b = a.order[i].gather(2, k_a), b.order[j].gather(2, k_b)
    on_lines = ((z_a - z_b).square_() * mass).sum(dim=2)
    # Of any plan E |x - y|^2 = E |x|^2 + E |y|^2 - 2 E x . y.
    products = (_products(a, b, i, j, order_a, order_b) * mass).sum(dim=2)
    lifted = (_variances(a)[i] + _variances(b)[j])[:, None] - 2 * products
    # No plan is shorter in space than on the line; rounding must not say so.
    lifted = torch.maximum(lifted, on_lines)
    return SlicedCosts(gaps.numpy(), on_lines.numpy(), lifted.numpy())


def lifted_cells(measure, n_lines, n_quantiles):
    """Average the points of a measure over cells of equal mass along lines.

    Parameters
    ----------
    measure : SlicedMeasure
        A measure.
    n_lines : int
        How many of its lines, L, from the first.
    n_quantiles : int
        Cells, Q.

    Returns
    -------
    cells : ndarray of shape (L, Q, d)
        Their mean over cells is 0.
    """
    ends = measure.upto[:n_lines, None]  # [L, 1, n]
    starts = ends - measure.masses[measure.order[:n_lines]][:, None]
    levels = torch.arange(n_quantiles + 1, dtype=ends.dtype)[:, None] / n_quantiles
    inside = torch.minimum(ends, levels[1:]) - torch.maximum(starts, levels[:-1])
    shares = n_quantiles * inside.clamp_min_(0)  # [L, Q, n], each row of sum 1
    return (shares @ measure.points[measure.order[:n_lines]]).numpy()


def _stacked(measures, rows):
    """Return the measures of some rows as one, padded, and where each row is."""
    rows, places = np.unique(rows, return_inverse=True)
    some = [measures[k] for k in rows]
    sizes = [len(one.masses) for one in some]
    n = max(sizes)
    if min(sizes) < n:
        some = [_padded(one, n - size) for one, size in zip(some, sizes, strict=True)]
    *parts, are_even = zip(*some, strict=True)
    mean, points, masses, order, z, upto = map(torch.stack, parts)
    is_even = min(sizes) == n and all(are_even)
    stacked = SlicedMeasure(mean, points, masses, order, z, upto, is_even)
    return stacked, torch.from_numpy(places)


def _padded(one, n_more):
    """Return a measure with more points, without mass, at the end of each line."""
    pad = torch.nn.functional.pad
    n, n_lines = len(one.masses), len(one.order)
    new = torch.arange(n, n + n_more).expand(n_lines, -1)
    return SlicedMeasure(
        one.mean,
        pad(one.points, (0, 0, 0, n_more)),
        pad(one.masses, (0, n_more)),
        torch.cat([one.order, new], dim=1),
        pad(one.z, (0, n_more)),
        torch.cat([one.upto, one.upto[:, -1:].expand(-1, n_more)], dim=1),
        False,
    )


def _pieces(upto_a, upto_b):
    """Return sources, targets and masses of the plans that fill both in order.

    [B, L, n], [B, L, m] -> three times [B, L, n + m]. A piece ends where a point of one
    side is used up; how many were before tells which point is next.
    """
    n, m = upto_a.shape[2], upto_b.shape[2]
    stops, source = torch.cat([upto_a, upto_b], dim=2).sort(dim=2, stable=True)
    is_left = (source < n).long()
    k_a = is_left.cumsum(dim=2) - is_left
    k_b = torch.arange(n + m) - k_a
    mass = torch.cat([stops[..., :1], stops.diff(dim=2)], dim=2)
    # Sums may differ by rounding: what is then left of one side goes to the last point.
    return k_a.clamp_(max=n - 1), k_b.clamp_(max=m - 1), mass


def _products(a, b, i, j, order_a, order_b):
    """Return inner products of points that plans join: [B, L, n_pieces]."""
    (n, dim), m = a.points.shape[1:], b.points.shape[1]
    if n * m > min(_MAX_PRODUCTS, _GATHER * dim * order_a[0].numel()):
        # Plans of large clouds have few of all pairs of points.
        products = torch.zeros(order_a.shape, dtype=torch.float64)
        for c in range(dim):
            x, y = a.points[i, :, c], b.points[j, :, c]
            products.addcmul_(_along(x, order_a), _along(y, order_b))
        return products
    n_left, n_right = len(a.points), len(b.points)
    if n_left * n_right <= 2 * len(i):
        # All measures with all others, in one product of matrices.
        gram = a.points.reshape(-1, dim) @ b.points.reshape(-1, dim).T
        first = (i * (n * n_right) + j) * m
        index = order_a * (n_right * m) + order_b + first[:, None, None]
    else:
        gram = a.points[i] @ b.points[j].transpose(1, 2)
        first = torch.arange(len(i)) * (n * m)
        index = order_a * m + order_b + first[:, None, None]
    return gram.take(index)


def _along(values, order):
    """Return numbers of points along lines: [B, n], [B, L, k] -> [B, L, k]."""
    return values[:, None].expand(-1, order.shape[1], -1).gather(2, order)


def _variances(measures):
    """Return the total variances of stacked measures: [B]."""
    return (measures.masses * measures.points.square().sum(dim=2)).sum(dim=1)
