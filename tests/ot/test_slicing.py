"""Plans along lines, against POT pair by pair and line by line."""

import numpy as np
import ot
import pytest
from numpy.testing import assert_allclose

from skwass.measures import as_measures
from skwass.ot.quantiles import draw_directions
from skwass.ot.slicing import lifted_cells, slice_measures, sliced_costs

SIZES = {"equal": [5] * 6, "ragged": [3, 5, 8, 2, 7, 40]}


def collection(sizes, dim, weighted, seed=0):
    rng = np.random.default_rng(seed)
    clouds = [
        rng.uniform(0.5, 2) * rng.normal(size=(n, dim)) + rng.normal(size=dim)
        for n in sizes
    ]
    masses = [rng.dirichlet(np.ones(n)) if weighted else np.ones(n) / n for n in sizes]
    return list(zip(clouds, masses, strict=True))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("max_products", [0, 2**22])  # coordinate by coordinate, or not
def test_costs_are_those_of_sorting(sizes, weighted, max_products, monkeypatch):
    monkeypatch.setattr("skwass.ot.slicing._MAX_PRODUCTS", max_products)
    clouds = collection(SIZES[sizes], 3, weighted)
    directions = draw_directions(3, 7, np.random.RandomState(0))
    sliced = slice_measures(as_measures(clouds), directions, np.ones(3))
    all_pairs = np.indices((6, 6)).reshape(2, -1).T
    for pairs in (all_pairs, all_pairs[1::7]):  # products of all, and of pairs alone
        costs = sliced_costs(sliced, sliced, pairs)
        for k, (i, j) in enumerate(pairs):
            (x, a), (y, b) = clouds[i], clouds[j]
            assert_allclose(costs.gaps[k], a @ x - b @ y, atol=1e-12)
            x, y = x - a @ x, y - b @ y
            for line, u in enumerate(directions.T):
                plan, log = ot.emd_1d(x @ u, y @ u, a, b, log=True)
                assert_allclose(costs.on_lines[k, line], log["cost"], atol=1e-12)
                lifted = (plan * ot.dist(x, y)).sum()
                assert_allclose(costs.lifted[k, line], lifted, atol=1e-12)


def test_padding_and_the_order_of_points_change_nothing():
    clouds = collection([5, 9], 2, True)
    x, a = clouds[0]
    order = np.random.default_rng(1).permutation(5)
    halves = np.vstack([x, x[:2]]), np.concatenate([a[:2] / 2, a[2:], a[:2] / 2])
    clouds += [(x[order], a[order]), halves]
    sliced = slice_measures(as_measures(clouds), np.eye(2), np.zeros(2))
    costs = sliced_costs(sliced, sliced, np.array([[0, 1], [2, 1], [3, 1]]))
    for part in costs:
        assert_allclose(part[1:], part[:1].repeat(2, axis=0), atol=1e-12)


def test_cells_are_means_of_points_in_their_order():
    ((x, a),) = collection([12], 3, False)
    directions = draw_directions(3, 4, np.random.RandomState(0))
    (one,) = slice_measures(as_measures([(x, a)]), directions, np.zeros(3))
    cells = lifted_cells(one, 2, 4)
    for line in range(2):
        order = np.argsort(x @ directions[:, line])
        expected = (x - x.mean(axis=0))[order].reshape(4, 3, 3).mean(axis=1)
        assert_allclose(cells[line], expected, atol=1e-12)
    ((x, a),) = collection([12], 3, True)
    (one,) = slice_measures(as_measures([(x, a)]), directions, np.zeros(3))
    assert_allclose(lifted_cells(one, 4, 7).mean(axis=1), 0, atol=1e-12)
