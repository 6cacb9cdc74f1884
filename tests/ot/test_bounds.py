"""Lower bounds of W: never above it, equal to it where theory says so."""

from decimal import Decimal

import numpy as np
import ot
import pytest
from exact_arithmetic import exact_w
from hostile import hostile_pair
from numpy.testing import assert_allclose, assert_array_equal

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, bounds
from skwass.ot.bounds import (
    centroid_bound,
    gaussian_bound,
    lower_bound,
    projection_bound,
)

BOUNDS = [centroid_bound, gaussian_bound, projection_bound, lower_bound]
WITH_ORDER = [projection_bound, lower_bound]
N = 21  # measures a collection, that is 210 pairs
every_bound = pytest.mark.parametrize("bound", BOUNDS)
every_order = pytest.mark.parametrize("p", [1, 1.5, 2, 3])


def clouds(rng, d, n=7):
    """Clouds of different sizes, places and shapes."""
    return [
        rng.normal(size=(k, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
        for k in rng.integers(1, n + 1, N)
    ]


def with_outliers(rng):
    X = clouds(rng, 2)
    for x in X[::3]:
        x[0] *= 1e4
    return X


def sparse(rng, n_bins):
    masses = rng.random((N, n_bins)) * (rng.random((N, n_bins)) < 0.5)
    masses[:, 0] += 0.1
    return masses


KINDS = {
    "grid": lambda rng: (sparse(rng, 12), {"grid_shape": (3, 4)}),
    "line": lambda rng: (sparse(rng, 9), {}),
    "support": lambda rng: (sparse(rng, 8), {"support": rng.normal(size=(8, 3))}),
    "uniform": lambda rng: (rng.normal(size=(N, 6, 2)), {}),
    "weighted": lambda rng: (
        [(x, rng.dirichlet(np.full(len(x), 0.3))) for x in clouds(rng, 2)],
        {},
    ),
    "float32": lambda rng: ([x.astype(np.float32) for x in clouds(rng, 3)], {}),
    "1-D": lambda rng: (clouds(rng, 1, n=12), {}),
    "5-D": lambda rng: (clouds(rng, 5, n=9), {}),
    "far": lambda rng: ([x + 1e6 for x in clouds(rng, 2)], {}),
    "huge": lambda rng: ([x * 1e100 for x in clouds(rng, 2)], {}),
    "tiny": lambda rng: ([x * 1e-100 for x in clouds(rng, 3)], {}),
    "outliers": lambda rng: (with_outliers(rng), {}),
    "diracs": lambda rng: (rng.normal(size=(N, 1, 3)), {}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def draw(kind):
    return KINDS[kind](np.random.default_rng(0))


def exact(mu, nu, p=2):
    w, converged = ExactWasserstein(p=p).solve(mu, nu)
    assert converged
    return w


@every_order
@every_kind
def test_never_above_the_distance(kind, p):
    X, space = draw(kind)
    measures = as_measures(X, **space)
    i, j = np.triu_indices(N, k=1)
    w = np.array(
        [exact(measures[a], measures[b], p) for a, b in zip(i, j, strict=True)]
    )
    found = [bound(X, p=p, **space)[i, j] for bound in WITH_ORDER]
    found.append(
        projection_bound(X, p=p, n_projections=1, n_quantiles=3, **space)[i, j]
    )
    found.append(centroid_bound(X, **space)[i, j])
    if p >= 2:
        found.append(gaussian_bound(X, **space)[i, j])
    for values in found:
        assert np.isfinite(values).all()
        assert (values >= 0).all()
        assert (values <= w * (1 + 1e-9)).all()
    # Bounds of nothing would pass the above.
    assert np.median(found[1] / w) > 0.7


@every_kind
def test_largest_is_the_largest_of_those_that_hold(kind):
    X, space = draw(kind)
    centroid, gaussian = centroid_bound(X, **space), gaussian_bound(X, **space)
    for p, moments in [(1, centroid), (1.9, centroid), (2, gaussian), (3, gaussian)]:
        expected = np.maximum(moments, projection_bound(X, p=p, **space))
        assert_array_equal(lower_bound(X, p=p, **space), expected)
    assert (gaussian >= centroid * (1 - 1e-12)).all()


@every_order
@pytest.mark.parametrize("bound", WITH_ORDER)
def test_order_never_lowers_and_however_large_is_finite(bound, p):
    X, _ = draw("weighted")
    low, high, huge = (bound(X, p=order) for order in (p, p + 0.7, 1e5))
    assert (high >= low * (1 - 1e-12)).all()
    assert (huge >= high * (1 - 1e-12)).all()
    # No point of one is further from a point of the other.
    reach = np.concatenate([x for x, _ in X])
    assert huge.max() <= np.linalg.norm(np.ptp(reach, axis=0))


@every_order
@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("offset", [0, 1e6])
def test_translations_are_as_long_as_their_shift(offset, d, p):
    rng = np.random.default_rng(0)
    x, a, shifts = rng.normal(size=(9, d)), rng.random(9), rng.normal(size=(N, d))
    X = [(offset + x + shift, a) for shift in [np.zeros(d), *shifts]]
    expected = np.linalg.norm(shifts, axis=1)
    for bound in BOUNDS:
        order = {"p": p} if bound in WITH_ORDER else {}
        assert_allclose(bound(X[:1], X[1:], **order)[0], expected, rtol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_gaussian_agrees_with_the_formula_of_pot(d):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(20, d)) @ rng.normal(size=(d, d)) for _ in range(8)]
    m, S = [x.mean(axis=0) for x in X], [np.cov(x.T, bias=True) for x in X]
    S = [np.atleast_2d(s) for s in S]
    i, j = np.triu_indices(8, k=1)
    expected = [
        ot.gaussian.bures_wasserstein_distance(m[a], m[b], S[a], S[b])
        for a, b in zip(i, j, strict=True)
    ]
    assert_allclose(gaussian_bound(X)[i, j], expected, rtol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("rank", [1, 5])
def test_gaussian_is_exact_for_symmetric_positive_maps(d, rank):
    rng = np.random.default_rng(0)
    x, a = rng.normal(size=(12, d)), rng.dirichlet(np.ones(12))
    for _ in range(10):
        root = rng.normal(size=(min(rank, d), d))
        y = x @ root.T @ root + rng.normal(size=d)
        w = np.sqrt(a @ ((x - y) ** 2).sum(axis=1))
        assert_allclose(exact((x, a), (y, a)), w, rtol=1e-10)
        assert_allclose(gaussian_bound([(x, a)], [(y, a)]), [[w]], rtol=1e-10)
        assert_allclose(lower_bound([(x, a)], [(y, a)]), [[w]], rtol=1e-10)


@every_order
def test_projection_is_exact_on_a_line_once_cells_hold_the_steps(p):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 1)) for n in (3, 4, 12, 6)]
    W = [[exact(mu, nu, p) for nu in as_measures(X)] for mu in as_measures(X)]
    B = projection_bound(X, p=p, n_quantiles=12)
    assert_allclose(B, W, rtol=1e-12, atol=1e-12)
    assert (projection_bound(X, p=p, n_quantiles=5) < 0.98 * B).sum() >= 6


@every_order
@pytest.mark.parametrize("kind", ["line", "1-D"])
def test_projection_tends_to_the_distance_on_a_line(kind, p):
    X, _ = draw(kind)
    measures = as_measures(X)
    pairs = np.column_stack([np.arange(10), np.arange(10, 20)])
    w = [exact(measures[i], measures[j], p) for i, j in pairs]
    gaps = [
        np.max(1 - projection_bound(X, p=p, pairs=pairs, n_quantiles=n) / w)
        for n in (10, 100, 1000)
    ]
    assert gaps[1] < 0.3 * gaps[0]
    assert gaps[2] < 0.3 * gaps[1]
    assert gaps[2] < 5e-3


def test_projection_is_exact_for_products_along_the_axes():
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(2, 3, 4, 1))  # [measure, axis, point, 1]
    products = [np.stack(np.meshgrid(*side), axis=-1).reshape(-1, 3) for side in sides]
    w2_sq = ((np.sort(sides[0], axis=1) - np.sort(sides[1], axis=1)) ** 2).mean(axis=1)
    found = projection_bound(products, n_projections=3, n_quantiles=4)
    assert_allclose(found[0, 1], np.sqrt(w2_sq.sum()), rtol=1e-12)


@every_order
@pytest.mark.parametrize("kind", ["grid", "weighted", "5-D"])
def test_more_quantiles_and_projections_never_lower_the_bound(kind, p):
    X, space = draw(kind)
    d = as_measures(X, **space).dim
    one_cell = projection_bound(X, p=p, n_projections=d, n_quantiles=1, **space)
    assert_allclose(one_cell, centroid_bound(X, **space), rtol=1e-12, atol=1e-14)
    for name, numbers in [
        ("n_quantiles", [1, 2, 6, 18, 36]),
        ("n_projections", [1, 2, 3, 5, 8, 16, 40]),
    ]:
        found = [projection_bound(X, p=p, **{name: n}, **space) for n in numbers]
        steps = np.diff(found, axis=0)
        assert steps.min() > -1e-13
        assert steps.max() > 1e-3


@every_bound
@every_kind
def test_matrix_listed_pairs_and_rectangle_agree(kind, bound, monkeypatch):
    X, space = draw(kind)
    matrix = bound(X, **space)
    assert matrix.shape == (N, N)
    assert_array_equal(matrix, matrix.T)
    assert_array_equal(np.diag(matrix), 0)
    monkeypatch.setattr(bounds, "BLOCK_SIZE", 5000)  # several blocks
    rounding = {"rtol": 1e-12, "atol": 1e-12 * matrix.max()}
    assert_allclose(bound(X, X[:4], **space), matrix[:, :4], **rounding)
    pairs = [[3, 1], [0, 20], [1, 3], [5, 5], [3, 1]]
    listed = bound(X, pairs=pairs, **space)
    assert_allclose(listed, matrix[tuple(np.transpose(pairs))], **rounding)
    assert listed[3] == 0
    across = bound(X, X[10:], pairs=[[2, 4]], **space)
    assert_allclose(across, matrix[[2], [14]], **rounding)
    assert bound(X, pairs=pairs, **space).tobytes() == listed.tobytes()


@every_bound
def test_one_measure_is_at_distance_zero_of_itself(bound):
    assert_array_equal(bound([[0, 1, 0]]), [[0]])
    for p in [{}, {"p": 1}, {"p": 3}][: 1 if bound not in WITH_ORDER else 3]:
        assert_array_equal(bound([[0, 1, 0]], [[0, 3, 0]], **p), [[0]])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_projections_are_the_first_axes(n):
    X, _ = draw("diracs")
    first = np.linalg.norm(X[0, 0, :n] - X[1, 0, :n])
    assert_allclose(projection_bound(X, n_projections=n)[0, 1], first, rtol=1e-12)


@every_bound
def test_far_measures_cost_others_no_digits(bound):
    x = np.random.default_rng(0).normal(size=(10, 4, 2))
    X = [*x, x[0] + 1e12]
    assert_allclose(bound(X)[:10, :10], bound(x), rtol=1e-11)
    assert_allclose(bound(X)[0, 10], np.sqrt(2) * 1e12, rtol=1e-11)
    # Squares of these overflow in the unit of the first.
    assert_allclose(bound([x[0] * 1e-30], [x[1] * 0 + 1e150]), np.sqrt(2) * 1e150)


@every_bound
@pytest.mark.parametrize("dtype", [np.float32, np.longdouble])
def test_points_of_any_precision_are_read_in_float64(bound, dtype):
    X = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(dtype)
    assert_allclose(bound(list(X)), bound(X.astype(np.float64)), rtol=1e-12)
    assert bound(list(X)).dtype == np.float64


@every_bound
@pytest.mark.parametrize("kind", ["weighted", "5-D", "far", "outliers"])
def test_a_copy_in_another_order_is_at_distance_zero(kind, bound):
    X = as_measures(draw(kind)[0])
    Y = [(x[::-1], a[::-1]) for x, a in X]
    scale = bound(X).max()
    assert np.diag(bound(X, Y)).max() < 1e-14 * scale


@every_bound
def test_histograms_and_clouds_of_one_space_mix(bound):
    X, space = draw("grid")
    images = as_measures(X, **space)
    expected = bound(images)
    for Y, Z in [(images, images.to_clouds()), (images.to_clouds(), images)]:
        assert_allclose(bound(Y, Z), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bound", WITH_ORDER)
def test_random_bases_depend_on_the_seed_alone(bound):
    X, _ = draw("uniform")
    same = [bound(X, random_state=s) for s in (0, np.random.RandomState(0))]
    assert same[0].tobytes() == same[1].tobytes() == bound(X).tobytes()
    assert not np.array_equal(bound(X, random_state=1), same[0])
    # Both sides see the same bases, whatever draws them.
    both = bound(X, X.copy(), random_state=None)
    assert_allclose(np.diag(both), 0, atol=1e-12)


@every_bound
@pytest.mark.parametrize(
    ("X", "Y", "settings", "message"),
    [
        (np.eye(3), np.eye(4), {}, "X and Y .*3 and 4.* one space"),
        ([np.eye(2)], [np.eye(3)], {}, "X and Y .*2 and 3.* one space"),
        (np.eye(2), [np.eye(2)], {}, "X and Y .*1 and 2"),
        (np.eye(3), None, {"pairs": [[0, 3]]}, r"pairs\[0\]=\[0, 3\], expected"),
        (np.eye(3), np.eye(3)[:2], {"pairs": [[0, 2]]}, r"below \(3, 2\)"),
        (np.eye(3), None, {"grid_shape": (2, 2)}, r"grid_shape=\(2, 2\), expected"),
        ([[1.0, np.nan]], None, {}, "NaN"),
    ],
)
def test_bad_measures_and_pairs_are_refused(bound, X, Y, settings, message):
    with pytest.raises(ValueError, match=message):
        bound(X, Y, **settings)


@pytest.mark.parametrize("bound", WITH_ORDER)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p", 0.5),
        ("p", np.nan),
        ("p", np.inf),
        ("n_projections", 0),
        ("n_projections", 2.5),
        ("n_quantiles", 0),
        ("n_quantiles", 8.0),
        ("random_state", "a"),
    ],
)
def test_bad_settings_are_refused(bound, name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of {bound.__name__}"):
        bound(np.eye(3), **{name: value})


def test_rounding_lifts_no_bound_above_the_distance():
    """Not in the last bit, where atoms are 1e8 times as far away as W is long."""
    rng = np.random.default_rng(0)
    for _ in range(150):
        pair = hostile_pair(rng, max_points=5)
        if pair.masses != "dyadic":  # others are not known to the last bit
            continue
        mu, nu = (as_measures([measure]) for measure in (pair.mu, pair.nu))
        w = exact_w(pair.mu, pair.nu, pair.p)
        assert Decimal(lower_bound(mu, nu, p=pair.p)[0, 0]) <= w, pair
        assert Decimal(centroid_bound(mu, nu)[0, 0]) <= w, pair
        assert Decimal(projection_bound(mu, nu, p=pair.p)[0, 0]) <= w, pair
