"""Fixed first layers: masses that sum to 1 in, numbers of order 1 out.

Networks see masses through these, with statistics of the training data as buffers. They
hold no weights, so training applies them once to all data.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from .devices import CHUNK_ROWS, to_tensor
from .slopes import LinearSlopes, RowSlopes

if TYPE_CHECKING:
    from ..measures import Histograms


def mass_chunks(measures: "Histograms", device: torch.device | str) -> Iterator[Tensor]:
    """Yield masses of all bins in float32, some rows at a time: [B, n_bins]."""
    for start in range(0, len(measures), CHUNK_ROWS):
        part = measures[start : start + CHUNK_ROWS]
        yield to_tensor(part.dense_masses(), device)


class FixedInput(nn.Module):
    """Fixed layers that see measures: rows of `size` numbers, then exact means."""

    size: int
    # Columns at the end of rows that are the mean of a measure.
    n_exact = 0
    # Whether private axes of measures are apart where their means are, whatever shapes.
    # In the plane, translates are to be at their true distance; in many dimensions,
    # clouds share points only where their means are near.
    parts_by_mean = False
    # Whether rows mean something only for the bins of training.
    needs_bins = False

    def fit_to(
        self,
        measures: Any,
        generator: torch.Generator,
        pairs: np.ndarray,
        w: np.ndarray,
    ) -> Any:
        """Take statistics of training measures, some pairs of which have labels w.

        What is returned, if anything, is for the encoder to fit a formula to.
        """
        raise NotImplementedError

    def rows(self, measures: Any, device: torch.device) -> Tensor:
        """Return what the network sees of measures: [N, size + n_exact]."""
        raise NotImplementedError

    def row_slopes(self, measures: Any, probes: Any, device: torch.device) -> RowSlopes:
        """Return how gradients in rows of measures become slopes toward probes."""
        raise NotImplementedError


class StandardInput(FixedInput):
    """Subtract the mean histogram and divide by one number: [B, n_bins] -> same.

    One number for all bins, since a bin's variance says where the mass is.

    Parameters
    ----------
    n_bins : int
        Number of bins.
    gain : float
        Standard deviation of the output. Less makes networks smoother in their input,
        which is what they lack when labels are few.
    """

    needs_bins = True
    mean: Tensor
    inverse_std: Tensor

    def __init__(self, n_bins: int, gain: float) -> None:
        super().__init__()
        self.gain = gain
        self.size = n_bins
        self.register_buffer("mean", torch.empty(n_bins))
        self.register_buffer("inverse_std", torch.empty(()))

    def fit(self, x: Tensor) -> None:
        """Take the statistics of training masses [N, n_bins]."""
        chunks = x.split(CHUNK_ROWS)
        sums = [self.features(part).sum(dim=0, dtype=torch.float64) for part in chunks]
        self.mean.copy_(torch.stack(sums).sum(dim=0) / len(x))
        squares = [(self.features(part) - self.mean).square().sum() for part in chunks]
        deviation = float(torch.stack(squares).double().sum() / x.numel()) ** 0.5
        # Equal measures leave rounding errors, which are not to be blown up.
        floor = 1e-5 * float(self.features(x[:1]).abs().max())
        self.inverse_std.fill_(self.gain / (max(deviation, floor) or 1.0))

    def fit_to(
        self,
        measures: "Histograms",
        generator: torch.Generator,
        pairs: np.ndarray,
        w: np.ndarray,
    ) -> None:
        """Take statistics of training measures."""
        self.fit(torch.cat(list(mass_chunks(measures, "cpu"))))

    @torch.no_grad()
    def rows(self, measures: "Histograms", device: torch.device) -> Tensor:
        """Return what `forward` makes of all measures: [N, n_bins]."""
        return torch.cat([self(masses) for masses in mass_chunks(measures, device)])

    def row_slopes(
        self, measures: "Histograms", probes: "Histograms", device: torch.device
    ) -> LinearSlopes:
        """Return how gradients in rows of measures become slopes toward probes."""
        return LinearSlopes(self.rows(probes, device))

    def features(self, x: Tensor) -> Tensor:
        """Return what is standardised; the masses themselves."""
        return x

    def forward(self, x: Tensor) -> Tensor:
        return (self.features(x) - self.mean) * self.inverse_std


class SpectralInput(StandardInput):
    """Cosine transform over frequency: the linear map that W2 itself is made of.

    For small perturbations of a uniform measure, W2(a, b) is the norm of a - b in the
    dual Sobolev space H^-1 [1]_: the Euclidean norm of cosine coefficients, each
    divided by its frequency (smoothness 1). Networks of these numbers start where
    training would have to bring pixels: near W2, and blind to noise of high frequency.

    Parameters
    ----------
    grid_shape : tuple of int
        The bins are the cells of this grid, in C order.
    gain : float
        Standard deviation of the output.
    smoothness : float
        Power of the frequency that coefficients are divided by. 1 is H^-1; more blurs.

    References
    ----------
    .. [1] Peyre (2018). Comparison between W2 distance and H^-1 norm. ESAIM: COCV 24.
    """

    weight: Tensor

    def __init__(
        self, grid_shape: tuple[int, ...], gain: float, smoothness: float
    ) -> None:
        super().__init__(math.prod(grid_shape), gain)
        self.smoothness = smoothness
        self.grid_shape = tuple(grid_shape)
        for axis, size in enumerate(grid_shape):
            self.register_buffer(f"cosines_{axis}", torch.empty(size, size))
        self.register_buffer("weight", torch.empty(self.grid_shape))

    def fit(self, x: Tensor) -> None:
        """Fill the tables, then take the statistics of masses [N, n_bins]."""
        squares = torch.zeros(self.grid_shape, dtype=torch.float64)
        for axis, size in enumerate(self.grid_shape):
            frequency = torch.arange(size, dtype=torch.float64) * math.pi / size
            cosines = torch.outer(frequency, torch.arange(size) + 0.5).cos()
            cosines /= cosines.norm(dim=1, keepdim=True)  # rows: frequencies
            getattr(self, f"cosines_{axis}").copy_(cosines)
            shape = [1] * len(self.grid_shape)
            shape[axis] = size
            squares += frequency.square().reshape(shape)
        squares.view(-1)[0] = math.inf  # the total mass is 1 and says nothing
        self.weight.copy_(squares ** (-self.smoothness / 2))
        super().fit(x)

    def features(self, x: Tensor) -> Tensor:
        """Return weighted cosine coefficients: [B, n_bins] -> [B, n_bins]."""
        x = x.unflatten(1, self.grid_shape)  # [B, *grid]
        for axis in range(len(self.grid_shape)):
            cosines = getattr(self, f"cosines_{axis}")
            x = torch.tensordot(x, cosines, dims=([1], [1]))  # axis goes last: in turn
        return (x * self.weight).flatten(1)  # [B, n_bins]
