"""Bounds without transport: a few numbers per measure, compared with all at once.

For W2 most of them are Euclidean distances of vectors that a measure has: its mean
beside the singular values of its centred points, or beside quantiles on orthogonal
lines. One matrix product then bounds the distances of queries to all stored measures.
"""

from typing import Any

import numpy as np
import torch

from ..ot.ground_metric import is_euclidean
from ..ot.quantiles import quantile_cells
from ..ot.summaries import Gaussians, Quantiles

_EPS = float(np.finfo(float).eps)
# Up to this dimension Gaussians are compared whole, and lines come in whole bases.
_MAX_WHOLE = 3
_N_PROJECTIONS, _N_QUANTILES = 16, 16
# Beyond it: principal axes of all points, cells on each, and singular values.
_N_AXES, _N_CELLS, _N_SINGULAR = 8, 8, 32
# Points that axes are computed from, and numbers that are sorted in one go.
_N_POINTS, _MAX_NUMBERS = 5_000, 2**22


def bounds_for(truth, targets, random_state=0):
    """Return the bounds that hold for a distance, the cheapest first.

    Parameters
    ----------
    truth : ExactWasserstein
        There are none unless its metric is Euclidean.
    targets : Targets
        Measures that decide where origin and axes are.
    random_state : int, default=0
        Of lines.

    Returns
    -------
    bounds : list
    """
    if not is_euclidean(truth.ground_metric):
        return []
    origin = targets.points.mean(axis=0, dtype=np.float64)
    dim, p = len(origin), truth.p
    bounds: list[Any] = [Vectors("means", origin, has_spread=p >= 2)]
    if dim <= _MAX_WHOLE:
        if p >= 2:
            bounds.append(Whole(origin))
        bounds.append(Lines(origin, p, random_state))
    elif p >= 2:
        bounds.append(Axes(origin, targets))
    return bounds


class Summaries:
    """What the bounds need of some measures.

    Parameters
    ----------
    bounds : list
        From :func:`bounds_for`.
    arrays : list of ndarray
        For each bound, a row per measure.
    rounding : ndarray of shape (n_measures,)
        What rounding may add to any bound, for each measure.
    """

    def __init__(self, bounds, arrays, rounding):
        self.bounds, self.arrays, self.rounding = bounds, arrays, rounding

    @classmethod
    def of(cls, bounds, targets):
        """Summarise measures."""
        arrays = [bound.summarise(targets) for bound in bounds]
        rounding = np.zeros(len(targets))
        if bounds:
            rounding = _rounding(targets, bounds[0].origin)
        return cls(bounds, arrays, rounding)

    def joined(self, other):
        """Return these and others, behind them."""
        pairs = zip(self.arrays, other.arrays, strict=True)
        arrays = [np.concatenate([a, b]) for a, b in pairs]
        rounding = np.concatenate([self.rounding, other.rounding])
        return Summaries(self.bounds, arrays, rounding)

    def only(self, rows):
        """Return those of some measures."""
        arrays = [array[rows] for array in self.arrays]
        return Summaries(self.bounds, arrays, self.rounding[rows])

    def first(self, others):
        """Return bounds of W to all others, by the cheapest: [n, n_others]."""
        low = np.zeros((len(self.rounding), len(others.rounding)))
        if self.bounds:
            self.bounds[0].all_pairs(self.arrays[0], others.arrays[0], low)
            low -= self.rounding[:, None]
            low -= others.rounding
        return low

    def more(self, query, others):
        """Yield names of the other bounds, and functions from rows to bounds of W."""
        for k, bound in enumerate(self.bounds[1:], 1):

            def low(rows, k=k, bound=bound):
                A, B = self.arrays[k][query], others.arrays[k][rows]
                w = bound.compare(A[None], B)
                return w - self.rounding[query] - others.rounding[rows]

            yield bound.name, low


def _rounding(targets, origin):
    """Return what rounding may add to a bound for each measure.

    Sums over points lose digits in proportion to their extent. Spreads come from
    squares, whose rounding is the square of what it adds to a distance near 0. That of
    covariances, which few dimensions have, grows with the number of points: each entry
    is a sum of n products, off by less than `(1.5 n + 3) eps` extents squared.
    """
    dim, n_added = len(origin), 0.0
    if dim <= _MAX_WHOLE:
        n_added = targets.sizes / 4
    reach = np.abs(targets.points - origin).max(axis=1)
    masses = targets.masses
    extent = np.maximum.reduceat(reach[masses.indices], masses.indptr[:-1])
    return 4 * (_EPS * (1 + n_added)) ** 0.5 * (1 + dim) * extent


class Vectors:
    """Means, and how far points are spread around them along principal axes.

    `W2^2 >= |m - m'|^2 + sum_i (s_i - s'_i)^2` with the square roots s of eigenvalues
    of covariances, in order: Gelbrich's bound with von Neumann's trace inequality. For
    p < 2 means alone.
    """

    def __init__(self, name, origin, has_spread):
        self.name, self.origin, self.has_spread = name, origin, has_spread

    def summarise(self, targets):
        """Return means and spreads: [n, d] or [n, d + r]."""
        means = targets.masses @ (targets.points - self.origin)
        if not self.has_spread:
            return means
        if len(self.origin) <= _MAX_WHOLE:
            values = np.linalg.eigvalsh(_covariances(targets, self.origin))
            return np.hstack([means, np.sqrt(np.maximum(values, 0))[:, ::-1]])
        spreads = np.zeros((len(means), min(_N_SINGULAR, len(self.origin))))
        for row, mean in enumerate(means):
            x, a = targets.measure(row)
            x = np.sqrt(a)[:, None] * (x - self.origin - mean)
            s = np.linalg.svd(x, compute_uv=False)[: spreads.shape[1]]
            spreads[row, : len(s)] = s
        return np.hstack([means, spreads])

    def all_pairs(self, A, B, out):
        """Write distances of all rows to `out`."""
        np.matmul(-2 * A, B.T, out=out)
        out += np.einsum("ij,ij->i", A, A)[:, None]
        out += np.einsum("ij,ij->i", B, B)
        np.sqrt(np.maximum(out, 0, out=out), out=out)

    def compare(self, A, B):
        """Return distances of one row to others."""
        gaps = B - A
        return np.sqrt(np.einsum("ij,ij->i", gaps, gaps))


class Whole:
    """Gaussians of the same moments, in few dimensions [Gelbrich 1990]."""

    name = "gaussian"

    def __init__(self, origin):
        self.origin = origin

    def summarise(self, targets):
        """Return means on top of roots of covariances: [n, 1 + d, d]."""
        means = targets.masses @ (targets.points - self.origin)
        values, axes = np.linalg.eigh(_covariances(targets, self.origin))
        roots = np.sqrt(np.maximum(values, 0))[:, :, None] * axes.swapaxes(1, 2)
        return np.concatenate([means[:, None], roots], axis=1)

    def compare(self, A, B):
        """Return distances of one Gaussian to others."""
        return Gaussians().compare(A, B)


class Lines:
    """Quantiles on lines that form bases, in few dimensions."""

    name = "projections"

    def __init__(self, origin, p, random_state):
        dim = len(origin)
        n_lines = 1 if dim == 1 else dim * -(-_N_PROJECTIONS // dim)
        self.origin = origin
        self.quantiles = Quantiles(dim, p, n_lines, _N_QUANTILES, random_state)

    def summarise(self, targets):
        """Return cells: [n, n_lines, n_quantiles]."""
        return _cells(targets, self.origin, self.quantiles.directions, _N_QUANTILES)

    def compare(self, A, B):
        """Return distances of one measure to others."""
        return self.quantiles.compare(A, B)


class Axes(Vectors):
    """Means, and quantiles of centred measures on a few orthogonal lines.

    `W2^2 >= |m - m'|^2 + sum_l W2^2` of the projections of centred measures.
    """

    def __init__(self, origin, targets):
        super().__init__("projections", origin, has_spread=False)
        step = -(-len(targets.points) // _N_POINTS)
        x = targets.points[::step] - origin
        n_axes = min(_N_AXES, len(origin))
        self.axes = np.linalg.svd(x, full_matrices=False)[2][:n_axes].T

    def summarise(self, targets):
        """Return means beside cells: [n, d + n_lines * n_cells]."""
        means = super().summarise(targets)
        cells = _cells(targets, self.origin, self.axes, _N_CELLS)
        cells -= (means @ self.axes)[:, :, None]
        flat = cells.reshape(len(cells), -1) / _N_CELLS**0.5
        return np.hstack([means, flat])


def _covariances(targets, origin):
    """Return covariances: [n, d, d]."""
    x = targets.points - origin
    means = targets.masses @ x
    products = (x[:, :, None] * x[:, None]).reshape(len(x), -1)
    seconds = (targets.masses @ products).reshape(-1, x.shape[1], x.shape[1])
    return seconds - means[:, :, None] * means[:, None]


def _cells(targets, origin, directions, n_quantiles):
    """Return cells of projections, one array [n_lines, n_quantiles] per measure."""
    z_all = (targets.points - origin) @ directions  # [n_points, L]
    sizes, n_lines = targets.sizes, directions.shape[1]
    found = np.empty((len(sizes), n_lines, n_quantiles))
    order = np.argsort(sizes, kind="stable")
    start = 0
    while start < len(order):
        stop = start + max(1, _MAX_NUMBERS // (n_lines * sizes[order[start]]))
        rows = order[start:stop]
        while len(rows) > 1 and sizes[rows[-1]] * len(rows) * n_lines > _MAX_NUMBERS:
            rows = rows[: len(rows) // 2]
        found[rows] = _cells_of_rows(targets, rows, z_all, n_quantiles)
        start += len(rows)
    return found


def _cells_of_rows(targets, rows, z_all, n_quantiles):
    masses, sizes = targets.masses, targets.sizes[rows]
    # Padding repeats the first point, without mass.
    is_real = np.arange(sizes.max()) < sizes[:, None]
    place = masses.indptr[rows][:, None] + np.arange(sizes.max())
    place = np.where(is_real, place, place[:, :1])
    z = torch.from_numpy(z_all[masses.indices[place]]).movedim(2, 1)
    a = torch.from_numpy(np.where(is_real, masses.data[place], 0.0))
    z, order = z.sort(dim=2)  # [B, L, n]
    a = a[:, None].expand_as(z).gather(2, order)
    return quantile_cells(z, a, n_quantiles).numpy()
