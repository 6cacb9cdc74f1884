"""Exact Wasserstein distances against POT, closed forms and the laws of a metric."""

import numpy as np
import ot
import pytest
from exact_arithmetic import exact_w
from hostile import hostile_pair, on_grid
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, pairwise_wasserstein

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


FAR = [
    (1, 1e12),
    (1.5, 1e9),
    (2, 1e4),
    (2, 1e7),
    (3, 1e6),
    (4, 1e4),
    (6, 1e5),
    (10, 30),
]


@pytest.mark.parametrize(("p", "distance"), FAR)
@every_dimension
def test_mass_far_away_in_both_measures_costs_nothing(rng, d, p, distance):
    """The solver alone sees costs to 1e-15 of the largest one."""
    far = distance * np.eye(1, d)
    x, y = rng.normal(size=(2, 31, d))
    joined = [uniform(np.vstack([points, far])) for points in (x, y)]
    share = (31 / 32) ** (1 / p)
    assert_allclose(w(*joined, p), share * w(uniform(x), uniform(y), p), rtol=1e-12)


@pytest.mark.parametrize("p", [20, 30, 100])
def test_high_orders_are_as_exact(rng, p):
    """Near costs vanish beside the largest, (1 / 3)^100 among them."""
    x = np.indices((3, 3)).reshape(2, -1).T.astype(float)
    for points in (x, x[:, :1]):
        a, b = (on_grid(masses) for masses in rng.dirichlet(np.ones(9), size=2))
        expected = float(exact_w((points, a), (points, b), p))
        assert_allclose(w((points, a), (points, b), p), expected, rtol=1e-12)


def test_the_longest_way_decides_in_the_limit(rng):
    """W_1000, on a line and in the plane: a quarter moves by 1, the rest by 3."""
    for d in (1, 2):
        x = np.array([[0.0], [10.0]]) * np.eye(1, d)
        y = np.array([[3.0], [11.0]]) * np.eye(1, d)
        mass = np.array([0.75, 0.25])
        expected = 3 * 0.75 ** (1 / 1000)
        assert_allclose(w((x, mass), (y, mass), 1000), expected, rtol=1e-14)


def test_is_right_to_nine_digits_or_says_so(rng):
    n_unsure = 0
    for _ in range(150):
        pair = hostile_pair(rng, max_points=5)
        found, converged = ExactWasserstein(p=pair.p).solve(pair.mu, pair.nu)
        if converged:
            expected = float(exact_w(pair.mu, pair.nu, pair.p))
            assert_allclose(found, expected, rtol=2e-9, err_msg=str(pair))
        else:  # a last bit of mass decides
            assert pair.masses != "dyadic", pair
            assert pair.shape != "near", pair
            n_unsure += 1
    assert 0 < n_unsure < 50


def test_says_so_where_the_last_bit_of_a_mass_decides(rng):
    """Sums that differ by rounding: the bit stays where it is cheapest."""
    x, y = rng.normal(size=(2, 20, 2))
    far = np.array([[1e4, 0.0]])
    a, b = rng.dirichlet(np.ones(20), size=2) / 2
    joined = [(np.vstack([x, far]), np.append(a, 0.5)) for x, a in ((x, a), (y, b))]
    assert joined[0][1].sum() != joined[1][1].sum()
    found, converged = ExactWasserstein(p=4).solve(*joined)
    assert converged is False
    assert_allclose(found, w((x, 2 * a), (y, 2 * b), 4) / 2**0.25, rtol=1e-9)
    with pytest.warns(
        ConvergenceWarning, match=r"Raise its max_iter\. .* far away, or lower p"
    ):
        pairwise_wasserstein([joined[0]], [joined[1]], p=4)


def test_measures_that_are_equal_but_for_rounding_are_at_distance_0(rng):
    for d in (1, 3):
        x, a = draw(rng, 60, d)
        other = 3 * a[::-1] / (3 * a).sum()
        assert other[::-1].tolist() != a.tolist()
        assert w((x, a), (x[::-1], other)) == 0.0


@pytest.mark.parametrize("p", [30, 50, 80])
def test_high_orders_do_not_depend_on_how_masses_are_scaled_and_ordered(rng, p):
    """Sums of masses differ in the last digit then; a way of 5 pixels to the 50th."""
    x = np.indices((5, 5)).reshape(2, -1).T.astype(float)
    for _ in range(4):
        a, b = rng.random((2, 25))
        expected = w((x, a), (x, b), p)
        shuffled = rng.permutation(25)
        for factor in (3.0, 7.0):
            assert_allclose(w((x, factor * a), (x, b), p), expected, rtol=1e-10)
            other = x[shuffled], factor * b[shuffled]
            assert_allclose(w((x, a), other, p), expected, rtol=1e-10)
        assert_allclose(expected, float(exact_w((x, a), (x, b), p)), rtol=1e-10)


def test_a_faint_atom_far_away_among_many_is_no_rounding(rng):
    """On a line, where one of 2,000 masses differs in its last digit too."""
    x, a = np.sort(rng.normal(size=(2000, 1)), axis=0), rng.dirichlet(np.ones(2000))
    a, far = np.append(a, 5e-13), 1e12
    b = a.copy()
    b[7] = np.nextafter(b[7], 1)
    for p in (1, 2):
        found, converged = ExactWasserstein(p=p).solve(
            (np.vstack([x, [[5.0]]]), a), (np.vstack([x, [[far]]]), b)
        )
        assert found >= 0.9 * far * 5e-13 ** (1 / p) or not converged
    # In the plane, its mass is less than what the sums differ by.
    mu = np.eye(2), np.array([1 - 2.0**-53, 8e-16])
    nu = np.array([[1.0, 0.0], [1e18, 1.0]]), np.array([1.0, 8e-16])
    found, converged = ExactWasserstein(p=1).solve(mu, nu)
    assert found >= 700 or not converged


def test_masses_are_divided_by_their_sum(rng):
    (x, a), (y, b) = draw(rng, 6, 2), draw(rng, 9, 2)
    assert_allclose(w((x, 7 * a), (y, b / 3)), w((x, a), (y, b)), rtol=1e-14)


@every_dimension
def test_a_faint_atom_is_no_rounding(rng, d):
    """Of mass 2^-50, a way off: it alone has to move, and comes from the nearest."""
    x = rng.normal(size=(6, d))
    masses = np.full(6, 1 / 8)
    masses[0] += 1 / 4
    others = masses.copy()
    others[0] -= 2.0**-50
    y = np.vstack([x, x[:1] + 1e-3])
    found = w((x, masses), (y, np.append(others, 2.0**-50)))
    assert_allclose(found, 2.0**-25 * 1e-3 * d**0.5, rtol=1e-9)


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
