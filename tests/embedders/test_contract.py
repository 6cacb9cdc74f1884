"""The promises that every trained embedder makes to a scikit-learn user."""

import itertools
import pickle
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from toys import LEARNING, distances_of_rows, make_small

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder
from skwass.architectures import ODEKENN, CloudDecoder, Slices
from skwass.embedders import _stages, _trained
from skwass.embedders._reporting import FitReporter
from skwass.nn.objectives import PairObjective, ValidationScore
from skwass.ot import ExactWasserstein

# The embedders to hold to it, and what makes them small.
EMBEDDERS = {
    "deep": partial(make_small, DeepWassersteinEmbedder),
    "kuratowski": partial(
        make_small,
        KuratowskiEmbedder,
        architecture=ODEKENN(widths=(32,)),
        decoder="auto",
    ),
    "wormhole": partial(
        make_small,
        WormholeEmbedder,
        decoder=CloudDecoder(n_points=20, n_layers=1, point_width=16),
    ),
}


@pytest.fixture(scope="module", params=EMBEDDERS)
def small(request):
    return EMBEDDERS[request.param]


@pytest.fixture(scope="module")
def fitted(small, digits):
    """Return an embedder that nobody may change."""
    return small().fit(digits[0])


def test_same_seed_same_bytes(small, digits):
    first, second = (small().fit(digits[0]).transform(digits[1]) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    other = small(random_state=1).fit(digits[0]).transform(digits[1])
    assert not np.allclose(first, other)


def _numpy_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002


def test_global_generators_are_untouched(small, digits):
    numpy_state, torch_state = _numpy_state(), torch.get_rng_state()
    small(random_state=None, max_iter=1).fit(digits[0]).score(digits[1])
    np.testing.assert_array_equal(_numpy_state(), numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_transform_is_sample_wise(fitted, digits):
    batch = fitted.transform(digits[1])
    alone = np.concatenate([fitted.transform(x[None]) for x in digits[1]])
    np.testing.assert_allclose(alone, batch, rtol=0, atol=1e-6 * np.abs(batch).max())


def test_pairwise_distances_are_those_of_the_embedding(fitted, digits):
    Z = fitted.transform(digits[1])
    W = fitted.pairwise_distances(digits[1])
    expected = distances_of_rows(Z, fitted._readout)
    np.testing.assert_allclose(W, expected, atol=1e-6)
    assert (cdist(Z, Z) <= W + 1e-5).all()
    np.testing.assert_array_equal(W, W.T)
    assert (np.diag(W) == 0).all()
    bad = digits[1].copy()
    bad[3, 0] = -1
    with pytest.raises(ValueError, match=r"Got Y where Y\[3\] has a negative mass"):
        fitted.pairwise_distances(digits[1], bad)
    rectangle = fitted.pairwise_distances(digits[1][:7], digits[1], squared=True)
    np.testing.assert_allclose(rectangle, W[:7].astype(float) ** 2, atol=1e-4)


def test_score_is_r2_of_W(fitted, digits, test_distances):
    fitted = pickle.loads(pickle.dumps(fitted)).set_params(n_score_pairs=10**6)
    X = digits[1][:40]
    i, j = np.triu_indices(40, k=1)
    true = test_distances[i, j]
    error = true - fitted.pairwise_distances(X)[i, j]
    expected = 1 - np.mean(error**2) / true.var()
    assert fitted.score(X) == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ValueError, match="n_samples=1"):
        fitted.score(digits[1][:1])
    with pytest.raises(ValueError, match="n_score_pairs=1,"):
        fitted.set_params(n_score_pairs=1).score(digits[1])


@pytest.mark.parametrize("dump", [pickle, joblib])
def test_pickles_survive(dump, fitted, digits, tmp_path):
    path = tmp_path / "embedder"
    if dump is pickle:
        path.write_bytes(pickle.dumps(fitted))
        again = pickle.loads(path.read_bytes())
    else:
        joblib.dump(fitted, path)
        again = joblib.load(path)
    Z = fitted.transform(digits[1])
    np.testing.assert_array_equal(again.transform(digits[1]), Z)


def test_pandas_in_and_out(small, digits):
    X = pd.DataFrame(digits[0], columns=[f"pixel{i}" for i in range(64)])
    embedder = small(max_iter=1).set_output(transform="pandas").fit(X)
    Z = embedder.transform(X)
    assert list(embedder.feature_names_in_) == list(X.columns)
    assert list(Z.columns) == list(embedder.get_feature_names_out())
    assert Z.columns[0] == f"{type(embedder).__name__.lower()}0"
    assert len(Z) == 200


@pytest.mark.slow
def test_pipelines_knn_and_kmeans(small, digits):
    X_train, X_test, y_train, y_test = digits
    pipeline = make_pipeline(small(), KNeighborsClassifier(3)).fit(X_train, y_train)
    assert pipeline.score(X_test, y_test) > 0.8
    clusters = make_pipeline(small(), KMeans(10, random_state=0)).fit_predict(X_train)
    assert len(np.unique(clusters)) == 10


@pytest.mark.slow
def test_grid_search_with_memory_labels_once_a_fold(small, digits, tmp_path):
    """The second candidate of a fold computes no exact label: counted, not timed."""
    X, _, y, _ = digits
    pipeline = make_pipeline(small(memory=str(tmp_path)), KNeighborsClassifier(3))

    def score(estimator, X, y):
        return {
            "accuracy": estimator.score(X, y),
            "n_solves": estimator[0].n_solves_,
        }

    name = pipeline.steps[0][0]
    grid = {f"{name}__n_components": [4, 16]}
    search = GridSearchCV(
        pipeline, grid, cv=2, scoring=score, refit="accuracy", error_score="raise"
    ).fit(X, y)
    solves = np.array([search.cv_results_[f"split{k}_test_n_solves"] for k in (0, 1)])
    assert (solves[:, 0] == 100 + 10).all()
    assert (solves[:, 1:] == 0).all()


def test_memory_that_will_not_be_found_again(small, digits, tmp_path):
    embedder = small(memory=str(tmp_path), random_state=None, max_iter=1)
    with pytest.warns(UserWarning, match="Set an integer random_state"):
        embedder.fit(digits[0])


def test_best_weights_are_kept(small, digits, monkeypatch):
    """The score of what `fit` returns is the best that validation saw."""
    made = []
    original = ValidationScore.__init__

    def spy(self, *args):
        original(self, *args)
        made.append(self)

    monkeypatch.setattr(ValidationScore, "__init__", spy)

    def stop_after_a_fall(reporter, number, loss, score):
        scores.append(score)
        return end_epoch(reporter, number, loss, score) or score < max(scores)

    scores, end_epoch = [], FitReporter.end_epoch
    embedder = small(validation_fraction=0.3, max_iter=20, learning_rate=0.1)
    monkeypatch.setattr(FitReporter, "end_epoch", stop_after_a_fall)
    embedder.fit(digits[0])
    best = max(embedder.validation_scores_)
    assert embedder.validation_scores_[-1] != best
    assert embedder.stopped_by_ == "callback"
    assert made[0](embedder.module_) == pytest.approx(best, rel=1e-6)
    monkeypatch.undo()
    assert small(early_stopping=False).fit(digits[0]).validation_scores_ == []


def test_measures_held_out_stay_so_on_a_warm_start(small, digits, monkeypatch):
    held_out = []
    draw = _trained.draw_labelled

    def spy(*args, **kwargs):
        labelled = draw(*args, **kwargs)
        held_out.append(np.unique(labelled.pairs[labelled.validation]))
        return labelled

    monkeypatch.setattr(_trained, "draw_labelled", spy)
    embedder = small(warm_start=True, max_iter=2, random_state=None)
    embedder.fit(digits[0]).fit(digits[0])
    np.testing.assert_array_equal(*held_out)
    assert len(held_out[0]) > 1


def test_a_fit_that_fails_changes_nothing(small, digits):
    embedder = small(max_iter=2, warm_start=True).fit(digits[0])
    Z = embedder.transform(digits[1])
    embedder.set_params(learning_rate=1e30, max_grad_norm=1e30)
    for fit in (embedder.fit, embedder.partial_fit):
        with pytest.raises(ValueError, match="training diverged"):
            fit(digits[0])
        np.testing.assert_array_equal(embedder.transform(digits[1]), Z)
    assert embedder.n_iter_ == 2
    embedder.set_params(warm_start=False, learning_rate=1e-3)
    with pytest.raises(ValueError, match="Got grid_shape="):
        embedder.fit(digits[0][:, :32])
    with pytest.raises(ValueError, match="Got pairs without"):
        embedder.set_params(grid_shape=None).fit(digits[0][:, :32], pairs=[[0, 1]])
    np.testing.assert_array_equal(embedder.transform(digits[1]), Z)
    fresh = small(architecture=Slices(widths=(2.5,)))
    with pytest.raises(ValueError, match="Got widths="):
        fresh.fit(digits[0])
    with pytest.raises(NotFittedError):
        fresh.transform(digits[0])


def test_score_labels_by_the_grid_that_was_fitted(small, digits):
    embedder = small().fit(digits[0])
    score = embedder.score(digits[1])
    assert embedder.set_params(grid_shape=(4, 16)).score(digits[1]) == score


class _Wrong:
    """A ground truth that answers nonsense."""

    def __init__(self, answer):
        self.answer = answer

    def solve(self, mu, nu):
        return self.answer, True


@pytest.mark.parametrize("answer", [np.nan, -1.0, np.inf])
def test_labels_of_a_ground_truth_are_checked(answer, small, digits):
    with pytest.raises(ValueError, match=r"Got W=.* from .* for the pair \["):
        small(ground_truth=_Wrong(answer)).fit(digits[0])


def test_a_class_is_no_ground_truth(small, digits):
    with pytest.raises(TypeError, match=r"Pass ExactWasserstein\(\)"):
        small(ground_truth=ExactWasserstein).fit(digits[0])


def test_what_was_fitted_decides_about_the_decoder(small, digits):
    without = small(max_iter=1, decoder=None).fit(digits[0])
    assert not hasattr(without.set_params(decoder="auto"), "inverse_transform")
    with_it = small(max_iter=1).fit(digits[0]).set_params(decoder=None)
    Z = with_it.transform(digits[1])
    assert len(with_it.inverse_transform(Z)) == 100


def test_a_default_dtype_of_torch_changes_nothing(small, digits):
    Z = small(max_iter=2).fit(digits[0]).transform(digits[1])
    torch.set_default_dtype(torch.float64)
    try:
        again = small(max_iter=2).fit(digits[0]).transform(digits[1])
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_array_equal(again, Z)


def test_early_stopping_stops(small, digits):
    embedder = small(max_iter=10, n_iter_no_change=1, tol=0.5).fit(digits[0])
    assert embedder.stopped_by_ == "early_stopping"
    assert embedder.n_iter_ < 10


@pytest.mark.slow
def test_warm_start_goes_on(small, digits):
    # Without slopes, whose weight starts anew with each schedule.
    parameters = {**LEARNING, "n_pairs": 800, "max_iter": 4}
    embedder = small(**parameters, warm_start=True).fit(digits[0])
    first = embedder.loss_curve_[-1]
    embedder.fit(digits[0])
    assert embedder.n_iter_ == 8
    assert len(embedder.loss_curve_) == 8
    assert embedder.loss_curve_[4] < 0.5 * embedder.loss_curve_[0]
    assert embedder.loss_curve_[-1] < 1.2 * first
    assert small(max_iter=4).fit(digits[0]).fit(digits[0]).n_iter_ == 4
    with pytest.raises(ValueError, match="expecting 64 features"):
        embedder.fit(digits[0][:, :32])


@pytest.mark.slow
def test_a_fit_that_goes_on_sees_other_batches(small, digits, batches):
    """The same measures, in another order each time."""
    embedder = small(max_iter=1, warm_start=True)
    orders = []
    for _ in range(3):
        embedder.fit(digits[0])
        orders.append(np.concatenate([batch.measures for batch in batches]))
        batches.clear()
    for one, other in itertools.combinations(orders, 2):
        assert not np.array_equal(one, other)
        np.testing.assert_array_equal(np.unique(one), np.unique(other))


@pytest.mark.slow
def test_partial_fit_learns_batch_by_batch(small, digits):
    halves = digits[0][:100], digits[0][100:]
    parameters = {"n_pairs": 300, "batch_size": 64, "learning_rate": 1e-2}
    embedder, again = small(**parameters), small(**parameters)
    for k in range(6):
        embedder.partial_fit(halves[k % 2])
        if k < 3:  # a pickle goes on from the same place
            again = pickle.loads(pickle.dumps(again)).partial_fit(halves[k % 2])
            Z = embedder.transform(digits[1])
            assert again.transform(digits[1]).tobytes() == Z.tobytes()
    assert embedder.n_iter_ == 6
    assert embedder.loss_curve_[-1] < 0.4 * embedder.loss_curve_[0]


@pytest.mark.slow
def test_max_time_ends_the_fit(small, digits, clock):
    """Of two minutes 75 s go to labels, which come in one chunk; steps of a second
    fill what is left.
    """
    clock.charge(75 / 110, ExactWasserstein, "_solve")
    clock.charge(1.0, PairObjective, "__call__")
    embedder = small(max_iter=10**6, max_time=120.0, n_iter_no_change=10**6)
    embedder.fit(digits[0])
    assert embedder.stopped_by_ == "max_time"
    assert 120 <= clock.now() < 122
    assert embedder.score(digits[1]) > 0.5


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"pairs": [[0, 1]]}, "Got pairs without distances"),
        ({"distances": [1.0]}, r"Got distances of shape \(1,\) without pairs"),
        (
            {"pairs": [[0, 1]], "distances": [1.0, 2.0]},
            r"expected \(1,\), one per pair",
        ),
        ({"pairs": [[0, 1]], "distances": [-1.0]}, r"Got distances\[0\]=-1"),
        ({"pairs": [[0, 1]], "distances": [np.nan]}, "NaN"),
        (
            {"pairs": [[0, 1], [3, 3]], "distances": [1.0, 2.0]},
            r"Got pairs\[1\]=\[3, 3\]",
        ),
        ({"distances": np.tri(200, k=-1)}, "expected a symmetric matrix"),
        ({"distances": np.ones((200, 200))}, "expected a zero diagonal"),
        ({"pairs": [[0, 200]], "distances": [1.0]}, r"Got pairs\[0\]=\[0, 200\]"),
        ({"pairs": [[0, 1, 2]], "distances": [1.0]}, r"Got pairs of shape \(1, 3\)"),
    ],
)
def test_bad_labels(labels, message, small, digits):
    with pytest.raises(ValueError, match=message):
        small().fit(digits[0], **labels)


def test_equal_measures_are_warned_of(small, digits):
    with pytest.warns(UserWarning, match="Got labels that are all 0"):
        small(max_iter=1).fit(np.tile(digits[0][:1], (12, 1)))


@pytest.mark.slow
def test_validation_scores_are_by_epoch(small, digits):
    embedder = small(max_iter=2).fit(digits[0])
    embedder.partial_fit(digits[0])
    assert np.isfinite(embedder.validation_scores_[:2]).all()
    assert np.isnan(embedder.validation_scores_[2:]).all()
    assert len(embedder.validation_scores_) == embedder.n_iter_ == 3
    embedder = small(max_iter=2, early_stopping=False, warm_start=True)
    embedder.fit(digits[0])
    assert embedder.validation_scores_ == []
    embedder.set_params(early_stopping=True).fit(digits[0])
    assert list(np.isnan(embedder.validation_scores_)) == [True, True, False, False]


def test_one_measure_has_no_distance(small, digits):
    with pytest.raises(ValueError, match="n_samples=1"):
        small().fit(digits[0][:1])


@pytest.mark.parametrize(
    ("device", "message"),
    [("abacus", "Got device='abacus'"), ("cuda", "where there is no CUDA")],
)
def test_bad_device(device, message, small, digits, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message):
        small(device=device).fit(digits[0])


def test_a_fit_on_the_cpu_makes_no_cuda_context(small, digits, monkeypatch):
    def refuse():
        raise AssertionError("CUDA was asked for")

    monkeypatch.setattr(torch.cuda, "_lazy_init", refuse)
    embedder = small().fit(digits[0])
    assert embedder.device == "cpu"
    embedder.transform(digits[1])


@pytest.mark.slow
def test_few_labels_are_trained_for_more_epochs(small, digits, monkeypatch):
    """As many as make a number of steps; no fewer than an epoch count."""
    monkeypatch.setattr(_stages, "LEAST_STEPS", 24)
    monkeypatch.setattr(_stages, "LEAST_EPOCHS", 5)
    for n_pairs, expected in ((64, 12), (320, 5)):  # of 2 and 10 batches
        embedder = small(n_pairs=n_pairs, max_iter="auto", early_stopping=False)
        assert embedder.fit(digits[0]).n_iter_ == expected


@pytest.mark.slow
def test_patience_grows_with_the_schedule(small, digits, monkeypatch):
    """A score that never changes ends training after a quarter of the epochs."""
    monkeypatch.setattr(ValidationScore, "__call__", lambda self, model: 0.5)
    common = {"n_pairs": 200, "batch_size": 256}
    for n_iter_no_change, expected in (("auto", 32), (40, 41), (3, 32)):
        embedder = small(max_iter=60, n_iter_no_change=n_iter_no_change, **common)
        assert embedder.fit(digits[0]).n_iter_ == expected
        assert embedder.stopped_by_ == "early_stopping"
