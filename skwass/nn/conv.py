"""Convolutional encoders and decoder for histograms on a two-dimensional grid.

References: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Grid = tuple[int, int]


class PaperEncoder(nn.Module):
    """The encoder of [DWE], section 4.1: [B, H * W] -> [B, k].

    Two convolutions at full resolution (20 filters of 3 x 3, 5 of 5 x 5, ReLU after
    each), then two linear layers, of 100 and k units.
    """

    def __init__(self, grid_shape: Grid, n_components: int) -> None:
        super().__init__()
        height, width = grid_shape
        self.layers = nn.Sequential(
            nn.Unflatten(1, (1, height, width)),  # [B, 1, H, W]
            nn.Conv2d(1, 20, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(20, 5, 5, padding=2),
            nn.ReLU(),
            nn.Flatten(),  # [B, 5 * H * W]
            nn.Linear(5 * height * width, 100),
            nn.Linear(100, n_components),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class PaperDecoder(nn.Module):
    """The decoder of [DWE], section 4.1: [B, k] -> log-probabilities [B, H * W]."""

    def __init__(self, n_components: int, grid_shape: Grid) -> None:
        super().__init__()
        height, width = grid_shape
        self.layers = nn.Sequential(
            nn.Linear(n_components, 100),
            nn.ReLU(),
            nn.Linear(100, 5 * height * width),
            nn.ReLU(),
            nn.Unflatten(1, (5, height, width)),  # [B, 5, H, W]
            nn.Conv2d(5, 20, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(20, 1, 3, padding=1),
            nn.Flatten(),  # [B, H * W]
        )

    def forward(self, z: Tensor) -> Tensor:
        return torch.log_softmax(self.layers(z), dim=1)


class StridedEncoder(nn.Module):
    """Convolutions that halve the grid, then dense layers: [B, H * W] -> [B, k].

    Each of the leading `widths` is the channels of a convolution of stride 2; the last
    is the width of a dense layer.
    """

    def __init__(
        self, grid_shape: Grid, widths: Sequence[int], n_components: int
    ) -> None:
        super().__init__()
        height, width = grid_shape
        layers: list[nn.Module] = [nn.Unflatten(1, (1, height, width))]  # [B, 1, H, W]
        channels = 1
        for n_filters in widths[:-1]:
            convolution = nn.Conv2d(channels, n_filters, 3, stride=2, padding=1)
            layers += [convolution, nn.ReLU()]  # [B, C, ceil(H / 2), ceil(W / 2)]
            height, width, channels = (height + 1) // 2, (width + 1) // 2, n_filters
        layers += [
            nn.Flatten(),  # [B, C * H' * W']
            nn.Linear(channels * height * width, widths[-1]),
            nn.ReLU(),
            nn.Linear(widths[-1], n_components),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
