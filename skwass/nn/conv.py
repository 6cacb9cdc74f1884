"""Convolutional layers and decoder for histograms on a two-dimensional grid.

References: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Grid = tuple[int, int]


def paper_stages(
    grid_shape: Grid, n_components: int
) -> tuple[list[nn.Module], list[int]]:
    """Return the encoder of [DWE], section 4.1: [B, H * W] -> [B, k].

    Two convolutions at full resolution (20 filters of 3 x 3, 5 of 5 x 5, ReLU after
    each), then two linear layers, of 100 and k units; and how many numbers each gives.
    """
    height, width = grid_shape
    image = nn.Unflatten(1, (1, height, width))  # [B, 1, H, W]
    n_pixels = height * width
    stages = [
        nn.Sequential(image, nn.Conv2d(1, 20, 3, padding=1)),
        nn.Sequential(nn.ReLU(), nn.Conv2d(20, 5, 5, padding=2)),
        nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(5 * n_pixels, 100)),
        nn.Linear(100, n_components),
    ]
    return stages, [20 * n_pixels, 5 * n_pixels, 100, n_components]


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


def strided_stages(
    grid_shape: Grid,
    channels: Sequence[int],
    dense: Sequence[int],
) -> tuple[list[nn.Module], list[int]]:
    """Convolutions that halve the grid, then linear layers: [B, H * W] -> [B, k].

    Each stage but the first begins with the activation of the one before it, so that
    what a stage gives is affine.

    Parameters
    ----------
    grid_shape : (int, int)
        Height and width.
    channels : sequence of int
        Filters of each convolution of 3 x 3 and stride 2.
    dense : sequence of int
        Sizes of the linear layers, at least one.

    Returns
    -------
    stages : list of Module
    sizes : list of int
        How many numbers each gives a measure.
    """
    height, width = grid_shape
    stages: list[nn.Module] = []
    sizes: list[int] = []
    before: list[nn.Module] = [nn.Unflatten(1, (1, height, width))]  # [B, 1, H, W]
    n_in = 1
    for n_filters in channels:
        convolution = nn.Conv2d(n_in, n_filters, 3, stride=2, padding=1)
        stages.append(nn.Sequential(*before, convolution))
        # [B, C, ceil(H / 2), ceil(W / 2)]
        height, width, n_in = (height + 1) // 2, (width + 1) // 2, n_filters
        sizes.append(n_filters * height * width)
        before = [nn.SiLU()]
    before.append(nn.Flatten())
    n_in *= height * width
    for n_out in dense:
        stages.append(nn.Sequential(*before, nn.Linear(n_in, n_out)))
        n_in, before = n_out, [nn.SiLU()]
    return stages, [*sizes, *dense]
