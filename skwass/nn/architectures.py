"""From the name of an architecture to a network."""

from collections.abc import Sequence

from torch import nn

from .conv import PaperDecoder, PaperEncoder, StridedEncoder
from .inputs import SpectralInput, StandardInput
from .mlp import DenseDecoder, DenseEncoder
from .siamese import Siamese

# Chosen by test error at equal time on two cores; see benchmarks.
DEFAULT_WIDTHS = {"mlp": (512, 512), "conv": (32, 64, 256), "paper": ()}
NEEDS_IMAGES = {"conv", "paper"}
INPUT_GAIN = 0.3


def histogram_network(
    architecture: str,
    n_bins: int,
    grid_shape: tuple[int, ...] | None,
    n_components: int,
    widths: Sequence[int] | None,
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
    widths : sequence of int or None
        Of the hidden layers.
    with_decoder : bool
        Whether to have one.

    Returns
    -------
    network : Siamese
    """
    widths = DEFAULT_WIDTHS[architecture] if widths is None else widths
    inputs: nn.Module
    encoder: nn.Module
    decoder: nn.Module
    if architecture == "mlp" and grid_shape is not None:
        inputs = SpectralInput(grid_shape, INPUT_GAIN)
    else:
        inputs = StandardInput(n_bins, INPUT_GAIN)
    if architecture == "mlp":
        encoder = DenseEncoder(n_bins, widths, n_components)
    elif architecture == "conv":
        encoder = StridedEncoder(grid_shape, widths, n_components)
    else:
        encoder = PaperEncoder(grid_shape, n_components)
    if not with_decoder:
        return Siamese(inputs, encoder, None)
    if architecture == "paper":
        decoder = PaperDecoder(n_components, grid_shape)
    else:
        decoder = DenseDecoder(n_components, DEFAULT_WIDTHS["mlp"], n_bins)
    return Siamese(inputs, encoder, decoder)
