"""Many pairs at a time: which are solved, in what order, and what is refused."""

import time
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, pairwise_wasserstein
from skwass.ot._pairwise import CHUNK_SIZE, check_pairs, label_pairs

# Row k is a Dirac at k, so that W of rows i and j is |i - j|.
DIRACS = np.eye(30)
ALL_PAIRS = np.array(list(combinations(range(30), 2)))
n_jobs_one_or_two = pytest.mark.parametrize("n_jobs", [None, 2])


@pytest.fixture(params=["histograms", "clouds"])
def measures(request):
    rng = np.random.default_rng(0)
    if request.param == "histograms":
        return as_measures(rng.integers(0, 4, (20, 9)), grid_shape=(3, 3))
    return as_measures([rng.normal(size=(n, 3)) for n in rng.integers(1, 12, 20)])


@pytest.mark.parametrize("p", [1, 2])
def test_matrix_listed_pairs_and_rectangle_agree_with_single_solves(measures, p):
    solve = ExactWasserstein(p=p).solve
    expected = [
        solve(measures[i], measures[j])[0] for i in range(20) for j in range(20)
    ]
    rectangle = pairwise_wasserstein(measures, measures[:7], p=p)
    assert_array_equal(rectangle, np.reshape(expected, (20, 20))[:, :7])
    matrix = pairwise_wasserstein(measures, p=p)
    assert_array_equal(matrix, matrix.T)
    assert_array_equal(np.diag(matrix), 0)
    assert_allclose(matrix[:, :7], rectangle, rtol=1e-12, atol=1e-12)
    pairs = [[3, 1], [0, 19], [5, 5], [3, 1]]
    listed = pairwise_wasserstein(measures, pairs=pairs, p=p)
    assert_allclose(listed, matrix[tuple(np.transpose(pairs))], rtol=1e-12)
    across = pairwise_wasserstein(measures, measures[10:], pairs=[[2, 4]], p=p)
    assert_allclose(across, matrix[2, 14], rtol=1e-12)


def test_two_threads_give_the_same_bytes(measures):
    """Of 190 pairs, which are more than one chunk."""
    one, two = (pairwise_wasserstein(measures, n_jobs=n) for n in (1, 2))
    assert one.tobytes() == two.tobytes()


@n_jobs_one_or_two
def test_each_pair_is_solved_once(monkeypatch, n_jobs):
    solve, solved = ExactWasserstein.solve, []

    def spy(self, mu, nu):
        solved.append((mu[0].item(), nu[0].item()))
        return solve(self, mu, nu)

    monkeypatch.setattr(ExactWasserstein, "solve", spy)
    matrix = pairwise_wasserstein(DIRACS, n_jobs=n_jobs)
    assert_allclose(matrix[tuple(ALL_PAIRS.T)], np.ptp(ALL_PAIRS, axis=1), rtol=1e-14)
    assert sorted(solved) == [tuple(pair) for pair in ALL_PAIRS]


@pytest.mark.parametrize("Y", [None, [[0, 2, 0]]])
def test_one_measure_is_at_distance_zero_of_itself(Y):
    assert_array_equal(pairwise_wasserstein([[0, 1, 0]], Y), [[0]])


def test_histograms_and_clouds_of_one_space_mix():
    rng = np.random.default_rng(0)
    images = as_measures(rng.integers(0, 4, (6, 9)), grid_shape=(3, 3))
    expected = pairwise_wasserstein(images, images)
    for X, Y in [(images, images.to_clouds()), (images.to_clouds(), images)]:
        assert_array_equal(pairwise_wasserstein(X, Y), expected)
    # Bins on a line meet points on a line.
    w = pairwise_wasserstein([[1, 0, 0], [0, 0, 1]], [np.array([[5.0]])])
    assert_allclose(w, [[5], [3]])


def test_unit_is_that_of_the_bin_positions():
    X = np.random.default_rng(0).random((4, 6))
    on_grid = pairwise_wasserstein(X, grid_shape=(2, 3))
    millimetres = 0.5 * as_measures(X, grid_shape=(2, 3)).support
    assert_allclose(pairwise_wasserstein(X, support=millimetres), 0.5 * on_grid)
    assert not np.allclose(pairwise_wasserstein(X), on_grid)


@n_jobs_one_or_two
@pytest.mark.parametrize(("seconds", "n_labels"), [(-1, CHUNK_SIZE), (3600, 435)])
def test_a_deadline_keeps_the_first_labels_and_at_least_a_chunk(
    n_jobs, seconds, n_labels
):
    diracs, calls = as_measures(DIRACS), []
    labels = label_pairs(
        diracs,
        diracs,
        ALL_PAIRS,
        ExactWasserstein(),
        n_jobs=n_jobs,
        deadline=time.monotonic() + seconds,
        on_chunk=lambda: calls.append(1),
    )
    assert len(labels) == len(labels.converged) == n_labels
    assert_allclose(labels.w, np.ptp(ALL_PAIRS[:n_labels], axis=1), rtol=1e-14)
    assert len(calls) == -(-n_labels // CHUNK_SIZE)


class OnlyNear:
    """Ground truth that gives up on Diracs further apart than 20."""

    def solve(self, mu, nu):
        w = np.linalg.norm(mu[0] - nu[0])
        return w, w <= 20

    def __repr__(self):
        return "OnlyNear()"


@n_jobs_one_or_two
def test_unconverged_pairs_are_counted_and_kept(n_jobs):
    diracs = as_measures(DIRACS)
    expected = np.ptp(ALL_PAIRS, axis=1)
    message = (
        r"^45 of 435 pairs did not converge in OnlyNear\(\); .* Raise its max_iter\.$"
    )
    with pytest.warns(ConvergenceWarning, match=message):
        labels = label_pairs(diracs, diracs, ALL_PAIRS, OnlyNear(), n_jobs=n_jobs)
    assert_array_equal(labels.w, expected)
    assert_array_equal(labels.converged, expected <= 20)


def test_too_few_iterations_warn():
    rng = np.random.default_rng(0)
    clouds = as_measures(rng.normal(size=(3, 30, 2)))
    with pytest.warns(ConvergenceWarning, match=r"2 of 2 .*\(max_iter=1\)"):
        label_pairs(clouds, clouds, [(0, 1), (0, 2)], ExactWasserstein(max_iter=1))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([0, 1], "Expected 2D array, got 1D array"),
        ([[0, 1, 2]], r"pairs of shape \(1, 3\) and dtype int64"),
        ([[0.0, 1.0]], r"pairs of shape \(1, 2\) and dtype float64"),
        ([[True, False]], r"pairs of shape \(1, 2\) and dtype bool"),
        ([["a", "b"]], r"pairs of shape \(1, 2\) and dtype <U1"),
        (np.empty((0, 2), dtype=int), r"0 sample\(s\)"),
        ([[0, 1], [0, 2], [9, 9]], r"pairs\[1\]=\[0, 2\], .* below \(3, 2\) and >= 0"),
        ([[0, 1], [3, 1]], r"pairs\[1\]=\[3, 1\], expected row numbers below \(3, 2\)"),
        ([[0, 1], [-1, 0]], r"pairs\[1\]=\[-1, 0\], expected row numbers below"),
    ],
)
def test_bad_pairs_are_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        pairwise_wasserstein(np.eye(3), np.eye(3)[:2], pairs=pairs)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_pairs_of_any_integer_type_become_int64(dtype):
    pairs = check_pairs(np.array([[0, 1], [2, 0]], dtype=dtype), 3, 2)
    assert pairs.dtype == np.int64
    assert_array_equal(pairs, [[0, 1], [2, 0]])


def test_order_and_ground_truth_are_not_both_given():
    with pytest.raises(ValueError, match="Got p=1 with ground_truth="):
        pairwise_wasserstein(DIRACS, p=1, ground_truth=ExactWasserstein())
    W = pairwise_wasserstein(DIRACS, ground_truth=ExactWasserstein(p=1))
    assert_array_equal(W, pairwise_wasserstein(DIRACS, p=1))


@pytest.mark.parametrize(
    ("X", "Y", "message"),
    [
        (np.eye(3), np.eye(4), "X and Y .*3 and 4.* one space"),
        ([np.eye(2)], [np.eye(3)], "X and Y .*2 and 3.* one space"),
        # As many features, so the message has to name the dimensions.
        (as_measures(np.eye(4), grid_shape=(2, 2)), np.eye(4), "X and Y .*2 and 1"),
        (np.eye(2), [np.eye(2)], "X and Y .*1 and 2"),
    ],
)
def test_measures_of_different_spaces_are_refused(X, Y, message):
    with pytest.raises(ValueError, match=message):
        pairwise_wasserstein(X, Y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"p": 0.5}, "'p' parameter .* Got 0.5"),
        ({"p": np.nan}, "'p' parameter .* Got nan"),
        ({"p": np.inf}, "'p' parameter .* Got inf"),
        ({"p": "2"}, "'p' parameter .* Got '2'"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter .* Got 1.5"),
        ({"grid_shape": (2, 2)}, r"grid_shape=\(2, 2\), expected"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        pairwise_wasserstein(np.eye(3), **settings)
