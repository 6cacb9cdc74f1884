"""Bounds of the best stress: always in order, equal to their definitions."""

import numpy as np
import pytest
from matrices import COUNTEREXAMPLE, ZOO, euclidean, hollow, noisy

from skwass.manifold import nearest_edm, stress_bounds


def assert_in_order(D):
    bounds, best = stress_bounds(D), nearest_edm(D)
    slack = 1 + 1e-9
    assert 0 <= bounds.lower <= slack * bounds.shifted_lower
    assert bounds.shifted_lower <= slack * best.stress
    assert best.dual_value <= slack * bounds.scaled_cmds
    assert bounds.scaled_cmds <= slack * bounds.cmds
    return bounds, best


@pytest.mark.parametrize("name", ZOO)
def test_bounds_are_in_order(name):
    bounds, best = assert_in_order(ZOO[name])
    assert best.bounds == bounds


@pytest.mark.parametrize("seed", range(40))
def test_bounds_are_in_order_on_random_matrices(seed):
    """Sizes, tails, sparsity and noise at random."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 40))
    kind = rng.integers(4)
    if kind == 0:
        D = noisy(n, seed, noise=10 ** rng.uniform(-3, 2), dim=int(rng.integers(1, 9)))
    elif kind == 1:
        D = hollow(rng.pareto(rng.uniform(0.3, 3), size=(n, n)))
    elif kind == 2:
        D = hollow(rng.uniform(size=(n, n)) < rng.uniform(0.05, 0.95))
        D[0, 1] = D[1, 0] = 1
    else:
        D = euclidean(n, dim=2, seed=seed) ** rng.uniform(1.1, 5)
    assert_in_order(D)


def test_bounds_by_their_definitions():
    D = ZOO["noisy"]
    n = len(D)
    J = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-J @ D @ J)
    negative = values < 0
    lower = np.square(values[negative]).sum()
    g = np.square(vectors[:, negative]) @ values[negative]
    G = (vectors * np.maximum(values, 0)) @ vectors.T / 2
    C = np.diag(G)[:, None] + np.diag(G) - 2 * G
    t = np.vdot(C, D) / np.vdot(C, C)
    shifts = np.linspace(0, 2 * -values.min(), 20_001)
    raised = np.maximum(shifts[:, None] - np.delete(values, np.abs(values).argmin()), 0)
    shifted = np.square(raised).sum(axis=1) - n * shifts**2
    bounds = stress_bounds(D)
    assert bounds.lower == pytest.approx(lower, rel=1e-10)
    assert bounds.shifted_lower == pytest.approx(shifted.max(), rel=1e-5)
    assert bounds.cmds == pytest.approx(np.square(C - D).sum(), rel=1e-10)
    assert bounds.scaled_cmds == pytest.approx(np.square(t * C - D).sum(), rel=1e-10)
    total, apart = g[:, None] + g, g[:, None] - g
    assert bounds.cmds == pytest.approx(np.square(total).sum() / 4 + lower, rel=1e-10)
    assert bounds.published_column == pytest.approx(np.square(total).sum() / 4)
    assert bounds.published_upper == pytest.approx(np.square(apart).sum() + lower)


def test_the_published_upper_bound_is_none():
    """Squared distances of 128 Gaussian points in R^5 plus noise of size one half."""
    bounds, best = assert_in_order(COUNTEREXAMPLE)
    assert bounds.published_upper < 0.97 * best.dual_value


def test_the_published_column_is_cmds_less_the_lower_bound():
    """So it is in each of the three rows of table 2."""
    bounds = stress_bounds(COUNTEREXAMPLE)
    assert bounds.published_column + bounds.lower == pytest.approx(bounds.cmds)
    for lower, upper, cmds in [
        (0.765, 6.369, 7.134),
        (0.129, 2.552, 2.681),
        (0.042, 0.616, 0.657),
    ]:
        assert lower + upper == pytest.approx(cmds, abs=1.1e-3)


def test_euclidean_distances_have_no_stress():
    D = euclidean(20)
    bounds = stress_bounds(D)
    scale = np.square(D).sum()
    for value in (bounds.lower, bounds.shifted_lower, bounds.scaled_cmds, bounds.cmds):
        assert 0 <= value <= 1e-24 * scale


def test_equal_points_have_no_stress():
    assert stress_bounds(np.zeros((4, 4))).cmds == 0
