"""From the name of an architecture to a network."""

from collections.abc import Sequence
from typing import cast

from torch import nn

from .cloud_inputs import SliceInput
from .conv import Grid, PaperDecoder, PaperEncoder, StridedEncoder
from .inputs import SpectralInput, StandardInput
from .mlp import DenseDecoder, DenseEncoder, MovedDecoder
from .siamese import Siamese

DECODER_WIDTHS = (512, 512)
DEFAULT_WIDTHS = {
    "slices": (512, 512),
    "mlp": (1024, 512),
    "conv": (32, 64, 256),
    "paper": (),
}
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
    dim: int,
    widths: Sequence[int],
    with_decoder: bool,
    exact_mean: bool,
) -> Siamese:
    """Make an untrained siamese network for histograms.

    Parameters
    ----------
    architecture : {"slices", "mlp", "conv", "paper"}
        Encoder. `"paper"` has the paper's decoder too, the others a dense one.
    n_bins : int
        Number of bins.
    grid_shape : tuple of int or None
        The grid that the bins form; two-dimensional for `"conv"` and `"paper"`.
    n_components : int
        Dimension of the embedding, exact means included.
    dim : int
        Dimension of the space that the bins lie in.
    widths : sequence of int
        Of the hidden layers; `"paper"` has its own.
    with_decoder : bool
        Whether to have one.
    exact_mean : bool
        Whether embeddings carry the mean; with `"slices"` alone.

    Returns
    -------
    network : Siamese
    """
    encoder: nn.Module
    decoder: nn.Module | None
    image = cast(Grid, grid_shape)  # checked by estimators
    n_exact = dim if exact_mean else 0
    inputs = histogram_inputs(architecture, n_bins, grid_shape, dim, exact_mean)
    if architecture in ("slices", "mlp"):
        encoder = DenseEncoder(inputs.size, widths, n_components - n_exact)
    elif architecture == "conv":
        encoder = StridedEncoder(image, widths, n_components)
    else:
        encoder = PaperEncoder(image, n_components)
    if with_decoder and architecture == "paper":
        decoder = PaperDecoder(n_components, image)
    else:
        sizes = n_components, n_bins, grid_shape, n_exact
        decoder = dense_decoder(*sizes) if with_decoder else None
    return Siamese(inputs, encoder, decoder, (n_components,), n_exact)


def dense_decoder(
    n_columns: int, n_bins: int, grid_shape: tuple[int, ...] | None, n_exact: int
) -> nn.Module:
    """Return a decoder of embeddings, which moves what it decodes to an exact mean.

    Where bins form no grid there is no way to move them: it sees the mean instead.
    """
    if n_exact and grid_shape is not None:
        return MovedDecoder(n_columns - n_exact, DECODER_WIDTHS, grid_shape)
    return DenseDecoder(n_columns, DECODER_WIDTHS, n_bins)


def histogram_inputs(
    architecture: str,
    n_bins: int,
    grid_shape: tuple[int, ...] | None,
    dim: int,
    exact_mean: bool,
) -> StandardInput | SliceInput:
    """Return the fixed first layer: slices, a spectrum for `"mlp"`, or masses.

    Where bins form no grid, or one too long, there is no spectrum.
    """
    if architecture == "slices":
        return SliceInput(n_bins, dim, exact_mean)
    if (
        architecture != "mlp"
        or grid_shape is None
        or max(grid_shape) > LONGEST_SPECTRUM
    ):
        return StandardInput(n_bins, GAIN)
    return SpectralInput(grid_shape, GAIN, SMOOTHNESS)
