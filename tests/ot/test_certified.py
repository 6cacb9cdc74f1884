"""W within a tolerance, by thinned clouds, and intervals that W is in."""

import pickle
from functools import partial

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal

from skwass import LinearOTEmbedder, WormholeEmbedder
from skwass.measures import as_measures, clouds_from_groups, thin_clouds
from skwass.measures.thinning import Thinned, thin
from skwass.ot import ExactWasserstein, pairwise_wasserstein, wasserstein_interval
from skwass.ot._certified import Certified, Coarse, _Interval
from skwass.ot.ground_truths import scales_with_points

ORDERS = [1, 1.5, 2, 3]


def make_clouds(dim, seed=0, sizes=(150, 90, 120, 200, 40)):
    """Weighted mixtures, near and far from each other."""
    rng = np.random.default_rng(seed)
    centers = 2 * rng.normal(size=(4, dim))
    clouds = []
    for k, n in enumerate(sizes):
        x = centers[rng.integers(0, 4, n)] + rng.normal(size=(n, dim))
        clouds.append((x + 0.5 * k, rng.dirichlet(np.full(n, 3.0))))
    return clouds


@pytest.fixture(scope="module", params=[2, 10], ids=["plane", "ten dimensions"])
def clouds(request):
    return make_clouds(request.param)


@pytest.fixture(scope="module")
def exact(clouds):
    return {p: pairwise_wasserstein(clouds, p=p) for p in ORDERS}


@pytest.mark.parametrize("share", [0.03, 0.2, 0.6, 3.0])
@pytest.mark.parametrize("p", ORDERS)
def test_w_is_within_the_tolerance(clouds, exact, p, share):
    tolerance = share * exact[p][exact[p] > 0].min()
    w = pairwise_wasserstein(clouds, p=p, tolerance=tolerance)
    assert np.abs(w - exact[p]).max() <= tolerance * (1 + 1e-9)
    assert_array_equal(w, w.T)
    assert_array_equal(np.diag(w), 0)


def test_a_loose_tolerance_is_made_use_of(clouds, monkeypatch):
    solve, sizes = ExactWasserstein._solve, []

    def spy(self, mu, nu, **settings):
        sizes.append((len(mu[0]), len(nu[0])))
        return solve(self, mu, nu, **settings)

    monkeypatch.setattr(ExactWasserstein, "_solve", spy)
    w = pairwise_wasserstein(clouds[:4], tolerance=1.5)
    assert len(sizes) == 6
    assert np.max(sizes) <= 100
    # They are as near to the exact ones as is certain, not only as was asked for.
    assert np.abs(w - pairwise_wasserstein(clouds[:4])).max() < 1.2


def test_clouds_of_few_points_and_on_a_line_are_solved_whole():
    rng = np.random.default_rng(0)
    for few in ([rng.normal(size=(60, 3)) for _ in range(3)], rng.random((3, 300, 1))):
        expected = pairwise_wasserstein(few)
        assert_array_equal(pairwise_wasserstein(few, tolerance=1.0), expected)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("n_points", [1, 10, 100])
def test_w_is_in_its_interval(clouds, exact, p, n_points):
    low, high = wasserstein_interval(clouds, p=p, n_points=n_points)
    slack = 1e-9 * exact[p]
    assert (low <= exact[p] + slack).all()
    assert (exact[p] <= high + slack).all()
    # Nor is it wider than what thinning costs.
    thinned, errors = thin_clouds(clouds, n_points, p=p, return_errors=True)
    off = np.add.outer(errors, errors) + slack
    between = pairwise_wasserstein(thinned, p=p)
    apart = ~np.eye(len(clouds), dtype=bool)
    assert (low >= between - off)[apart].all()
    assert (high <= between + off)[apart].all()
    if p == 2:
        squares = between**2 + np.add.outer(errors**2, errors**2)
        assert_allclose(high[apart], np.sqrt(squares[apart]), rtol=1e-9)


def one_cell_against_a_wider_cloud():
    """Return two clouds, W = 2 apart, of which the first becomes its mean: W' = 3."""
    half = np.full(2, 0.5)
    x, y = np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([[-3.0, 0.0], [3.0, 0.0]])
    first = Thinned(np.zeros((1, 2)), np.ones(1), np.zeros(2, dtype=int), 1.0)
    return (x, half), (y, half), first, Thinned(y, half, np.arange(2), 0.0)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_the_triangle_inequality_is_sharp(p):
    mu, nu, left, right = one_cell_against_a_wider_cloud()
    interval = _Interval(ExactWasserstein(p=p), mu, nu, left, right)
    assert interval.near == pytest.approx(3)
    assert interval.low == pytest.approx(2)
    assert interval.high == pytest.approx(10**0.5 if p == 2 else 4)
    interval.tighten()
    # Of the plan that moves each point as far as 2 or 4, half of the mass each.
    assert interval.high == pytest.approx(((2**p + 4**p) / 2) ** (1 / p))


@pytest.mark.parametrize(("tolerance", "expected"), [(0.7, 2.7), (0.5, 2.0)])
def test_what_is_uncertain_is_not_believed(tolerance, expected):
    """Of the interval from 2 to 3.16, where W' = 3 is not as near as it should be."""
    mu, nu, left, right = one_cell_against_a_wider_cloud()
    coarse = [
        Coarse(as_measures([side]), lambda x, a, t=thinned: t, lambda x, a, t: t)
        for side, thinned in ((mu, left), (nu, right))
    ]
    truth = Certified(ExactWasserstein(), tolerance)
    labels = truth._label(*coarse, np.array([[0, 0]]), gradients=False)
    assert labels.w[0] == pytest.approx(expected)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_potentials_prove_w_where_nothing_is_thinned(clouds, exact, p):
    sides = [as_measures(clouds).measure(i) for i in (0, 1)]
    whole = [Thinned(x, a, np.arange(len(a)), 0.0) for x, a in sides]
    interval = _Interval(ExactWasserstein(p=p), *sides, *whole)
    interval.low, interval.high = 0.0, np.inf
    interval.tighten()
    assert interval.low == pytest.approx(exact[p][0, 1])
    if p != 2:  # where it costs no more than is known before
        assert interval.high == pytest.approx(exact[p][0, 1])


def test_potentials_narrow_intervals_in_many_dimensions():
    clouds = make_clouds(30, sizes=(200, 200))
    pairs = [[0, 1]]
    low, high = wasserstein_interval(clouds, pairs=pairs, n_points=50)
    _, errors = thin_clouds(clouds, 50, return_errors=True)
    assert high - low < 0.25 * errors.sum()


def test_all_points_give_intervals_of_one_number(clouds, exact):
    low, high = wasserstein_interval(clouds, n_points=200)
    assert_array_equal(low, high)
    assert_allclose(low, exact[2], rtol=1e-9)


def test_one_point_gives_moments(clouds):
    low, high = wasserstein_interval(clouds[:2], pairs=[[0, 1]], n_points=1)
    (x, a), (y, b) = clouds[:2]
    gap = np.linalg.norm(a @ x - b @ y)
    # Of independent points.
    squares = a @ np.square(x[:, None] - y).sum(axis=2) @ b
    assert low[0] >= gap * (1 - 1e-12)
    assert high[0] == pytest.approx(squares**0.5)


def test_other_clouds_listed_pairs_and_measures_that_are_equal(clouds):
    matrix = pairwise_wasserstein(clouds, tolerance=1.0)
    pairs = [[3, 1], [0, 3], [2, 2], [3, 1]]
    listed = pairwise_wasserstein(clouds, pairs=pairs, tolerance=1.0)
    assert_allclose(listed, matrix[tuple(np.transpose(pairs))], rtol=1e-12)
    assert listed[2] == 0
    across = pairwise_wasserstein(clouds, clouds[1:3], tolerance=1.0)
    assert_allclose(across, matrix[:, 1:3], rtol=1e-9)
    low, high = wasserstein_interval(clouds, clouds[1:3], n_points=20)
    assert low.shape == high.shape == (5, 2)
    assert low[1, 0] == high[1, 0] == 0


@pytest.mark.parametrize("p", [1, 2])
def test_distances_scale_with_points_and_tolerance(p):
    clouds = make_clouds(3)
    w = pairwise_wasserstein(clouds, p=p, tolerance=1.0)
    larger = [(1e120 * x, a) for x, a in clouds]
    found = pairwise_wasserstein(larger, p=p, tolerance=1e120)
    assert_allclose(found, 1e120 * w, rtol=1e-6)
    truth = ExactWasserstein(p=p)
    assert scales_with_points(truth)
    assert not scales_with_points(truth.set_params(tolerance=0.5))


def test_no_distance_is_below_that_of_the_means():
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(100, 2))
    apart = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 0.1]])
    w = pairwise_wasserstein([cloud + step for step in apart], tolerance=0.8)
    means = np.linalg.norm(apart[:, None] - apart, axis=2)
    assert (w >= means - 1e-12).all()


def test_views_histograms_threads_and_processes_give_the_same():
    rng = np.random.default_rng(0)
    x, groups = rng.normal(size=(400, 3)), np.arange(400) % 3
    lists = [x[groups == k] for k in range(3)]
    expected = pairwise_wasserstein(lists, tolerance=0.3)
    views, _ = clouds_from_groups(x, groups)
    assert_array_equal(pairwise_wasserstein(views, tolerance=0.3), expected)
    threads = pairwise_wasserstein(lists, tolerance=0.3, n_jobs=2, chunk_size=1)
    assert_array_equal(threads, expected)
    images = as_measures(rng.random((3, 144)), grid_shape=(12, 12))
    w = pairwise_wasserstein(images, tolerance=0.5)
    assert_array_equal(w, pairwise_wasserstein(images.to_clouds(), tolerance=0.5))
    assert np.abs(w - pairwise_wasserstein(images)).max() <= 0.5


@pytest.mark.parametrize("dim", [3, 10])
def test_single_precision_is_computed_with_in_double(dim):
    clouds = [(x + 1e4).astype(np.float32) for x, _ in make_clouds(dim)]
    low, high = wasserstein_interval(clouds, n_points=30)
    double = wasserstein_interval([x.astype(float) for x in clouds], n_points=30)
    assert_allclose([low, high], double, rtol=1e-9)


@pytest.mark.slow
def test_processes_get_thinned_clouds(clouds):
    expected = pairwise_wasserstein(clouds, tolerance=0.5)
    with parallel_config(backend="loky", n_jobs=2):
        found = pairwise_wasserstein(clouds, tolerance=0.5, chunk_size=4)
    assert_array_equal(found, expected)


def test_what_is_packed_is_thinned_already(monkeypatch):
    calls, measures = [], as_measures(make_clouds(2))
    coarse = Coarse(measures, partial(thin, n_points=20))
    packed = pickle.loads(pickle.dumps(coarse.packed()))
    monkeypatch.setattr(packed, "make", calls.append)
    pairs = np.array([[0, 1], [2, 3]])
    truth = Certified(ExactWasserstein())
    for name in ("w", "low"):
        one, two = (
            getattr(truth._label(side, side, pairs, gradients=False), name)
            for side in (coarse, packed)
        )
        assert_array_equal(one, two)
    assert not calls


def test_a_ledger_knows_the_tolerance(clouds, tmp_path):
    out = tmp_path / "w.npy"
    w = pairwise_wasserstein(clouds, tolerance=0.5, out=out)
    assert_array_equal(w, pairwise_wasserstein(clouds, tolerance=0.5))
    assert_array_equal(pairwise_wasserstein(clouds, tolerance=0.5, out=out), w)
    truth = ExactWasserstein(tolerance=0.5)
    assert_array_equal(pairwise_wasserstein(clouds, ground_truth=truth, out=out), w)
    for tolerance in (None, 0.6):
        with pytest.raises(ValueError, match="belongs to other ground_truth"):
            pairwise_wasserstein(clouds, tolerance=tolerance, out=out)


def test_embedders_take_labels_with_a_tolerance():
    clouds, truth = make_clouds(3), ExactWasserstein(tolerance=0.5)
    embedder = WormholeEmbedder(
        n_components=4, ground_truth=truth, max_iter=2, random_state=0
    )
    assert np.isfinite(embedder.fit(clouds).score(clouds))
    # Maps are those of whole clouds: where each point goes is what is wanted.
    maps = [
        LinearOTEmbedder(ground_truth=each, scale=False, random_state=0).fit_transform(
            clouds
        )
        for each in (truth, ExactWasserstein())
    ]
    assert_array_equal(*maps)


@pytest.mark.parametrize("truth", ["sinkhorn", ExactWasserstein()])
def test_a_tolerance_is_for_exact_distances(clouds, truth):
    with pytest.raises(ValueError, match=r"Got tolerance=0.1 with ground_truth="):
        pairwise_wasserstein(clouds, ground_truth=truth, tolerance=0.1)


def test_gradients_are_those_of_whole_measures(clouds):
    with pytest.raises(ValueError, match="Got tolerance=0.1 with return_gradients"):
        pairwise_wasserstein(
            clouds, pairs=[[0, 1]], return_gradients=True, tolerance=0.1
        )
    measures, truth = as_measures(clouds), ExactWasserstein(tolerance=0.1)
    with pytest.raises(ValueError, match="Got gradients=True with ground_truth=Exact"):
        truth.label(measures, measures, [[0, 1]], gradients=True)


def test_other_metrics_have_no_tolerance(clouds):
    truth = ExactWasserstein(ground_metric="cityblock", tolerance=0.1)
    with pytest.raises(ValueError, match="Got tolerance=0.1 with another ground_met"):
        pairwise_wasserstein(clouds, ground_truth=truth)


@pytest.mark.parametrize("tolerance", [0, -1.0, np.nan])
def test_a_tolerance_is_positive(clouds, tolerance):
    with pytest.raises(ValueError, match="'tolerance' parameter"):
        pairwise_wasserstein(clouds, tolerance=tolerance)
    with pytest.raises(ValueError, match="'tolerance' parameter"):
        ExactWasserstein(tolerance=tolerance).solve(clouds[0], clouds[1])
