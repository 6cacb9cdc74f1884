"""Architectures that see the masses of bins."""

from typing import Any, ClassVar, cast

from torch import nn

from ..nn.conv import Grid, paper_stages, strided_stages
from ..nn.inputs import FixedInput, SpectralInput, StandardInput
from ..nn.mlp import dense_stages
from ._base import SIZES, Architecture, Space, check_sizes

# Standard deviation of what the encoder sees.
_GAIN = 1.0
# W2 near the uniform measure says 1; somewhat smoother input generalises better.
_SMOOTHNESS = 1.5
# The cosine transform holds a square table of this side per axis.
_LONGEST_SPECTRUM = 4096


class _OfMasses(Architecture):
    """Sees masses as they are, standardised."""

    needs_bins = True

    def knows_slopes(self, exact_mean: bool) -> bool:
        """Return that slopes are known: rows are linear in masses."""
        return True

    def make_inputs(self, space: Space) -> FixedInput:
        return StandardInput(cast(int, space.n_bins), _GAIN)


class Dense(_OfMasses):
    """Dense layers on the masses of bins, on a grid after a fixed cosine transform.

    For any distance of histograms. Cosine coefficients over a power of their frequency
    are near W2 where measures are close [1]_.

    Parameters
    ----------
    widths : tuple of int, default=(1024, 512)
        Hidden layers; an empty tuple makes a linear map.

    See Also
    --------
    Slices : More accurate for W2 in up to three dimensions.
    Convolutional : Convolutions on images.

    References
    ----------
    .. [1] Peyre (2018). Comparison between W2 distance and H^-1 norm. ESAIM: COCV 24.

    Examples
    --------
    >>> from skwass.architectures import Dense
    >>> Dense(widths=(256,))
    Dense(widths=(256,))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"widths": SIZES}

    def __init__(self, widths: Any = (1024, 512)) -> None:
        self.widths = widths

    def make_inputs(self, space: Space) -> FixedInput:
        """Return the fixed first layer: a spectrum, if bins form a short grid."""
        grid = space.grid_shape
        if grid is None or max(grid) > _LONGEST_SPECTRUM:
            return super().make_inputs(space)
        return SpectralInput(grid, _GAIN, _SMOOTHNESS)

    def make_stages(
        self, n_in: int, n_out: int, space: Space
    ) -> tuple[list[nn.Module], list[int]]:
        """Return dense layers."""
        return dense(n_in, self.widths, n_out)


class Convolutional(_OfMasses):
    """Convolutions of 3 x 3 and stride 2 on an image, then dense layers.

    Parameters
    ----------
    channels : tuple of int, default=(32, 64)
        Filters of each convolution, at least one.
    widths : tuple of int, default=(256,)
        Hidden dense layers after them.

    See Also
    --------
    Slices : More accurate for W2, and faster on CPUs.
    Courty2018 : The convolutions of the paper.

    Examples
    --------
    >>> from skwass.architectures import Convolutional
    >>> Convolutional(channels=(8, 16))
    Convolutional(channels=(8, 16))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "channels": SIZES,
        "widths": SIZES,
    }
    needs_images = True

    def __init__(self, channels: Any = (32, 64), widths: Any = (256,)) -> None:
        self.channels = channels
        self.widths = widths

    def make_stages(
        self, n_in: int, n_out: int, space: Space
    ) -> tuple[list[nn.Module], list[int]]:
        """Return convolutions, then dense layers."""
        channels = check_sizes("channels", self.channels, 1)
        sizes = [*check_sizes("widths", self.widths), n_out]
        return strided_stages(cast(Grid, space.grid_shape), channels, sizes)


class Courty2018(_OfMasses):
    """The encoder of Deep Wasserstein Embedding [1]_, section 4.1, for images.

    Two convolutions at full resolution and two linear layers; slow on CPUs.

    See Also
    --------
    Courty2018Decoder : The decoder that goes with it.
    Slices : Several times as accurate for W2.

    References
    ----------
    .. [1] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings. ICLR.

    Examples
    --------
    >>> from skwass.architectures import Courty2018
    >>> Courty2018()
    Courty2018()
    """

    needs_images = True
    own_decoder = "courty2018"

    def make_stages(
        self, n_in: int, n_out: int, space: Space
    ) -> tuple[list[nn.Module], list[int]]:
        """Return the layers of the paper."""
        return paper_stages(cast(Grid, space.grid_shape), n_out)


def dense(n_in: int, widths: Any, n_out: int) -> tuple[list[nn.Module], list[int]]:
    """Return dense layers in turn, and how many numbers each gives."""
    sizes = [*check_sizes("widths", widths), n_out]
    return dense_stages([n_in, *sizes]), sizes
