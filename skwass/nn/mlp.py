"""Dense stages, and dense decoders of histograms."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Masses below this count as this much, in logarithms.
_LEAST = 1e-30


def dense_stages(sizes: Sequence[int]) -> list[nn.Module]:
    """Linear layers of the given sizes, each but the first after a SiLU.

    What a stage gives is affine, so that it tells apart whatever its layer does. W2 is
    smooth where measures are: with SiLU, and inputs of unit scale, the error on MNIST
    is a tenth smaller than with ReLU.
    """
    stages: list[nn.Module] = [nn.Linear(sizes[0], sizes[1])]
    for n_in, n_out in zip(sizes[1:-1], sizes[2:], strict=True):
        stages.append(nn.Sequential(nn.SiLU(), nn.Linear(n_in, n_out)))
    return stages


class DenseDecoder(nn.Module):
    """Embedding [B, k] -> log-probabilities of bins [B, n_bins]."""

    def __init__(self, n_components: int, widths: Sequence[int], n_bins: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*dense_stages([n_components, *widths, n_bins]))

    def forward(self, z: Tensor) -> Tensor:
        return torch.log_softmax(self.layers(z), dim=1)


class MovedDecoder(nn.Module):
    """Decode a histogram on a grid about the center of all, and move it to its mean.

    By linear interpolation along each axis, so that translates decode to translates.
    What leaves the grid is lost, and the rest is scaled to mass 1.

    Parameters
    ----------
    n_components : int
        k, exact columns not counted.
    widths : sequence of int
        Hidden layers.
    grid_shape : tuple of int
        The bins are the cells of this grid, in C order.
    """

    def __init__(
        self, n_components: int, widths: Sequence[int], grid_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.grid_shape = tuple(grid_shape)
        self.centred = DenseDecoder(n_components, widths, math.prod(grid_shape))

    def forward(self, z: Tensor, shift: Tensor) -> Tensor:
        """Return log-probabilities of bins: [B, k], [B, d] in bins -> [B, n_bins]."""
        q = self.centred(z).exp()
        for axis, size in enumerate(self.grid_shape):
            bins = torch.arange(size, device=z.device)
            whole = shift[:, axis].floor()
            share = (shift[:, axis] - whole)[:, None, None]
            # Bin i gets what is at i - shift, between two bins.
            source = bins - whole.clamp(-size - 1, size).long()[:, None]  # [B, size]
            # The first axis goes last: in turn, all are back in their order.
            q = q.reshape(len(q), size, -1).transpose(1, 2)
            q = (1 - share) * _shifted(q, source) + share * _shifted(q, source - 1)
        q = q.flatten(1).clamp_min(_LEAST)
        return q.log() - q.sum(dim=1, keepdim=True).log()


def _shifted(q: Tensor, source: Tensor) -> Tensor:
    """Return entries [B, r, n] by their numbers [B, n] on the last axis, 0 off it."""
    n = q.shape[2]
    inside = ((source >= 0) & (source < n)).to(q.dtype)
    index = source.clamp(0, n - 1)[:, None].expand(-1, q.shape[1], -1)
    return q.gather(2, index) * inside[:, None]
