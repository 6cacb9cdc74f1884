"""Certified neighbours are those of all exact distances; no bound exceeds one."""

import numpy as np
import pytest
from brute import KINDS, N_QUERIES, assert_nearest, make, nearest
from numpy.testing import assert_allclose, assert_array_equal

from skwass import GaussianEmbedder, LinearOTEmbedder
from skwass.measures import as_measures
from skwass.neighbors import WassersteinNeighbors, _targets
from skwass.neighbors._bounds import Summaries, bounds_for
from skwass.neighbors._targets import Bounding, Targets
from skwass.ot import ExactWasserstein, pairwise_wasserstein
from skwass.ot.duals import Source, looked_up, on_bins

ORDERS = [1, 1.5, 2, 4]
# By default the two that users have; all in the slow run.
SOME_ORDERS = [
    pytest.param(p, marks=[] if p in (1, 2) else [pytest.mark.slow]) for p in ORDERS
]


class Blind(GaussianEmbedder):
    """An embedder that knows nothing of distances: answers do not depend on it."""

    def transform(self, X):
        return np.zeros((len(self._as_measures(X)), 2), dtype=np.float32)

    def embedded_distances(self, Z, Z_new=None, *, pairs=None, squared=False):
        if pairs is not None:
            return np.zeros(len(pairs))
        return np.zeros((len(Z), len(Z if Z_new is None else Z_new)))


def check(kind, seed, p, k=4, **settings):
    X, Q = make(kind, seed)
    truth = ExactWasserstein(p=p)
    model = WassersteinNeighbors(
        Blind(), k, ground_truth=truth, random_state=seed, **settings
    )
    found = model.fit(X).search(Q)
    assert found.is_proved.all()
    assert_array_equal(found.gaps, np.zeros(N_QUERIES))
    _, _, W = nearest(Q, X, k, truth)
    assert_nearest(found, W, k)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", SOME_ORDERS)
def test_certified_neighbours_are_the_nearest(kind, p):
    check(kind, 0, p)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_certified_neighbours_of_a_thousand_collections(kind):
    for seed in range(1, 113):
        check(kind, seed, ORDERS[seed % 4], k=1 + seed % 5)


def test_ties_are_in_the_order_of_the_data():
    """Single pixels at whole distances, all of which are exact."""
    X, Q = make("pixels", 0)
    model = WassersteinNeighbors(Blind(), 9, random_state=0).fit(X)
    distances, indices = model.kneighbors(Q)
    expected, order, _ = nearest(Q, X, 9, ExactWasserstein())
    assert_array_equal(indices, order)
    assert_array_equal(distances, expected)


@pytest.mark.parametrize("kind", ["grid", "clouds", "weighted"])
def test_measures_that_are_stored_are_not_their_own_neighbours(kind):
    X, _ = make(kind, 0)
    found = WassersteinNeighbors(n_neighbors=3, random_state=0).fit(X).search()
    W = pairwise_wasserstein(X)
    np.fill_diagonal(W, np.inf)
    assert_allclose(found.distances, np.sort(W, axis=1)[:, :3], atol=1e-7)
    assert found.distances[0, 0] == found.distances[1, 0] == 0
    assert not (found.indices == np.arange(len(W))[:, None]).any()


@pytest.mark.parametrize("kind", ["weighted", "many dimensions"])
@pytest.mark.parametrize("p", [1, 2])
def test_costs_that_are_not_kept_give_the_same_answer(kind, p, monkeypatch):
    """Where all costs of a query take too much memory they come part by part."""
    kept = check(kind, 1, p)
    monkeypatch.setattr(_targets, "_MAX_KEPT", 0)
    monkeypatch.setattr(_targets, "_BLOCK", 100)
    found = check(kind, 1, p)
    assert_array_equal(found.indices, kept.indices)
    assert_array_equal(found.distances, kept.distances)


RADIUS_KINDS = ["grid", "clouds", "samples"]


@pytest.mark.parametrize("kind", RADIUS_KINDS)
def test_a_radius_includes_the_measure_at_it(kind):
    X, Q = make(kind, 1)
    model = WassersteinNeighbors(Blind(), 4, random_state=0).fit(X)
    distances, indices = model.kneighbors(Q)
    for q in range(N_QUERIES):
        within = model.radius_neighbors(Q[q : q + 1], distances[q, -1])[1][0]
        assert set(indices[q]) <= set(within)


@pytest.mark.parametrize("kind", RADIUS_KINDS)
def test_neighbours_within_a_radius(kind):
    X, Q = make(kind, 1)
    W = pairwise_wasserstein(Q, X)
    radius = float(np.median(W)) + 1e-6
    model = WassersteinNeighbors(random_state=0, radius=radius).fit(X)
    distances, indices = model.radius_neighbors(Q)
    for w, d, rows in zip(W, distances, indices, strict=True):
        assert set(rows) == set(np.flatnonzero(w <= radius))
        assert_allclose(d, np.sort(w[w <= radius]), atol=1e-7)
    graph = model.radius_neighbors_graph(Q, mode="distance")
    assert graph.nnz == np.count_nonzero(radius >= W)
    assert len(model.radius_neighbors(Q, 1e9)[0][0]) == len(X)


@pytest.mark.parametrize("metric", ["cityblock", "matrix", "callable"])
def test_other_ground_metrics(metric):
    X, Q = make("grid", 2)
    D = np.abs(X.support[:, None] - X.support).sum(axis=2) ** 0.5
    metrics = {
        "cityblock": "cityblock",
        "matrix": D,
        "callable": lambda a, b: np.abs(a[:, None] - b).sum(axis=2) ** 0.5,
    }
    truth = ExactWasserstein(p=1, ground_metric=metrics[metric])
    model = WassersteinNeighbors(n_neighbors=4, ground_truth=truth, random_state=0)
    found = model.fit(X).search(Q)
    _, _, W = nearest(Q, X, 4, truth)
    assert found.is_proved.all()
    assert_nearest(found, W, 4)


@pytest.mark.parametrize("scale", [1e-100, 1e-9, 1e12, 1e100])
def test_any_unit(scale):
    X, Q = make("weighted", 3)
    models = [
        WassersteinNeighbors(Blind(), 4, random_state=0).fit(
            [(factor * x, a) for x, a in zip(X.points, X.masses, strict=True)]
        )
        for factor in (1.0, scale)
    ]
    distances, indices = models[0].kneighbors(Q)
    far = [(scale * x, a) for x, a in zip(Q.points, Q.masses, strict=True)]
    distances_far, indices_far = models[1].kneighbors(far)
    assert_array_equal(indices_far, indices)
    assert_allclose(distances_far, scale * distances, rtol=1e-7, atol=1e-9 * scale)
    assert models[1].proved_.all()


def test_measures_far_from_the_origin():
    """Where rounding takes most digits, all bounds are lowered by what it may add."""
    X, Q = make("weighted", 4)
    X, Q = ([(x + 1e6, a) for x, a in zip(Y.points, Y.masses)] for Y in (X, Q))  # noqa: B905
    model = WassersteinNeighbors(Blind(), 4, random_state=0).fit(X)
    found = model.search(Q)
    W = pairwise_wasserstein(Q, X)
    assert_allclose(found.distances, np.sort(W, axis=1)[:, :4], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dim", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_sums_over_many_points_are_lowered_by_their_rounding(dim):
    """A point that is stored 20,000 times over is the nearest, at distance 0."""
    x = np.random.default_rng(dim).uniform(0.3, 1, (1, dim))
    near = [x + 1e-8, x + 2e-8]
    X = as_measures([*near, np.tile(x, (20_000, 1)), -x])
    found = WassersteinNeighbors(Blind(), 1, random_state=0).fit(X).search([x])
    assert_array_equal(found.indices, [[2]])
    stored = Targets.of(X)
    bounds = bounds_for(ExactWasserstein(), stored, 0)
    every = Summaries.of(bounds, stored)
    own = Summaries.of(bounds, Targets.of(as_measures([x])))
    lows = [own.first(every)[0], *(f(np.arange(4)) for _, f in own.more(0, every))]
    assert np.max(lows, axis=0)[2] <= 0
    # and no more than that: the one that is far stays far
    assert np.max(lows, axis=0)[3] > 0.999 * np.linalg.norm(2 * x)


def test_costs_with_few_digits_bound_nothing():
    """Squares of ground distances of 1e-161 are not normal floats."""
    X, Q = make("grid", 2)
    D = 1e-161 * np.linalg.norm(X.support[:, None] - X.support, axis=2)
    truth = ExactWasserstein(ground_metric=D)
    stored, queries = (Targets.of(on_bins(truth, Y)) for Y in (X, Q))
    source = Source(looked_up(truth), *queries.measure(0))
    bounding = Bounding(source, stored)
    W = pairwise_wasserstein(Q[:1], X, ground_truth=truth)[0]
    _, _, potentials = source.solve(stored.measures(range(len(X))))
    for values in (bounding.relaxed(), bounding.by_potentials(potentials)):
        assert (source.length(values) <= W).all()


def bounds_of(kind, seed, p, n=20):
    """Return pairs of names and shares of W^p that bounds of all pairs come to."""
    X, Q = make(kind, seed, n)
    truth = ExactWasserstein(p=p)
    stored, queries = (Targets.of(on_bins(truth, Y)) for Y in (X, Q))
    bounds = bounds_for(truth, stored, seed)
    every, own = (Summaries.of(bounds, part) for part in (stored, queries))
    W = pairwise_wasserstein(Q, X, ground_truth=truth)
    first, rows = own.first(every), np.arange(n)
    for q in range(N_QUERIES):
        source = Source(looked_up(truth), *queries.measure(q), unit=64.0)
        yield "means", first[q], W[q]
        for name, low in own.more(q, every):
            yield name, low(rows), W[q]
        if source.on_line:
            continue
        bounding = Bounding(source, stored)
        yield "nearest", source.length(bounding.relaxed()), W[q]
        _, _, solved = source.solve(stored.measures(rows[:3]))
        rough = [source.rough_potential(*bounding.costs_to(k)) for k in range(3)]
        for name, potentials in (("potentials", solved), ("rough", rough)):
            low = source.length(bounding.by_potentials(potentials))
            yield name, low, W[q]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", SOME_ORDERS)
def test_no_bound_exceeds_the_distance(kind, p):
    for name, low, w in bounds_of(kind, 0, p):
        assert (low <= w * (1 + 1e-12)).all(), name


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_bound_exceeds_any_of_ten_thousand_distances(kind):
    n_pairs = 0
    for seed in range(1, 38):
        for name, low, w in bounds_of(kind, seed, ORDERS[seed % 4], n=100):
            n_pairs += name == "means" and len(w)
            assert (low <= w * (1 + 1e-12)).all(), name
    assert n_pairs > 10_000


@pytest.mark.slow
def test_bounds_leave_little_to_solve():
    """Of 1,000 images: potentials of some solves rule out what is left of the rest."""
    rng = np.random.default_rng(0)
    centers, spread = rng.uniform(3, 9, (1_010, 2)), rng.uniform(0.6, 2, (1_010, 2))
    grid = np.indices((12, 12)).reshape(2, -1).T
    gaps = (grid - centers[:, None]) / spread[:, None]
    X = np.exp(-np.square(gaps).sum(axis=2)) * rng.uniform(0.5, 1, (1_010, 144))
    X = as_measures(np.where(X > 1e-3, X, 0), grid_shape=(12, 12))
    model = WassersteinNeighbors(LinearOTEmbedder(16), 5, random_state=0)
    found = model.fit(X[:1000]).search(X[1000:])
    assert found.is_proved.all()
    assert np.median(found.n_solves) < 15
    stages = ["all", "means", "gaussian", "projections", "potentials", "rest"]
    left = np.array([found.left[name].mean() for name in stages])
    assert (np.diff(left) <= 0).all()
    assert left[1] < 0.5 * left[0]
    assert left[-1] == 0
