"""DeepKENN, ODE-KENN and their baseline: distances of many feature maps at once.

References: [KENN] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein
Metric Learning.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .encoders import signal
from .ode import Trajectory
from .readouts import BlockWeights


class FeatureMaps(nn.Module):
    """Run stages in turn and return what each gives, flat: [B, n] -> [B, size] each.

    With `last_only`, only the last.
    """

    def __init__(self, stages: Sequence[nn.Module], last_only: bool) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.last_only = last_only

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x.flatten(1))
        return features[-1:] if self.last_only else features


class KuratowskiEncoder(nn.Module):
    """Feature maps, each scaled by its learned weight: [B, n] -> [B, sum of sizes].

    With a private axis, one more column, of all scaled feature maps.
    """

    def __init__(
        self, features: nn.Module, weights: BlockWeights, private_axis: bool = False
    ) -> None:
        super().__init__()
        self.features = features
        self.weights = weights
        self.private = nn.Linear(sum(weights.sizes), 1) if private_axis else None

    def forward(self, x: Tensor) -> Tensor:
        rows = self.weights(self.features(x))
        if self.private is None:
            return rows
        return torch.cat([rows, self.private(rows)], dim=1)

    @property
    def times(self) -> np.ndarray | None:
        """Nodes of a curve in [0, 1], or None for layers."""
        if not isinstance(self.features, Trajectory):
            return None
        return np.linspace(0, 1, self.features.n_nodes)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Sizes of the parts of a row whose Euclidean distances add up."""
        return self.weights.blocks

    @torch.no_grad()
    def calibrate(self, x: Tensor, squared: bool) -> None:
        """Choose initial scales by some inputs of training: [B, n].

        Whether squares are to be regressed or not: feature maps have no scale.
        """
        size = signal(x)
        if isinstance(self.features, Trajectory):
            self.features.calibrate(x, size)
        self.weights.calibrate(self.features(x), size)
