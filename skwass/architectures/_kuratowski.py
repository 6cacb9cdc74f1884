"""Kuratowski networks: distances of many feature maps of one network."""

from numbers import Integral
from typing import Any, ClassVar

from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ..measures import Histograms, PointClouds
from ..nn.inputs import FixedInput
from ..nn.kuratowski import FeatureMaps, KuratowskiEncoder
from ..nn.ode import SOLVERS, Trajectory, VectorField, trapezoid_weights
from ..nn.readouts import BlockWeights
from ..nn.transformer import SetEncoder
from ._base import SIZES, Architecture, Space, check_sizes
from ._matching import match_sizes
from ._names import PLAIN, as_plain
from .network import count_weights

_PLAIN_CONSTRAINT = [StrOptions({"auto", *PLAIN}), Architecture]


class _Kuratowski(Architecture):
    """Sees what another architecture does, named by `_of`, and puts weights on maps."""

    has_feature_maps = True
    _of: str
    aggregation: str
    n_parameters: int | None

    @property
    def base(self) -> Architecture:
        """What it sees measures by."""
        return getattr(self, self._of)

    def make_inputs(self, space: Space) -> FixedInput:
        """Return the fixed first layer."""
        return self.base.make_inputs(space)

    def make_stages(
        self, n_in: int, n_out: int, space: Space
    ) -> tuple[list[nn.Module], list[int]]:
        """Return the layers of what it is made of."""
        return self.base.checked_stages(n_in, n_out, space)

    def make_points(self, inputs: Any) -> SetEncoder | None:
        """Return learned layers on points, or None."""
        return self.base.make_points(inputs)

    def refuse(
        self, measures: Histograms | PointClouds, whole: Architecture | None = None
    ) -> None:
        """Raise for measures that it does not take."""
        self.base.refuse(measures, self if whole is None else whole)

    def chosen(self, default: str) -> "Architecture":
        """Return a copy in which nothing is left to choose: `"auto"` is the default."""
        copy, base = clone(self), self.base
        if isinstance(base, str) and base == "auto":
            base = self._default(default)
        base = as_plain(base, self._of)
        return copy.set_params(**{self._of: base.chosen(default)})

    def _default(self, name: str) -> Architecture:
        raise NotImplementedError

    def suited_to(self, measures: Histograms | PointClouds) -> "Architecture":
        """Return a copy in which nothing is left to choose by measures."""
        return clone(self).set_params(**{self._of: self.base.suited_to(measures)})

    def fitted_to(self, space: Space) -> "Architecture":
        """Return a copy whose layers have the sizes that `n_parameters` asks for."""
        if self.n_parameters is None:
            return self
        plain = clone(self).set_params(n_parameters=None)
        n, name = self.n_parameters, f"{type(self).__name__} with n_components="
        return match_sizes(
            plain,
            lambda made: count_weights(made, space),
            n,
            f"{name}{space.n_components}",
        )

    def scaled(self, factor: float) -> "Architecture":
        """Return a copy whose hidden layers are wider by a factor."""
        copy = super().scaled(factor)
        return copy.set_params(**{self._of: self.base.scaled(factor)})

    def obstacle_to_mean(self, dim: int, n_components: int) -> tuple[str, str] | None:
        """Return what keeps embeddings from carrying the mean, and what to use."""
        if self.adds_distances:
            return "aggregation='l1'", "'l2'"
        if not self.sees_points:
            return f"architecture={self}", f"{self._of}=Slices() in it, or Fourier()"
        return None  # it comes in columns of its own, after the feature maps

    def knows_slopes(self, exact_mean: bool) -> bool:
        """Return whether derivatives of its first layer are known."""
        return self.base.knows_slopes(exact_mean)

    @property
    def adds_distances(self) -> bool:  # type: ignore[override]
        return self.aggregation == "l1"

    @property
    def has_point_layers(self) -> bool:  # type: ignore[override]
        return self.base.has_point_layers

    @property
    def sees_points(self) -> bool:  # type: ignore[override]
        return self.base.sees_points


class DeepKENN(_Kuratowski):
    """DeepKENN [1]_: weighted distances of all layers of a network.

    With feature maps phi_k, the layers of `backbone` before their activations, and
    learned positive weights lambda_k of n maps::

        d(x, x') = sum_k lambda_k |phi_k(x) - phi_k(x')| / n           "l1"
        d(x, x')^2 = sum_k lambda_k |phi_k(x) - phi_k(x')|^2 / n       "l2"

    For the measures that `backbone` takes. Embeddings hold all maps, one after the
    other, and are longer than `n_components`, which is the size of the last.

    Parameters
    ----------
    backbone : str or Architecture, default="auto"
        The network whose layers are compared: an architecture of this module that is
        not a Kuratowski network itself, as an object, such as `Slices(widths=(64,))`,
        or by name. `"auto"` has two hidden layers of 512, on slices for W2 in up to
        three dimensions, on maps of linear optimal transport in more; for other
        distances on masses, or on Fourier coefficients in `WormholeEmbedder`.
    layers : {"all", "last"}, default="all"
        Which layers; `"last"` is the baseline of [1]_.
    aggregation : {"l1", "l2"}, default="l2"
        How distances of feature maps add up. `"l1"` is that of [1]_. `"l2"` makes
        `transform` isometric to `pairwise_distances`: in a pipeline, KMeans and
        neighbours see the distance between rows, which differs from d with `"l1"`.
    n_parameters : int, default=None
        How many numbers the network may learn, a decoder not counted: hidden layers are
        scaled to it in the ratios of their sizes, so that architectures compare at one
        size.

    See Also
    --------
    ODEKENN : A curve in place of layers.
    skwass.inspection.WeightProfileDisplay : Draws the weights.

    References
    ----------
    .. [1] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein Metric
       Learning.

    Examples
    --------
    >>> from skwass.architectures import Convolutional, DeepKENN
    >>> DeepKENN(Convolutional(channels=(8, 16)), aggregation="l1")
    DeepKENN(aggregation='l1', backbone=Convolutional(channels=(8, 16)))
    """

    _of = "backbone"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "backbone": _PLAIN_CONSTRAINT,
        "layers": [StrOptions({"all", "last"})],
        "aggregation": [StrOptions({"l1", "l2"})],
        "n_parameters": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        backbone: Any = "auto",
        *,
        layers: str = "all",
        aggregation: str = "l2",
        n_parameters: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.layers = layers
        self.aggregation = aggregation
        self.n_parameters = n_parameters

    def _default(self, name: str) -> Architecture:
        return PLAIN[name](widths=(512, 512))

    def make_encoder(self, n_in: int, space: Space) -> nn.Module:
        """Return feature maps and their weights."""
        stages, sizes = self.make_stages(n_in, space.n_components, space)
        last_only = self.layers == "last"
        sizes = sizes[-1:] if last_only else sizes
        features = FeatureMaps(stages, last_only)
        weights = BlockWeights(sizes, [1 / len(sizes)] * len(sizes), self.aggregation)
        return KuratowskiEncoder(features, weights, space.private_axis)


class ODEKENN(_Kuratowski):
    """ODE-KENN [1]_: weighted distances along learned curves.

    Each measure becomes a curve, h(0) = lift(x), h'(t) = v(h(t), t), and distances are
    those of DeepKENN with an integral over time, lambda(t) learned at its nodes, by the
    trapezoidal rule on [0, 1]. For the measures that `lift` takes. Embeddings hold the
    states at all nodes, of `n_components` numbers each.

    Parameters
    ----------
    lift : str or Architecture, default="auto"
        What lifts a measure to the start of its curve: an architecture of this module
        that is not a Kuratowski network itself, as an object, such as
        `Convolutional(channels=(16, 32), widths=())`, or by name. `"auto"` is a linear
        map, of slices where these suit measures, else of masses, or of Fourier
        coefficients in `WormholeEmbedder`.
    widths : tuple of int, default=(512,)
        Hidden layers of the vector field v, at least one.
    n_nodes : int, default=3
        Times in [0, 1] at which a curve is seen, both ends included; at least 2. More
        cost more, in proportion, and draw a finer profile of weights.
    velocity : bool, default=False
        Whether distances of velocities v(h(t), t) are added, with weights of their own.
    solver : {"rk4", "midpoint", "euler", "dopri5", "dopri8", "bosh3"}, default="rk4"
        The first three take one step from node to node. The others choose steps for a
        batch as a whole: a row of `transform` then depends on the rest of the batch, by
        1e-5 to 1e-4 of its size.
    adjoint : bool, default=False
        Whether to train by the adjoint equation, which takes longer. The stages of the
        solver need not be kept then, only states at the nodes.
    aggregation : {"l1", "l2"}, default="l2"
        How distances at the nodes add up, as in :class:`DeepKENN`.
    n_parameters : int, default=None
        How many numbers the network may learn, as in :class:`DeepKENN`.

    See Also
    --------
    DeepKENN : Layers in place of a curve; faster.
    skwass.inspection.WeightProfileDisplay : Draws the weights over time.

    References
    ----------
    .. [1] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein Metric
       Learning.

    Examples
    --------
    >>> from skwass.architectures import ODEKENN
    >>> ODEKENN(n_nodes=5)
    ODEKENN(n_nodes=5)
    """

    _of = "lift"
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "lift": _PLAIN_CONSTRAINT,
        "widths": SIZES,
        "n_nodes": [Interval(Integral, 2, None, closed="left")],
        "velocity": ["boolean"],
        "solver": [StrOptions(set(SOLVERS))],
        "adjoint": ["boolean"],
        "aggregation": [StrOptions({"l1", "l2"})],
        "n_parameters": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        lift: Any = "auto",
        *,
        widths: Any = (512,),
        n_nodes: int = 3,
        velocity: bool = False,
        solver: str = "rk4",
        adjoint: bool = False,
        aggregation: str = "l2",
        n_parameters: int | None = None,
    ) -> None:
        self.lift = lift
        self.widths = widths
        self.n_nodes = n_nodes
        self.velocity = velocity
        self.solver = solver
        self.adjoint = adjoint
        self.aggregation = aggregation
        self.n_parameters = n_parameters

    def _default(self, name: str) -> Architecture:
        return PLAIN[name](widths=())

    def knows_slopes(self, exact_mean: bool) -> bool:
        """Return whether slopes can be learned: not by the adjoint equation."""
        # It gives only first derivatives.
        return not self.adjoint and super().knows_slopes(exact_mean)

    def make_encoder(self, n_in: int, space: Space) -> nn.Module:
        """Return a curve and its weights."""
        n_state = space.n_components
        stages, _ = self.make_stages(n_in, n_state, space)
        lift = stages[0] if len(stages) == 1 else nn.Sequential(*stages)
        field = VectorField(n_state, check_sizes("widths", self.widths, 1))
        features = Trajectory(
            lift, field, self.n_nodes, self.velocity, self.solver, self.adjoint
        )
        quadrature = trapezoid_weights(self.n_nodes) * (2 if self.velocity else 1)
        sizes = [n_state] * len(quadrature)
        weights = BlockWeights(sizes, quadrature, self.aggregation)
        return KuratowskiEncoder(features, weights, space.private_axis)
