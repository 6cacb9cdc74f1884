"""What an architecture is: parameters of scikit-learn in, a network out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from torch import nn

from ..measures import Histograms, PointClouds
from ..nn.encoders import Encoder
from ..nn.inputs import FixedInput
from ..nn.transformer import SetEncoder

WIDTHS = (512, 512)
# Constraint of parameters that hold sizes: `check_sizes` says more of one number.
SIZES = ["array-like", Integral]


@dataclass(frozen=True)
class Space:
    """What is known of measures and embeddings when a network is made.

    Parameters
    ----------
    dim : int
        Dimension of the space that points or bins lie in.
    n_components : int
        As the user gave it.
    n_bins : int or None
        Number of bins; None for point clouds.
    grid_shape : tuple of int or None
        The grid that bins form, if any.
    exact_mean : bool
        Whether embeddings carry the mean, in `dim` columns.
    by_isometry : bool
        Whether measures are seen up to isometry.
    private_axis : bool, default=False
        Whether a column of embeddings is the length of a private axis.

    See Also
    --------
    Architecture : What makes layers for it.
    """

    dim: int
    n_components: int
    n_bins: int | None
    grid_shape: tuple[int, ...] | None
    exact_mean: bool
    by_isometry: bool
    private_axis: bool = False

    @property
    def n_exact(self) -> int:
        """Columns of an embedding that are the mean."""
        return self.dim if self.exact_mean else 0


class Architecture(BaseEstimator, ABC):
    """Base class of architectures: what a network sees of measures, and its layers.

    A network of your own is a subclass of :class:`Slices`, :class:`Fourier` or
    :class:`Dense`, whichever sees measures as it should, with an assign-only
    `__init__`, `_parameter_constraints`, and a method `make_stages(n_in, n_out,
    space)`. That returns two lists: the layers that follow the fixed first one, and how
    many features each gives. The last layer is a `torch.nn.Linear` of `n_out`. Layers
    may hold linear layers, convolutions, normalisations, and modules with a method
    `initialize(generator)` that draws their weights. Hidden sizes in a parameter
    `widths` or `channels` follow `n_parameters` of :class:`DeepKENN`.

    An object of it can be given as `architecture` to any embedder that trains a
    network, and be the `backbone` of :class:`DeepKENN` or the `lift` of
    :class:`ODEKENN`. It can be pickled, but not saved: files hold no code. Other
    methods may change from release to release, such as `make_inputs(space)`, which
    returns the first layer, a `FixedInput` of `skwass.nn.inputs` or
    `skwass.nn.cloud_inputs`.

    See Also
    --------
    Slices : The most accurate for W2 in up to three dimensions.
    DeepKENN : Distances of all layers of another architecture.

    Examples
    --------
    >>> from torch import nn
    >>> from skwass.architectures import Architecture, Slices
    >>> class LinearSlices(Slices):
    ...     _parameter_constraints = {}
    ...     def __init__(self):
    ...         pass
    ...     def make_stages(self, n_in, n_out, space):
    ...         return [nn.Linear(n_in, n_out)], [n_out]
    >>> LinearSlices()
    LinearSlices()
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}
    # Whether it sees measures as points, wherever these are, and can centre them.
    sees_points = False
    # Whether it takes only histograms, and whether these must be images.
    needs_bins = False
    needs_images = False
    # Whether it has learned layers on points.
    has_point_layers = False
    # Whether there are several feature maps, and whether their distances add up, rather
    # than the squares of these.
    has_feature_maps = False
    adds_distances = False
    # Whether embeddings are those of a formula before anything is learned.
    has_formula = False
    # Name of the decoder that goes with it, if not one of all.
    own_decoder: str | None = None

    @abstractmethod
    def make_inputs(self, space: Space) -> FixedInput:
        """Return the fixed first layer."""

    @abstractmethod
    def make_stages(
        self, n_in: int, n_out: int, space: Space
    ) -> tuple[list[nn.Module], list[int]]:
        """Return layers in turn, and how many numbers each gives: the last, n_out."""

    def make_points(self, inputs: Any) -> SetEncoder | None:
        """Return learned layers on points, or None."""
        return None

    def checked_stages(
        self, n_in: int, n_out: int, space: Space
    ) -> tuple[list[nn.Module], list[int]]:
        """Return what `make_stages` does, if that is as it should be."""
        made = self.make_stages(n_in, n_out, space)
        if not (isinstance(made, tuple) and len(made) == 2):
            raise TypeError(
                f"Got {made!r} from make_stages of {self}, expected a list of layers "
                "and one of their sizes. Return both."
            )
        stages, sizes = made
        last = list(stages[-1].modules())[-1]
        if not (
            list(sizes) == _sizes_of(stages, n_in)
            and sizes[-1] == n_out
            and isinstance(last, nn.Linear)
            and last.bias is not None
        ):
            raise ValueError(
                f"Got sizes={sizes} and a last layer {last} by make_stages of {self}, "
                "expected the number of features that each layer gives, and nn.Linear "
                f"with a bias and {n_out} features at the end. Add such a layer."
            )
        return list(stages), list(sizes)

    def make_encoder(self, n_in: int, space: Space) -> nn.Module:
        """Return what turns rows of `n_in` numbers into embeddings without means."""
        n_out = space.n_components - space.n_exact
        n_columns = n_out + space.private_axis
        stages, _ = self.checked_stages(n_in, n_columns, space)
        return Encoder(stages, n_out)

    def refuse(
        self, measures: Histograms | PointClouds, whole: "Architecture | None" = None
    ) -> None:
        """Raise for measures that it does not take.

        Parameters
        ----------
        measures : Histograms or PointClouds
            Training data.
        whole : Architecture, default=None
            What it is part of, for messages; itself if None.
        """
        whole = self if whole is None else whole
        if self.needs_bins and isinstance(measures, PointClouds):
            raise TypeError(
                f"Got architecture={whole} and point clouds, expected histograms on "
                "common bins. Set it, or what it is made of, to 'slices' or 'fourier', "
                "which take clouds."
            )
        grid = getattr(measures, "grid_shape", None)
        if self.needs_images and (grid is None or len(grid) != 2):
            raise ValueError(
                f"Got architecture={whole} with bins of grid_shape={grid}, expected a "
                "grid of two dimensions. Pass grid_shape=(height, width), or set "
                "architecture='auto'."
            )

    def chosen(self, default: str) -> "Architecture":
        """Return a copy in which nothing is left to choose: `"auto"` is the default."""
        return clone(self)

    def suited_to(self, measures: Histograms | PointClouds) -> "Architecture":
        """Return a copy in which nothing is left to choose by measures."""
        return self

    def fitted_to(self, space: Space) -> "Architecture":
        """Return a copy whose layers have the sizes that they are asked for."""
        return self

    def scaled(self, factor: float) -> "Architecture":
        """Return a copy whose hidden layers are wider by a factor."""
        copy = clone(self)
        for name in ("channels", "widths"):
            if hasattr(copy, name):
                sizes = check_sizes(name, getattr(copy, name))
                setattr(copy, name, tuple(max(1, int(factor * n)) for n in sizes))
        return copy

    def obstacle_to_mean(self, dim: int, n_components: int) -> tuple[str, str] | None:
        """Return what keeps embeddings from carrying the mean, and what to use."""
        if not self.sees_points:
            return f"architecture={self}", "one that sees points, such as Slices()"
        if dim >= n_components:
            return f"n_components={n_components}", f"more than {dim}"
        return None

    def knows_slopes(self, exact_mean: bool) -> bool:
        """Return whether derivatives of its first layer are known.

        Without it there is no `gradient_weight`; with it, the first layer has
        `row_slopes`.
        """
        return False


def _sizes_of(stages: Sequence[nn.Module], n_in: int) -> list[int]:
    """Return how many numbers each of these layers gives a measure."""
    x, sizes = torch.zeros(2, n_in), []
    with torch.no_grad():
        for stage in stages:
            x = stage(x)
            sizes.append(x[0].numel())
    return sizes


def check_sizes(name: str, sizes: Any, fewest: int = 0) -> tuple[int, ...]:
    """Return numbers of features of layers, checked.

    Parameters
    ----------
    name : str
        Of the parameter.
    sizes : sequence of int
        Given by the user.
    fewest : int, default=0
        How many there must be at least.
    """
    given = np.asarray(sizes)
    is_whole = given.dtype.kind in "iu" or given.size == 0
    if given.ndim != 1 or len(given) < fewest or not is_whole or (given < 1).any():
        one = "one or more " if fewest else ""
        raise ValueError(
            f"Got {name}={sizes!r}, expected {one}positive integers. Write a tuple, "
            f"such as {name}=(64,)."
        )
    return tuple(given.tolist())
