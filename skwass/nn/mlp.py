"""Dense encoder and decoder for histograms on any support."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def dense_stack(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers of the given sizes with ReLU between them, none after the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class DenseEncoder(nn.Module):
    """Histogram [B, n_bins] -> embedding [B, k]."""

    def __init__(self, n_bins: int, widths: Sequence[int], n_components: int) -> None:
        super().__init__()
        self.layers = dense_stack([n_bins, *widths, n_components])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class DenseDecoder(nn.Module):
    """Embedding [B, k] -> log-probabilities of bins [B, n_bins]."""

    def __init__(self, n_components: int, widths: Sequence[int], n_bins: int) -> None:
        super().__init__()
        self.layers = dense_stack([n_components, *widths, n_bins])

    def forward(self, z: Tensor) -> Tensor:
        return torch.log_softmax(self.layers(z), dim=1)
