"""Many pairs at a time: which are solved, in what order, and what is refused."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, pairwise_wasserstein
from skwass.ot.engine import CHUNK_SIZE, label_pairs
from skwass.ot.inputs import check_pairs

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
    solve, solved = ExactWasserstein._solve, []

    def spy(self, mu, nu, **settings):
        solved.append((mu[0].item(), nu[0].item()))
        return solve(self, mu, nu, **settings)

    monkeypatch.setattr(ExactWasserstein, "_solve", spy)
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
    n_jobs, seconds, n_labels, clock
):
    diracs, calls = as_measures(DIRACS), []
    labels = label_pairs(
        diracs,
        diracs,
        ALL_PAIRS,
        ExactWasserstein(),
        n_jobs=n_jobs,
        deadline=clock.now() + seconds,
        on_chunk=lambda: calls.append(1),
    )
    assert len(labels) == len(labels.converged) == n_labels
    assert_allclose(labels.w, np.ptp(ALL_PAIRS[:n_labels], axis=1), rtol=1e-14)
    assert len(calls) == -(-n_labels // CHUNK_SIZE)


class OnlyNear:
    """Ground truth with nothing but `solve`, which gives up on Diracs far apart."""

    def __init__(self, limit=20):
        self.limit = limit

    def solve(self, mu, nu):
        w = np.linalg.norm(mu[0] - nu[0])
        return w, w <= self.limit

    def __repr__(self):
        return "OnlyNear()"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_chunks_after_the_deadline_are_dropped_without_a_word(n_jobs, clock):
    """Of many, some of which are finished by then; joblib would warn of them."""
    diracs = as_measures(DIRACS)
    pairs = np.repeat(ALL_PAIRS, 10, axis=0)

    def wait():
        clock.seconds += 2

    settings = {"n_jobs": n_jobs, "deadline": 5.0, "on_chunk": wait}
    labels = label_pairs(diracs, diracs, pairs, OnlyNear(40), **settings)
    assert len(labels) == 3 * CHUNK_SIZE < len(pairs)
    assert_array_equal(labels.w, np.ptp(pairs[: len(labels)], axis=1))


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
    # Clouds of one size would be matched without the simplex.
    clouds = as_measures([rng.normal(size=(n, 2)) for n in (30, 31, 32)])
    with pytest.warns(ConvergenceWarning, match=r"2 of 2 .*\(max_iter=1\)"):
        label_pairs(
            clouds, clouds, np.array([(0, 1), (0, 2)]), ExactWasserstein(max_iter=1)
        )


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([0, 1], r"pairs of shape \(2,\) and dtype int64"),
        ([[0, 1, 2]], r"pairs of shape \(1, 3\) and dtype int64"),
        ([[0.0, 1.0]], r"pairs of shape \(1, 2\) and dtype float64"),
        ([[True, False]], r"pairs of shape \(1, 2\) and dtype bool"),
        ([["a", "b"]], r"pairs of shape \(1, 2\) and dtype <U1"),
        (np.empty((0, 2), dtype=int), r"pairs of shape \(0, 2\) and dtype int64"),
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


class Estimator(BaseEstimator):
    """Ground truth that a grid search can tune, with no constraints."""

    def __init__(self, power=1.0):
        self.power = power

    def solve(self, mu, nu):
        return np.linalg.norm(
            mu[0].mean(axis=0) - nu[0].mean(axis=0)
        ) ** self.power, True


@n_jobs_one_or_two
@pytest.mark.parametrize("ground_truth", [OnlyNear(40), Estimator()])
def test_a_ground_truth_needs_no_more_than_solve(ground_truth, n_jobs):
    settings = {"ground_truth": ground_truth, "n_jobs": n_jobs, "chunk_size": 9}
    matrix = pairwise_wasserstein(DIRACS, **settings)
    assert_array_equal(matrix, np.abs(np.subtract.outer(range(30), range(30))))
    rectangle = pairwise_wasserstein(DIRACS, DIRACS[:7], **settings)
    assert_array_equal(rectangle, matrix[:, :7])
    listed = pairwise_wasserstein(DIRACS, pairs=ALL_PAIRS, **settings)
    assert_array_equal(listed, matrix[tuple(ALL_PAIRS.T)])
    with pytest.raises(ValueError, match=r"gradients .* ground truth of skwass\.ot"):
        pairwise_wasserstein(DIRACS, pairs=ALL_PAIRS, return_gradients=True, **settings)


@pytest.mark.parametrize(
    ("ground_truth", "error", "message"),
    [
        (object(), ValueError, "'ground_truth' parameter"),
        ("precise", ValueError, "'ground_truth' parameter"),
        (OnlyNear, TypeError, r"Got ground_truth=OnlyNear, a class, .* OnlyNear\(\)"),
    ],
)
def test_what_is_no_ground_truth_is_refused(ground_truth, error, message):
    with pytest.raises(error, match=message):
        pairwise_wasserstein(DIRACS, ground_truth=ground_truth)


class Faulty:
    """Ground truth with a wrong answer for the Diracs at 3 and 17."""

    def __init__(self, answer):
        self.answer = answer

    def solve(self, mu, nu):
        is_faulty = {mu[0].item(), nu[0].item()} == {3.0, 17.0}
        return (self.answer if is_faulty else 1.0), True

    def __repr__(self):
        return "Faulty()"


@n_jobs_one_or_two
@pytest.mark.parametrize("answer", [np.nan, np.inf, -1.0])
def test_a_faulty_answer_names_its_pair(answer, n_jobs):
    settings = {"ground_truth": Faulty(answer), "n_jobs": n_jobs, "chunk_size": 9}
    message = (
        rf"^Got W={answer} from Faulty\(\) for the pair \[3, 17\], expected a finite"
    )
    with pytest.raises(ValueError, match=message):
        pairwise_wasserstein(DIRACS, **settings)
    pairs = [[0, 1]] * 30 + [[3, 17]]
    with pytest.raises(ValueError, match=message):
        pairwise_wasserstein(DIRACS, pairs=pairs, **settings)


@pytest.mark.parametrize(
    "settings", [{}, {"out": "w.npy"}, {"pairs": [[0, 1]], "out": "w.npy"}]
)
def test_gradients_need_pairs_and_no_file(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="return_gradients=True with pairs=.* out="):
        pairwise_wasserstein(DIRACS, return_gradients=True, **settings)
    assert not list(tmp_path.iterdir())


@n_jobs_one_or_two
@pytest.mark.parametrize("clouds", [False, True])
def test_gradients_come_in_the_order_of_the_pairs(n_jobs, clouds):
    measures = as_measures(np.random.default_rng(0).random((20, 6)), grid_shape=(2, 3))
    measures = measures.to_clouds() if clouds else measures
    settings = {"return_gradients": True, "n_jobs": n_jobs}
    pairs = np.random.default_rng(1).integers(0, 20, (50, 2))
    w, sides = pairwise_wasserstein(measures, pairs=pairs, chunk_size=7, **settings)
    for k in (0, 13, 49):
        one, gradients = pairwise_wasserstein(measures, pairs=pairs[[k]], **settings)
        assert one == w[k]
        for gradient, side in zip(gradients, sides, strict=True):
            assert_array_equal(gradient[0], side[k])


@pytest.mark.parametrize("n_measures", [30, 33])
@pytest.mark.parametrize("period", [0.0, 5.0])
def test_progress_ends_at_all_pairs(n_measures, period, tmp_path, monkeypatch, capsys):
    """The last tile of 33 measures has no pair; after a crash, what is left counts."""
    monkeypatch.setattr("skwass.ot._pairwise._PERIOD", period)
    X, n_pairs = np.eye(n_measures), n_measures * (n_measures - 1) // 2
    settings = {"chunk_size": 16, "out": tmp_path / "w.npy", "verbose": 1}
    truth = Faulty(1.0)
    pairwise_wasserstein(X, ground_truth=truth, **(settings | {"verbose": 0}))
    assert capsys.readouterr().out == ""
    pending = np.memmap(tmp_path / "w.npy.ledger", np.int32, "r+", 1024)
    pending[-3:] = -1
    del pending
    for given in (settings, settings | {"out": None, "n_jobs": 2}):
        pairwise_wasserstein(X, ground_truth=truth, **given)
        lines = capsys.readouterr().out.splitlines()
        counts = [line.split()[1] for line in lines]
        assert counts[-1] == str(n_pairs)
        assert len(set(counts)) == len(counts)
        assert (len(counts) > 1) == (period == 0)
        assert all(
            line.startswith("[pairwise_wasserstein] ")
            and f" of {n_pairs} pairs, " in line
            for line in lines
        )
    # Nothing left, nothing to say.
    pairwise_wasserstein(X, ground_truth=truth, **settings)
    assert capsys.readouterr().out == ""
