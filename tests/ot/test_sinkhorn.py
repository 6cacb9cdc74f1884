"""Entropic distances against POT, exact transport, and the laws of a divergence."""

import numpy as np
import ot
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skwass.embedders import DeepWassersteinEmbedder
from skwass.measures import PointClouds, as_measures, grid_support
from skwass.ot import (
    EntropicWasserstein,
    ExactWasserstein,
    SinkhornDivergence,
    pairwise_wasserstein,
    sinkhorn_divergence,
)
from skwass.ot._log_sinkhorn import (
    DenseCost,
    GridCost,
    cross_potentials,
    own_potential,
)

ORDERS = [1, 1.5, 2]
every_order = pytest.mark.parametrize("p", ORDERS)
both_kinds = pytest.mark.parametrize("kind", [EntropicWasserstein, SinkhornDivergence])
both_debias = pytest.mark.parametrize("debias", [True, False])
both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
# Converges far enough for comparisons of nearly all digits.
TIGHT = {"reg": 0.05, "tol": 1e-9}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw(rng, n, d=2):
    return rng.normal(size=(n, d)), rng.dirichlet(np.ones(n))


def draw_clouds(rng, sizes, d=2):
    return PointClouds(*map(list, zip(*(draw(rng, n, d) for n in sizes), strict=True)))


def draw_images(rng, n_images, n_bins):
    """Histograms of which a third of the bins is empty."""
    masses = rng.random((n_images, n_bins)) * (rng.random((n_images, n_bins)) > 0.35)
    return masses + np.eye(n_images, n_bins)


def solve(mu, nu, **settings):
    w, converged = SinkhornDivergence(**(TIGHT | settings)).solve(mu, nu)
    assert converged is True
    return w


def oracle(mu, nu, eps, p):
    """Return `<plan, C> + eps KL(plan | a x b)` of the plan that POT finds."""
    (x, a), (y, b) = mu, nu
    C = cdist(x, y) ** p
    settings = {"method": "sinkhorn_log", "stopThr": 1e-9, "numItermax": 10_000}
    plan = ot.sinkhorn(a, b, C, eps, **settings)
    ratio = plan / np.outer(a, b)
    return (plan * C).sum() + eps * (plan * np.log(np.where(plan > 0, ratio, 1))).sum()


# Against other solvers.


def test_two_hundred_ragged_pairs_agree_with_pot_one_at_a_time(rng):
    sizes = np.exp(rng.uniform(0, np.log(40), 120)).astype(int)
    sizes[:4] = 1, 300, 200, 1
    clouds = draw_clouds(rng, sizes)
    pairs = np.vstack([[[0, 1], [1, 2], [0, 3]], rng.integers(4, 120, (197, 2))])
    labels = EntropicWasserstein(scale=4.0, **TIGHT).label(clouds, clouds, pairs)
    assert labels.converged.all()
    assert labels.w.dtype == np.float64
    assert labels.grad_mu is labels.grad_nu is None
    expected = [oracle(clouds[i], clouds[j], 0.05 * 4**2, 2) for i, j in pairs]
    assert_allclose(labels.w**2, expected, rtol=1e-6)


@every_order
def test_divergence_is_the_entropic_cost_less_half_the_self_terms(rng, p):
    clouds = draw_clouds(rng, rng.integers(2, 15, 8))
    pairs = np.arange(8).reshape(4, 2)
    found = SinkhornDivergence(p=p, reg=0.3, scale=4.0, tol=1e-9).label(
        clouds, clouds, pairs
    )
    assert found.converged.all()
    for (i, j), w in zip(pairs, found.w, strict=True):
        cross, own_i, own_j = (
            oracle(clouds[k], clouds[m], 0.3 * 4**p, p)
            for k, m in ((i, j), (i, i), (j, j))
        )
        assert_allclose(w**p, cross - own_i / 2 - own_j / 2, rtol=1e-6)


@both_kinds
def test_a_pair_has_one_value_in_whatever_company(rng, kind):
    clouds = draw_clouds(rng, rng.integers(1, 60, 20))
    pairs = rng.integers(0, 20, (25, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    ground_truth = kind(scale=4.0, reg=0.02)
    together = ground_truth.label(clouds, clouds, pairs).w
    alone = [ground_truth.label(clouds, clouds, [pair]).w[0] for pair in pairs]
    assert_allclose(alone, together, rtol=1e-9)
    shuffle = rng.permutation(len(pairs))
    shuffled = ground_truth.label(clouds, clouds, pairs[shuffle]).w
    assert_allclose(shuffled, together[shuffle], rtol=1e-9)


@every_order
def test_nears_exact_transport_as_regularisation_falls(rng, p):
    mu, nu = draw(rng, 25), draw(rng, 30)
    exact, _ = ExactWasserstein(p=p).solve(mu, nu)
    error = [
        abs(solve(mu, nu, p=p, reg=reg, scale=4.0, tol=1e-4) - exact)
        for reg in (0.1, 0.03, 0.01, 0.003)
    ]
    assert (np.divide(error[1:], error[:-1]) < 0.5).all()
    assert error[3] < 0.02 * exact


def test_nears_the_distance_of_centroids_as_regularisation_grows(rng):
    mu, nu = draw(rng, 25), draw(rng, 30)
    expected = np.linalg.norm(mu[0].T @ mu[1] - nu[0].T @ nu[1])
    error = [abs(solve(mu, nu, reg=reg) / expected - 1) for reg in (10, 1e2, 1e3)]
    assert error[2] < 1e-3
    assert error[1] < error[0] / 5
    assert error[2] < error[1] / 5


def test_nears_a_kernel_distance_in_any_order(rng):
    """Half the energy distance, for p = 1."""
    (x, a), (y, b) = draw(rng, 25), draw(rng, 30)
    energy = a @ cdist(x, y) @ b - a @ cdist(x, x) @ a / 2 - b @ cdist(y, y) @ b / 2
    assert_allclose(solve((x, a), (y, b), p=1, reg=1e4), energy, rtol=1e-3)


# Laws.


@every_order
@pytest.mark.parametrize("d", [1, 3])
def test_is_a_symmetric_divergence(rng, d, p):
    mu, nu = draw(rng, 12, d), draw(rng, 20, d)
    w = solve(mu, nu, p=p)
    assert w > 0.01
    assert_allclose(solve(nu, mu, p=p), w, rtol=1e-9)
    # The p-th root magnifies what the iterations left over.
    assert solve(mu, mu, p=p) ** p < 1e-12
    shuffle = rng.permutation(20)
    assert solve((nu[0][shuffle], nu[1][shuffle]), nu, p=p) ** p < 1e-12


def test_equal_measures_are_equal_at_the_default_tolerance(rng):
    for n in (1, 10, 100):
        mu = draw(rng, n)
        w, converged = SinkhornDivergence().solve(mu, mu)
        assert converged
        assert w < 1e-5 * np.ptp(mu[0], axis=0).max() + 1e-300


@every_order
@both_kinds
def test_moves_with_the_data(rng, kind, p):
    (x, a), (y, b) = draw(rng, 15), draw(rng, 10)
    ground_truth = kind(p=p, **TIGHT)
    w, _ = ground_truth.solve((x, a), (y, b))
    shift, shuffle = rng.normal(size=2), rng.permutation(15)
    moved, _ = ground_truth.solve((x + shift, a), (y + shift, b))
    assert_allclose(moved, w, rtol=1e-10)
    permuted, _ = ground_truth.solve((x[shuffle], a[shuffle]), (y, b))
    # The scale is a largest distance, whatever the order of points.
    assert_allclose(permuted, w, rtol=1e-10)
    for unit in (1e-6, 1e6):
        scaled, converged = ground_truth.solve((unit * x, a), (unit * y, b))
        assert converged
        assert_allclose(scaled / unit, w, rtol=1e-10)


def test_a_translation_is_as_long_as_its_shift(rng):
    """For p = 2, where centroids split off."""
    x, a = draw(rng, 20)
    shift = np.array([3.0, -4.0])
    assert_allclose(solve((x, a), (x + shift, a)), 5, rtol=1e-8)


@every_order
@both_kinds
def test_single_points_are_as_far_as_they_lie(rng, kind, p):
    x, y = rng.normal(size=(2, 1, 3))
    one = np.ones(1)
    length = np.linalg.norm(x - y)
    ground_truth = kind(p=p, **TIGHT)
    assert_allclose(ground_truth.solve((x, one), (y, one)), (length, True), rtol=1e-12)
    assert ground_truth.solve((x, one), (x, one)) == (0, True)
    # One plan only to a point: the entropy is none.
    z, a = draw(rng, 9, 3)
    expected = (a @ np.linalg.norm(z - x, axis=1) ** p) ** (1 / p)
    w, _ = EntropicWasserstein(p=p, **TIGHT).solve((x, one), (z, a))
    assert_allclose(w, expected, rtol=1e-9)


@every_order
def test_a_point_split_in_two_is_the_same_measure(rng, p):
    (x, a), nu = draw(rng, 15), draw(rng, 10)
    split = np.vstack([x, x[:1]]), np.concatenate([[a[0] / 2], a[1:], [a[0] / 2]])
    assert_allclose(solve(split, nu, p=p), solve((x, a), nu, p=p), rtol=1e-9)
    assert solve(split, (x, a), p=p) ** p < 1e-12
    # All points in one place: costs are zero, and the scale too.
    heap = np.zeros((4, 2)), np.full(4, 0.25)
    assert SinkhornDivergence(p=p).solve(heap, heap) == (0, True)


# Stopping.


def hard_and_easy(rng):
    """Costs and masses of two pairs of six points, of which one takes long."""
    x, y, near = torch.from_numpy(rng.random((3, 1, 6, 2)))
    # Two clumps far apart, of which one gives the other a hundredth of all mass.
    gap = torch.tensor([[0.0], [1.0]], dtype=torch.float64).repeat_interleave(3, 0)
    clumps = 0.1 * x + gap
    C = torch.cat([torch.cdist(clumps, clumps + 0.1 * near), torch.cdist(x, y) / 2])
    a = torch.full((2, 6), 1 / 6, dtype=torch.float64)
    b = a.clone()
    b[0] += 0.02 * (0.5 - gap[:, 0])
    return C**2 / 2, a, b


@pytest.mark.parametrize("n_hard", [1, 3])
def test_a_pair_is_frozen_once_it_has_converged(rng, n_hard):
    """With three hard pairs the easy one stays in the batch, with one it leaves."""
    C, a, b = hard_and_easy(rng)
    rows = [1] + [0] * n_hard
    limits = 0.02, 10_000, 1e-4  # so loose that more iterations would show
    alone = cross_potentials(DenseCost(C[1:]), a[1:], b[1:], *limits)
    batch = DenseCost(C[rows]), a[rows], b[rows]
    together = cross_potentials(*batch, *limits)
    assert together[2].all()
    for one, many in zip(alone[:2], together[:2], strict=True):
        assert_allclose(many[:1], one, rtol=1e-12, atol=1e-14)
    for n_iter, done in ((300, [True] + [False] * n_hard), (1, [False] * (n_hard + 1))):
        assert cross_potentials(*batch, 0.02, n_iter, 1e-4)[2].tolist() == done
    more = cross_potentials(DenseCost(C[1:]), a[1:], b[1:], 0.02, 10_000, 1e-10)
    assert (more[0] - alone[0]).abs().max() > 1e-8


def test_says_which_pairs_did_not_converge(rng):
    """Measures with themselves are the easy ones among these."""
    one = np.ones(1)
    clouds = [draw(rng, 20), draw(rng, 20), (np.zeros((1, 2)), one)]
    measures = as_measures(clouds)
    pairs = [[0, 1], [2, 2], [1, 0], [0, 1]]
    ground_truth = EntropicWasserstein(max_iter=1)
    labels = ground_truth.label(measures, measures, pairs)
    assert labels.converged.dtype == bool
    assert_array_equal(labels.converged, [False, True, False, False])
    for kind, count in ((EntropicWasserstein, 3), (SinkhornDivergence, 3)):
        with pytest.warns(ConvergenceWarning, match=f"^{count} of 4 pairs .*max_iter"):
            w = pairwise_wasserstein(
                measures, pairs=pairs, ground_truth=kind(max_iter=1)
            )
        assert np.isfinite(w).all()


def test_a_self_term_that_did_not_converge_is_told(rng):
    x, a = draw(rng, 30)
    C = DenseCost(torch.cdist(*2 * [torch.from_numpy(x)])[None] ** 2)
    masses = torch.from_numpy(a)[None]
    assert own_potential(C, masses, 0.01, 1, 1e-6)[1].tolist() == [False]
    # To a single point there is one plan, so that the self term alone takes long.
    inputs = torch.from_numpy(x)[None], masses, torch.zeros(1, 1, 2), torch.ones(1, 1)
    for debias in (True, False):
        _, converged = sinkhorn_divergence(
            *(tensor.double() for tensor in inputs),
            debias=debias,
            max_iter=12,
            tol=1e-10,
        )
        assert converged.tolist() == [not debias]
    f, converged = own_potential(C, masses, 0.01, 500, 1e-9)
    assert converged.tolist() == [True]
    exponent = (f[:, :, None] + f[:, None, :] - C.C) / 0.01
    plan = masses[:, :, None] * masses[:, None, :] * torch.exp(exponent)
    assert_allclose(plan.sum(dim=2), masses, rtol=1e-7)
    assert_allclose(plan, plan.mT, rtol=1e-12)


# Points that weigh nothing, and points far away.


def uneven_batch(dtype):
    """Two pairs of clouds with their masses, of 5 and 4 points."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(2, n, 2, generator=generator, dtype=dtype) for n in (5, 4))
    a, b = (torch.rand(2, n, generator=generator, dtype=dtype) + 0.1 for n in (5, 4))
    return x, a / a.sum(dim=1, keepdim=True), y, b / b.sum(dim=1, keepdim=True)


@both_debias
@both_dtypes
@every_order
@pytest.mark.parametrize("place", [0.5, 20.0])
def test_points_without_weight_change_nothing(place, p, dtype, debias):
    """Also where both measures have one in the same place, far outside the others."""
    x, a, y, b = uneven_batch(dtype)
    rtol = 1e-10 if dtype == torch.float64 else 1e-4
    settings = {"p": p, "reg": 0.02, "debias": debias, "tol": 1e-5}
    value, converged = sinkhorn_divergence(x, a, y + 1, b, **settings)
    padding = torch.full((2, 3, 2), place, dtype=dtype)
    none = torch.zeros(2, 3, dtype=dtype)
    inputs = [
        torch.cat(parts, dim=1).requires_grad_()
        for parts in ((x, padding), (a, none), (y + 1, padding), (b, none))
    ]
    padded, padded_converged = sinkhorn_divergence(*inputs, **settings)
    assert converged.all()
    assert padded_converged.all()
    assert_allclose(padded.detach(), value, rtol=rtol)
    slopes = torch.autograd.grad(padded.sum(), inputs)
    assert all(slope.isfinite().all() for slope in slopes)
    assert (slopes[0][:, 5:] == 0).all()
    assert (slopes[2][:, 4:] == 0).all()


@both_debias
def test_potentials_reach_where_nothing_weighs(debias):
    """Weight that appears in x costs its way to the only point there is."""
    x = torch.tensor([[[0.0], [1.0], [3.0]]], dtype=torch.float64)
    a, b = (
        torch.tensor([row], dtype=torch.float64, requires_grad=True)
        for row in ([1.0, 0, 0], [0, 1.0, 0])
    )
    value, _ = sinkhorn_divergence(x, a, x, b, reg=0.3, debias=debias)
    slope, _ = torch.autograd.grad(value.sum(), (a, b))
    expected = torch.tensor([1.0, 0, 4]) - debias * torch.tensor([0, 1.0, 9])
    assert_allclose(slope[0] - slope[0, 0], expected - 1, atol=1e-12)


def test_a_measure_of_clouds_is_the_same_beside_larger_ones(rng):
    """So padding weighs nothing, for metrics with and without a formula."""
    clouds = draw_clouds(rng, [1, 40, 7, 33])
    pairs = [[0, 2], [1, 3], [2, 1]]
    for metric in ("euclidean", "cityblock"):
        ground_truth = SinkhornDivergence(ground_metric=metric, scale=5.0, **TIGHT)
        together = ground_truth.label(clouds, clouds, pairs).w
        alone = [ground_truth.label(clouds, clouds, [pair]).w[0] for pair in pairs]
        assert_allclose(together, alone, rtol=1e-10)


@every_order
@both_debias
@pytest.mark.parametrize("far", [1e4, 1e15, 1e20])
def test_points_far_away_in_float32_leave_all_finite(far, p, debias):
    x, a, y, b = uneven_batch(torch.float32)
    x[0, 0], y[1, 1:3], x[1, 2] = far, -far, -far
    # A coincident pair, and weights of zero far away and near.
    x[0, 1] = y[0, 1]
    a[1, :2], b[0, 3] = 0, 0
    a, b = (mass / mass.sum(dim=1, keepdim=True) for mass in (a, b))
    inputs = [tensor.requires_grad_() for tensor in (x, a, y, b)]
    value, _ = sinkhorn_divergence(*inputs, p=p, debias=debias, max_iter=100)
    assert value.dtype == torch.float32
    assert value.isfinite().all()
    slopes = torch.autograd.grad(value.sum(), inputs)
    assert all(slope.isfinite().all() for slope in slopes)
    # Mass that has nowhere else to go pays for the way, as far as costs are told apart.
    assert value[0] > a[0, 0] * min(far, 1e12) ** p / 2


# Gradients.


@both_debias
@every_order
def test_gradients_are_those_of_finite_differences(p, debias):
    x, a, y, b = uneven_batch(torch.float64)

    def value(x, log_a, y, log_b):
        settings = {"p": p, "debias": debias, "reg": 0.2, "scale": 1.5, "tol": 1e-9}
        a, b = torch.softmax(log_a, dim=1), torch.softmax(log_b, dim=1)
        return sinkhorn_divergence(x, a, y, b, **settings)[0]

    inputs = [x, torch.log(a), y, torch.log(b)]
    for tensor in inputs:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(value, inputs, atol=1e-6, fast_mode=True)


def slope_at_zero(values, step):
    """Return the derivative to the right, from values at 0, 1, 2 and 3 steps."""
    return np.dot([-11, 18, -9, 2], values) / (6 * step)


@both_kinds
@pytest.mark.parametrize(
    "settings",
    [
        {},  # the grid, axis by axis
        {"ground_metric": "cityblock", "p": 1},
        {"p": 1.5},  # all bins against all
        {"ground_metric": "chebyshev", "p": 2},
    ],
)
def test_gradients_of_histograms_are_slopes_of_the_power(rng, settings, kind):
    p, step = settings.get("p", 2), 1e-4
    images = draw_images(rng, 2, 12)
    images[0, 5] = 0  # mass that appears in an empty bin
    mu, nu = (as_measures(row[None], grid_shape=(3, 4)) for row in images)
    ground_truth = kind(reg=0.1, scale=4.0, tol=1e-9, **settings)
    labels = ground_truth.label(mu, nu, [[0, 0]], gradients=True)
    assert labels.grad_mu.shape == labels.grad_nu.shape == (1, 12)
    for side, slope in ((0, labels.grad_mu[0]), (1, labels.grad_nu[0])):
        full = int((mu, nu)[side].masses[0].argmax())
        for k in (5, 11):
            direction = np.eye(12)[k] - np.eye(12)[full]
            values = []
            for n_steps in range(4):
                sides = [as_measures(m.masses, grid_shape=(3, 4)) for m in (mu, nu)]
                sides[side].masses[0] += n_steps * step * direction
                values.append(ground_truth.label(*sides, [[0, 0]]).w[0] ** p)
            expected = slope_at_zero(values, step)
            assert_allclose(slope @ direction, expected, rtol=1e-4, atol=1e-5)


@both_kinds
@every_order
def test_gradients_of_clouds_are_slopes_of_the_power(rng, p, kind):
    clouds = draw_clouds(rng, [6, 9, 3])
    ground_truth = kind(p=p, reg=0.1, scale=4.0, tol=1e-9)
    pairs = [[0, 1], [2, 0]]
    labels = ground_truth.label(clouds, clouds, pairs, gradients=True)
    assert [len(slope) for slope in labels.grad_mu] == [6, 3]
    assert [len(slope) for slope in labels.grad_nu] == [9, 6]
    assert_allclose(labels.w, ground_truth.label(clouds, clouds, pairs).w, rtol=1e-12)
    for (i, j), slope_i, slope_j in zip(
        pairs, labels.grad_mu, labels.grad_nu, strict=True
    ):
        (x, a), (y, b) = clouds[i], clouds[j]
        u, v = rng.normal(size=x.shape), rng.normal(size=y.shape)
        ahead, behind = (
            ground_truth.solve((x + h * u, a), (y + h * v, b))[0] ** p
            for h in (1e-5, -1e-5)
        )
        expected = (ahead - behind) / 2e-5
        assert_allclose((slope_i * u).sum() + (slope_j * v).sum(), expected, rtol=1e-5)


def test_gradients_without_a_known_derivative_are_refused(rng):
    clouds = draw_clouds(rng, [3, 4])
    for metric in ("cityblock", cdist):
        ground_truth = SinkhornDivergence(ground_metric=metric)
        with pytest.raises(ValueError, match="clouds, expected 'euclidean'"):
            ground_truth.label(clouds, clouds, [[0, 1]], gradients=True)
    images = as_measures(draw_images(rng, 2, 4), grid_shape=(2, 2))
    with pytest.raises(ValueError, match="expected two collections of one kind"):
        SinkhornDivergence().label(images, clouds, [[0, 1]], gradients=True)


# Grids.

GRIDS = [(13,), (5, 4), (3, 2, 4)]
every_grid = pytest.mark.parametrize("shape", GRIDS)
every_power = pytest.mark.parametrize(
    ("p", "metric"), [(2, "euclidean"), (1, "cityblock")]
)


def grid_and_dense(shape, p, metric):
    """Return the cost of a grid in both forms, in units of its largest entry."""
    support = grid_support(shape)
    C = torch.from_numpy(cdist(support, support, metric) ** p)
    axes = [torch.arange(n, dtype=torch.float64) for n in shape]
    axes = [(x[:, None] - x).abs() ** p / C.max() for x in axes]
    return GridCost(axes), DenseCost((C / C.max())[None])


@every_grid
@every_power
@pytest.mark.parametrize("eps", [0.1, 0.004, 0.0005])
def test_softmins_over_axes_are_softmins_over_bins(rng, shape, p, metric, eps):
    """By matrix products and by logarithms: the smaller eps overflow as products."""
    grid, dense = grid_and_dense(shape, p, metric)
    a = torch.from_numpy(draw_images(rng, 4, len(dense.C[0])))
    a[0, :-1] = 0  # whole lines are empty
    h = torch.log(a) + torch.from_numpy(rng.random(a.shape)) / eps
    assert_allclose(grid.to_a(h, eps), dense.to_a(h, eps), rtol=1e-10, atol=1e-10)
    assert_allclose(grid.to_b(h, eps), dense.to_b(h, eps), rtol=1e-10, atol=1e-10)


@every_grid
@every_power
@pytest.mark.parametrize("reg", [0.05, 0.0015])
def test_grids_agree_with_dense_costs(rng, shape, p, metric, reg):
    grid, dense = grid_and_dense(shape, p, metric)
    is_by_logarithm = max(float(cost.max()) for cost in grid.axes) / reg > 500
    assert is_by_logarithm == (reg < 0.01 and len(shape) == 1)
    images = draw_images(rng, 4, len(dense.C[0]))
    images[0] = np.eye(len(images.T))[-1] + 1e-3 * np.eye(len(images.T))[0]
    a, b = torch.from_numpy(images / images.sum(axis=1, keepdims=True)).split(2)
    answers = [
        cross_potentials(cost, a, b, reg, 300, 1e-9)
        for cost in (grid, DenseCost(dense.C.expand(2, -1, -1)))
    ]
    # The iterates are the same, whether they have arrived or not.
    assert_array_equal(answers[0][2], answers[1][2])
    values = [(a * f).sum(dim=1) + (b * g).sum(dim=1) for f, g, _ in answers]
    assert_allclose(values[0], values[1], rtol=1e-10)


@every_grid
@every_power
@both_kinds
def test_histograms_on_a_grid_are_clouds_of_their_pixels(rng, shape, p, metric, kind):
    """By three routes: axis by axis, all bins against all, and occupied bins."""
    images = draw_images(rng, 5, int(np.prod(shape)))
    images[:2] = np.eye(len(images.T))[[0, -1]]  # all bins empty but one
    grid = as_measures(images, grid_shape=shape)
    pairs = np.array([[0, 1], [0, 2], [2, 3], [4, 1], [3, 4]])
    settings = {"p": p, "ground_metric": metric, "reg": 0.05, "tol": 1e-9}
    by_axis = kind(**settings).label(grid, grid, pairs, gradients=True)
    clouds = grid.to_clouds()
    scale = cdist(grid.support, grid.support, metric).max()
    by_pixel = kind(scale=scale, **settings).label(clouds, clouds, pairs)
    bins = as_measures(images, support=grid_support(shape))
    by_bin = kind(**settings).label(bins, bins, pairs, gradients=True)
    for other in (by_pixel, by_bin):
        assert other.converged.all()
        assert_allclose(by_axis.w, other.w, rtol=1e-9)
    for name in ("grad_mu", "grad_nu"):
        one, other = getattr(by_axis, name), getattr(by_bin, name)
        center = [x - x.mean(axis=1, keepdims=True) for x in (one, other)]
        assert_allclose(*center, rtol=1e-6, atol=1e-6 * scale**p)


# Ground metrics.


def blocks(x, y):
    return np.abs(x[:, None] - y).sum(axis=2)


@both_kinds
@every_order
def test_a_metric_by_name_as_a_callable_and_as_a_matrix_is_one(rng, p, kind):
    settings = {"p": p} | TIGHT
    named, called = (kind(ground_metric=m, **settings) for m in ("cityblock", blocks))
    clouds = draw_clouds(rng, [3, 20, 11, 1])
    pairs = [[0, 1], [2, 3], [1, 2]]
    expected = named.label(clouds, clouds, pairs).w
    assert_allclose(called.label(clouds, clouds, pairs).w, expected, rtol=1e-12)
    images = as_measures(draw_images(rng, 4, 12), grid_shape=(3, 4))
    matrix = blocks(images.support, images.support)
    stored = kind(ground_metric=matrix, **settings)
    expected = named.label(images, images, pairs).w
    for other in (called, stored):
        for gradients in (False, True):
            labels = other.label(images, images, pairs, gradients=gradients)
            assert_allclose(labels.w, expected, rtol=1e-9)
    with pytest.raises(ValueError, match="a matrix with point clouds"):
        stored.label(clouds, clouds, pairs)


def test_squares_of_distances_are_distances_of_order_two(rng):
    images = as_measures(draw_images(rng, 4, 12), grid_shape=(3, 4))
    for measures in (images, images.to_clouds()):
        w, w_sq = (
            SinkhornDivergence(ground_metric=metric, p=p, **TIGHT)
            .label(measures, measures, [[0, 1], [2, 3]])
            .w
            for metric, p in (("euclidean", 2), ("sqeuclidean", 1))
        )
        assert_allclose(w_sq, w**2, rtol=1e-9)


def test_regularisation_is_relative_to_the_largest_distance(rng):
    (x, a), (y, b) = draw(rng, 15), draw(rng, 10)
    points = np.vstack([x, y])
    scale = cdist(points, points).max()
    expected = solve((x, a), (y, b), scale=scale)
    assert_allclose(solve((x, a), (y, b), scale="auto"), expected, rtol=1e-12)
    twice = solve((x, a), (y, b), scale=2 * scale, reg=0.05 / 4)
    assert_allclose(twice, expected, rtol=1e-9)
    # Of histograms it depends on the bins alone.
    images = as_measures(draw_images(rng, 3, 12), grid_shape=(3, 4))
    some = images[:2]
    ground_truth = SinkhornDivergence(**TIGHT)
    w = ground_truth.label(images, images, [[0, 1]]).w
    assert_array_equal(ground_truth.label(some, some, [[0, 1]]).w, w)
    fixed = SinkhornDivergence(scale=np.hypot(2, 3), **TIGHT)
    assert_allclose(fixed.label(some, some, [[0, 1]]).w, w, rtol=1e-12)


# Devices and parameters.


@pytest.mark.gpu
@both_kinds
def test_the_gpu_gives_what_the_cpu_gives(rng, kind):
    images = as_measures(draw_images(rng, 6, 12), grid_shape=(3, 4))
    pairs = [[0, 1], [2, 3], [4, 5]]
    for measures, metric in (
        (images, "euclidean"),
        (images, "chebyshev"),
        (images.to_clouds(), "euclidean"),
    ):
        cpu, gpu = (
            kind(ground_metric=metric, device=device, **TIGHT).label(
                measures, measures, pairs, gradients=True
            )
            for device in ("cpu", "cuda")
        )
        assert_allclose(gpu.w, cpu.w, rtol=1e-9)
        assert_array_equal(gpu.converged, cpu.converged)
        for name in ("grad_mu", "grad_nu"):
            for one, other in zip(getattr(gpu, name), getattr(cpu, name), strict=True):
                assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_parameters_are_those_of_an_embedder():
    embedder = DeepWassersteinEmbedder(ground_truth=SinkhornDivergence())
    assert embedder.get_params()["ground_truth__reg"] == 0.01
    copy = clone(embedder).set_params(ground_truth__reg=0.2, ground_truth__p=1)
    assert (
        copy.ground_truth.get_params() == SinkhornDivergence(reg=0.2, p=1).get_params()
    )
    assert embedder.ground_truth.reg == 0.01


def test_labelling_leaves_the_parameters_alone(rng):
    clouds = draw_clouds(rng, [3, 4])
    ground_truth = SinkhornDivergence()
    before = ground_truth.get_params()
    ground_truth.label(clouds, clouds, [[0, 1]])
    assert ground_truth.get_params() == before
    w = pairwise_wasserstein(clouds, pairs=[[0, 1]], ground_truth="sinkhorn", p=1)
    alike = pairwise_wasserstein(
        clouds, pairs=[[0, 1]], ground_truth=SinkhornDivergence(p=1)
    )
    assert_array_equal(w, alike)


@both_kinds
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reg", 0),
        ("tol", 0),
        ("p", 0.5),
        ("scale", -1),
        ("scale", "largest"),
        ("max_iter", 0),
        ("ground_metric", "manhattan"),
        ("device", None),
    ],
)
def test_parameters_out_of_range_are_refused(rng, kind, name, value):
    clouds = draw_clouds(rng, [3, 4])
    ground_truth = kind(**{name: value})
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        ground_truth.label(clouds, clouds, [[0, 1]])
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        pairwise_wasserstein(clouds, ground_truth=ground_truth)


def test_gradients_change_no_distance_of_histograms_on_two_supports():
    rng = np.random.default_rng(0)
    support = rng.normal(size=(12, 2))
    X = as_measures(rng.random((2, 12)), support=support)
    Y = as_measures(rng.random((2, 12)), support=support + 1)
    settings = {"pairs": [[0, 0], [1, 1]], "ground_truth": SinkhornDivergence(reg=0.05)}
    plain = pairwise_wasserstein(X, Y, **settings)
    w, _ = pairwise_wasserstein(X, Y, return_gradients=True, **settings)
    assert_allclose(w, plain, rtol=1e-8)


def test_scale_does_not_depend_on_how_many_measures_there_are():
    rng = np.random.default_rng(0)
    rooted = [np.vstack([[0, 0], rng.random((3, 2))]) for _ in range(1_100)]
    few, many = as_measures(rooted[:50]), as_measures(rooted)
    scales = [SinkhornDivergence()._prepare(x, x)[2].scale for x in (few, many)]
    assert_allclose(scales, np.sqrt(2), rtol=0.2)
    bins = as_measures(rng.random((2, 800)), support=rng.normal(size=(800, 2)))
    alone = SinkhornDivergence()._prepare(bins, bins)[2].scale
    assert SinkhornDivergence()._prepare(bins, bins[:1])[2].scale == alone
