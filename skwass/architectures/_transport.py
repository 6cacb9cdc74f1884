"""The architecture for many dimensions: formulas first, and what they miss."""

from numbers import Integral
from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ..formulas.reference import default_size
from ..measures import Histograms, PointClouds
from ..nn.transport_inputs import FormulaEncoder, TransportInput
from ._base import SIZES, Architecture, Space
from ._histograms import dense

# Axes, beside those of the formula, that dense layers look at.
_N_CONTEXT = 64


class TransportMaps(Architecture):
    """Linear optimal transport, and dense layers for what it misses.

    One optimal plan per measure, from a common reference to it, gives a map [1]_. On as
    many axes as there are columns, maps are an embedding before anything is learned,
    that of :class:`skwass.LinearOTEmbedder`; with a private axis for what these axes
    drop, and for mass of one point that goes to several places. Dense layers see these
    numbers and 64 more axes, and change the embedding. If there are too few labels to
    do better, it stays as it was.

    For W2 in more than three dimensions, where a few thousand labels teach other
    networks little of measures unlike those of training. Not for Gromov distances, nor
    where a plan per measure is too expensive: `transform` then takes as long as 1,000
    or more points take to be matched to the reference. For histograms and point clouds.

    Parameters
    ----------
    widths : tuple of int, default=(256, 256)
        Hidden layers; an empty tuple makes a linear map.
    n_reference : int or "auto", default="auto"
        Points of the reference. More resolve finer structure, and `transform` takes
        time in proportion. `"auto"`: as many as clouds have, if that is one number up
        to 64: maps are then assignments, of 25 microseconds each; otherwise 128.

    See Also
    --------
    Slices : More accurate, and faster, in up to three dimensions.
    Fourier : No plan to solve; for distances other than W2.

    Notes
    -----
    While axes are chosen, maps of some 4,000 measures are in memory, `8 n_reference d`
    bytes each, several times. A file holds `(n_components + 64) n_reference d` numbers.
    Where an optimal plan is not unique, a map depends on the order of points.

    References
    ----------
    .. [1] Wang, Slepcev, Basu, Ozolek, Rohde (2013). A linear optimal transportation
       framework for quantifying and visualizing variations in sets of images. IJCV
       101(2).

    Examples
    --------
    >>> from skwass.architectures import TransportMaps
    >>> TransportMaps(n_reference=32)
    TransportMaps(n_reference=32)
    """

    sees_points = True
    has_formula = True
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "widths": SIZES,
        "n_reference": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
    }

    def __init__(self, widths: Any = (256, 256), *, n_reference: Any = "auto") -> None:
        self.widths = widths
        self.n_reference = n_reference

    def suited_to(self, measures: Histograms | PointClouds) -> "TransportMaps":
        """Return a copy with a reference of the size that suits measures."""
        copy = clone(self)
        if isinstance(self.n_reference, str):
            copy.n_reference = default_size(measures, True)
        return copy

    def make_inputs(self, space: Space) -> TransportInput:
        """Return the fixed first layer."""
        if space.by_isometry:
            raise ValueError(
                f"Got architecture={self} with a Gromov distance, expected one that "
                "sees clouds up to isometry. Set architecture='fourier'."
            )
        n_columns = space.n_components - space.n_exact
        sizes = self.n_reference, n_columns, _N_CONTEXT
        return TransportInput(space.dim, *sizes, space.exact_mean)

    def make_stages(
        self, n_in: int, n_out: int, space: Space
    ) -> tuple[list[nn.Module], list[int]]:
        """Return dense layers."""
        return dense(n_in, self.widths, n_out)

    def make_encoder(self, n_in: int, space: Space) -> nn.Module:
        """Return the formula, and layers that change it."""
        n_out = space.n_components - space.n_exact
        stages, _ = self.checked_stages(n_in, n_out + space.private_axis, space)
        return FormulaEncoder(stages, n_out, space.private_axis)
