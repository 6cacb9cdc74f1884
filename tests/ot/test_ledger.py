"""Files of results: what is finished stays, what differs is refused."""

import json
import os
import runpy
import signal
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, SinkhornDivergence, pairwise_wasserstein
from skwass.ot.ledger import _HOST, Ledger
from skwass.ot.plans import Triangle

DIRACS = np.eye(20)
PAIRS = np.random.default_rng(0).integers(0, 20, (50, 2))
CASES = {
    "matrix": ((DIRACS,), {}),
    "rectangle": ((DIRACS, DIRACS[:7]), {}),
    "listed pairs": ((DIRACS, DIRACS), {"pairs": PAIRS}),
}
cases = pytest.mark.parametrize(("X", "settings"), CASES.values(), ids=CASES)


class Spy:
    """Ground truth with nothing but `solve`, whose calls are counted.

    It gives up on Diracs further apart than 15, and fails at call number `last`.
    """

    calls = []
    last = []  # which call fails, in a list: it is no part of what the distance is

    def solve(self, mu, nu):
        if len(self.calls) in self.last:
            raise RuntimeError("power cut")
        w = abs(float(mu[0][0, 0] - nu[0][0, 0]))
        self.calls.append(w)
        return np.sqrt(w), w <= 15


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setattr(Spy, "calls", [])
    return tmp_path / "w.npy"


def few_pairs_do_not_converge():
    return pytest.warns(ConvergenceWarning, match="did not converge")


@pytest.mark.parametrize("n_jobs", [None, 2])
@cases
def test_a_file_holds_the_same_bits_and_is_solved_once(X, settings, n_jobs, out):
    settings = {"ground_truth": Spy(), "n_jobs": n_jobs, "chunk_size": 9} | settings
    with pytest.warns(ConvergenceWarning) as record:
        expected = pairwise_wasserstein(*X, **settings)
    Spy.calls.clear()
    for given in (out, str(out)):
        with pytest.warns(ConvergenceWarning) as again:
            w = pairwise_wasserstein(*X, out=given, **settings)
        # The second call does no work and tells the same.
        assert str(again[0].message) == str(record[0].message)
        n_far = sum(w > 15 for w in Spy.calls)
        assert str(again[0].message).startswith(f"{n_far} of {len(Spy.calls)} pairs ")
        assert isinstance(w, np.memmap)
        assert (w.dtype, w.shape) == (expected.dtype, expected.shape)
        assert w.tobytes() == np.load(out).tobytes() == expected.tobytes()
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "w.npy",
        "w.npy.ledger",
    ]


def test_one_measure_has_a_file_too(out):
    for _ in range(2):
        assert_array_equal(pairwise_wasserstein(DIRACS[:1], out=out), [[0]])


@cases
def test_work_before_a_failure_is_kept(X, settings, out, monkeypatch):
    """At most one chunk of nine pairs is solved again, by one worker."""
    settings = {"ground_truth": Spy(), "chunk_size": 9, "out": out} | settings
    monkeypatch.setattr(Spy, "last", [40])
    with pytest.raises(RuntimeError, match="power cut"):
        pairwise_wasserstein(*X, **settings)
    monkeypatch.setattr(Spy, "last", [])
    with few_pairs_do_not_converge():
        w = pairwise_wasserstein(*X, **settings)
    i, j = settings.get("pairs", np.indices(w.shape).reshape(2, -1).T).T
    assert_array_equal(w.ravel(), np.sqrt(abs(i - j)))
    n_pairs = 190 if w.shape == (20, 20) else w.size
    assert n_pairs <= len(Spy.calls) < n_pairs + 9


def test_a_chunk_is_noted_only_after_its_distances_are_there(out, monkeypatch):
    store = Triangle.store

    def fails_once(self, w, number, labels):
        if number == 3 and not failed:
            failed.append(number)
            raise OSError("disk full")
        store(self, w, number, labels)

    failed = []
    monkeypatch.setattr(Triangle, "store", fails_once)
    settings = {"ground_truth": Spy(), "chunk_size": 9, "out": out}
    with pytest.raises(OSError, match="disk full"):
        pairwise_wasserstein(DIRACS, **settings)
    with few_pairs_do_not_converge():
        w = pairwise_wasserstein(DIRACS, **settings)
    assert_array_equal(w, np.sqrt(np.abs(np.subtract.outer(range(20), range(20)))))


def identity_cases():
    pairs = PAIRS.copy()
    pairs[7] = (pairs[7] + 1) % 20
    common = {"pairs": PAIRS, "ground_truth": SinkhornDivergence(reg=0.1)}
    return {
        "measures X": ((DIRACS[::-1], DIRACS), common),
        "measures Y": ((DIRACS, DIRACS[::-1]), common),
        "measures X, measures Y": ((2 * np.eye(20) + 1,) * 2, common),
        "pairs": ((DIRACS, DIRACS), common | {"pairs": pairs}),
        "chunk_size": ((DIRACS, DIRACS), common | {"chunk_size": 11}),
        "ground_truth": (
            (DIRACS, DIRACS),
            common | {"ground_truth": SinkhornDivergence(reg=0.2)},
        ),
        "pairs, ground_truth": (
            (DIRACS, DIRACS),
            common | {"pairs": None, "ground_truth": ExactWasserstein()},
        ),
    }


@pytest.mark.parametrize("name", identity_cases())
def test_a_ledger_of_something_else_is_refused(name, out):
    X, settings = identity_cases()[name]
    ours = {"pairs": PAIRS, "ground_truth": SinkhornDivergence(reg=0.1), "out": out}
    pairwise_wasserstein(DIRACS, DIRACS, **ours)
    before = out.read_bytes()
    message = rf"Got out='.*w.npy', whose ledger belongs to other {name}, expected"
    with pytest.raises(ValueError, match=message):
        pairwise_wasserstein(*X, **settings, out=out)
    assert out.read_bytes() == before
    # Equal data and parameters in other objects are the same.
    ours["ground_truth"] = SinkhornDivergence(reg=0.1)
    pairwise_wasserstein(DIRACS.tolist(), DIRACS.copy(), **ours)


def test_a_matrix_is_not_the_listed_pairs_nor_the_rectangle(out):
    pairwise_wasserstein(DIRACS, out=out)
    with pytest.raises(ValueError, match="other (measures Y, )?pairs, expected"):
        pairwise_wasserstein(DIRACS, DIRACS, out=out)


def test_a_ledger_of_another_version_is_refused(out):
    pairwise_wasserstein(DIRACS, out=out)
    ledger = out.with_name("w.npy.ledger")
    content = ledger.read_bytes()
    header = json.loads(content[:1024]) | {"version of skwass": "0.0"}
    ledger.write_bytes(json.dumps(header).encode().ljust(1024) + content[1024:])
    with pytest.raises(ValueError, match="belongs to other version of skwass"):
        pairwise_wasserstein(DIRACS, out=out)


def test_a_file_without_its_ledger_is_not_touched(out):
    out.write_bytes(b"my thesis")
    with pytest.raises(ValueError, match="exists without a ledger"):
        pairwise_wasserstein(DIRACS, out=out)
    assert out.read_bytes() == b"my thesis"
    assert not out.with_name("w.npy.ledger").exists()


def test_a_deleted_file_is_made_again(out):
    settings = {"ground_truth": Spy(), "out": out}
    with few_pairs_do_not_converge():
        expected = pairwise_wasserstein(DIRACS, **settings).tobytes()
    out.unlink()
    with few_pairs_do_not_converge():
        assert pairwise_wasserstein(DIRACS, **settings).tobytes() == expected
    assert len(Spy.calls) == 2 * 190


@pytest.mark.parametrize(
    ("w", "message"),
    [
        (np.zeros((20, 21)), r"float64 of shape \(20, 21\), expected .* \(20, 20\)"),
        (np.zeros(400), r"float64 of shape \(400,\), expected .* \(20, 20\)"),
        (np.zeros((20, 20), np.float32), r"float32 of shape \(20, 20\), expected"),
    ],
)
def test_a_file_that_its_ledger_does_not_describe_is_refused(w, message, out):
    pairwise_wasserstein(DIRACS, out=out)
    np.save(out, w)
    with pytest.raises(ValueError, match=message):
        pairwise_wasserstein(DIRACS, out=out)
    assert_array_equal(np.load(out), w)


def scaled(scale):
    return lambda x, y: scale * cdist(x, y)


def renamed(factor):
    return lambda x, y: factor * cdist(x, y)


def nested(scale):
    inner = scaled(scale)
    return lambda x, y: inner(x, y)


def with_default(scale):
    return lambda x, y, scale=scale: scale * cdist(x, y)


# On one line, where sources cannot tell them apart.
ON_ONE_LINE = [lambda x, y: cdist(x, y), lambda x, y: 2 * cdist(x, y)]


@pytest.mark.parametrize(
    ("metric", "other", "is_same"),
    [
        (scaled(1.0), scaled(1.0), True),
        (scaled(1.0), renamed(1.0), True),
        (scaled(1.0), scaled(2.0), False),
        (scaled(1.0), with_default(1.0), False),
        (nested(1.0), nested(1.0), True),
        (nested(1.0), nested(2.0), False),
        (with_default(1.0), with_default(1.0), True),
        (with_default(1.0), with_default(2.0), False),
        (*ON_ONE_LINE, False),
        (cdist, cdist, True),
        (cdist, "euclidean", False),
        (ON_ONE_LINE[0], lambda x, y: cdist(x, y, "cityblock"), False),
    ],
)
def test_a_callable_metric_is_its_code_and_what_it_closes_over(
    metric, other, is_same, out
):
    X = DIRACS[:5]
    pairwise_wasserstein(X, ground_truth=ExactWasserstein(1, metric), out=out)
    refused = pytest.raises(ValueError, match="belongs to other ground_truth, expected")
    with nullcontext() if is_same else refused:
        pairwise_wasserstein(X, ground_truth=ExactWasserstein(1, other), out=out)


@pytest.mark.parametrize("n_bytes", [0, 100, 128, 1_000, -8])
def test_a_matrix_cut_short_is_refused(n_bytes, out):
    """Again and again, and left as it is: filled up, it would be zeros to the end."""
    pairwise_wasserstein(DIRACS, out=out)
    n_bytes %= out.stat().st_size
    os.truncate(out, n_bytes)
    for _ in range(3):
        with pytest.raises(ValueError, match=f"of {n_bytes} bytes.* is cut off"):
            pairwise_wasserstein(DIRACS, out=out)
        assert out.stat().st_size == n_bytes


def test_the_map_that_comes_back_protects_the_file(out):
    w = pairwise_wasserstein(DIRACS, out=out)
    with pytest.raises(ValueError, match="read-only"):
        w *= 2


class Ruler:
    """Holds what a bound method measures with."""

    def __init__(self, unit):
        self.unit = unit

    def distance(self, X_a, X_b):
        return cdist(X_a, X_b) / self.unit


def test_a_bound_method_is_what_it_is_bound_to(out):
    def call(unit):
        truth = ExactWasserstein(ground_metric=Ruler(unit).distance)
        return pairwise_wasserstein(DIRACS, out=out, ground_truth=truth)

    assert_array_equal(call(2.0), call(2.0))
    with pytest.raises(ValueError, match="belongs to other ground_truth"):
        call(4.0)


def test_calls_that_begin_together_share_the_file(out, monkeypatch):
    """The second finds neither file, and both there once it wants to make them."""
    truth, plan = ExactWasserstein(), Triangle(20, 9)
    identity = {"measures X": "a"}
    first = Ledger(out, plan, identity)
    labels = truth.label(*[as_measures(DIRACS)] * 2, plan.chunk(0))
    create = Ledger._create_ledger

    def late(self, identity):
        create(self, identity)
        first.record(0, labels)

    monkeypatch.setattr(Ledger, "_create_ledger", late)
    exists = iter([False, False, False, False])
    monkeypatch.setattr("skwass.ot.ledger.Path.exists", lambda path: next(exists, True))
    second = Ledger(out, plan, identity)
    assert_array_equal(second.w, first.w)
    assert first.w.any()
    assert_array_equal(second.chunks, first.chunks)


def test_a_ledger_cut_short_is_refused(out):
    pairwise_wasserstein(DIRACS, out=out, chunk_size=9)
    ledger = out.with_name("w.npy.ledger")
    os.truncate(ledger, ledger.stat().st_size - 4)
    with pytest.raises(ValueError, match="a ledger of the wrong size"):
        pairwise_wasserstein(DIRACS, out=out, chunk_size=9)


def test_a_ledger_counts_what_is_pending(out):
    plan = Triangle(20, 9)
    ledger = Ledger(out, plan, {"a": "b"})
    assert_array_equal(ledger.pending(), np.arange(plan.n_chunks))
    assert ledger.n_unconverged() == 0


SCRIPT = """
import itertools, os, signal, sys
import numpy as np
from sklearn.base import BaseEstimator
from skwass.ot import pairwise_wasserstein
from skwass.ot.ledger import Ledger

class Mortal(BaseEstimator):
    last, calls = [], itertools.count(1)

    def __init__(self, metric, log):
        self.metric, self.log = metric, log

    def solve(self, mu, nu):
        x, y = mu[0].item(), nu[0].item()
        file = os.open(self.log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.write(file, f"{x:.0f} {y:.0f}\\n".encode())
        os.close(file)
        if next(self.calls) in self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.metric(x, y, "a"), True

def die_after(n_chunks):
    record, notes = Ledger.record, itertools.count(1)

    def noted(self, number, labels):
        record(self, number, labels)
        if next(notes) == n_chunks:
            os.kill(os.getpid(), signal.SIGKILL)

    Ledger.record = noted

def main(out, log, n_jobs):
    scale = 1 / 3
    metric = lambda x, y, name: scale * abs(x - y) * (name in {"a", "b", "c", "d"})
    return pairwise_wasserstein(
        np.eye(33), ground_truth=Mortal(metric, log), out=out, n_jobs=n_jobs,
        chunk_size=16,
    )

if __name__ == "__main__":
    *files, n_jobs, last_solve, last_chunk = sys.argv[1:]
    Mortal.last = [int(last_solve)]
    die_after(int(last_chunk))
    main(*files, int(n_jobs))
"""


@pytest.mark.slow
def test_kills_lose_only_what_was_not_noted(tmp_path):
    """By SIGKILL, alone and beside another worker.

    The metric is a lambda, which each process defines anew.
    """
    script, out, log = (tmp_path / name for name in ("run.py", "w.npy", "log"))
    script.write_text(SCRIPT)
    plan = Triangle(33, 16)
    sizes = np.array([len(plan.chunk(k)) for k in range(plan.n_chunks)])

    def noted():
        return np.fromfile(f"{out}.ledger", np.int32, offset=1024) != -1

    def die(n_jobs, *, solve=-1, chunk=-1):
        command = [sys.executable, script, out, log, n_jobs, solve, chunk]
        run = subprocess.run([str(word) for word in command])
        assert run.returncode == -signal.SIGKILL

    # Alone, in the middle of a solve: all is noted but the chunk that it belongs to.
    moment = int(np.random.default_rng(0).integers(20, 120))
    die(1, solve=moment)
    finished = np.cumsum(sizes)
    assert sizes[noted()].sum() == finished[finished < moment].max()
    # Beside another worker, in the middle of others' solves.
    before = np.count_nonzero(noted())
    die(2, chunk=5)
    assert np.count_nonzero(noted()) == before + 5
    begun, kept = count_lines(log), sizes[noted()].sum()
    main = runpy.run_path(script)["main"]
    w = main(out, str(log), 2)
    points = np.arange(33.0)
    expected = 1 / 3 * np.abs(np.subtract.outer(points, points))
    assert w.tobytes() == np.load(out).tobytes() == expected.tobytes()
    assert count_lines(log) - begun == sizes.sum() - kept
    assert len(set(log.read_text().splitlines())) == sizes.sum()
    assert_array_equal(main(str(out), str(log), 2), expected)
    assert count_lines(log) - begun == sizes.sum() - kept


def count_lines(path):
    return path.read_bytes().count(b"\n")


@pytest.mark.parametrize("header", [b"{", b"[1, 2]", b"3", b"\xff\xfe"])
def test_a_garbled_ledger_is_told_in_one_sentence(header, out):
    pairwise_wasserstein(DIRACS, out=out)
    ledger = out.parent / "w.npy.ledger"
    content = ledger.read_bytes()
    ledger.write_bytes(header.ljust(1024) + content[1024:])
    with pytest.raises(ValueError, match="ledger that cannot be read"):
        pairwise_wasserstein(DIRACS, out=out)


@pytest.mark.parametrize("count", [536870912, -7, 400])
def test_a_garbled_count_is_refused(count, out):
    pairwise_wasserstein(DIRACS, out=out)
    ledger = out.parent / "w.npy.ledger"
    content = ledger.read_bytes()
    ledger.write_bytes(content[:1024] + np.int32(count).tobytes() + content[1028:])
    with pytest.raises(ValueError, match="ledger that cannot be read"):
        pairwise_wasserstein(DIRACS, out=out)


def test_a_finished_file_is_opened_for_reading_alone(out, monkeypatch):
    expected = pairwise_wasserstein(DIRACS, out=out)
    memmap = np.memmap.__new__

    def for_reading(kind, filename, dtype=np.uint8, mode="r+", *rest, **options):
        assert mode == "r"
        return memmap(kind, filename, dtype, mode, *rest, **options)

    monkeypatch.setattr(np.memmap, "__new__", for_reading)
    assert_array_equal(pairwise_wasserstein(DIRACS, out=out), expected)


def test_a_full_disk_is_an_error_before_anything_is_written(out, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        pairwise_wasserstein(DIRACS, out=out)
    assert [path.name for path in out.parent.iterdir()] == ["w.npy.ledger"]
    monkeypatch.undo()
    assert pairwise_wasserstein(DIRACS, out=out).shape == (20, 20)


def test_what_a_kill_has_left_is_removed(out):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    parts = [
        out.parent / f"w.npy.{host}.{process}.{name}.part"
        for host, process, name in [
            (_HOST, ended.pid, "a"),
            (_HOST, os.getpid(), "b"),
            ("elsewhere", ended.pid, "c"),
        ]
    ]
    for part in parts:
        part.write_bytes(b"")
    pairwise_wasserstein(DIRACS, out=out)
    assert [part.exists() for part in parts] == [False, True, True]
