"""Trajectories: against closed forms, against SciPy, and adjoint gradients."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import nn

from skwass.nn.initialization import build
from skwass.nn.ode import (
    FIXED_STEP,
    SOLVERS,
    SPREAD,
    Trajectory,
    VectorField,
    trapezoid_weights,
)

K = 3
X = torch.from_numpy(np.random.default_rng(0).normal(size=(5, K)))


class Rotation(nn.Module):
    """h' = A h with A skew, plus a drift in time: a field with a closed form."""

    A = torch.tensor([[0.0, -2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])

    def forward(self, t, h):
        return h @ self.A.to(h).T + 2 * t * torch.eye(3).to(h)[2]

    @staticmethod
    def solution(t, h):
        c, s = np.cos(2 * t), np.sin(2 * t)
        turn = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]]).to(h)
        return h @ turn.T + t**2 * torch.eye(3).to(h)[2]


def trajectory(field, n_nodes=21, velocity=False, solver="rk4", adjoint=False):
    return Trajectory(nn.Identity(), field, n_nodes, velocity, solver, adjoint)


def learned(widths=(7, 5), seed=0, **options):
    """Return a trajectory along a random field, in float64."""
    generator = torch.Generator().manual_seed(seed)
    field = build(lambda: VectorField(K, widths), generator)
    for parameter in field.parameters():
        parameter.data.mul_(1.5)  # a flow that bends
    return trajectory(field, **options).double()


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_follows_the_closed_form(solver):
    tolerance = {"euler": 0.4, "midpoint": 1e-2, "rk4": 1e-4}.get(solver, 2e-3)
    features = trajectory(Rotation(), solver=solver)(X)
    assert len(features) == 21
    for t, h in zip(np.linspace(0, 1, 21), features, strict=True):
        torch.testing.assert_close(h, Rotation.solution(t, X), rtol=0, atol=tolerance)


def test_rk4_is_of_fourth_order():
    errors = []
    for n_nodes in (6, 11, 21):
        end = trajectory(Rotation(), n_nodes)(X)[-1]
        errors.append(float((end - Rotation.solution(1.0, X)).abs().max()))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (abs(orders - 4) < 0.3).all()


@torch.no_grad()
def test_a_learned_flow_is_that_of_scipy():
    flow = learned()

    def velocity(t, h):
        t, h = torch.tensor(t, dtype=torch.float64), torch.from_numpy(h.reshape(-1, K))
        return flow.field(t, h).numpy().ravel()

    y0 = X.numpy().ravel()
    exact = solve_ivp(velocity, (0, 1), y0, rtol=1e-10, atol=1e-12).y[:, -1]
    end = flow(X)[-1].numpy().ravel()
    assert abs(exact - y0).max() > 0.5
    np.testing.assert_allclose(end, exact, atol=1e-5)


@torch.no_grad()
def test_velocities_are_the_derivatives_of_states():
    features = learned(n_nodes=201, velocity=True)(X)
    states, velocities = torch.stack(features[:201]), torch.stack(features[201:])
    slopes = (states[2:] - states[:-2]) * 100  # central differences, h = 1 / 200
    torch.testing.assert_close(velocities[1:-1], slopes, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("solver", FIXED_STEP)
@torch.no_grad()
def test_fixed_steps_are_sample_wise(solver):
    flow = learned(solver=solver)
    batch = torch.stack(flow(X))
    alone = torch.cat([torch.stack(flow(x)) for x in X.split(1)], dim=1)
    torch.testing.assert_close(batch, alone, rtol=0, atol=1e-12)


def test_states_start_at_unit_scale():
    flow = trajectory(Rotation(), n_nodes=2)
    flow.calibrate(1e-3 * X + 7)
    start = flow(1e-3 * X + 7)[0]
    assert float((start - start.mean(dim=0)).square().mean().sqrt()) == pytest.approx(
        SPREAD
    )
    # Equal inputs have no scale.
    flow = trajectory(Rotation(), n_nodes=2)
    flow.calibrate(7 + 1e-9 * X)
    assert float(flow.lift_scale) == 1


@torch.no_grad()
def test_untrained_fields_carry_states_far():
    """The order of SPREAD in unit time, or a flow would be the identity."""
    generator = torch.Generator().manual_seed(0)
    field = build(lambda: VectorField(50, (64,)), generator)
    states = SPREAD * torch.randn(100, 50, generator=generator)
    speed = float(field(torch.tensor(0.5), states).square().mean().sqrt())
    assert 0.5 * SPREAD < speed < 3 * SPREAD


def test_gradients_of_backpropagation():
    flow = learned(widths=(4,), n_nodes=4, velocity=True)
    x = X[:2].clone().requires_grad_()
    weights = tuple(flow.field.parameters())

    def end(x, *_):
        return torch.cat(flow(x), dim=1)

    assert torch.autograd.gradcheck(end, (x, *weights))


def test_the_adjoint_gives_the_gradients_of_backpropagation():
    gradients = []
    for adjoint in (False, True):
        flow = learned(n_nodes=41, velocity=True, adjoint=adjoint)
        x = X.clone().requires_grad_()
        torch.cat(flow(x), dim=1).sin().sum().backward()
        gradients.append([x.grad, *(p.grad for p in flow.field.parameters())])
    # They differ by the error of the solver, of order (1 / 40)^4.
    assert any((a != b).any() for a, b in zip(*gradients, strict=True))
    for direct, adjoint in zip(*gradients, strict=True):
        assert direct.abs().max() > 1e-2
        torch.testing.assert_close(adjoint, direct, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_nodes", [2, 3, 11])
def test_the_quadrature_is_exact_for_lines(n_nodes):
    weights, t = np.array(trapezoid_weights(n_nodes)), np.linspace(0, 1, n_nodes)
    assert weights.sum() == pytest.approx(1)
    assert weights @ (3 * t + 1) == pytest.approx(2.5)
    assert weights[0] == pytest.approx(weights[-1])


def test_the_quadrature_converges():
    errors = []
    for n_nodes in (11, 21):
        t = np.linspace(0, 1, n_nodes)
        errors.append(abs(trapezoid_weights(n_nodes) @ np.sin(3 * t) - 0.663330832))
    assert errors[1] == pytest.approx(errors[0] / 4, rel=0.05)
