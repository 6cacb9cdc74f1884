"""DeepKENN, ODE-KENN and their baseline: distances of many feature maps at once.

References: [KENN] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein
Metric Learning.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor, nn

from .architectures import dense_decoder, histogram_inputs
from .conv import Grid, strided_stages
from .devices import to_tensor
from .mlp import dense_stages
from .ode import Trajectory, VectorField, trapezoid_weights
from .readouts import BlockWeights
from .siamese import Siamese

if TYPE_CHECKING:
    from ..measures import Histograms

# Measures that initial weights are calibrated on.
CALIBRATION_ROWS = 256
# By backbone: hidden layers of stacks, and of lift and vector field.
DEFAULT_WIDTHS = {
    ("slices", "layers"): (512, 512),
    ("mlp", "layers"): (512, 512),
    ("conv", "layers"): (16, 32, 128),
    ("slices", "ode"): (512,),
    ("mlp", "ode"): (512,),
    ("conv", "ode"): (16, 32, 128),
}


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
    """Feature maps, each scaled by its learned weight: [B, n] -> [B, sum of sizes]."""

    def __init__(self, features: nn.Module, weights: BlockWeights) -> None:
        super().__init__()
        self.features = features
        self.weights = weights

    def forward(self, x: Tensor) -> Tensor:
        return self.weights(self.features(x))

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        """Choose initial scales by some inputs of training: [B, n]."""
        if isinstance(self.features, Trajectory):
            self.features.calibrate(x)
        self.weights.calibrate(self.features(x))


class Kuratowski(Siamese):
    """A siamese network whose encoder is a :class:`KuratowskiEncoder`."""

    encoder: KuratowskiEncoder

    def fit_to(self, measures: "Histograms", generator: torch.Generator) -> None:
        """Fit what is fixed, and initial scales, to training measures."""
        super().fit_to(measures, generator)
        rows = torch.randperm(len(measures), generator=generator)[:CALIBRATION_ROWS]
        masses = to_tensor(measures.masses[np.sort(rows.numpy())])
        free, _ = self.split(self.inputs(masses))
        self.encoder.calibrate(free)


def kuratowski_network(
    *,
    architecture: str,
    aggregation: str,
    backbone: str,
    n_bins: int,
    grid_shape: tuple[int, ...] | None,
    n_components: int,
    widths: Sequence[int],
    n_nodes: int,
    velocity: bool,
    solver: str,
    adjoint: bool,
    dim: int,
    with_decoder: bool,
    exact_mean: bool,
) -> Kuratowski:
    """Make an untrained Kuratowski network for histograms.

    Parameters
    ----------
    architecture : {"last_layer", "cnn", "ode"}
        Distance of the last feature map, of all, or of curves.
    aggregation : {"l1", "l2"}
        How the distances of feature maps add up.
    backbone : {"slices", "mlp", "conv"}
        What the feature maps are of, and what lifts to the start of curves.
    n_bins : int
        Number of bins.
    grid_shape : tuple of int or None
        The grid that the bins form; two-dimensional for `"conv"`.
    n_components : int
        Dimension of the last feature map, or of the state of a curve.
    widths : sequence of int
        Of the hidden layers; with `"ode"` those of the vector field.
    n_nodes, velocity, solver, adjoint
        As in `Trajectory`; unused without `"ode"`.
    with_decoder : bool
        Whether to have a decoder; a dense one.
    dim : int
        Dimension of the space that the bins lie in.
    exact_mean : bool
        Whether rows carry the mean beside feature maps; with `"slices"` and `"l2"`
        alone.

    Returns
    -------
    network : Kuratowski
    """
    features: nn.Module
    n_exact = dim if exact_mean else 0
    inputs = histogram_inputs(backbone, n_bins, grid_shape, dim, exact_mean)
    n_inputs = inputs.size
    if architecture == "ode":
        lift, widths = _lift(backbone, n_inputs, grid_shape, n_components, widths)
        field = VectorField(n_components, widths)
        features = Trajectory(lift, field, n_nodes, velocity, solver, adjoint)
        quadrature = trapezoid_weights(n_nodes) * (2 if velocity else 1)
        sizes = [n_components] * len(quadrature)
    else:
        stages, sizes = _stages(backbone, n_inputs, grid_shape, n_components, widths)
        last_only = architecture == "last_layer"
        features = FeatureMaps(stages, last_only)
        sizes = sizes[-1:] if last_only else sizes
        quadrature = [1 / len(sizes)] * len(sizes)
    weights = BlockWeights(sizes, quadrature, aggregation)
    decoder = None
    if with_decoder:
        n_columns = sum(sizes) + n_exact
        decoder = dense_decoder(n_columns, n_bins, grid_shape, n_exact)
    encoder = KuratowskiEncoder(features, weights)
    *first, last = weights.blocks
    return Kuratowski(inputs, encoder, decoder, (*first, last + n_exact), n_exact)


def _stages(
    backbone: str,
    n_inputs: int,
    grid_shape: tuple[int, ...] | None,
    n_components: int,
    widths: Sequence[int],
) -> tuple[list[nn.Module], list[int]]:
    """Return layers in turn, and how many numbers each gives."""
    if backbone == "conv":
        dense = [widths[-1], n_components]
        return strided_stages(cast(Grid, grid_shape), widths[:-1], dense)
    sizes = [*widths, n_components]
    return dense_stages([n_inputs, *sizes]), sizes


def _lift(
    backbone: str,
    n_inputs: int,
    grid_shape: tuple[int, ...] | None,
    n_components: int,
    widths: Sequence[int],
) -> tuple[nn.Module, Sequence[int]]:
    """Return what lifts inputs to the start of curves, and the widths of the field."""
    if backbone == "conv":
        image = cast(Grid, grid_shape)  # checked by estimators
        stages, _ = strided_stages(image, widths[:-1], [n_components])
        return nn.Sequential(*stages), widths[-1:]
    return nn.Linear(n_inputs, n_components), widths


def count_weights(module: nn.Module) -> int:
    """Return how many numbers a module learns."""
    return sum(parameter.numel() for parameter in module.parameters())


def match_widths(settings: dict, n_parameters: int) -> tuple[int, ...]:
    """Scale hidden widths so that a network learns as many numbers as it may.

    Parameters
    ----------
    settings : dict
        Arguments of `kuratowski_network`, with the widths to scale.
    n_parameters : int
        How many numbers it may learn, a decoder not counted.

    Returns
    -------
    widths : tuple of int
        In the ratios of those given, up to rounding; the last layer takes up the rest.

    Raises
    ------
    ValueError
        If that is too few for any width.
    """

    def count(widths: tuple[int, ...]) -> int:
        with torch.device("meta"):
            network = kuratowski_network(
                **{**settings, "widths": widths, "with_decoder": False}
            )
        return count_weights(network)

    def scaled(factor: float) -> tuple[int, ...]:
        return tuple(max(1, int(factor * width)) for width in settings["widths"])

    fewest = count(scaled(0))
    if fewest > n_parameters:
        raise ValueError(
            f"Got n_parameters={n_parameters}, expected at least {fewest} for "
            f"architecture={settings['architecture']!r} with n_components="
            f"{settings['n_components']}. Raise n_parameters."
        )
    low, high = 0.0, 1.0
    while count(scaled(high)) <= n_parameters:
        low, high = high, 2 * high
    for _ in range(20):
        middle = (low + high) / 2
        if count(scaled(middle)) <= n_parameters:
            low = middle
        else:
            high = middle
    *first, last = scaled(low)
    while count((*first, last + 1)) <= n_parameters:
        last += 1
    return (*first, last)
