"""Fixed first layers for many dimensions: the maps of linear optimal transport.

In many dimensions no line, wave or cell sees much of a small cloud. What is known
without training is a formula: the maps from one reference [LOT], on few axes, and what
these leave out. Networks start there, and learn what the formula misses.

References: [LOT] Wang, Slepcev, Basu, Ozolek, Rohde (2013). A linear optimal
transportation framework for quantifying and visualizing variations in sets of images.
IJCV 101(2).
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..formulas.correction import fit_scale, gaps_squared
from ..formulas.linear_ot import (
    are_few,
    both_ways,
    choose_axes,
    dropped_by,
    scores_apart,
    split_moves,
    unresolved,
)
from ..formulas.private_axis import fit_private
from ..formulas.reference import make_reference
from ..measures import Histograms, PointClouds
from ..measures.subsets import center_of, evenly, variances_of
from ..ot import ExactWasserstein
from ..ot.maps import transport_maps
from ..ot.threads import stack_blocks
from .devices import to_tensor
from .inputs import FixedInput
from .ragged import Cloud, CloudBatch, padded_batches
from .readouts import RATE, ROUNDING, lengths_to_columns
from .slopes import RowSlopes

# Measures that axes are chosen by.
_N_FIT = 2_048
# Numbers at the end of a row: roots of what axes drop, of what maps cannot resolve, and
# of the variance.
N_OWN = 3
# Numbers of features that stay near the processor, and measures at a time, at least.
_NEAR_NUMBERS, _FEWEST = 2**19, 64
# The last layer of what is learned starts smaller by this factor: what a network adds
# at random is then a hundredth of the columns.
_GENTLE = 0.01
# Shares of what axes drop, and of what is unresolved (measured: 0.06 to 0.2), to start.
_FIRST_SHARES = 1.0, 0.1
# Maps are some tenths longer than W2; what is below this share of them is not W2.
_LEAST_FACTOR = 0.1
# Of what is left out, at least so much counts: less could never grow again.
_LEAST_SHARE = 1e-3
# Lengths of private axes are at least this, in units of rows, for logarithms.
_SHORTEST = 1e-4


class _Summary(NamedTuple):
    """What is known of measures before axes are chosen."""

    shapes: np.ndarray  # [n, n_points * d] maps about their means
    means: np.ndarray  # [n, d]
    unresolved: np.ndarray  # [n]
    variances: np.ndarray  # [n]


class TransportInput(FixedInput):
    """Maps from a reference on few axes, and variances of what these leave out.

    Parameters
    ----------
    dim : int
        d, of the space.
    n_reference : int
        Points of the reference.
    n_columns : int
        Axes whose Euclidean distance is near W2: the first columns of a row.
    n_context : int
        More axes, that a network may look at.
    exact_mean : bool
        Whether the mean is kept apart, at the end of a row.
    """

    parts_by_mean = True
    points: Tensor
    weights: Tensor
    origin: Tensor  # of features
    axes: Tensor
    n_sketched: Tensor
    center: Tensor  # of points
    factor: Tensor  # of maps about their means
    unit: Tensor

    def __init__(
        self,
        dim: int,
        n_reference: int,
        n_columns: int,
        n_context: int,
        exact_mean: bool,
    ) -> None:
        super().__init__()
        self.dim, self.n_columns, self.exact_mean = dim, n_columns, exact_mean
        self.n_context = n_context
        self.size = n_columns + n_context + N_OWN
        self.n_exact = dim if exact_mean else 0
        n_features = n_reference * dim + (0 if exact_mean else dim)
        self.register_buffer("points", torch.empty(n_reference, dim))
        self.register_buffer("weights", torch.empty(n_reference))
        self.register_buffer("center", torch.empty(dim))
        self.register_buffer("origin", torch.empty(n_features))
        self.register_buffer("axes", torch.empty(n_columns + n_context, n_features))
        self.register_buffer("n_sketched", torch.empty((), dtype=torch.int64))
        self.register_buffer("factor", torch.empty(()))
        self.register_buffer("unit", torch.empty(()))

    @torch.no_grad()
    def fit_to(
        self,
        measures: Histograms | PointClouds,
        generator: torch.Generator,
        pairs: np.ndarray,
        w: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Take the reference, the scale of maps and axes from measures of training.

        Returns
        -------
        rows : ndarray of shape (n, size)
            Of measures that pairs join, as a formula is to be fitted to them.
        means : ndarray of shape (n, d) or (n, 0)
            Exact means.
        ends : ndarray of int of shape (n_pairs, 2)
            Their numbers.
        w : ndarray of shape (n_pairs,)
            Distances.
        """
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        rng = np.random.RandomState(seed)
        self.center.copy_(torch.from_numpy(center_of(measures)))
        n_points = len(self.weights)
        points, weights, _ = make_reference(
            "barycenter", n_points, measures, ExactWasserstein(), rng, None
        )
        # Where the data have fewer points, the last one is there several times.
        rows = np.arange(n_points).clip(max=len(points) - 1)
        copies = np.bincount(rows)
        self.points.copy_(torch.from_numpy(points[rows]))
        self.weights.copy_(torch.from_numpy((weights / copies)[rows]))
        self.factor.fill_(1.0)
        known = np.union1d(evenly(len(measures), _N_FIT), pairs).astype(int)
        some = self._summary(measures[known])
        ends = np.searchsorted(known, pairs)
        self.factor.fill_(_factor_of(some, ends, w))
        features = self._features(some)
        sketched_dim = 0 if self.exact_mean else self.dim
        origin, columns, n_sketched, more = choose_axes(
            features, sketched_dim, self.n_columns, rng, self.n_context
        )
        self.origin.copy_(torch.from_numpy(origin))
        self.axes.zero_()  # measures may have fewer axes than are wanted
        n_axes = len(columns) - n_sketched
        self.axes[:n_axes] = to_tensor(columns[:n_axes])
        random = slice(self.n_columns - n_sketched, self.n_columns)
        self.axes[random] = to_tensor(columns[n_axes:])
        self.axes[self.n_columns : self.n_columns + len(more)] = to_tensor(more)
        self.n_sketched.fill_(n_sketched)
        spread = 2 * np.square(features - origin).sum(axis=1).mean()
        spread += 2 * _FIRST_SHARES[1] * some.unresolved.mean()
        # What varies less than rounding does is not to be blown up.
        size = np.square(points - weights @ points).sum(axis=1) @ weights
        size += np.square(_numpy(self.center)).sum()
        self.unit.fill_(float(np.sqrt(max(spread, ROUNDING**2 * size))) or 1.0)
        rows, means = np.split(self._rows_of(some), [self.size], axis=1)
        if are_few(len(known), self.n_columns):
            how = sketched_dim, self.n_columns, rng
            scores, dropped, half = scores_apart(features, *how)
            apart = rows.copy()
            apart[:, : self.n_columns] = scores / float(self.unit)
            apart[:, -N_OWN] = np.sqrt(dropped) / float(self.unit)
            rows, ends, kept = both_ways(rows, apart, half, ends)
            means, w = np.tile(means, (2, 1)), w[kept]
        return rows, means, ends, w

    def batches(
        self, clouds: Sequence[Cloud], device: torch.device | str = "cpu"
    ) -> list[CloudBatch]:
        """Return clouds in padded batches, as decoders see them."""
        origin = _numpy(self.center)
        how = {"centred": self.exact_mean, "width": self.dim, "device": device}
        return padded_batches(clouds, origin, **how)  # type: ignore[arg-type]

    def tokens(self, batch: CloudBatch) -> Tensor:
        """Return what decoded clouds are compared by: their points."""
        return batch.points

    @torch.no_grad()
    def rows(self, measures: Histograms | PointClouds, device: torch.device) -> Tensor:
        """Return what the network sees of measures: [N, size (+ d)]."""
        step = max(_FEWEST, _NEAR_NUMBERS // self.points.numel())
        return to_tensor(stack_blocks(self._block, measures, step), device)

    def _block(self, measures: Histograms | PointClouds) -> np.ndarray:
        """Return rows of a few measures."""
        return self._rows_of(self._summary(measures)).astype(np.float32)

    def row_slopes(
        self,
        measures: Histograms | PointClouds,
        probes: Histograms | PointClouds,
        device: torch.device,
    ) -> RowSlopes:
        """Raise: maps are not linear in measures."""
        raise NotImplementedError("Maps of linear optimal transport have no slopes.")

    def _summary(self, measures: Histograms | PointClouds) -> _Summary:
        """Return features in the unit of the data."""
        points, weights = _numpy(self.points), _numpy(self.weights)
        weights /= weights.sum()  # buffers are of 32 bits
        moves = transport_maps(points, weights, measures, ExactWasserstein())
        shapes, means = split_moves(moves, weights)
        variances = variances_of(measures)
        rest = unresolved(points, weights, shapes, variances)
        # Maps move the mean of the reference to that of the measure.
        return _Summary(shapes, means + weights @ points, rest, variances)

    def _features(self, summary: _Summary) -> np.ndarray:
        """Return what axes are of: scaled maps, and the mean unless it is exact."""
        shapes = float(self.factor) * summary.shapes
        return shapes if self.exact_mean else np.hstack([shapes, summary.means])

    def _rows_of(self, summary: _Summary) -> np.ndarray:
        """Return rows in the unit of training."""
        axes, unit = self.axes.cpu().numpy(), float(self.unit)
        centred = self._features(summary) - _numpy(self.origin)
        # The product takes most of the time; rows are of 32 bits anyway.
        scores = (centred.astype(np.float32) @ axes.T).astype(np.float64)
        n_axes = self.n_columns - int(self.n_sketched)
        dim = self.dim if n_axes < self.n_columns else 0
        dropped = dropped_by(axes[:n_axes], centred, scores[:, :n_axes], dim)
        own = np.stack([dropped, summary.unresolved, summary.variances], axis=1)
        rows = np.hstack([scores, np.sqrt(own)]) / unit
        if not self.exact_mean:
            return rows
        return np.hstack([rows, summary.means - _numpy(self.center)])


def _factor_of(some: _Summary, ends: np.ndarray, w: np.ndarray) -> float:
    """Return what maps about their means are multiplied by, to be as long as W2.

    A detour through the reference overestimates. Where labels are no W2, and leave
    nothing to what is beside means, 1: a network may make something of it.
    """
    if not len(w):
        return 1.0
    gaps_sq, known_sq = gaps_squared(some.shapes, ends), gaps_squared(some.means, ends)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        factor = fit_scale(gaps_sq, w, known_sq)
    return factor if factor > _LEAST_FACTOR else 1.0


def _numpy(buffer: Tensor) -> np.ndarray:
    return buffer.cpu().double().numpy()


class FormulaEncoder(nn.Module):
    """The columns of a formula, and what dense layers add to them.

    Rows of `TransportInput` [B, n] -> embedding [B, k], and maybe one private column::

        z = t rows[:k] + change,    r = t |(b_1 dropped, b_2 unresolved)| exp(change)

    The change is small at the start, so that training begins with the formula.

    Parameters
    ----------
    stages : sequence of nn.Module
        Dense layers from rows to k numbers, or k + 1.
    n_out : int
        k, a private column not counted.
    private_axis : bool
        Whether the last column is the length of a private axis, before `PrivateAxis`.
    """

    def __init__(
        self, stages: Sequence[nn.Module], n_out: int, private_axis: bool
    ) -> None:
        super().__init__()
        self.formula = _Formula()
        self.layers = nn.Sequential(*stages)
        self.blocks: tuple[int, ...] = (n_out,)
        self.private_axis = private_axis

    def forward(self, rows: Tensor) -> Tensor:
        (n_out,) = self.blocks
        change = self.layers(rows)  # [B, k (+ 1)]
        stretch, shares = self.formula()
        z = stretch * rows[:, :n_out] + change[:, :n_out]
        if not self.private_axis:
            return z
        own = rows[:, -N_OWN:-1].square() @ shares
        length = stretch * own.clamp_min(_SHORTEST**2).sqrt()
        length = length * change[:, n_out].exp()
        return torch.cat([z, lengths_to_columns(length)[:, None]], dim=1)

    def fit(
        self, rows: np.ndarray, means: np.ndarray, ends: np.ndarray, w: np.ndarray
    ) -> float:
        """Fit the numbers of the formula to labels, and return the reach of axes.

        Parameters
        ----------
        rows : ndarray of shape (n, size)
            Of measures.
        means : ndarray of shape (n, d) or (n, 0)
            Exact means, in the unit of w.
        ends : ndarray of int of shape (n_pairs, 2)
            Numbers of measures.
        w : ndarray of shape (n_pairs,)
            Their distances.
        """
        (n_out,) = self.blocks
        columns = rows[:, :n_out]
        known_sq = gaps_squared(means, ends)
        if not self.private_axis:
            stretch = fit_scale(gaps_squared(columns, ends), w, known_sq)
            self.formula.start_at(stretch, None)
            return 0.0
        own = np.square(rows[:, -N_OWN:-1])
        found = fit_private(columns, own, ends, w, known_sq, apart_sq=known_sq)
        self.formula.start_at(found.stretch, found.coefficients)
        return found.reach

    @torch.no_grad()
    def begin_gently(self) -> None:
        """Let what is learned start small, beside the formula."""
        last = [x for x in self.layers.modules() if isinstance(x, nn.Linear)][-1]
        last.weight *= _GENTLE
        last.bias.zero_()


class _Formula(nn.Module):
    """The numbers of the formula: a stretch, and shares of what axes leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.raw_stretch = nn.Parameter(torch.empty(()))
        self.raw_shares = nn.Parameter(torch.empty(2))

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Start with what nothing has to be learned for; nothing is drawn."""
        self.raw_stretch.zero_()
        self.raw_shares.zero_()

    @torch.no_grad()
    def start_at(self, stretch: float, coefficients: np.ndarray | None) -> None:
        """Start with a stretch of columns, and coefficients of what they leave out.

        Without these, shares of the squared stretch stay what they are.
        """
        self.raw_stretch.fill_(np.log(stretch) / RATE)
        if coefficients is not None:
            shares = coefficients.clip(min=_LEAST_SHARE) / stretch**2
            changes = np.log(shares / _FIRST_SHARES) / RATE
            self.raw_shares.copy_(torch.from_numpy(changes))

    def forward(self) -> tuple[Tensor, Tensor]:
        start = self.raw_shares.new_tensor(_FIRST_SHARES)
        return torch.exp(RATE * self.raw_stretch), start * torch.exp(
            RATE * self.raw_shares
        )
