"""Transport on few arcs: as exact as the dense solver, whatever the problem."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from ot.lp.emd_wrap import emd_c
from scipy.spatial.distance import cdist

import skwass.ot._simplex as simplex
from skwass.ot._simplex import transport

MAX_ITER = 10**6


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def problem(kind, rng):
    """Return masses and costs in [0, 1] of a problem with more arcs than are solved."""
    n, m, d = 130, 90, 2
    x, y = rng.normal(size=(n, d)), 0.5 + rng.normal(size=(m, d))
    a, b = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    if kind == "high dimension":
        x, y = rng.normal(size=(n, 60)), rng.normal(size=(m, 60))
    if kind == "uniform":  # as many points: degenerate at every vertex
        y = rng.normal(size=(n, d))
        a = b = np.full(n, 1 / n)
    if kind == "grid":  # many equal costs
        x = y = np.indices((10, 12)).reshape(2, -1).T.astype(float)
        a, b = rng.dirichlet(np.ones(120), size=2)
    if kind == "equal":
        y, b = x, a
    if kind == "outlier":
        x[0] *= 1e5
    if kind == "clusters":
        x, y = x * 1e-3 + 10 * (np.arange(n) % 3)[:, None], y * 1e-3
    if kind == "uneven":
        a, b = rng.dirichlet(np.full(n, 0.05)) + 1e-12, rng.dirichlet(np.full(m, 0.05))
        a, b = a / a.sum(), (b + 1e-12) / (b + 1e-12).sum()
    C = cdist(x, y, "sqeuclidean")
    C /= C.max()
    return a, b * (a.sum() / b.sum()), C


KINDS = [
    "gaussian",
    "high dimension",
    "uniform",
    "grid",
    "equal",
    "outlier",
    "clusters",
    "uneven",
]


@pytest.mark.parametrize("power", [1, 0.5])
@pytest.mark.parametrize("kind", KINDS)
def test_costs_as_much_as_the_dense_solution(rng, kind, power):
    for _ in range(5):
        a, b, C = problem(kind, rng)
        C = C**power
        solution = transport(a, b, C, MAX_ITER)
        assert solution.proved
        expected = emd_c(a, b, C, MAX_ITER, 1)[1]
        assert_allclose(solution.cost, expected, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_plan_and_potentials_prove_the_cost(rng, kind):
    """A feasible plan and feasible potentials of one value: both are optimal."""
    a, b, C = problem(kind, rng)
    solution = transport(a, b, C, MAX_ITER)
    plan = np.zeros(C.shape)
    i, j, mass = solution.arcs()
    plan[i, j] = mass
    assert plan.min() >= 0
    assert_allclose(plan.sum(axis=1), a, atol=1e-14)
    assert_allclose(plan.sum(axis=0), b, atol=1e-14)
    assert_allclose((plan * C).sum(), solution.cost, rtol=1e-10, atol=1e-15)
    assert (solution.f[:, None] + solution.g - C).max() < 1e-10
    assert_allclose(a @ solution.f + b @ solution.g, solution.cost, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gap_bounds_what_a_plan_costs_too_much(rng, kind):
    """Also of plans that are far from optimal, by few pivots."""
    a, b, C = problem(kind, rng)
    best = transport(a, b, C, MAX_ITER)
    assert best.gap < 1e-12
    for max_iter in (1, 30, 100):
        rough = transport(a, b, C, max_iter)
        assert rough.cost - best.cost <= rough.gap
        assert rough.converged == (rough.gap <= 1e-9 * rough.cost)


@pytest.mark.parametrize("kind", ["gaussian", "high dimension", "uniform", "grid"])
def test_few_arcs_suffice(rng, kind):
    a, b, C = problem(kind, rng)
    solution = simplex._transport_on_few_arcs(a, b, C, MAX_ITER)
    assert solution is not None
    assert simplex._likely_arcs(a, b, C)[0].mean() < 0.2


def test_bad_arcs_are_mended(rng, monkeypatch):
    """Whatever arcs are proposed, the answer is optimal among all."""
    a, b, C = problem("gaussian", rng)
    expected = emd_c(a, b, C, MAX_ITER, 1)[1]

    def propose(share):
        def likely_arcs(a, b, C):
            return rng.random(C.shape) < share, np.zeros(len(a)), np.zeros(len(b))

        return likely_arcs

    for share in (0.0, 0.02, 0.2):
        monkeypatch.setattr(simplex, "_likely_arcs", propose(share))
        assert_allclose(transport(a, b, C, MAX_ITER).cost, expected, rtol=1e-12)


def test_small_and_costless_problems_go_to_the_dense_solver(rng, monkeypatch):
    monkeypatch.setattr(simplex, "_transport_on_few_arcs", None)
    a, b, C = problem("gaussian", rng)
    transport(a[:10] / a[:10].sum(), b[:10] / b[:10].sum(), C[:10, :10].copy(), 1000)
    assert transport(a, b, np.zeros_like(C), MAX_ITER).cost == 0


def test_mass_in_order_is_a_plan_of_few_arcs(rng):
    for n, m in [(1, 1), (1, 7), (7, 1), (5, 5), (30, 20)]:
        faint = rng.dirichlet(np.ones(m))
        faint[-1] = 1e-18  # less than rounding
        for a, b in [
            (rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))),
            (rng.dirichlet(np.ones(n)), faint / faint.sum()),
            (np.full(n, 1 / n), np.full(m, 1 / m)),
        ]:
            i, j, mass = simplex.plan_in_order(a, b)
            steps = np.diff(np.append(i, n - 1)) + np.diff(np.append(j, m - 1))
            assert i[0] == 0
            assert j[0] == 0
            assert (np.diff(i) >= 0).all()
            assert (np.diff(j) >= 0).all()
            assert steps.max(initial=0) <= 2
            plan = np.zeros((n, m))
            np.add.at(plan, (i, j), mass)
            assert_allclose(plan.sum(axis=1), a, atol=1e-15)
            assert_allclose(plan.sum(axis=0), b, atol=1e-15)
            C = np.full((n, m), 10.0)
            C[i, j] = 0
            assert_allclose(emd_c(a, b, C, MAX_ITER, 1)[1], 0, atol=1e-13)
