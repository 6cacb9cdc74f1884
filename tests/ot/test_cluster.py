"""Chunks in other processes: the same bits, and data sent once."""

import os
from pickle import dumps

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skwass import WormholeEmbedder
from skwass.measures import Histograms, as_measures
from skwass.measures._collections import PackedClouds
from skwass.ot import ExactWasserstein, pairwise_wasserstein
from skwass.streaming import transform_chunks
from skwass.streaming._transform import _Work

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
# What dask and its sockets leave behind is not ours.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "default::ResourceWarning",
        "default::DeprecationWarning",
        "default::pytest.PytestUnraisableExceptionWarning",
    ),
]


@pytest.fixture(params=["dask", "loky"])
def elsewhere(request):
    if request.param == "dask":
        request.getfixturevalue("client")
        return joblib.parallel_config(backend="dask")
    return joblib.parallel_config(backend="loky", n_jobs=2)


@pytest.fixture(params=["histograms", "clouds"])
def measures(request):
    rng = np.random.default_rng(0)
    if request.param == "histograms":
        return as_measures(rng.integers(0, 4, (40, 9)), grid_shape=(3, 3))
    return as_measures([rng.normal(size=(n, 3)) for n in rng.integers(1, 9, 40)])


def test_other_processes_give_the_same_bits(elsewhere, measures, tmp_path):
    """Matrix, rectangle and listed pairs, gradients, and a file."""
    others, pairs = measures[29:], [[3, 1], [0, 10], [3, 1]] * 20
    calls = [
        ((measures,), {}),
        ((measures, others), {}),
        ((measures, others), {"pairs": pairs, "return_gradients": True}),
        ((measures,), {"ground_truth": OnlySolve()}),
        ((measures,), {"out": tmp_path / "w.npy"}),
    ]
    with elsewhere:
        far = [pairwise_wasserstein(*X, chunk_size=64, **s) for X, s in calls]
    near = [pairwise_wasserstein(*X, chunk_size=64, **s) for X, s in calls[:-1]]
    for one, other in zip(far, [*near, near[0]], strict=True):
        assert dumps(pure(one)) == dumps(pure(other))
    assert np.load(tmp_path / "w.npy").tobytes() == near[0].tobytes()


class OnlySolve:
    """Ground truth with no base class."""

    def solve(self, mu, nu):
        return np.linalg.norm(mu[1] @ mu[0] - nu[1] @ nu[0]), True


def pure(answer):
    """Return arrays alone, that pickles of equal answers be equal."""
    if isinstance(answer, np.ndarray):
        return answer.tobytes()
    return [pure(part) for part in answer]


def test_a_cluster_gets_the_data_once(client, measures, monkeypatch):
    """Measures, metric and pairs are not pickled for each of more than 30 tasks."""
    sent = {Histograms: 0, PackedClouds: 0, CountedMetric: 0}

    def count(cls):
        def __getstate__(self):
            sent[cls] += 1
            return self.__dict__

        monkeypatch.setattr(cls, "__getstate__", __getstate__, raising=False)

    for cls in sent:
        count(cls)
    settings = {"ground_truth": ExactWasserstein(ground_metric=CountedMetric())}
    if isinstance(measures, Histograms):
        settings["pairs"] = np.column_stack(np.triu_indices(40, 1))
    with joblib.parallel_config(backend="dask"):
        w = pairwise_wasserstein(measures, chunk_size=25, **settings)
    assert 1 <= sent.pop(CountedMetric) <= 3  # scikit-learn's clone is one
    assert 1 <= sum(sent.values()) <= 2
    monkeypatch.undo()
    assert_array_equal(w, pairwise_wasserstein(measures, chunk_size=25, **settings))


class CountedMetric:
    """A ground metric as large as a user's may be."""

    def __call__(self, X_a, X_b):
        return np.abs(X_a[:, None] - X_b).sum(axis=2)


def test_both_workers_of_a_cluster_work(client, tmp_path):
    meeting = Meeting(tmp_path)
    with joblib.parallel_config(backend="dask"):
        w = pairwise_wasserstein(np.eye(20), ground_truth=meeting, chunk_size=9)
    assert len(np.unique(w[w > 0])) == 2


class Meeting:
    """Ground truth that waits for a second process, and answers with its own number."""

    def __init__(self, folder):
        self.folder = folder

    def solve(self, mu, nu):
        own, both = os.getpid(), distributed.Event("both are here")
        (self.folder / str(own)).touch()
        if len(list(self.folder.iterdir())) == 2:
            both.set()
        assert both.wait(300), "no second worker came"
        return float(own), True


def test_an_error_in_another_process_names_the_pair(client):
    settings = {"ground_truth": Nowhere(), "pairs": [[3, 4]] * 20}
    with (
        joblib.parallel_config(backend="dask"),
        pytest.raises(ValueError, match=r"W=nan from .* pair \[3, 4\]"),
    ):
        pairwise_wasserstein(np.eye(20), chunk_size=9, **settings)


class Nowhere:
    def solve(self, mu, nu):
        return np.nan, True


def test_rows_of_blocks_are_embedded_where_they_are(client, tmp_path):
    """Files, arrays and bags; a graph of blocks is computed by the workers."""
    import dask.array
    import dask.bag

    rng = np.random.default_rng(0)
    X = rng.random((40, 16))
    embedder = WormholeEmbedder(
        4, grid_shape=(4, 4), n_pairs=100, max_iter=2, random_state=0
    ).fit(X)
    expected = transform_chunks(embedder, X, tmp_path / "Z.npy", chunk_size=10)
    np.testing.assert_allclose(expected, embedder.transform(X), rtol=1e-4, atol=1e-6)
    np.save(tmp_path / "X.npy", X)
    sources = {
        "array": X,
        "file": tmp_path / "X.npy",
        "blocks": dask.array.from_array(X, chunks=(10, 7)) + 0,
        "bag": dask.bag.from_sequence(list(X), npartitions=4).map(np.abs),
    }
    for name, source in sources.items():
        with joblib.parallel_config(backend="dask"):
            out = tmp_path / f"{name}.npy"
            Z = transform_chunks(embedder, source, out, chunk_size=10)
        assert Z.tobytes() == expected.tobytes(), name
        again = transform_chunks(embedder, source, out, chunk_size=10)
        assert again.tobytes() == expected.tobytes(), name


def test_an_embedder_is_sent_once(client):
    large = _Work(np.zeros(10), True)
    with joblib.parallel_config(backend="dask"):
        places = joblib.Parallel()(joblib.delayed(_place)(large, k) for k in range(12))
    # One copy for each worker, whatever the task.
    assert len(set(places)) == len({process for process, _ in places})


def _place(work, number):
    return os.getpid(), id(work)
