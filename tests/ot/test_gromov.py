"""Gromov-Wasserstein distances against POT, and the laws of an isometry invariant."""

import warnings

import numpy as np
import ot
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.stats import ortho_group
from sklearn.base import clone

from skwass.measures import PointClouds, as_measures
from skwass.ot._gromov import EntropicGromovWasserstein, GromovWasserstein
from skwass.ot._inner import local_quantiles
from skwass.ot._log_gromov import entropic_gromov, gromov_gradient

EXACT = GromovWasserstein()
# A fixed scale: that of "auto" depends on the collection.
ENTROPIC = EntropicGromovWasserstein(reg=0.2, scale=5.0, max_iter=300)
every_distance = pytest.mark.parametrize(
    "distance", [EXACT, ENTROPIC], ids=["exact", "entropic"]
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw(rng, n, d=3):
    """Return a cloud without symmetries, so that the product plan is no trap."""
    x = rng.exponential(size=(n, d)) * np.array([3.0, 1.0, 0.3])[:d]
    return x, rng.dirichlet(np.full(n, 3.0))


def collect(measures):
    points, masses = zip(*measures, strict=True)
    return PointClouds(list(points), list(masses))


def w(distance, mu, nu):
    value, converged = distance.solve(mu, nu)
    assert converged is True
    assert type(value) is float
    return value


def brute_force(C, D, plan):
    """Return the loss by its definition."""
    gaps = (C[:, None, :, None] - D[None, :, None, :]) ** 2
    return np.einsum("ijkl,ij,kl", gaps, plan, plan)


@every_distance
def test_moving_turning_and_mirroring_change_nothing(rng, distance):
    (x, a), nu = draw(rng, 12), draw(rng, 9)
    expected = w(distance, (x, a), nu)
    turn = ortho_group.rvs(3, random_state=1)
    mirror = np.diag([-1.0, 1, 1])
    for moved in (x + 100, x @ mirror, x @ turn - 2):
        assert_allclose(w(distance, (moved, a), nu), expected, rtol=1e-6)


@pytest.mark.parametrize("n", [2, 7, 15])
def test_copies_are_at_distance_zero(rng, n):
    x, a = draw(rng, n)
    order = rng.permutation(n)
    copy = (x @ ortho_group.rvs(3, random_state=n) + 5)[order], a[order]
    assert w(EXACT, (x, a), copy) < 1e-6
    assert w(ENTROPIC, (x, a), copy) < 1e-4
    assert w(ENTROPIC, (x, a), (x, a)) < 1e-6


@pytest.mark.parametrize(("n", "m"), [(10, 10), (14, 6), (1, 5)])
def test_exact_agrees_with_pot(rng, n, m):
    (x, a), (y, b) = draw(rng, n), draw(rng, m, 2)
    C, D = cdist(x, x), cdist(y, y)
    unit = max(C.max(), D.max())
    loss, log = ot.gromov.gromov_wasserstein2(C / unit, D / unit, a, b, log=True)
    # Spaces of different dimension: zeros are appended, distances stay.
    flat = np.pad(y, ((0, 0), (0, 1))), b
    found = w(GromovWasserstein(init="product"), (x, a), flat)
    assert_allclose(found, unit * loss**0.5, rtol=1e-9)
    assert_allclose(found**2, brute_force(C, D, log["T"]), rtol=1e-9)


def test_the_better_of_two_starts_is_kept(rng):
    values = {init: [] for init in ("best", "product", "local")}
    for _ in range(20):
        mu, nu = draw(rng, 9, 2), draw(rng, 7, 2)
        for init, found in values.items():
            found.append(w(GromovWasserstein(init=init), mu, nu))
    product, local = np.array(values["product"]), np.array(values["local"])
    assert_array_equal(values["best"], np.minimum(product, local))
    assert (local < product - 1e-6).any()
    assert (product < local - 1e-6).any()


def test_local_quantiles_are_those_of_each_row(rng):
    x, a = draw(rng, 7)
    D = cdist(x, x)
    levels = (np.arange(32) + 0.5) / 32
    expected = [np.quantile(row, levels, weights=a, method="inverted_cdf") for row in D]
    assert_allclose(local_quantiles(D, a), expected)


@pytest.mark.parametrize(("n", "m"), [(10, 10), (14, 6), (1, 5)])
@pytest.mark.parametrize("reg", [0.3, 0.1])
def test_entropic_agrees_with_pot(rng, n, m, reg):
    (x, a), (y, b) = draw(rng, n), draw(rng, m)
    scale = 6.0
    C, D = cdist(x, x) / scale, cdist(y, y) / scale
    plan = ot.gromov.entropic_gromov_wasserstein(
        C, D, a, b, epsilon=reg, max_iter=2_000, tol=1e-12, numItermax=5_000,
        stopThr=1e-13,
    )  # fmt: skip
    kl = np.sum(plan * np.log(plan / np.outer(a, b)))
    expected = scale * (brute_force(C, D, plan) + reg * kl) ** 0.5
    distance = EntropicGromovWasserstein(reg, debias=False, scale=scale, max_iter=2_000)
    assert_allclose(w(distance, (x, a), (y, b)), expected, rtol=1e-6)
    batch = (torch.from_numpy(z)[None] for z in (C, D, a, b))
    value, found, _ = entropic_gromov(*batch, reg, 2_000, 1e-9)
    assert_allclose(found[0].numpy(), plan, atol=1e-6)
    assert_allclose(float(value[0]), (expected / scale) ** 2, rtol=1e-8)


def test_gradient_of_the_loss_is_that_of_autograd(rng):
    (x, a), (y, b) = draw(rng, 6), draw(rng, 4)
    C, D = cdist(x, x), cdist(y, y)
    plan = torch.from_numpy(np.outer(a, b)).requires_grad_()
    tensors = [torch.from_numpy(z)[None] for z in (C, D, a, b)]
    gaps = (tensors[0][0, :, None, :, None] - tensors[1][0, None, :, None, :]) ** 2
    loss = torch.einsum("ijkl,ij,kl", gaps, plan, plan)
    loss.backward()
    M = gromov_gradient(*tensors, plan.detach()[None])
    assert_allclose(M[0], plan.grad, rtol=1e-10)
    assert_allclose((M[0] * plan).sum().item() / 2, loss.item(), rtol=1e-10)


@every_distance
def test_batch_mates_and_padding_change_nothing(rng, distance):
    sizes = [3, 8, 1, 5]
    mu, nu = (collect([draw(rng, n) for n in s]) for s in (sizes, sizes[::-1]))
    pairs = np.array([(i, j) for i in range(4) for j in range(4)])
    together = distance.label(mu, nu, pairs)
    for k, (i, j) in enumerate(pairs):
        alone = distance.label(mu, nu, [(i, j)])
        assert_allclose(together.w[k], alone.w[0], rtol=1e-9, atol=1e-7)
        assert together.converged[k] == alone.converged[0]
    backwards = distance.label(mu, nu, pairs[::-1])
    assert_allclose(backwards.w[::-1], together.w, rtol=1e-9, atol=1e-7)
    half = distance.label(mu, nu, pairs[::2])
    assert_allclose(half.w, together.w[::2], rtol=1e-9, atol=1e-7)


def test_values_do_not_depend_on_padding_before_the_root(rng):
    """Without self terms nothing cancels, so that all digits must be the same."""
    distance = clone(ENTROPIC).set_params(debias=False)
    mu = collect([draw(rng, n) for n in (2, 17, 8)])
    pairs = [(i, j) for i in range(3) for j in range(3)]
    together = distance.label(mu, mu, pairs).w
    alone = [distance.label(mu, mu, [pair]).w[0] for pair in pairs]
    assert_allclose(together, alone, rtol=1e-9)


@every_distance
def test_points_without_mass_weigh_nothing(rng, distance):
    (x, a), nu = draw(rng, 8), draw(rng, 5)
    padded = np.vstack([[[50.0, 0, 0]], x, [[0, 70.0, 0]]]), np.r_[0, a, 0]
    assert_allclose(w(distance, padded, nu), w(distance, (x, a), nu), rtol=1e-9)


@every_distance
def test_bins_are_clouds_of_their_positions(rng, distance):
    support = rng.normal(size=(12, 3))
    masses = rng.random((2, 12)) * (rng.random((2, 12)) < 0.7)
    bins = as_measures(masses, support=support)
    expected = w(distance, bins.measure(0), bins.measure(1))
    assert_allclose(distance.label(bins, bins, [(0, 1)]).w, expected, rtol=1e-9)
    by_matrix = clone(distance).set_params(ground_metric=cdist(support, support))
    assert_allclose(by_matrix.label(bins, bins, [(0, 1)]).w, expected, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-100, 1e-3, 1e100])
@every_distance
def test_any_unit_of_length_works(rng, distance, unit):
    (x, a), (y, b) = draw(rng, 8), draw(rng, 6)
    expected = w(distance, (x, a), (y, b))
    if distance is ENTROPIC:
        distance = clone(distance).set_params(scale=unit * distance.scale)
    found = w(distance, (unit * x, a), (unit * y, b))
    assert_allclose(found, unit * expected, rtol=1e-7)


def test_the_automatic_scale_is_the_largest_inner_distance(rng):
    mu, nu = draw(rng, 8), draw(rng, 6)
    distance = EntropicGromovWasserstein(reg=0.05, max_iter=1_000)
    scale = max(cdist(x, x).max() for x, _ in (mu, nu))
    fixed = clone(distance).set_params(scale=scale)
    assert w(distance, mu, nu) == w(fixed, mu, nu)
    far = mu[0] + 1e6, mu[1]
    assert_allclose(w(distance, far, nu), w(fixed, mu, nu), rtol=1e-6)


@every_distance
def test_symmetric(rng, distance):
    mu, nu = draw(rng, 11), draw(rng, 7)
    assert_allclose(w(distance, mu, nu), w(distance, nu, mu), rtol=1e-6)


@every_distance
def test_diracs(distance):
    point = np.array([[7.0]]), np.ones(1)
    pair = np.array([[0.0], [4.0]]), np.array([0.5, 0.5])
    assert w(distance, point, point) == 0
    if distance is EXACT:
        # Half of all pairs of points are 4 apart.
        assert_allclose(w(distance, point, pair), 8**0.5)


def test_bias_is_what_debiasing_takes_away(rng):
    mu, nu = draw(rng, 9), draw(rng, 9)
    biased = clone(ENTROPIC).set_params(debias=False)
    assert w(biased, mu, mu) > 0.1
    both = w(biased, mu, nu) ** 2
    own = w(biased, mu, mu) ** 2 / 2 + w(biased, nu, nu) ** 2 / 2
    assert_allclose(w(ENTROPIC, mu, nu) ** 2, max(both - own, 0), rtol=1e-7)


def test_less_regularisation_is_nearer_to_the_exact_distance(rng):
    mu, nu = draw(rng, 6), draw(rng, 6)
    expected = w(EXACT, mu, nu)
    errors = [
        abs(w(clone(ENTROPIC).set_params(reg=reg, debias=False), mu, nu) - expected)
        for reg in (0.5, 0.1, 0.02)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


@every_distance
def test_says_when_it_has_not_converged(rng, distance):
    mu, nu = draw(rng, 10), draw(rng, 10)
    value, converged = clone(distance).set_params(max_iter=1).solve(mu, nu)
    assert not converged
    assert np.isfinite(value)


@every_distance
def test_refuses_gradients(rng, distance):
    mu = collect([draw(rng, 4)])
    with pytest.raises(ValueError, match="Got gradients=True with .*Gromov.*, expect"):
        distance.label(mu, mu, [(0, 0)], gradients=True)


@every_distance
def test_refuses_a_metric_with_directions(rng, distance):
    one_way = clone(distance).set_params(
        ground_metric=lambda X, Y: np.maximum(Y[:, 0] - X[:, :1], 0)
    )
    with pytest.raises(ValueError, match="that is not symmetric, expected"):
        one_way.solve(draw(rng, 4), draw(rng, 4))


@pytest.mark.parametrize(
    ("distance", "parameters"),
    [
        (EXACT, {"max_iter": 0}),
        (EXACT, {"tol": 0}),
        (EXACT, {"ground_metric": "no such metric"}),
        (ENTROPIC, {"reg": 0}),
        (ENTROPIC, {"scale": -1.0}),
        (ENTROPIC, {"scale": "largest"}),
        (ENTROPIC, {"debias": "yes"}),
        (ENTROPIC, {"max_iter": 0}),
        (ENTROPIC, {"tol": -1}),
        (ENTROPIC, {"device": 0}),
    ],
)
def test_refuses_bad_parameters(rng, distance, parameters):
    bad = clone(distance).set_params(**parameters)
    (name,) = parameters
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        bad.solve(draw(rng, 4), draw(rng, 4))


@every_distance
def test_is_a_scikit_learn_object(rng, distance):
    copy = clone(distance)
    assert copy.get_params() == distance.get_params()
    mu = collect([draw(rng, 4), draw(rng, 5)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = copy.label(mu, mu, [(0, 1)])
    assert_array_equal(first.w, distance.label(mu, mu, [(0, 1)]).w)
    assert copy.get_params() == distance.get_params()


@every_distance
def test_no_pairs_no_labels(rng, distance):
    mu = collect([draw(rng, 4)])
    labels = distance.label(mu, mu, np.empty((0, 2), dtype=int))
    assert len(labels) == 0
