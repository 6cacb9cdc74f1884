"""Two processes fit one network together, and get what one alone gets."""

import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skwass import WormholeEmbedder, _ranks
from skwass.labels import InBatch
from skwass.labels.given import warn_of_other_labels
from skwass.measures import as_measures
from tests.toys import clouds_of, make_small

pytestmark = pytest.mark.slow

IMAGES = load_digits().data[:80]
CLOUDS = clouds_of([6, 8, 9] * 12)
IN_SPACE = clouds_of([7, 9] * 15, dim=5)
OF_CLOUDS = {"n_components": 6, "n_pairs": 300, "max_iter": 3, "random_state": 0}
FITS = {
    "images, a decoder, maps": lambda: (
        make_small(
            WormholeEmbedder, n_pairs=700, max_iter=4, n_maps=70, decoder="auto"
        ),
        IMAGES,
    ),
    "transport maps": lambda: (WormholeEmbedder(**OF_CLOUDS), IN_SPACE),
    "in the batch": lambda: (
        WormholeEmbedder(labels=InBatch(block_size=8), **OF_CLOUDS),
        CLOUDS,
    ),
}
SCRIPT = """
import os, signal, sys
import torch
import numpy as np
torch.set_num_threads(1)
from tests.embedders.test_ranks import FITS
name, folder, rank, what = sys.argv[1:]
rank = int(rank)
class Broken:
    def solve(self, mu, nu):
        if sys.argv[3] == "1":
            raise ValueError("this solver is broken")
        return 1.0, True
torch.distributed.init_process_group(
    "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
)
class Scoring:
    def setup(self, estimator, context):
        pass
    teardown = on_fit_task_begin = setup
    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            assert np.isfinite(fitted_estimator.score(X))
            np.save(f"{folder}/scored", 1)
embedder, X = FITS[name]()
if what == "score" and rank == 0:
    embedder.set_callbacks(Scoring())
if what == "other" and rank == 1:
    X = X[:-1]
if what == "fail":
    embedder.set_params(architecture="fourier", ground_truth=Broken())
if what == "kill" and rank == 1:
    from skwass.nn import train
    begin = train.train_epoch
    calls = []
    def die(*parts):
        calls.append(None)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return begin(*parts)
    train.train_epoch = die
checkpoint = f"{folder}/checkpoint" if what in ("kill", "again") else None
embedder.fit(X, checkpoint=checkpoint)
embedder.save(f"{folder}/{rank}")
if rank == 0:  # alone: the other one does not take part
    embedder.transform(X), embedder.score(X)
    np.save(f"{folder}/losses", embedder.loss_curve_)
torch.distributed.destroy_process_group()
"""


def run(folder, name, what=""):
    """Return exit codes and what was written to stderr, of two processes."""
    (folder / "meeting").unlink(missing_ok=True)
    calls = [
        [sys.executable, "-c", SCRIPT, name, str(folder), rank, what]
        for rank in ("0", "1")
    ]
    pipes = {"stderr": subprocess.PIPE, "text": True, "env": os.environ}
    processes = [subprocess.Popen(call, **pipes) for call in calls]
    errors = [process.communicate()[1] for process in processes]
    return [process.returncode for process in processes], errors


@pytest.mark.parametrize("name", FITS)
def test_two_processes_learn_what_one_does(name, tmp_path):
    codes, errors = run(tmp_path, name)
    assert codes == [0, 0], errors
    embedder, X = FITS[name]()
    embedder.fit(X)
    losses = np.load(tmp_path / "losses.npy")
    np.testing.assert_allclose(losses, embedder.loss_curve_, rtol=1e-5)
    found = [type(embedder).load(tmp_path / rank) for rank in "01"]
    assert found[0].n_solves_ == embedder.n_solves_
    rows = [one.transform(X) for one in (*found, embedder)]
    assert rows[0].tobytes() == rows[1].tobytes()
    np.testing.assert_allclose(rows[0], rows[2], atol=1e-3 * np.abs(rows[2]).max())


def test_one_that_is_killed_ends_all_and_nothing_is_lost(tmp_path):
    name = "images, a decoder, maps"
    codes, errors = run(tmp_path, name, "kill")
    assert codes[1] == -signal.SIGKILL
    assert codes[0] == 1
    assert "Got no answer from one of 2 processes" in errors[0]
    codes, errors = run(tmp_path, name, "again")
    assert codes == [0, 0], errors
    embedder, X = FITS[name]()
    losses = np.load(tmp_path / "losses.npy")
    np.testing.assert_allclose(losses, embedder.fit(X).loss_curve_, rtol=1e-5)


def test_other_data_in_one_are_named_in_both(tmp_path):
    codes, errors = run(tmp_path, "transport maps", "other")
    assert codes == [1, 1]
    for error in errors:
        assert "Got a group of 2 processes" in error
        assert "fits to other measures X" in error


def test_a_failure_in_one_is_raised_in_both(tmp_path):
    codes, errors = run(tmp_path, "transport maps", "fail")
    assert codes == [1, 1]
    assert all("this solver is broken" in error for error in errors)


def test_callbacks_of_one_may_score(tmp_path):
    codes, errors = run(tmp_path, "images, a decoder, maps", "score")
    assert codes == [0, 0], errors
    assert (tmp_path / "scored.npy").exists()
    embedder, X = FITS["images, a decoder, maps"]()
    losses = np.load(tmp_path / "losses.npy")
    np.testing.assert_allclose(losses, embedder.fit(X).loss_curve_, rtol=1e-5)


def test_the_file_of_another_fit_is_refused_in_both(tmp_path):
    embedder, X = FITS["in the batch"]()
    embedder.set_params(max_iter=1).fit(X, checkpoint=tmp_path / "checkpoint")
    codes, errors = run(tmp_path, "in the batch", "again")
    assert codes == [1, 1]
    assert all("of a fit with other max_iter" in error for error in errors)


class _Group:
    """A group of two, of which the other one does not answer."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was called by one process alone")

    is_available = is_initialized = staticmethod(lambda: True)
    get_world_size = staticmethod(lambda: 2)
    get_rank = staticmethod(lambda: 0)


def test_given_labels_are_compared_by_each_process_alone(monkeypatch):
    monkeypatch.setattr(_ranks, "dist", _Group())
    pairs = np.column_stack(np.triu_indices(8, k=1))
    with _ranks.together(), pytest.warns(UserWarning, match="Got distances that are"):
        warn_of_other_labels("exact", as_measures(CLOUDS), pairs, np.ones(len(pairs)))


def test_failures_that_do_not_travel_are_told(monkeypatch):
    class Local(Exception):
        pass

    def label(numbers):
        raise Local("this one stays")
        yield

    gathered = []
    monkeypatch.setattr(_ranks, "dist", _Group())
    monkeypatch.setattr(
        _ranks,
        "gather",
        lambda value: gathered.append(pickle.dumps(value)) or [value],
    )
    with _ranks.together(), pytest.raises(RuntimeError, match="Local: this one stays"):
        list(_ranks.by_all([0], label))
    assert gathered


def test_alone_nothing_is_said():
    assert (_ranks.n_ranks(), _ranks.rank()) == (1, 0)
    with _ranks.together():
        assert _ranks.gather(3) == [3]
        assert _ranks.from_first(3) == 3
        assert list(_ranks.by_all(range(3), iter)) == [0, 1, 2]
