"""Decoders: what makes measures of embeddings again."""

from numbers import Integral, Real
from typing import Any, ClassVar, NoReturn, cast

from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval, StrOptions

from ..measures import Histograms, PointClouds
from ..measures.subsets import effective_size, some_clouds
from ..nn import decoders
from ..nn.cloud_inputs import N_FIT_CLOUDS
from ..nn.conv import Grid, PaperDecoder
from ..nn.mlp import DenseDecoder, MovedDecoder
from ..nn.transformer import PointMaker
from ._base import SIZES, WIDTHS, Architecture, Space, check_sizes
from ._clouds import refuse_odd_heads


class Decoder(BaseEstimator):
    """Base class of decoders: what they are asked before a network is made.

    See Also
    --------
    HistogramDecoder : Decodes to masses of bins.
    CloudDecoder : Decodes to points.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}
    # Parameters of its loss, which a fit that goes on may change.
    of_loss: tuple[str, ...] = ("weight", "sparsity_weight")

    def refuse(
        self, measures: Histograms | PointClouds, architecture: Architecture
    ) -> None:
        """Raise for measures it cannot make, or an architecture it does not fit."""

    def chosen(self, measures: Histograms | PointClouds) -> "Decoder":
        """Return a copy in which nothing is left to choose."""
        return clone(self)

    def make(self, n_columns: int, space: Space) -> decoders.MeasureDecoder:
        """Return the decoder of embeddings with `n_columns` learned columns."""
        raise NotImplementedError


def refuse_clouds(decoder: Decoder) -> NoReturn:
    """Raise for a decoder that makes masses of bins, where there are no bins."""
    raise TypeError(
        f"Got decoder={decoder} and point clouds, expected histograms on common bins. "
        "Set decoder='cloud' or None."
    )


class HistogramDecoder(Decoder):
    """Dense layers from an embedding to the masses of bins.

    Added to the loss is, over measures x with embeddings phi(x), the mean of ::

        weight * KL(x || psi(phi(x))) + sparsity_weight * sum_bins sqrt(psi(phi(x)))

    (section 4.1 of [1]_). Where embeddings carry exact means and bins form a grid, it
    decodes about the center and moves what it decodes.

    Parameters
    ----------
    weight : float, default=0.005
        Weight of the KL divergence, above 0. A larger weight decodes better; compared
        with no decoder, 0.02 made the MSE of MNIST distances a tenth worse, and 0.002
        did not. The weight of [1]_ (10 for each end of a pair, labels in pixels^2)
        would be 0.15 here.
    sparsity_weight : float, default=0.0
        Weight of the square roots of decoded masses; more gives sharper images.
    widths : tuple of int, default=(512, 512)
        Hidden layers.

    See Also
    --------
    CloudDecoder : Decodes to points.
    Courty2018Decoder : The convolutions of the paper.

    References
    ----------
    .. [1] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings. ICLR.

    Examples
    --------
    >>> from skwass.architectures import HistogramDecoder
    >>> HistogramDecoder(weight=0.02)
    HistogramDecoder(weight=0.02)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weight": [Interval(Real, 0, None, closed="neither")],
        "sparsity_weight": [Interval(Real, 0, None, closed="left")],
        "widths": SIZES,
    }

    def __init__(
        self,
        weight: float = 0.005,
        *,
        sparsity_weight: float = 0.0,
        widths: Any = WIDTHS,
    ) -> None:
        self.weight = weight
        self.sparsity_weight = sparsity_weight
        self.widths = widths

    def refuse(
        self, measures: Histograms | PointClouds, architecture: Architecture
    ) -> None:
        """Raise for point clouds."""
        if isinstance(measures, PointClouds):
            refuse_clouds(self)

    def make(self, n_columns: int, space: Space) -> decoders.MassDecoder:
        """Return the decoder of embeddings with `n_columns` learned columns."""
        widths = check_sizes("widths", self.widths)
        if space.exact_mean and space.grid_shape is not None:
            moved = MovedDecoder(n_columns, widths, space.grid_shape)
            return decoders.MovedMassDecoder(moved, self.weight, self.sparsity_weight)
        # Where bins form no grid there is no way to move them: it sees the mean.
        n_in = n_columns + space.n_exact
        body = DenseDecoder(n_in, widths, cast(int, space.n_bins))
        return decoders.MassDecoder(body, self.weight, self.sparsity_weight)


class Courty2018Decoder(Decoder):
    """The decoder of Deep Wasserstein Embedding [1]_, section 4.1, for images.

    Parameters
    ----------
    weight : float, default=0.005
        Weight of the KL divergence, above 0.
    sparsity_weight : float, default=0.0
        Weight of the square roots of decoded masses.

    See Also
    --------
    Courty2018 : The encoder.
    HistogramDecoder : Dense, and faster.

    References
    ----------
    .. [1] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings. ICLR.

    Examples
    --------
    >>> from skwass.architectures import Courty2018Decoder
    >>> Courty2018Decoder()
    Courty2018Decoder()
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        name: HistogramDecoder._parameter_constraints[name]
        for name in ("weight", "sparsity_weight")
    }

    def __init__(self, weight: float = 0.005, *, sparsity_weight: float = 0.0) -> None:
        self.weight = weight
        self.sparsity_weight = sparsity_weight

    def refuse(
        self, measures: Histograms | PointClouds, architecture: Architecture
    ) -> None:
        """Raise unless measures are images."""
        if isinstance(measures, PointClouds):
            refuse_clouds(self)
        grid = measures.grid_shape
        if grid is None or len(grid) != 2:
            raise ValueError(
                f"Got decoder={self} with measures of grid_shape={grid}, expected a "
                "grid of two dimensions. Pass grid_shape=(height, width), or "
                "decoder='auto' otherwise."
            )

    def make(self, n_columns: int, space: Space) -> decoders.MassDecoder:
        """Return the decoder of embeddings with `n_columns` learned columns."""
        body = PaperDecoder(n_columns + space.n_exact, cast(Grid, space.grid_shape))
        return decoders.MassDecoder(body, self.weight, self.sparsity_weight)


class CloudDecoder(Decoder):
    """Attention from an embedding to the points of a cloud, as in the Wormhole [1]_.

    Added to the loss is `weight` times the mean, over a few measures x of each batch,
    of the Sinkhorn divergence of x and the decoded cloud, in units of the mean squared
    distance of points to the mean of their cloud (of all clouds, if the mean is not
    exact). For clouds, and for histograms taken as such; with architectures that see
    points: slices, Fourier coefficients, learned layers on points.

    Parameters
    ----------
    weight : float, default=0.1
        Weight of the divergence, above 0. A decoder makes `fit` several times longer,
        the more so the more points clouds and decoded clouds have.
    n_points : int or "auto", default="auto"
        Points of decoded clouds; `"auto"` is the mean over clouds of
        exp(entropy of the weights), the number of points where weights are even.
    n_layers : int, default=2
        Layers of attention.
    point_width : int, default=64
        Features of a point in them.
    n_heads : int, default=4
        Heads of attention, a divisor of `point_width`.
    dropout : float, default=0.0
        Dropout in these layers, in [0, 1).
    max_points : int, default=None
        The divergence sees at most this many points of a cloud, drawn anew at each
        step; all, if None.

    See Also
    --------
    HistogramDecoder : Decodes to masses of bins.
    SetTransformer : The encoder of the Wormhole.

    References
    ----------
    .. [1] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.

    Examples
    --------
    >>> from skwass.architectures import CloudDecoder
    >>> CloudDecoder(n_points=32)
    CloudDecoder(n_points=32)
    """

    of_loss = ("weight", "max_points")
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "weight": [Interval(Real, 0, None, closed="neither")],
        "n_points": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_layers": [Interval(Integral, 0, None, closed="left")],
        "point_width": [Interval(Integral, 1, None, closed="left")],
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_points": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        weight: float = 0.1,
        *,
        n_points: Any = "auto",
        n_layers: int = 2,
        point_width: int = 64,
        n_heads: int = 4,
        dropout: float = 0.0,
        max_points: int | None = None,
    ) -> None:
        self.weight = weight
        self.n_points = n_points
        self.n_layers = n_layers
        self.point_width = point_width
        self.n_heads = n_heads
        self.dropout = dropout
        self.max_points = max_points

    def refuse(
        self, measures: Histograms | PointClouds, architecture: Architecture
    ) -> None:
        """Raise for architectures that do not see points."""
        refuse_odd_heads(self.point_width, self.n_heads)
        if not architecture.sees_points:
            raise ValueError(
                f"Got decoder={self} with architecture={architecture}, expected one "
                "that sees points. Set architecture='slices' or 'fourier', or "
                "decoder='histogram'."
            )

    def chosen(self, measures: Histograms | PointClouds) -> "CloudDecoder":
        """Return a copy in which nothing is left to choose."""
        copy = clone(self)
        if self.n_points == "auto":
            size = effective_size(some_clouds(measures, N_FIT_CLOUDS))
            copy.n_points = max(1, round(float(size)))
        return copy

    def make(self, n_columns: int, space: Space) -> decoders.PointDecoder:
        """Return the decoder of embeddings with `n_columns` learned columns."""
        body = PointMaker(
            n_columns,
            self.n_points,
            space.dim,
            self.n_layers,
            self.point_width,
            self.n_heads,
            self.dropout,
        )
        return decoders.PointDecoder(body, self.weight, self.max_points)
