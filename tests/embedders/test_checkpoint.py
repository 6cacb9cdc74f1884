"""A fit that is killed goes on where it stood, and ends with the same bytes."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder
from skwass.architectures import SetTransformer
from skwass.embedders import _checkpoint
from skwass.embedders._checkpoint import Checkpoint
from skwass.labels import Doubling, InBatch
from tests.toys import clouds_of, make_small

IMAGES = load_digits().data[:60]
CLOUDS = clouds_of([6, 8, 9] * 8)
IN_SPACE = clouds_of([7, 9] * 12, dim=5)
OTHERWISE = {
    "learning_rate": 1e-2,
    "n_components": 4,
    "architecture": SetTransformer(n_heads=2),
    "max_iter": 4,
}


def of_clouds(**parameters):
    settings = {"n_components": 6, "n_pairs": 300, "max_iter": 3, "random_state": 0}
    return WormholeEmbedder(**settings | parameters)


FITS = {
    "deep": lambda: (make_small(DeepWassersteinEmbedder, n_pairs=300), IMAGES),
    "kuratowski": lambda: (make_small(KuratowskiEmbedder), IMAGES),
    "maps and a decoder": lambda: (
        make_small(WormholeEmbedder, n_pairs=300, n_maps=40, decoder="auto"),
        IMAGES,
    ),
    "dropout": lambda: (
        of_clouds(architecture=SetTransformer(n_heads=2, dropout=0.2)),
        CLOUDS,
    ),
    "in the batch": lambda: (of_clouds(labels=InBatch(block_size=6)), CLOUDS),
    "rounds": lambda: (
        of_clouds(
            labels=Doubling(least_gain=0.01), n_pairs=60, validation_fraction=0.3
        ),
        CLOUDS,
    ),
    "transport maps": lambda: (of_clouds(), IN_SPACE),
}
FAST = "dropout", "rounds"
fits = pytest.mark.parametrize(
    "make",
    [
        pytest.param(fit, id=name, marks=[] if name in FAST else [pytest.mark.slow])
        for name, fit in FITS.items()
    ],
)


@pytest.fixture(autouse=True)
def _write_always(monkeypatch):
    monkeypatch.setattr(_checkpoint, "INTERVAL", 0.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.checkpoint"


def state_of(embedder):
    """Return the bytes of all that a fit leaves."""
    weights = [w.numpy().tobytes() for w in embedder.module_.state_dict().values()]
    names = "loss_curve_", "validation_scores_", "n_iter_", "n_pairs_", "n_solves_"
    return weights, [pickle.dumps(getattr(embedder, name)) for name in names]


def stop_at(monkeypatch, number, after):
    """Let the process stop at a write, before or after it is in the file."""
    write, n_written = Checkpoint.write, []

    def write_or_stop(self):
        n_written.append(None)
        is_last = len(n_written) == number
        if not is_last or after:
            write(self)
        if is_last:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "write", write_or_stop)
    return n_written


@fits
def test_a_fit_that_is_stopped_anywhere_ends_the_same(make, path, monkeypatch):
    embedder, X = make()
    expected = state_of(embedder.fit(X))
    for number, after in [(1, True), (3, False), (2, True), (4, False)]:
        with monkeypatch.context() as patch:
            stop_at(patch, number, after)
            try:
                embedder.fit(X, checkpoint=path)
                break
            except KeyboardInterrupt:
                pass
    assert state_of(embedder.fit(X, checkpoint=path)) == expected
    # Once more: nothing is left to do.
    n_written = stop_at(monkeypatch, 0, False)
    assert state_of(embedder.fit(X, checkpoint=path)) == expected
    assert not n_written


def test_nothing_is_done_twice(path):
    truth = CountingTruth()
    embedder = of_clouds(ground_truth=truth, architecture="fourier")
    embedder.fit(CLOUDS, checkpoint=path)
    n_solves = len(truth.calls)
    assert n_solves == embedder.n_solves_ > 100
    embedder.fit(CLOUDS, checkpoint=path)
    assert len(truth.calls) == n_solves


class CountingTruth:
    """The distance of the means, counted."""

    calls = []

    def solve(self, mu, nu):
        self.calls.append(None)
        return np.linalg.norm(mu[1] @ mu[0] - nu[1] @ nu[0]), True


def test_seeds_are_noted(path):
    embedder = of_clouds(random_state=None)
    first = state_of(embedder.fit(CLOUDS, checkpoint=path))
    assert state_of(embedder.fit(CLOUDS, checkpoint=path)) == first
    assert state_of(embedder.fit(CLOUDS)) != first


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_fit_is_refused(path, name):
    of_clouds().fit(CLOUDS, checkpoint=path)
    other = of_clouds(**{name: OTHERWISE[name]})
    with pytest.raises(ValueError, match=f"of a fit with other {name}, expected"):
        other.fit(CLOUDS, checkpoint=path)


@pytest.mark.filterwarnings("ignore:Got distances that are")
def test_other_data_are_refused(path):
    embedder = of_clouds().fit(CLOUDS, checkpoint=path)
    W = np.abs(np.subtract.outer(*[[len(x) * x.mean() for x in CLOUDS]] * 2))
    for X, given, name in (
        (CLOUDS[:-1], None, "measures X"),
        (CLOUDS, W, "distances"),
    ):
        with pytest.raises(ValueError, match=f"other {name}.*Name another"):
            embedder.fit(X, distances=given, checkpoint=path)


def test_a_fit_that_goes_on_has_a_file_of_its_own(path, tmp_path):
    embedder = of_clouds().fit(CLOUDS, checkpoint=path).set_params(warm_start=True)
    with pytest.raises(ValueError, match="other weights to go on from"):
        embedder.fit(CLOUDS, checkpoint=path)
    expected = state_of(pickle.loads(pickle.dumps(embedder)).fit(CLOUDS))
    assert state_of(embedder.fit(CLOUDS, checkpoint=tmp_path / "more")) == expected


def test_weights_that_stayed_do_not_hide_another_fit(path):
    embedder = of_clouds(weight_decay=0.0).fit(CLOUDS)
    embedder.set_params(warm_start=True, learning_rate=1e-30)
    embedder.fit(CLOUDS, checkpoint=path)
    with pytest.raises(ValueError, match="other weights to go on from"):
        embedder.fit(CLOUDS, checkpoint=path)


def test_what_a_gpu_noted_is_read_without(path, monkeypatch):
    checkpoint, places, load = Checkpoint(path, {}), [], torch.load

    def load_there(file, map_location=None, **settings):
        places.append(map_location)
        return load(file, map_location=map_location, **settings)

    monkeypatch.setattr(torch, "load", load_there)
    checkpoint.note("weights", torch.ones(2))
    assert checkpoint.read("weights").tolist() == [1, 1]
    assert set(places) == {"cpu"}


def test_of_two_that_begin_at_once_one_is_refused(path):
    class Late(Checkpoint):
        n_reads = 0

        def read(self, name):
            self.n_reads += 1
            return None if self.n_reads == 1 else super().read(name)

    Checkpoint(path, {"data": "one"})
    with pytest.raises(ValueError, match="other data"):
        Late(path, {"data": "two"})
    Checkpoint(path, {"data": "one"})


def test_a_table_of_others_is_named(path):
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE entries (day TEXT)")
    with pytest.raises(ValueError, match="no column named name|no such column"):
        of_clouds().fit(CLOUDS, checkpoint=path)


@pytest.mark.parametrize(
    ("make_path", "message"),
    [
        (lambda folder: folder, "Got checkpoint=.*expected a file that an earlier"),
        (lambda folder: folder / "none" / "x", "in a folder that is there"),
        (lambda folder: folder / "text", "file is not a database"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, make_path, message):
    (tmp_path / "text").write_text("not a checkpoint, but long enough to be one" * 99)
    with pytest.raises(ValueError, match=message):
        of_clouds().fit(CLOUDS, checkpoint=make_path(tmp_path))


def test_not_with_limited_time(path):
    with pytest.raises(ValueError, match="Got checkpoint=.*and max_time=100, expected"):
        of_clouds(max_time=100.0).fit(CLOUDS, checkpoint=path)
    assert not path.exists()


SCRIPT = """
import sys
import numpy as np
from skwass import WormholeEmbedder
from skwass.embedders import _checkpoint
from tests.embedders.test_checkpoint import FITS, Checkpoint, os, signal
_checkpoint.INTERVAL = 0.0
embedder, X = FITS["maps and a decoder"]()
write, n_written = Checkpoint.write, []
def write_or_die(self):
    n_written.append(None)
    if len(n_written) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    write(self)
Checkpoint.write = write_or_die
embedder.fit(X, checkpoint=sys.argv[1]).save(sys.argv[1] + ".model")
"""


@pytest.mark.slow
def test_processes_may_be_killed(path):
    def run(number):
        call = [sys.executable, "-c", SCRIPT, str(path), str(number)]
        return subprocess.run(call, capture_output=True, text=True)

    for number in (2, 3, 5, 4):
        assert run(number).returncode == -signal.SIGKILL
    last = run(0)
    assert last.returncode == 0, last.stderr
    embedder, X = FITS["maps and a decoder"]()
    found = WormholeEmbedder.load(f"{path}.model")
    assert state_of(found) == state_of(embedder.fit(X))
    assert os.listdir(path.parent) == ["fit.checkpoint", "fit.checkpoint.model"]
