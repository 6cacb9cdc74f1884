"""Regression of derivatives of W^2: what a solve says besides the distance.

Networks see a measure through a fixed row. How that moves as the measure gives way to a
probe is known, so that one gradient in the row gives the derivatives of a distance
toward all probes, by products with a fixed matrix.
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from .pairs import PairBatch
from .readouts import Readout, paired_squares

# Slopes of W are those of W^2 over 2 W. W counts as this much at least, in units of the
# root of the mean square of labels, or close pairs would outweigh all others.
LEAST_W = 0.3

# Places on a line at which what lies below is tabulated.
N_TABLE = 128


class RowSlopes(Protocol):
    """How gradients in rows become derivatives toward probes."""

    def __call__(self, gradient: Tensor, rows: Tensor, numbers: Tensor) -> Tensor:
        """Return derivatives: [B, n], rows [B, n] of measures [B] -> [B, r]."""
        ...


class RowModel(Protocol):
    """What this regression needs of a network."""

    @property
    def readout(self) -> Readout: ...

    n_exact: int  # columns of rows that are the mean, and stand still

    def encode_rows(self, rows: Tensor) -> Tensor: ...  # [U, n + n_exact] -> [U, k]


class RowData(Protocol):
    """What this regression needs of measures."""

    @property
    def row_slopes(self) -> RowSlopes | None: ...

    def rows(self, measures: Tensor) -> Tensor: ...  # [U] -> [U, n (+ exact columns)]


class LinearSlopes:
    """Probes of rows that are linear in a measure, up to a constant.

    Parameters
    ----------
    rows : Tensor [r, n]
        Of the probes.
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows = rows

    def __call__(self, gradient: Tensor, rows: Tensor, numbers: Tensor) -> Tensor:
        """Return derivatives toward all probes: [B, r]."""
        return gradient @ self.rows.T - (gradient * rows).sum(dim=1, keepdim=True)


class SliceSlopes:
    """Probes of rows of quantile cells.

    The integral of a quantile function up to level t is the largest of `t y - h(y)`
    over y, where h(y) is the integral of `max(y - z, 0)` over the measure in z. As the
    measure gives way to a probe, its h moves straight to that of the probe, and the
    largest value by minus as much, at its y: the quantile at t.

    Parameters
    ----------
    quantiles, below : Tensor [N, L, Q - 1]
        Knots of the measures, centred.
    places, masses : list of Tensor [L, m]
        Each probe on the lines, centred.
    gain : float
        Factor of cells in rows [N, L * Q].
    """

    def __init__(
        self,
        quantiles: Tensor,
        below: Tensor,
        places: list[Tensor],
        masses: list[Tensor],
        gain: float,
    ) -> None:
        low, high = quantiles.amin(dim=(0, 2)), quantiles.amax(dim=(0, 2))  # [L]
        step = ((high - low) / (N_TABLE - 1)).clamp_min(1e-30)
        ys = low[:, None] + step[:, None] * torch.arange(N_TABLE, device=low.device)
        columns = [
            ((ys[:, :, None] - z[:, None]).clamp_min(0) * a[:, None]).sum(dim=2)
            for z, a in zip(places, masses, strict=True)
        ]
        self.table = torch.stack(columns, dim=2).flatten(0, 1)  # [L * N_TABLE, r]
        place = (quantiles - low[:, None]) / step[:, None]
        first = place.floor().clamp(0, N_TABLE - 2)
        lines = torch.arange(len(low), device=low.device)[:, None]
        self.first = (first + N_TABLE * lines).int().flatten(1)  # [N, L * (Q - 1)]
        self.share = (place - first).flatten(1)
        self.below = below.flatten(1)
        self.gain = gain
        self.n_lines = len(low)

    def __call__(self, gradient: Tensor, rows: Tensor, numbers: Tensor) -> Tensor:
        """Return derivatives toward all probes: [B, r]."""
        gradient = self.gain * gradient.unflatten(1, (self.n_lines, -1))  # [B, L, Q]
        # A cell is Q times the difference of the integrals up to its ends.
        factor = -gradient.shape[2] * gradient.diff(dim=2).flatten(1)  # [B, L * (Q-1)]
        first, share = self.first[numbers], self.share[numbers]
        of_probes = embedding_bag(
            torch.cat([first, first + 1], dim=1),
            self.table,
            per_sample_weights=torch.cat([factor * (1 - share), factor * share], dim=1),
            mode="sum",
        )
        own = (factor * self.below[numbers]).sum(dim=1, keepdim=True)
        return own - of_probes


def slope_regression(
    model: RowModel, data: RowData, batch: PairBatch, squared: bool
) -> Tensor:
    """Mean of (d(D^2) - d(W^2))^2 over pairs, their two ends and probes.

    Where W is regressed and not its square, each divided by 2 W: the slopes of W.
    Zero if the batch has no slopes.

    Parameters
    ----------
    model : RowModel
        Where it has exact means, slopes are about fixed means.
    data : RowData
        Training measures.
    batch : PairBatch
        Pairs of them.
    squared : bool
        Whether squared distances are regressed.
    """
    if batch.slopes is None:
        return batch.w.new_zeros(())
    if data.row_slopes is None:
        raise TypeError("Got slopes to learn, expected row_slopes in the data too.")
    rows = data.rows(batch.measures)
    ends = torch.cat([batch.left, batch.right])
    rows = rows.index_select(0, ends)  # [2 B, n]: of each end of each pair
    free, exact = rows.split([rows.shape[1] - model.n_exact, model.n_exact], dim=1)
    free = free.detach().requires_grad_()
    z = model.encode_rows(torch.cat([free, exact], dim=1))
    left, right = z.chunk(2)
    squares = paired_squares(left, right, model.readout)
    (gradient,) = torch.autograd.grad(squares.sum(), free, create_graph=True)
    slopes = data.row_slopes(gradient, free, batch.measures[ends])
    error = slopes - torch.cat(batch.slopes.unbind(1))  # [2 B, r]
    if not squared:
        unit = 2 * batch.w.clamp_min(LEAST_W)
        error = error / torch.cat([unit, unit])[:, None]
    return error.square().mean()
