"""Architectures that see measures as points, wherever these are."""

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval
from torch import nn

from ..nn.cloud_inputs import CloudInput
from ..nn.transformer import (
    InducedAttentionLayer,
    PointLayer,
    SelfAttentionLayer,
    SetEncoder,
)
from ._base import SIZES, WIDTHS, Architecture, Space
from ._histograms import dense


class _OfPoints(Architecture):
    """Dense layers on fixed numbers of a weighted set of points."""

    sees_points = True
    n_frequencies: int = 0
    widths: Any

    def knows_slopes(self, exact_mean: bool) -> bool:
        """Return that slopes are known: rows are linear in measures."""
        return True

    def make_inputs(self, space: Space) -> CloudInput:
        """Return the fixed first layer."""
        return CloudInput(
            space.dim, self.n_frequencies, space.exact_mean, space.by_isometry
        )

    def make_stages(
        self, n_in: int, n_out: int, space: Space
    ) -> tuple[list[nn.Module], list[int]]:
        """Return dense layers."""
        return dense(n_in, self.widths, n_out)


class Slices(_OfPoints):
    """Dense layers on fixed quantile functions of projections on lines.

    On a line, W2 is the L2 distance of quantile functions [1]_; those of projections on
    16 lines in the plane, 32 in space, are near W2 already. By far the most accurate
    for W2 in up to three dimensions, and computed once per measure. For histograms and
    point clouds.

    Parameters
    ----------
    widths : tuple of int, default=(512, 512)
        Hidden layers; an empty tuple makes a linear map.

    See Also
    --------
    Fourier : For more dimensions, and distances other than W2.
    Dense : Dense layers on masses.

    References
    ----------
    .. [1] Bonneel, Rabin, Peyre, Pfister (2015). Sliced and Radon Wasserstein
       barycenters of measures. JMIV 51(1).

    Examples
    --------
    >>> from skwass.architectures import Slices
    >>> Slices(widths=(256,))
    Slices(widths=(256,))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {"widths": SIZES}

    def __init__(self, widths: Any = WIDTHS) -> None:
        self.widths = widths

    def knows_slopes(self, exact_mean: bool) -> bool:
        """Return whether slopes are known: those of centred measures."""
        return exact_mean


class Fourier(_OfPoints):
    """Dense layers on fixed Fourier coefficients of a measure.

    The mean over points of cosines and sines at fixed random frequencies, along the
    directions in which data vary: deep sets [1]_ whose first layer is fixed. For
    histograms and point clouds in any dimension, and for any distance; with a Gromov
    distance, coefficients of distances within clouds.

    Parameters
    ----------
    widths : tuple of int, default=(512, 512)
        Hidden layers; an empty tuple makes a linear map.
    n_frequencies : int, default=256
        Coefficients, a cosine and a sine each. More resolve finer structure, and cost
        time in proportion.

    See Also
    --------
    Slices : More accurate for W2 in up to three dimensions.
    DeepSets : Learned layers on points as well.

    References
    ----------
    .. [1] Zaheer et al. (2017). Deep Sets. NeurIPS.

    Examples
    --------
    >>> from skwass.architectures import Fourier
    >>> Fourier(n_frequencies=64)
    Fourier(n_frequencies=64)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "widths": SIZES,
        "n_frequencies": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, widths: Any = WIDTHS, *, n_frequencies: int = 256) -> None:
        self.widths = widths
        self.n_frequencies = n_frequencies


class DeepSets(_OfPoints):
    """Learned layers on each point, then a mean over points: deep sets [1]_.

    Fixed Fourier coefficients, as in :class:`Fourier`, are given to the dense layers as
    well. For histograms and point clouds.

    Parameters
    ----------
    widths : tuple of int, default=(512, 512)
        Hidden dense layers after the mean.
    n_frequencies : int, default=256
        Fixed Fourier coefficients, a cosine and a sine each.
    n_layers : int, default=2
        Learned layers on points, at least 1.
    point_width : int, default=64
        Features of a point in them.
    dropout : float, default=0.0
        Dropout in them, in [0, 1).
    max_points : int, default=None
        In training, they see at most this many points of a cloud, drawn anew at each
        step; all, if None.

    See Also
    --------
    Fourier : Only the fixed coefficients, which are faster.
    SetTransformer : Points see each other.

    References
    ----------
    .. [1] Zaheer et al. (2017). Deep Sets. NeurIPS.

    Examples
    --------
    >>> from skwass.architectures import DeepSets
    >>> DeepSets(n_layers=1)
    DeepSets(n_layers=1)
    """

    has_point_layers = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Fourier._parameter_constraints,
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "point_width": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "max_points": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        widths: Any = WIDTHS,
        *,
        n_frequencies: int = 256,
        n_layers: int = 2,
        point_width: int = 64,
        dropout: float = 0.0,
        max_points: int | None = None,
    ) -> None:
        self.widths = widths
        self.n_frequencies = n_frequencies
        self.n_layers = n_layers
        self.point_width = point_width
        self.dropout = dropout
        self.max_points = max_points

    def make_points(self, inputs: CloudInput) -> SetEncoder:
        """Return the learned layers on points."""
        layers = [self._make_layer() for _ in range(self.n_layers)]
        return SetEncoder(inputs.point_size, layers, self.point_width, self.max_points)

    def _make_layer(self) -> nn.Module:
        return PointLayer(self.point_width, self.dropout)

    def knows_slopes(self, exact_mean: bool) -> bool:
        """Return that slopes are not known: of learned layers on points."""
        return False


class SetTransformer(DeepSets):
    """Attention among the points of a measure, then a mean over them.

    The encoder of the Wasserstein Wormhole [1]_, weighted: points attend in proportion
    to their masses. Time and memory are quadratic in the number of points, or linear
    with `n_inducing` [2]_. Fixed Fourier coefficients, as in :class:`Fourier`, are
    given to the dense layers as well. For histograms and point clouds.

    Parameters
    ----------
    widths : tuple of int, default=(512, 512)
        Hidden dense layers after the mean.
    n_frequencies : int, default=256
        Fixed Fourier coefficients, a cosine and a sine each.
    n_layers : int, default=2
        Layers of attention, at least 1.
    point_width : int, default=64
        Features of a point in them.
    n_heads : int, default=4
        Heads of attention, a divisor of `point_width`.
    n_inducing : int, default=None
        Learned points through which the others see each other; if None, each sees each.
    dropout : float, default=0.0
        Dropout in these layers, in [0, 1).
    max_points : int, default=None
        In training, they see at most this many points of a cloud, drawn anew at each
        step; all, if None.

    See Also
    --------
    Fourier : No learned layers on points; nearly always faster and as accurate.
    CloudDecoder : The decoder of the Wormhole.

    References
    ----------
    .. [1] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.
    .. [2] Lee et al. (2019). Set Transformer. ICML.

    Examples
    --------
    >>> from skwass.architectures import SetTransformer
    >>> SetTransformer(n_inducing=16)
    SetTransformer(n_inducing=16)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **DeepSets._parameter_constraints,
        "n_heads": [Interval(Integral, 1, None, closed="left")],
        "n_inducing": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        widths: Any = WIDTHS,
        *,
        n_frequencies: int = 256,
        n_layers: int = 2,
        point_width: int = 64,
        n_heads: int = 4,
        n_inducing: int | None = None,
        dropout: float = 0.0,
        max_points: int | None = None,
    ) -> None:
        super().__init__(
            widths,
            n_frequencies=n_frequencies,
            n_layers=n_layers,
            point_width=point_width,
            dropout=dropout,
            max_points=max_points,
        )
        self.n_heads = n_heads
        self.n_inducing = n_inducing

    def make_points(self, inputs: CloudInput) -> SetEncoder:
        """Return the layers of attention."""
        refuse_odd_heads(self.point_width, self.n_heads)
        return super().make_points(inputs)

    def _make_layer(self) -> nn.Module:
        attention = self.point_width, self.n_heads, self.dropout
        if self.n_inducing is None:
            return SelfAttentionLayer(*attention)
        return InducedAttentionLayer(*attention, self.n_inducing)


def refuse_odd_heads(point_width: int, n_heads: int) -> None:
    """Raise if heads cannot share the features of a point."""
    if point_width % n_heads:
        raise ValueError(
            f"Got point_width={point_width} with n_heads={n_heads}, expected a "
            "multiple: heads share the features of a point. Change one of them."
        )
