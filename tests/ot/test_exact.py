"""Exact Wasserstein distances against POT, closed forms and the laws of a metric."""

import numpy as np
import ot
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein

ORDERS = [1, 1.5, 2, 3]
every_order = pytest.mark.parametrize("p", ORDERS)
every_dimension = pytest.mark.parametrize("d", [1, 2, 5])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw(rng, n, d):
    return rng.normal(size=(n, d)), rng.dirichlet(np.ones(n))


def uniform(x):
    return x, np.full(len(x), 1 / len(x))


def w(mu, nu, p=2):
    value, converged = ExactWasserstein(p=p).solve(mu, nu)
    assert converged is True
    assert type(value) is float
    return value


@every_order
@every_dimension
def test_agrees_with_dense_transport_over_all_bins(rng, d, p):
    """Bins without mass are dropped by us and kept by the oracle."""
    support = rng.normal(size=(40, d))
    masses = rng.random((6, 40)) * (rng.random((6, 40)) < 0.6)
    measures = as_measures(masses, support=support)
    C = cdist(support, support) ** p
    for k in range(0, 6, 2):
        expected = ot.emd2(measures.masses[k], measures.masses[k + 1], C) ** (1 / p)
        found = w(measures.measure(k), measures.measure(k + 1), p)
        assert_allclose(found, expected, rtol=1e-10)


@every_order
@every_dimension
def test_supports_of_different_sizes_agree_with_transport(rng, d, p):
    (x, a), (y, b) = draw(rng, 35, d), draw(rng, 12, d)
    expected = ot.emd2(a, b, cdist(x, y) ** p) ** (1 / p)
    assert_allclose(w((x, a), (y, b), p), expected, rtol=1e-10)


@every_order
@every_dimension
def test_a_translation_is_as_long_as_its_shift(rng, d, p):
    x, a = draw(rng, 20, d)
    shift = rng.normal(size=d)
    assert_allclose(w((x, a), (x + shift, a), p), np.linalg.norm(shift), rtol=1e-12)


@every_order
@every_dimension
def test_diracs_are_as_far_as_their_points(rng, d, p):
    x, y = rng.normal(size=(2, 1, d))
    one = np.ones(1)
    assert_allclose(w((x, one), (y, one), p), np.linalg.norm(x - y), rtol=1e-14)
    z, a = draw(rng, 9, d)
    expected = (a @ np.linalg.norm(z - x, axis=1) ** p) ** (1 / p)
    assert_allclose(w((x, one), (z, a), p), expected, rtol=1e-13)


@every_order
def test_points_on_a_line_are_matched_in_order(rng, p):
    x, y = rng.normal(size=(2, 50, 1))
    gaps = np.abs(np.sort(x, axis=0) - np.sort(y, axis=0))
    expected = (gaps**p).mean() ** (1 / p)
    assert_allclose(w(uniform(x), uniform(y), p), expected, rtol=1e-12)
    # The same line inside the plane goes through the simplex.
    embed = np.array([[0.6, 0.8]])
    assert_allclose(w(uniform(x @ embed), uniform(y @ embed), p), expected, rtol=1e-12)


@every_dimension
def test_symmetric_positive_maps_are_optimal(rng, d):
    """They are gradients of convex functions, so W2 is the length of the map."""
    x, a = draw(rng, 25, d)
    root = rng.normal(size=(d, d))
    y = x @ (root @ root.T + 0.1 * np.eye(d)) + rng.normal(size=d)
    expected = np.sqrt(a @ ((x - y) ** 2).sum(axis=1))
    assert_allclose(w((x, a), (y, a)), expected, rtol=1e-12)


@every_order
@every_dimension
def test_is_a_metric(rng, d, p):
    for _ in range(5):
        mu, nu, xi = (draw(rng, n, d) for n in (8, 11, 6))
        assert w(mu, mu, p) == 0
        assert w(mu, nu, p) > 0.01
        assert_allclose(w(nu, mu, p), w(mu, nu, p), rtol=1e-12)
        assert w(mu, xi, p) <= (w(mu, nu, p) + w(nu, xi, p)) * (1 + 1e-12)


@every_dimension
def test_grows_with_the_order(rng, d):
    mu, nu = draw(rng, 15, d), draw(rng, 15, d)
    assert (np.diff([w(mu, nu, p) for p in ORDERS]) > 1e-3).all()


@every_order
@every_dimension
def test_order_and_multiplicity_of_points_do_not_matter(rng, d, p):
    (x, a), nu = draw(rng, 15, d), draw(rng, 10, d)
    shuffle = rng.permutation(15)
    split = np.vstack([x, x[:1]]), np.concatenate([[a[0] / 2], a[1:], [a[0] / 2]])
    for same in ((x[shuffle], a[shuffle]), split):
        assert_allclose(w(same, nu, p), w((x, a), nu, p), rtol=1e-10)
        # The p-th root magnifies rounding of the transported cost, so undo it.
        assert w(same, (x, a), p) ** p <= 1e-14


@every_order
@every_dimension
@pytest.mark.parametrize("unit", [1e-100, 1e-6, 1e6, 1e100])
def test_scales_with_the_unit_of_the_data(rng, unit, d, p):
    (x, a), (y, b) = draw(rng, 20, d), draw(rng, 25, d)
    found = w((unit * x, a), (unit * y, b), p)
    assert_allclose(found / unit, w((x, a), (y, b), p), rtol=1e-12)


@pytest.mark.parametrize("p", [1, 2])
@every_dimension
def test_mass_far_away_in_both_measures_costs_nothing(rng, d, p):
    far = np.full((1, d), 1e4)
    measures = [draw(rng, 20, d) for _ in range(2)]
    joined = [(np.vstack([x, far]), np.append(a, 1) / 2) for x, a in measures]
    assert_allclose(w(*joined, p) ** p, w(*measures, p) ** p / 2, rtol=1e-6)


@every_dimension
def test_float32_points_are_computed_in_float64(rng, d):
    x, y = rng.normal(size=(2, 12, d)).astype(np.float32)
    exact = w(uniform(x.astype(np.float64)), uniform(y.astype(np.float64)))
    assert w(uniform(x), uniform(y)) == exact


@every_dimension
def test_sums_that_differ_as_in_float32_are_evened_out(rng, d):
    """The simplex alone calls them infeasible and answers zero."""
    (x, a), (y, b) = draw(rng, 300, d), draw(rng, 200, d)
    assert_allclose(w((x, a * 1.000001), (y, b)), w((x, a), (y, b)), rtol=1e-6)


def test_says_so_when_the_iterations_did_not_suffice(rng):
    mu, nu = draw(rng, 40, 2), draw(rng, 40, 2)
    value, converged = ExactWasserstein(max_iter=2).solve(mu, nu)
    assert converged is False
    assert abs(value / w(mu, nu) - 1) > 0.01
    # Sorting on a line needs no iterations.
    line = [(x[:, :1], a) for x, a in (mu, nu)]
    assert ExactWasserstein(max_iter=1).solve(*line) == (w(*line), True)
