"""Regression on sliced distances, and means alone: the baselines."""

import numpy as np
import ot
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from toys import clouds_of

from skwass import PseudobulkEmbedder, SlicedRegressionEmbedder
from skwass.ot import ExactWasserstein, pairwise_wasserstein
from skwass.ot.bounds import centroid_bound

LOWER, UPPER = ["SW", "EBSW", "Max-SW"], ["PW", "EST", "Min-SWGG"]
# Of equal weights, of one size or not; high dimension, where lines say little.
DATA = {"one size": ([9] * 24, 5), "ragged": ([6, 9, 13] * 8, 5)}


@pytest.fixture(scope="module", params=DATA)
def clouds(request):
    return clouds_of(*DATA[request.param])


@pytest.fixture(scope="module")
def W(clouds):
    return pairwise_wasserstein(clouds)


def bounds_by_loop(x, y, directions, energies):
    """Return the six bounds of W2^2 by the definitions, with plans of POT."""
    lines, lifted = [], []
    for u in directions.T:
        plan, log = ot.emd_1d(x @ u, y @ u, log=True)
        lines.append(log["cost"])
        lifted.append((plan * ot.dist(x, y)).sum())
    lines, lifted = np.array(lines), np.array(lifted)
    high, low = np.exp(lines / energies[0]), np.exp(-lifted / energies[1])
    lower = lines.mean(), high @ lines / high.sum(), lines.max()
    return *lower, lifted.mean(), low @ lifted / low.sum(), lifted.min()


def test_predictions_are_a_least_squares_fit_of_six_bounds(clouds, W):
    embedder = SlicedRegressionEmbedder(12, random_state=0).fit(clouds, distances=W)
    assert embedder.predictors_ == LOWER + UPPER
    i, j = np.triu_indices(24, k=1)
    features = np.array(
        [
            bounds_by_loop(clouds[a], clouds[b], embedder.directions_, energies)
            for a, b in zip(i, j, strict=True)
            for energies in [embedder._energies]
        ]
    )
    w = W[i, j]
    assert (features[:, :3] <= w[:, None] ** 2 + 1e-9).all()
    assert (features[:, 3:] >= w[:, None] ** 2 - 1e-9).all()
    unit = np.maximum(w, 0.05 * np.median(w))
    expected = np.linalg.lstsq(features / unit[:, None], w**2 / unit, rcond=None)[0]
    assert_allclose(embedder.coef_, expected, rtol=1e-4, atol=1e-6)
    found = embedder.pairwise_distances(clouds)[i, j]
    # Bounds of the mean, and of orthogonal lines, may lift predictions further.
    predicted = np.sqrt(np.clip(features @ expected, 0, features[:, 5]))
    assert (found >= predicted - 1e-5).all()
    assert np.mean(np.abs(found - predicted) < 1e-5) > 0.9


def test_distances_stay_between_bounds_that_hold(clouds, W):
    embedder = SlicedRegressionEmbedder(4, random_state=0).fit(clouds, distances=W)
    upper = np.full_like(W, np.inf)
    for i, j in zip(*np.triu_indices(24, k=1), strict=True):
        bounds = bounds_by_loop(clouds[i], clouds[j], embedder.directions_, (1, 1))
        upper[i, j] = upper[j, i] = np.sqrt(bounds[-1])
    for factor in (0.0, 1e3):
        embedder.coef_ = np.full(6, factor)
        found = embedder.pairwise_distances(clouds)
        assert (found >= centroid_bound(clouds) - 1e-5).all()
        assert (found <= upper + 1e-4).all()
        low_or_high = found <= W + 1e-4 if factor == 0 else found >= W - 1e-4
        assert low_or_high.all()


@pytest.mark.parametrize("predictors", ["best", ["mean", "energy"]])
def test_constrained_weights_are_shares(clouds, W, predictors):
    embedder = SlicedRegressionEmbedder(
        12, predictors=predictors, constrained=True, random_state=0
    ).fit(clouds, distances=W)
    lower, upper = embedder.coef_.reshape(2, -1)
    assert_allclose(lower + upper, 1 / len(lower))
    assert (embedder.coef_ >= 0).all()
    names = ["Max-SW", "Min-SWGG"], ["SW", "EBSW", "PW", "EST"]
    assert embedder.predictors_ == names[predictors != "best"]


def test_all_bounds_are_better_than_lower_ones(clouds, W):
    X, new = clouds[:16], clouds[16:]
    embedder = SlicedRegressionEmbedder(random_state=0).fit(X, distances=W[:16, :16])
    assert embedder.score(new) > 0.95
    i, j = np.triu_indices(8, k=1)
    error = np.abs(embedder.pairwise_distances(new) - W[16:, 16:])[i, j].mean()
    means = PseudobulkEmbedder(scale=True).fit(X, distances=W[:16, :16])
    assert (
        error < 0.3 * np.abs(means.pairwise_distances(new) - W[16:, 16:])[i, j].mean()
    )


def test_exact_on_a_line_and_for_translates():
    line = clouds_of([3, 5, 8, 13], 1)
    weighted = [(x, np.arange(1.0, len(x) + 1)) for x in line]
    embedder = SlicedRegressionEmbedder(random_state=0).fit(weighted)
    assert embedder.directions_.shape == (1, 1)
    W = pairwise_wasserstein(weighted)
    assert_allclose(embedder.pairwise_distances(weighted), W, atol=1e-5)
    cloud, shifts = clouds_of([7], 3)[0], 50 * clouds_of([9], 3)[0]
    moved = [cloud + t for t in shifts]
    embedder = SlicedRegressionEmbedder(4, random_state=0).fit(moved)
    expected = cdist(shifts, shifts)
    assert_allclose(embedder.pairwise_distances(moved), expected, atol=1e-4)
    Z = embedder.transform(moved)
    assert_allclose(cdist(Z, Z), expected, atol=1e-3)


def test_all_pairs_some_pairs_and_rectangles_agree(clouds, W, monkeypatch):
    embedder = SlicedRegressionEmbedder(8, random_state=0).fit(clouds, distances=W)
    found = embedder.pairwise_distances(clouds)
    assert_array_equal(found, found.T)
    assert (np.diag(found) == 0).all()
    squares = embedder.pairwise_distances(clouds[:5], clouds, squared=True)
    assert_allclose(np.sqrt(squares), found[:5], atol=1e-4)
    moved = embedder.pairwise_distances([x + 3 for x in clouds])
    assert_allclose(moved, found, atol=1e-4)
    monkeypatch.setattr("skwass.ot.slicing._MAX_PIECES", 1)  # pair by pair
    assert_allclose(embedder.pairwise_distances(clouds), found, atol=1e-6)
    pairs = np.array([[0, 1], [3, 2], [5, 20]])
    listed = embedder._paired_distances(
        embedder._represent(embedder._as_measures(clouds)), pairs
    )
    assert_allclose(listed, found[tuple(pairs.T)], atol=1e-6)


def test_rows_are_as_far_apart_as_their_cells_say(clouds, W):
    embedder = SlicedRegressionEmbedder(8, n_quantiles=6, random_state=0)
    Z = embedder.fit(clouds, distances=W).transform(clouds).astype(float)
    assert Z.shape == (24, 8 * 6 * 5 + 5)
    rows = Z[:, :-5].reshape(24, 8, 6, 5)
    along = np.einsum("nlqd,dl->nlq", rows, embedder.directions_)
    # Along each line these are quantiles, in order, but for a factor.
    assert (np.diff(along, axis=2) >= -1e-6).all()
    # Six cells of nine or so points: rows hold what PW and SW of cells are made of.
    (x, *_) = clouds
    u = embedder.directions_[:, 0]
    order = np.argsort(x @ u)
    shares = np.repeat(np.eye(len(x))[order], 6, axis=0).reshape(6, len(x), -1).mean(1)
    cells = shares @ (x - x.mean(axis=0))
    a, b = embedder._stretch
    expected = b * cells + (a - b) * np.outer(cells @ u, u)
    assert_allclose(rows[0, 0], expected / np.sqrt(8 * 6), atol=1e-5)
    i, j = np.triu_indices(24, k=1)
    d = embedder.embedded_distances(Z)[i, j]
    assert np.corrcoef(d, W[i, j])[0, 1] > 0.97
    assert np.abs(d / W[i, j] - 1).mean() < 0.1
    wide = SlicedRegressionEmbedder(8, n_quantiles=2_000, n_pairs=9, random_state=0)
    assert wide.fit(clouds).transform(clouds[:1]).shape == (1, 3 * 2_000 * 5 + 5)


def test_without_a_w2_only_0_is_a_bound(clouds):
    truth = ExactWasserstein(p=1)
    embedder = SlicedRegressionEmbedder(8, ground_truth=truth, random_state=0)
    embedder.fit(clouds)
    embedder.coef_ = -embedder.coef_
    assert embedder.pairwise_distances(clouds).max() == 0


def test_bad_predictors(clouds):
    for wrong in ([], ["best", "worst"]):
        with pytest.raises(ValueError, match=r"Got predictors=\[.* expected 'all', or"):
            SlicedRegressionEmbedder(predictors=wrong).fit(clouds)


def test_means_are_a_lower_bound_and_a_scale_is_one_number(clouds, W):
    embedder = PseudobulkEmbedder().fit(clouds)
    found = embedder.pairwise_distances(clouds)
    assert_allclose(found, centroid_bound(clouds), atol=1e-5)
    assert (found <= W + 1e-5).all()
    means = np.array([x.mean(axis=0) for x in clouds])
    Z = embedder.transform(clouds)
    assert_allclose(Z + embedder.location_, means, atol=1e-5)
    scaled = PseudobulkEmbedder(scale=True).fit(clouds, distances=W)
    assert scaled.scale_ > 1
    assert_allclose(scaled.transform(clouds), scaled.scale_ * Z, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="Got distances with scale=False"):
        PseudobulkEmbedder().fit(clouds, distances=W)


def test_labels_in_another_unit_are_not_clipped():
    """Bounds are those of W2, which given labels may not be."""
    clouds = clouds_of([8] * 30, dim=5)
    W = pairwise_wasserstein(clouds)
    for unit in (0.2, 5.0):
        with pytest.warns(UserWarning, match="times W"):
            embedder = SlicedRegressionEmbedder(random_state=0).fit(
                clouds, distances=unit * W
            )
        found = embedder.pairwise_distances(clouds)
        error = np.mean((found - unit * W) ** 2) / np.var(unit * W)
        assert error < 0.1
