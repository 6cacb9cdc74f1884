"""Clouds of one size and even masses are matched: as exact, and certified."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, assignment
from skwass.ot.probes import Probes


def solved(clouds, pairs):
    """Return what `assign` makes of pairs of one collection."""
    measures = as_measures(clouds)
    pairs = np.asarray(pairs)
    sides = {i: measures.measure(i) for i in np.unique(pairs)}
    return assignment.assign(sides, sides, pairs)


def by_simplex(monkeypatch, clouds, pairs, **how):
    with monkeypatch.context() as patch:
        patch.setattr(assignment, "MAX_POINTS", 0)
        measures = as_measures(clouds)
        return ExactWasserstein().label(measures, measures, pairs, **how)


@pytest.mark.parametrize("dim", [2, 3, 40])
@pytest.mark.parametrize("n", [1, 2, 11, 40])
def test_agrees_with_the_network_simplex(monkeypatch, n, dim):
    rng = np.random.default_rng(0)
    clouds = rng.normal(size=(6, n, dim))
    pairs = np.column_stack(np.triu_indices(6, 1))
    found = solved(clouds, pairs)
    assert_array_equal(found.numbers, np.arange(len(pairs)))
    reference = by_simplex(monkeypatch, clouds, pairs)
    assert_allclose(np.sqrt(found.costs), reference.w, rtol=1e-12)


@pytest.mark.parametrize("n", [2, 7, 30])
def test_potentials_prove_that_a_permutation_is_optimal(n):
    rng = np.random.default_rng(1)
    clouds = rng.normal(size=(4, n, 3))
    pairs = np.array([(0, 1), (2, 3), (3, 0)])
    found = solved(clouds, pairs)
    for row, (i, j) in enumerate(pairs):
        plan = found.transport(row)
        C = np.square(clouds[i][:, None] - clouds[j]).sum(axis=2)
        slack = 1e-8 * plan.cost
        assert (C - plan.f[:, None] - plan.g >= -slack).all()
        assert_allclose((plan.f + plan.g[np.argsort(plan.arcs()[1])]).mean(), plan.cost)
        sources, targets, masses = plan.arcs()
        assert_array_equal(np.sort(targets), sources)
        assert_allclose(masses @ C[sources, targets], plan.cost)
        assert plan.converged


def test_a_permutation_that_is_not_optimal_is_not_certified(monkeypatch):
    import scipy.optimize

    clouds = np.random.default_rng(2).normal(size=(2, 9, 2))

    def swapped(C):
        rows, columns = original(C)
        return rows, columns[[1, 0, *range(2, len(columns))]]

    original = scipy.optimize.linear_sum_assignment
    monkeypatch.setattr(scipy.optimize, "linear_sum_assignment", swapped)
    assert len(solved(clouds, [(0, 1)]).numbers) == 0


def test_what_is_no_assignment_is_left_to_the_simplex():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5, 4, 2))
    even = np.full(4, 0.25)
    uneven = np.array([0.1, 0.2, 0.3, 0.4])
    clouds = [
        (x[0], even),
        (x[1], uneven),
        (x[2][:3], even[:3]),
        (x[3], even),
        (x[0], even),  # W is 0: no digit of it is certain
        (1e160 * x[4] / np.abs(x[4]).max(), even),  # squares overflow
    ]
    sides = dict(enumerate(clouds))
    pairs = np.array([(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 0)])
    found = assignment.assign(sides, sides, pairs)
    assert found.numbers.tolist() == [2]


def test_points_far_from_the_origin_lose_no_digits(monkeypatch):
    rng = np.random.default_rng(4)
    near = rng.normal(size=(2, 8, 2))
    far = near + 2.0**20  # sums that floats hold exactly but for 20 bits
    exact = far - 2.0**20
    found = ExactWasserstein().label(*[as_measures(far)] * 2, [(0, 1)])
    reference = by_simplex(monkeypatch, exact, [(0, 1)])
    assert_allclose(found.w, reference.w, rtol=1e-9)
    # Clouds that are far from each other, compared with their size, are solved too.
    apart = [near[0], near[0] + [1e9, 0], near[1] + [1e9, 0]]
    labels = ExactWasserstein().label(*[as_measures(apart)] * 2, [(0, 1), (1, 2)])
    assert labels.converged.all()
    assert_allclose(labels.w[0], 1e9, rtol=1e-9)
    reference = by_simplex(monkeypatch, near, [(0, 1)])
    assert_allclose(labels.w[1], reference.w[0], rtol=1e-6)


@pytest.mark.parametrize("wanted", ["points", "probes"])
def test_derivatives_are_those_of_the_simplex(monkeypatch, wanted):
    rng = np.random.default_rng(5)
    clouds = rng.normal(size=(3, 12, 3))
    probes = Probes.of_clouds(as_measures(rng.normal(size=(4, 9, 3))), centred=False)
    gradients = True if wanted == "points" else probes
    pairs = np.array([(0, 1), (1, 2)])
    measures = as_measures(clouds)
    found = ExactWasserstein().label(measures, measures, pairs, gradients=gradients)
    reference = by_simplex(monkeypatch, clouds, pairs, gradients=gradients)
    assert_allclose(found.w, reference.w, rtol=1e-12)
    if wanted == "points":
        assert_allclose(found.grad_mu, reference.grad_mu, rtol=1e-9, atol=1e-12)
        assert_allclose(found.grad_nu, reference.grad_nu, rtol=1e-9, atol=1e-12)
    # Potentials are not unique, and slopes toward probes are one of many subgradients.
    else:
        assert np.shape(found.grad_mu) == np.shape(reference.grad_mu)
        assert np.isfinite(found.grad_mu).all()


def test_one_chunk_or_many_give_the_same(monkeypatch):
    clouds = np.random.default_rng(6).normal(size=(20, 10, 4))
    pairs = np.column_stack(np.triu_indices(20, 1))
    whole = solved(clouds, pairs)
    monkeypatch.setattr(assignment, "_MAX_NUMBERS", 300)
    parts = solved(clouds, pairs)
    assert_array_equal(parts.costs, whole.costs)
    assert_array_equal(parts.numbers, whole.numbers)
