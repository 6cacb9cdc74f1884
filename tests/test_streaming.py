"""Rows in a file: the same bytes however they are made, and never made twice."""

import os
import weakref

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits

from skwass import GaussianEmbedder, SlicedWassersteinEmbedder
from skwass.measures import clouds_from_groups
from skwass.streaming import _table, transform_chunks
from skwass.streaming._chunks import Part
from tests.toys import clouds_of

IMAGES = load_digits().data[:50]
CLOUDS = clouds_of([4, 6, 5] * 10)
EMBEDDER = SlicedWassersteinEmbedder(grid_shape=(8, 8), random_state=0).fit(IMAGES)
OF_CLOUDS = GaussianEmbedder().fit(CLOUDS)
ROWS = EMBEDDER.transform(IMAGES)


class Counting(BaseEstimator):
    """An embedder whose calls are counted, and which fails at one of them."""

    def __init__(self, fails_at=None):
        self.calls, self.fails_at = [], fails_at
        self.fitted_ = True

    def fit(self, X):
        return self

    def transform(self, X):
        if len(self.calls) == self.fails_at:
            raise KeyboardInterrupt
        self.calls.append(len(X))
        return EMBEDDER.transform(X)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "Z.npy"


def files_of(folder):
    """Return a list of paths whose rows are the images."""
    paths = [folder / "first.npy", folder / "second.npy"]
    np.save(paths[0], IMAGES[:20])
    np.save(paths[1], IMAGES[20:])
    return paths


def archive_in(folder):
    """Return the path of what is no table, but numpy loads it."""
    np.savez(folder / "X.npz", X=IMAGES)
    return folder / "X.npz"


SOURCES = {
    "array": lambda folder: IMAGES,
    "sparse": lambda folder: csr_array(IMAGES),
    "frame": lambda folder: pd.DataFrame(IMAGES),
    "map": lambda folder: np.load(
        [np.save(folder / "X.npy", IMAGES), folder / "X.npy"][1], mmap_mode="r"
    ),
    "files": files_of,
    "generator": lambda folder: (IMAGES[k : k + 10] for k in range(0, 50, 10)),
}


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("source", SOURCES)
def test_rows_are_those_of_transform(source, n_jobs, out):
    X = SOURCES[source](out.parent)
    Z = transform_chunks(EMBEDDER, X, out, chunk_size=7, n_jobs=n_jobs)
    assert isinstance(Z, np.memmap)
    assert Z.dtype == ROWS.dtype
    assert_array_equal(Z, ROWS)
    assert_array_equal(np.load(out), ROWS)
    with pytest.raises(ValueError, match="read-only"):
        Z[0] = 0


@pytest.mark.parametrize(
    "X",
    [
        CLOUDS,
        np.array([*CLOUDS, None], dtype=object)[:-1],
        clouds_from_groups(
            np.concatenate(CLOUDS), np.repeat(range(30), [len(x) for x in CLOUDS])
        )[0],
    ],
    ids=["list", "object array", "view"],
)
def test_clouds(X, out):
    for _ in range(2):
        Z = transform_chunks(OF_CLOUDS, X, out, chunk_size=8)
        assert_array_equal(Z, OF_CLOUDS.transform(X))


@pytest.mark.parametrize("source", ["array", "files", "generator"])
@pytest.mark.parametrize("stopped", [0, 1, 3])
def test_what_is_stopped_goes_on(source, stopped, out):
    X = SOURCES[source](out.parent)
    with pytest.raises(KeyboardInterrupt):
        transform_chunks(Counting(stopped), X, out, chunk_size=10)
    if stopped:
        with pytest.raises(ValueError, match="pickled"):
            np.load(out)  # it is not one yet
    again = Counting()
    if source == "generator":  # the other one is used up
        X = SOURCES[source](out.parent)
    Z = transform_chunks(again, X, out, chunk_size=10)
    assert_array_equal(Z, ROWS)
    # The first chunk is embedded again, to see that the embedder is the same.
    assert len(again.calls) == 5 - stopped + (stopped > 0)


@pytest.mark.parametrize("source", SOURCES)
def test_any_source_is_known_again(source, out):
    X = SOURCES[source](out.parent)
    for _ in range(2):
        Z = transform_chunks(EMBEDDER, X, out, chunk_size=20)
        if source == "generator":
            X = SOURCES[source](out.parent)
        assert_array_equal(Z, ROWS)


def test_maps_that_joblib_makes_are_not_other_measures(tmp_path):
    rows = csr_array(IMAGES)
    mapped = csr_array(IMAGES)
    np.save(tmp_path / "data.npy", rows.data)
    mapped.data = np.load(tmp_path / "data.npy", mmap_mode="r")
    assert Part(mapped).token() == Part(rows).token() != Part(rows[:9]).token()


def test_frames_go_on(out):
    frames = SlicedWassersteinEmbedder(grid_shape=(8, 8), random_state=0).fit(IMAGES)
    frames.set_output(transform="pandas")
    for _ in range(2):
        assert_array_equal(transform_chunks(frames, IMAGES, out, chunk_size=20), ROWS)


def test_known_chunks_are_not_kept(out):
    chunks = []

    def generate():
        for start in range(0, 50, 5):
            chunk = IMAGES[start : start + 5].copy()
            chunks.append(weakref.ref(chunk))
            assert sum(made() is not None for made in chunks) <= 4
            yield chunk

    transform_chunks(EMBEDDER, generate(), out)
    chunks.clear()
    assert_array_equal(transform_chunks(EMBEDDER, generate(), out), ROWS)
    assert len(chunks) == 10


def test_of_two_calls_that_begin_at_once_one_writes(out):
    first, second = _table.Table(out), _table.Table(out)
    first.append(ROWS[:9], "a")
    with pytest.raises(ValueError, match="which another call has begun"):
        second.append(ROWS[:9], "a")
    assert_array_equal(first.close(), ROWS[:9])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_source_that_breaks_off_is_an_error(n_jobs, out):
    def generate():
        for start in range(0, 40, 2):
            yield IMAGES[start : start + 2]
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        transform_chunks(EMBEDDER, generate(), out, n_jobs=n_jobs)
    whole = (IMAGES[start : start + 2] for start in range(0, 50, 2))
    assert_array_equal(transform_chunks(EMBEDDER, whole, out, n_jobs=n_jobs), ROWS)


def test_a_finished_file_is_read(out):
    transform_chunks(EMBEDDER, IMAGES, out, chunk_size=10)
    before = out.read_bytes(), out.stat().st_mtime_ns
    again = Counting()
    Z = transform_chunks(again, IMAGES, out, chunk_size=10)
    assert_array_equal(Z, ROWS)
    assert again.calls == [10]
    assert out.read_bytes() == before[0]
    more = transform_chunks(EMBEDDER, np.r_[IMAGES, IMAGES[:10]], out, chunk_size=10)
    assert_array_equal(more, np.r_[ROWS, ROWS[:10]])


def test_rows_that_no_ledger_claims_are_written_again(out, monkeypatch):
    """A kill between the rows and their line, or within either."""
    transform_chunks(EMBEDDER, IMAGES, out, chunk_size=10)
    expected = out.read_bytes()
    lines = (ledger := out.with_name("Z.npy.ledger")).read_text().splitlines(True)
    for kept, rest in ((3, ""), (3, lines[3][:9]), (1, "")):
        ledger.write_text("".join(lines[:kept]) + rest)
        with open(out, "r+b") as file:
            file.write(bytes(128))
            file.seek(-5, os.SEEK_END)
            file.write(b"xxxxx")
        for _ in range(2):
            transform_chunks(EMBEDDER, IMAGES, out, chunk_size=10)
            assert out.read_bytes() == expected
            assert ledger.read_text() == "".join(lines)
    # The ledger claims rows that are gone.
    os.truncate(out, 500)
    transform_chunks(EMBEDDER, IMAGES, out, chunk_size=10)
    assert out.read_bytes() == expected


def test_others_are_refused(out):
    transform_chunks(EMBEDDER, IMAGES, out, chunk_size=10)
    other = SlicedWassersteinEmbedder(grid_shape=(8, 8), n_projections=9).fit(IMAGES)
    moved = SlicedWassersteinEmbedder(grid_shape=(8, 8), random_state=1).fit(IMAGES)
    for embedder, X, size, message in (
        (EMBEDDER, IMAGES[::-1].copy(), 10, "chunk 0 is of other measures"),
        (EMBEDDER, IMAGES, 20, "chunk 0 is of other measures"),
        (EMBEDDER, IMAGES[:20], 10, "Got X of 2 chunks for out=.*which has 5"),
        (other, IMAGES, 10, "rows of another embedder"),
        (moved, IMAGES, 10, "rows of another embedder"),
    ):
        with pytest.raises(ValueError, match=message):
            transform_chunks(embedder, X, out, chunk_size=size)
    out.with_name("Z.npy.ledger").write_text("{}\n")
    with pytest.raises(ValueError, match="a ledger that cannot be read"):
        transform_chunks(EMBEDDER, IMAGES, out)
    out.with_name("Z.npy.ledger").unlink()
    with pytest.raises(ValueError, match="exists without a ledger"):
        transform_chunks(EMBEDDER, IMAGES, out)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: iter([]), "Got X without any chunk"),
        (lambda folder: folder / "none.npy", "expected a .npy file of rows"),
        (lambda folder: [__file__], "expected a .npy file of rows"),
        (archive_in, "expected a .npy file of rows"),
    ],
)
def test_what_is_no_source_is_named(make, message, out):
    with pytest.raises(ValueError, match=message):
        transform_chunks(EMBEDDER, make(out.parent), out)
    assert not out.exists()


def test_a_changed_file_is_another(out):
    paths = files_of(out.parent)
    transform_chunks(EMBEDDER, paths, out, chunk_size=10)
    np.save(paths[1], IMAGES[20:][::-1])
    os.utime(paths[1], ns=(1, 1))
    with pytest.raises(ValueError, match="chunk 2 is of other measures"):
        transform_chunks(EMBEDDER, paths, out, chunk_size=10)


def test_columns_may_not_change(out):
    class Growing(Counting):
        def transform(self, X):
            rows = super().transform(X)
            return rows[:, : 5 + len(self.calls)]

    with pytest.raises(ValueError, match="Got 7 columns .*expected 6 of <f4"):
        transform_chunks(Growing(), IMAGES, out, chunk_size=25)


def test_a_full_disk_is_an_error(out, monkeypatch):
    def no_space(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_table.os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        transform_chunks(EMBEDDER, IMAGES, out, chunk_size=10)
    monkeypatch.undo()
    assert_array_equal(transform_chunks(EMBEDDER, IMAGES, out, chunk_size=10), ROWS)


def test_a_finished_file_is_opened_for_reading_alone(out, monkeypatch):
    expected = np.array(transform_chunks(EMBEDDER, IMAGES, out, chunk_size=20))
    content, real = out.read_bytes(), open

    def for_reading(path, mode="r", *rest, **options):
        assert mode in ("r", "rb")
        return real(path, mode, *rest, **options)

    monkeypatch.setattr(_table, "open", for_reading, raising=False)
    again = transform_chunks(EMBEDDER, IMAGES, out, chunk_size=20)
    assert_array_equal(again, expected)
    assert out.read_bytes() == content


def test_a_ledger_of_other_bytes_is_told_in_one_sentence(out):
    transform_chunks(EMBEDDER, IMAGES, out, chunk_size=20)
    ledger = out.parent / f"{out.name}.ledger"
    ledger.write_bytes(b"\xff\xfe\n")
    with pytest.raises(ValueError, match="ledger that cannot be read"):
        transform_chunks(EMBEDDER, IMAGES, out, chunk_size=20)
