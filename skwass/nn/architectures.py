"""From the name of an architecture to a network."""

from collections.abc import Sequence

from torch import nn

from .conv import PaperDecoder, PaperEncoder, StridedEncoder
from .inputs import SpectralInput, StandardInput
from .mlp import DenseDecoder, DenseEncoder
from .siamese import Siamese

DECODER_WIDTHS = (512, 512)
DEFAULT_WIDTHS = {"mlp": (1024, 512), "conv": (32, 64, 256), "paper": ()}
NEEDS_IMAGES = {"conv", "paper"}
# Standard deviation of what the encoder sees.
GAIN = 1.0
# W2 near the uniform measure says 1; somewhat smoother input generalises better.
SMOOTHNESS = 1.5
# The cosine transform holds a square table of this side an axis.
LONGEST_SPECTRUM = 4096


def histogram_network(
    architecture: str,
    n_bins: int,
    grid_shape: tuple[int, ...] | None,
    n_components: int,
    widths: Sequence[int],
    with_decoder: bool,
) -> Siamese:
    """Make an untrained siamese network for histograms.

    Parameters
    ----------
    architecture : {"mlp", "conv", "paper"}
        Encoder. `"paper"` has the paper's decoder too, the others a dense one.
    n_bins : int
        Number of bins.
    grid_shape : tuple of int or None
        The grid that the bins form; two-dimensional for `"conv"` and `"paper"`.
    n_components : int
        Dimension of the embedding.
    widths : sequence of int
        Of the hidden layers; `"paper"` has its own.
    with_decoder : bool
        Whether to have one.

    Returns
    -------
    network : Siamese
    """
    encoder: nn.Module
    decoder: nn.Module
    inputs = histogram_inputs(n_bins, grid_shape, as_spectrum=architecture == "mlp")
    if architecture == "mlp":
        encoder = DenseEncoder(n_bins, widths, n_components)
    elif architecture == "conv":
        encoder = StridedEncoder(grid_shape, widths, n_components)
    else:
        encoder = PaperEncoder(grid_shape, n_components)
    if not with_decoder:
        return Siamese(inputs, encoder, None, (n_components,))
    if architecture == "paper":
        decoder = PaperDecoder(n_components, grid_shape)
    else:
        decoder = DenseDecoder(n_components, DECODER_WIDTHS, n_bins)
    return Siamese(inputs, encoder, decoder, (n_components,))


def histogram_inputs(
    n_bins: int, grid_shape: tuple[int, ...] | None, *, as_spectrum: bool
) -> StandardInput:
    """Return the fixed first layer: a spectrum for dense layers, or masses.

    Where bins form no grid, or one too long, there is no spectrum.
    """
    if not as_spectrum or grid_shape is None or max(grid_shape) > LONGEST_SPECTRUM:
        return StandardInput(n_bins, GAIN)
    return SpectralInput(grid_shape, GAIN, SMOOTHNESS)
