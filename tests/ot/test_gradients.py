"""Gradients that come with exact labels, against finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, pairwise_wasserstein

PAIRS = [[0, 1], [2, 3], [4, 5]]
every_order = pytest.mark.parametrize("p", [1, 1.5, 2, 3])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slope_in_masses(masses, support, pair, direction, p):
    """Central difference of W^p when the first histogram moves along a direction."""
    step = 1e-6

    def cost(sign):
        moved = masses[pair].copy()
        moved[0] += sign * step * direction
        measures = as_measures(moved, support=support)
        return pairwise_wasserstein(measures, pairs=[[0, 1]], p=p)[0] ** p

    return (cost(1) - cost(-1)) / (2 * step)


@every_order
@pytest.mark.parametrize("size", [20, 110])
def test_potentials_are_the_derivative_in_the_masses(rng, p, size):
    """Solved on all arcs (20 bins) and on few (110); on occupied bins."""
    support = rng.normal(size=(size, 2))
    masses = rng.dirichlet(np.ones(size), size=6)
    _, (f, g) = pairwise_wasserstein(
        masses, pairs=PAIRS, p=p, support=support, return_gradients=True
    )
    assert f.shape == g.shape == (3, size)
    for k, pair in enumerate(PAIRS):
        direction = rng.normal(size=size) * masses[pair[0]]
        direction -= masses[pair[0]] * direction.sum()
        found = slope_in_masses(masses, support, pair, direction, p)
        assert_allclose(f[k] @ direction, found, rtol=1e-5, atol=1e-7)
        back = slope_in_masses(masses, support, pair[::-1], direction[::-1], p)
        assert_allclose(g[k] @ direction[::-1], back, rtol=1e-4, atol=1e-6)


@every_order
def test_potentials_reach_bins_without_mass(rng, p):
    """There the derivative is one-sided: mass can only be added."""
    support = rng.normal(size=(40, 2))
    masses = rng.dirichlet(np.ones(40), size=2)
    masses[0, 30:] = 0
    masses[1, :5] = 0
    masses /= masses.sum(axis=1, keepdims=True)
    w, (f, _) = pairwise_wasserstein(
        masses, pairs=[[0, 1]], p=p, support=support, return_gradients=True
    )
    for empty in (30, 35, 39):
        moved = masses.copy()
        moved[0] *= 1 - 1e-6
        moved[0, empty] += 1e-6
        cost = pairwise_wasserstein(moved, pairs=[[0, 1]], p=p, support=support) ** p
        direction = (moved[0] - masses[0]) / 1e-6
        slope = (cost - w**p)[0] / 1e-6
        assert_allclose(f[0] @ direction, slope, rtol=1e-4, atol=1e-6)


@every_order
@pytest.mark.parametrize("grid_shape", [None, (6, 6)])
def test_potentials_satisfy_duality(rng, p, grid_shape):
    measures = as_measures(rng.integers(0, 4, (6, 36)), grid_shape=grid_shape)
    w, (f, g) = pairwise_wasserstein(measures, pairs=PAIRS, p=p, return_gradients=True)
    gaps = measures.support[:, None] - measures.support
    C = np.linalg.norm(gaps, axis=2) ** p
    for k, (i, j) in enumerate(PAIRS):
        value = f[k] @ measures.masses[i] + g[k] @ measures.masses[j]
        assert_allclose(value, w[k] ** p, rtol=1e-10)
        # On the supports; two extensions to empty bins need not fit each other.
        left, right = measures.masses[i] > 0, measures.masses[j] > 0
        excess = f[k][:, None] + g[k] - C
        assert excess[left].max() < 1e-9
        assert excess[:, right].max() < 1e-9


@every_order
@pytest.mark.parametrize("sizes", [(12, 9), (100, 80)])
def test_displacements_are_the_derivative_in_the_points(rng, p, sizes):
    clouds = [(rng.normal(size=(n, 3)), rng.dirichlet(np.ones(n))) for n in sizes]
    w, (left, right) = pairwise_wasserstein(
        clouds, pairs=[[0, 1]], p=p, return_gradients=True
    )
    for side, gradient in ((0, left[0]), (1, right[0])):
        direction = rng.normal(size=clouds[side][0].shape)
        costs = []
        for sign in (1, -1):
            moved = list(clouds)
            moved[side] = (clouds[side][0] + sign * 1e-6 * direction, clouds[side][1])
            costs.append(pairwise_wasserstein(moved, pairs=[[0, 1]], p=p)[0] ** p)
        slope = (costs[0] - costs[1]) / 2e-6
        assert_allclose((gradient * direction).sum(), slope, rtol=1e-5, atol=1e-8)
    assert_allclose(left[0].sum(axis=0), -right[0].sum(axis=0), atol=1e-12)


def test_for_p_2_it_is_twice_the_mass_times_the_displacement(rng):
    x, a = rng.normal(size=(10, 2)), rng.dirichlet(np.ones(10))
    shift = np.array([0.3, -0.2])
    _, (left, right) = pairwise_wasserstein(
        [(x, a), (x + shift, a)], pairs=[[0, 1]], return_gradients=True
    )
    assert_allclose(left[0], -2 * a[:, None] * shift, rtol=1e-12)
    assert_allclose(right[0], 2 * a[:, None] * shift, rtol=1e-12)


def test_histograms_and_clouds_each_get_their_kind(rng):
    X = as_measures(rng.random((2, 9)), grid_shape=(3, 3))
    Y = [rng.normal(size=(5, 2))]
    w, (potentials, points) = pairwise_wasserstein(
        X, Y, pairs=[[0, 0], [1, 0]], return_gradients=True
    )
    assert potentials.shape == (2, 9)
    assert [gradient.shape for gradient in points] == [(5, 2), (5, 2)]
    assert w.shape == (2,)


def test_points_that_stay_pull_nowhere(rng):
    x = rng.normal(size=(6, 2))
    for p in (1, 1.5, 2):
        _, (left, right) = pairwise_wasserstein(
            [x, x], pairs=[[0, 1]], p=p, return_gradients=True
        )
        assert_allclose(left[0], 0, atol=1e-15)
        assert_allclose(right[0], 0, atol=1e-15)


def test_gradients_on_a_line_take_the_simplex_and_change_no_distance(rng):
    clouds = [rng.normal(size=(8, 1)), rng.normal(size=(11, 1))]
    w, _ = pairwise_wasserstein(clouds, pairs=[[0, 1]], return_gradients=True)
    assert_allclose(w, pairwise_wasserstein(clouds, pairs=[[0, 1]]), rtol=1e-12)


def test_derivative_in_points_needs_the_euclidean_metric(rng):
    truth = ExactWasserstein(p=1, ground_metric="cityblock")
    clouds = rng.normal(size=(2, 4, 2))
    with pytest.raises(ValueError, match="gradients=True with ground_metric=cityblock"):
        pairwise_wasserstein(
            clouds, pairs=[[0, 1]], ground_truth=truth, return_gradients=True
        )
    # In masses any metric will do.
    histograms = as_measures(rng.random((2, 9)), grid_shape=(3, 3))
    w, (f, g) = pairwise_wasserstein(
        histograms, pairs=[[0, 1]], ground_truth=truth, return_gradients=True
    )
    assert_allclose(f[0] @ histograms.masses[0] + g[0] @ histograms.masses[1], w[0])


@pytest.mark.parametrize(("p", "distance"), [(1.5, 1e9), (2, 1e7), (4, 1e4), (10, 30)])
def test_derivatives_do_not_see_mass_far_away_in_both_measures(rng, p, distance):
    far = np.array([[distance, 0.0]])
    x, y = rng.normal(size=(2, 31, 2))
    clouds = [np.vstack([points, far]) for points in (x, y)]
    options = {"pairs": [[0, 1]], "p": p, "return_gradients": True}
    _, near = pairwise_wasserstein([x, y], **options)
    w, found = pairwise_wasserstein(clouds, **options)
    for one, other in zip(found, near, strict=True):
        assert_allclose(one[0][:-1], other[0] * 31 / 32, rtol=1e-9, atol=1e-12)
        assert_allclose(one[0][-1], 0, atol=1e-12)
    # Potentials on bins prove the distance: feasible, and of the same value.
    support = np.vstack(clouds)
    masses = np.kron(np.eye(2), np.ones(32) / 32)
    _, (f, g) = pairwise_wasserstein(masses, support=support, **options)
    assert_allclose(f[0] @ masses[0] + g[0] @ masses[1], w[0] ** p, rtol=1e-9)
    C = cdist(support, support) ** p
    slack = C * (1 + 1e-12) + 1e-9 * w[0] ** p
    assert (f[0][:, None] + g[0][32:] <= slack[:, 32:]).all()
    assert (f[0][:32, None] + g[0] <= slack[:32]).all()


def test_derivatives_that_are_no_float_are_refused(rng):
    clouds = 1e4 * rng.normal(size=(2, 5, 2))
    with pytest.raises(ValueError, match="infinite derivatives .* Lower p"):
        pairwise_wasserstein(clouds, pairs=[[0, 1]], p=100, return_gradients=True)
    assert np.isfinite(pairwise_wasserstein(clouds, p=100)).all()
