"""Summaries of measures, whose distances bound W: means, Gaussians, quantiles.

A bound summarises each measure once, as an array of numbers, and compares summaries row
by row.
"""

from math import isqrt

import numpy as np
import torch
from sklearn.utils import check_random_state

from ..measures import Histograms
from .quantiles import draw_directions, quantile_cells


class Centroids:
    """Means, compared by their distance."""

    def summarise(self, measures):
        """Return means, one row per measure."""
        return np.array([mean for mean, _, _ in measures])

    def compare(self, A, B):
        """Return distances of means."""
        return np.linalg.norm(A - B, axis=-1)


class Gaussians:
    """Means on top of factors `R` of covariances `R.T @ R`, compared by Gelbrich."""

    def summarise(self, measures, n_rows=0):
        """Return means and factors of covariances, one array per measure."""
        # Factors without the detour over covariances, which would square the rounding.
        parts = [
            np.vstack([mean, np.linalg.qr(np.sqrt(a)[:, None] * x, mode="r")])
            for mean, x, a in measures
        ]
        n_rows = max(n_rows, *map(len, parts))
        return np.array(
            [np.pad(part, ((0, n_rows - len(part)), (0, 0))) for part in parts]
        )

    def compare(self, A, B):
        """Return distances of Gaussians."""
        gap = A[:, 0] - B[:, 0]
        A, B = without_padding(A[:, 1:]), without_padding(B[:, 1:])
        # [pairs, r, d] @ [pairs, d, r]; tr (S_a^1/2 S_b S_a^1/2)^1/2 is the nuclear
        # norm of R_a R_b.T, for any factors R.
        overlap = _nuclear_norms(A @ B.swapaxes(1, 2))
        total = (A**2).sum(axis=(1, 2)) + (B**2).sum(axis=(1, 2))
        bures_sq = _bures_sq(total, overlap, A.shape[2])
        return np.sqrt((gap**2).sum(axis=1) + bures_sq)


def without_padding(factors):
    """Return factors without last rows that are zero in all of them.

    Clouds of few points in many dimensions have as few rows as points.

    Parameters
    ----------
    factors : ndarray of shape (n, r, d)
        Stacked.
    """
    rows = np.flatnonzero(factors.any(axis=(0, 2)))
    return factors[:, : max(2, rows[-1] + 1 if len(rows) else 0)]


# Numbers that are gathered at a time, and the side of a block of all pairs.
_N_GATHERED, _SIDE = 2**18, 1_024


def all_gaussian_distances(A, B=None):
    """Return distances of all pairs of summaries of :class:`Gaussians`, in float32.

    Parameters
    ----------
    A, B : ndarray of shape (n, 1 + r, d) and (m, 1 + r, d)
        Summaries; with B None, of A itself, symmetric with a zero diagonal.

    Returns
    -------
    W : ndarray of shape (n, m), float32
    """
    is_own, B = B is None, A if B is None else B
    W = np.zeros((len(A), len(B)), dtype=np.float32)
    in_plane = A.shape[1:] == (3, 2)
    side = _SIDE if in_plane else max(1, isqrt(_N_GATHERED // A[0].size))
    for i in range(0, len(A), side):
        for j in range(i if is_own else 0, len(B), side):
            rows, columns = slice(i, i + side), slice(j, j + side)
            block = (_in_plane if in_plane else _one_by_one)(A[rows], B[columns])
            if is_own and i == j:
                block = np.triu(block, 1)
                block += block.T
            elif is_own:
                W[columns, rows] = block.T
            W[rows, columns] = block
    return W


def _one_by_one(A, B):
    """Compare all pairs of Gaussians in any dimension."""
    i, j = np.indices((len(A), len(B))).reshape(2, -1)
    return Gaussians().compare(A[i], B[j]).reshape(len(A), len(B))


def _in_plane(A, B):
    """Compare all pairs of Gaussians in two dimensions, by matrix products."""
    gap_sq = np.square(A[:, None, 0] - B[:, 0]).sum(axis=2)
    S_a, S_b = (R[:, 1:].swapaxes(1, 2) @ R[:, 1:] for R in (A, B))
    det_a, det_b = (np.abs(np.linalg.det(R[:, 1:])) for R in (A, B))
    # (tr (S_a^1/2 S_b S_a^1/2)^1/2)^2 = tr S_a S_b + 2 (det S_a det S_b)^1/2.
    traces = S_a.reshape(-1, 4) @ S_b.reshape(-1, 4).T
    overlap = np.sqrt(traces + 2 * np.multiply.outer(det_a, det_b))
    total = np.add.outer(*(np.trace(S, axis1=1, axis2=2) for S in (S_a, S_b)))
    return np.sqrt(gap_sq + _bures_sq(total, overlap, 2))


def _bures_sq(total, overlap, dim):
    # Rounding of `total` would be a distance of 1e-8 between equal covariances.
    slack = 16 * np.finfo(float).eps * dim
    return np.maximum(total * (1 - slack) - 2 * overlap, 0)


def _nuclear_norms(M):
    if M.shape[1:] == (2, 2):
        # (s_1 + s_2)^2 = |M|^2 + 2 |det M|, many times as fast.
        det = M[:, 0, 0] * M[:, 1, 1] - M[:, 0, 1] * M[:, 1, 0]
        return np.sqrt((M**2).sum(axis=(1, 2)) + 2 * np.abs(det))
    return np.linalg.svd(M, compute_uv=False).sum(axis=1)


class Quantiles:
    """Averages of quantile functions over cells, for projections of the measures."""

    def __init__(self, dim, p, n_projections, n_quantiles, random_state):
        self.dim, self.p, self.n_quantiles = dim, p, n_quantiles
        rng = check_random_state(random_state)
        self.directions = draw_directions(dim, n_projections, rng, axes_first=True)

    def summarise(self, measures):
        """Return cells of projections, one array per measure."""
        return np.array([self._cells(*measure) for measure in measures])

    def _cells(self, mean, x, a):
        z, order = torch.from_numpy((x @ self.directions).T.copy()).sort(dim=1)
        masses = torch.from_numpy(a)[order]
        cells = quantile_cells(z[None], masses[None], self.n_quantiles)[0].numpy()
        return cells + (mean @ self.directions)[:, None]  # [projections, cells]

    def compare(self, A, B):
        """Return distances of cells."""
        # W_p >= W_2 if p > 2, and neither of the two bounds is always larger.
        gaps, orders = A - B, {self.p, min(self.p, 2)}
        return np.max([self._largest_basis(gaps, p) for p in orders], axis=0)

    def _largest_basis(self, gaps, p):
        w = _lp_norms(gaps, p) / gaps.shape[2] ** (1 / p)  # [pairs, projections]
        bases = [w[:, k : k + self.dim] for k in range(0, w.shape[1], self.dim)]
        return np.max([_lp_norms(basis, max(p, 2)) for basis in bases], axis=0)


def _lp_norms(x, p):
    """Norms of `x` along its last axis, for `p` however large."""
    if p == 2:
        return np.sqrt(np.einsum("...i,...i", x, x))  # once over the memory
    x = np.abs(x)
    peak = x.max(axis=-1, keepdims=True)
    peak[peak == 0] = 1
    return peak[..., 0] * ((x / peak) ** p).sum(axis=-1) ** (1 / p)


class Frame:
    """Coordinates about a common origin, in a unit that brings them below one."""

    def __init__(self, mu, nu):
        # A median, so that no outlier takes the digits of all others; a power of two,
        # so that scaling does not round.
        centroids = [a @ x for x, a in (mu.measure(i) for i in range(len(mu)))]
        self.origin = np.median(np.asarray(centroids, dtype=np.float64), axis=0)
        points = (  # one by one: those of a view are made as they are read
            x
            for m in (mu, nu)
            for x in ([m.support] if isinstance(m, Histograms) else m.points)
        )
        reach = max(np.abs(x - self.origin).max() for x in points)
        self.unit = np.ldexp(1.0, np.frexp(reach)[1])

    def moments(self, measures):
        """Yield mean, points minus mean, and masses of each measure."""
        return moments(measures, self.origin, self.unit)

    def rounding(self, measures):
        """Return what rounding may add to a bound, by measure: sums over its points."""
        return np.array(
            [
                np.finfo(float).eps
                * (8 + len(a) ** 0.5)
                * (np.abs(mean).max() + np.abs(x).max())
                for mean, x, a in self.moments(measures)
            ]
        )


def moments(measures, origin, unit=1.0):
    """Yield mean, points minus mean, and masses of each measure.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Measures.
    origin : ndarray of shape (d,)
        Where coordinates are 0.
    unit : float, default=1.0
        Where they are 1.
    """
    for i in range(len(measures)):
        x, a = measures.measure(i)
        x = (x.astype(np.float64, copy=False) - origin) / unit
        mean = a @ x
        yield mean, x - mean, a
