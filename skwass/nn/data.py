"""Measures as training and validation see them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .cloud_inputs import CloudInput
from .ragged import CloudBatch, subsample
from .slopes import RowSlopes


@dataclass(frozen=True)
class MeasureData:
    """Measures as training and validation see them.

    Parameters
    ----------
    measures : Histograms or PointClouds
        They stay where they are; only the clouds of a batch are copied to the device.
    features : Tensor [N, .]
        What `Network.inputs` makes of them, once and for all.
    masses : Tensor [N, n_bins] or None
        To reconstruct, for a decoder of histograms.
    generator : torch.Generator or None
        Draws points of clouds, where not all are seen at each step; None sees all.
    row_slopes : RowSlopes or None
        How gradients in rows become slopes.
    """

    measures: Any
    features: Tensor
    masses: Tensor | None = None
    generator: torch.Generator | None = None
    row_slopes: RowSlopes | None = None

    def rows(self, numbers: Tensor) -> Tensor:
        """Return fixed rows of measures by their numbers."""
        return self.features.index_select(0, numbers)

    def batches(
        self, inputs: CloudInput, numbers: Tensor, max_points: int | None
    ) -> list[CloudBatch]:
        """Return clouds by their numbers; in training, at most `max_points` of each."""
        clouds = [self.measures.measure(i) for i in numbers.tolist()]
        if max_points is not None and self.generator is not None:
            clouds = [subsample(c, max_points, self.generator) for c in clouds]
        return inputs.batches(clouds, numbers.device)
