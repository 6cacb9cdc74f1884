"""A curve for each measure: the flow of a learned vector field, seen at fixed times.

References: [KENN] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein
Metric Learning. [NODE] Chen et al. (2018). Neural Ordinary Differential Equations.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchdiffeq import odeint, odeint_adjoint

from .mlp import dense_stages
from .readouts import ROUNDING

# Solvers of torchdiffeq whose steps are the intervals between nodes.
FIXED_STEP = ("euler", "midpoint", "rk4")
# Solvers that choose steps, the same for all measures of a batch.
ADAPTIVE = ("dopri5", "dopri8", "bosh3")
SOLVERS = (*FIXED_STEP, *ADAPTIVE)
# Tolerances of adaptive solvers, what float32 allows.
RTOL, ATOL = 1e-5, 1e-6
# Standard deviation of states at the start, and how far an untrained field carries
# them. Where states are small and slow, fields are linear maps near the identity, and
# training leaves them so: a curve is then no better than its lift.
SPREAD, SPEED = 2.0, 4.0


def trapezoid_weights(n_nodes: int) -> list[float]:
    """Weights of the trapezoidal rule on n equidistant nodes of [0, 1]; sum 1."""
    inner = 1 / (n_nodes - 1)
    return [inner / 2, *[inner] * (n_nodes - 2), inner / 2]


class VectorField(nn.Module):
    """The velocity of a state at a time, a dense network: t, [B, k] -> [B, k].

    It is `SPEED` times what the layers give.

    Parameters
    ----------
    n_state : int
        Dimension k of the state.
    widths : sequence of int
        Of the hidden layers, at least one; smooth activations between them, or the
        order of the solver would be lost.
    """

    def __init__(self, n_state: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.enter = nn.Linear(n_state, widths[0])
        self.clock = nn.Linear(1, widths[0], bias=False)
        self.layers = nn.Sequential(nn.SiLU(), *dense_stages([*widths, n_state]))

    def forward(self, t: Tensor, h: Tensor) -> Tensor:
        return SPEED * self.layers(self.enter(h) + self.clock(t.reshape(1, 1)))


class Trajectory(nn.Module):
    """Feature maps of ODE-KENN: h(t), where h' = v(h, t) and h(0) = lift(x).

    Parameters
    ----------
    lift : nn.Module
        [B, n] -> [B, k].
    field : VectorField
        v.
    n_nodes : int
        Equidistant times in [0, 1], both ends included; at least 2.
    velocity : bool
        Whether the velocities v(h(t), t) are given too, after all states: the distance
        of curves is then one of C^1.
    solver : str
        One of `SOLVERS`. Those of fixed step take one per node; the result for a
        measure depends on no other. Adaptive ones choose steps for the batch as a
        whole.
    adjoint : bool
        Whether gradients come from the adjoint equation in place of backpropagation:
        memory is then that of states at nodes, and of the field there with `velocity`,
        not that of all stages of the solver.
    """

    lift_scale: Tensor

    def __init__(
        self,
        lift: nn.Module,
        field: VectorField,
        n_nodes: int,
        velocity: bool,
        solver: str,
        adjoint: bool,
    ) -> None:
        super().__init__()
        self.lift = lift
        self.field = field
        self.n_nodes = n_nodes
        self.velocity = velocity
        self.solver = solver
        self.adjoint = adjoint
        self.register_buffer("lift_scale", torch.ones(()))

    def initialize(self, generator: torch.Generator) -> None:
        """Leave the lift as it is, until `calibrate`; nothing is drawn."""
        nn.init.ones_(self.lift_scale)

    @torch.no_grad()
    def calibrate(self, x: Tensor, size: float = 1.0) -> None:
        """Scale the lift so that states of inputs [B, n] start with `SPREAD * size`."""
        states = self.lift(x).double()  # [B, k]
        spread = float((states - states.mean(dim=0)).square().mean().sqrt())
        if spread > ROUNDING * float(states.abs().max()):
            self.lift_scale.fill_(size * SPREAD / spread)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the state at each node, then the velocities if wanted: [B, k] each."""
        times = torch.linspace(0, 1, self.n_nodes, dtype=x.dtype, device=x.device)
        solve = odeint_adjoint if self.adjoint else odeint
        start = self.lift(x) * self.lift_scale
        states = solve(
            self.field, start, times, method=self.solver, rtol=RTOL, atol=ATOL
        )  # [n_nodes, B, k]
        features = list(states.unbind(0))
        if self.velocity:
            features += [self.field(t, h) for t, h in zip(times, features, strict=True)]
        return features
