"""Results in a file that outlive the process: what is finished is never done again."""

import glob
import json
import os
import platform
import re
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import joblib
import numpy as np

from .._version import __version__
from .fingerprint import fingerprint

_HEADER_BYTES = 1024
_HOST = re.sub(r"\W", "_", platform.node())
_PENDING = -1


class Ledger:
    """A matrix in a `.npy` file, and next to it a file of which chunks are finished.

    Each chunk has a number of four bytes: how many of its pairs did not converge, or -1
    while it is not finished. It is written after the distances, so a process that is
    killed at any moment leaves at worst finished work unclaimed.

    Parameters
    ----------
    path : path-like
        The matrix. The ledger is at `path` + `".ledger"`.
    plan : ListedPairs, Rectangle or Triangle
        Its shape and chunks.
    identity : dict of str
        What the file belongs to, by :func:`identify`; anything else is refused.
    """

    def __init__(self, path, plan, identity):
        self.path = Path(path)
        self.ledger_path = Path(f"{path}.ledger")
        self.plan = plan
        if not self.ledger_path.exists():
            if self.path.exists():
                raise ValueError(
                    f"Got out={str(path)!r}, which exists without a ledger, expected a "
                    "new file or one that an earlier call began. Name another or "
                    "delete it."
                )
            self._create_ledger(identity)
        # Also one made just now: another call may have been faster.
        self._refuse_strange(identity)
        if not self.path.exists():
            self._forget()
            self._create_matrix()
        self._refuse_cut_off()
        _remove_left_over(self.path, self.ledger_path)
        # A map would read as zeros, so as finished, what a full disk has cut off.
        if self.ledger_path.stat().st_size != _HEADER_BYTES + 4 * plan.n_chunks:
            raise ValueError(
                f"Got out={str(path)!r} with a ledger of the wrong size, expected "
                f"{plan.n_chunks} chunks. Delete both files."
            )
        # What is finished may lie where nobody can write.
        shape: Any = (plan.n_chunks,)
        counts = np.memmap(self.ledger_path, np.int32, "r", _HEADER_BYTES, shape)
        self._refuse_counts(counts)
        mode: Literal["r", "r+"] = "r+" if (counts == _PENDING).any() else "r"
        self.chunks = np.memmap(self.ledger_path, np.int32, mode, _HEADER_BYTES, shape)
        self.w = np.lib.format.open_memmap(self.path, mode=mode)
        if self.w.shape != plan.shape or self.w.dtype != np.float64:
            raise ValueError(
                f"Got out={str(path)!r} with {self.w.dtype} of shape {self.w.shape}, "
                f"expected float64 of shape {plan.shape} as its ledger says. Delete "
                "both files."
            )

    def pending(self):
        """Return the numbers of the chunks that are not finished."""
        return np.flatnonzero(np.asarray(self.chunks) == _PENDING)

    def n_unconverged(self):
        """Return how many pairs of finished chunks did not converge."""
        counts = np.asarray(self.chunks)
        return int(counts[counts != _PENDING].sum())

    def record(self, number, labels):
        """Write the distances of a chunk, then that they are there."""
        self.plan.store(self.w, number, labels.w)
        self.chunks[number] = labels.n_unconverged

    def close(self):
        """Hand everything to the disk and return the matrix, safe from writing."""
        self.w.flush()
        self.chunks.flush()
        return np.load(self.path, mmap_mode="r")

    def _refuse_strange(self, identity):
        try:
            with open(self.ledger_path, "rb") as file:
                found = dict(json.loads(file.read(_HEADER_BYTES)))
        except (TypeError, ValueError) as error:
            raise ValueError(self._garbled) from error
        strange = [name for name, value in identity.items() if found.get(name) != value]
        if strange:
            raise ValueError(
                f"Got out={str(self.path)!r}, whose ledger belongs to other "
                f"{', '.join(strange)}, expected those of the call that began it. Name "
                "another file, or delete it and its ledger."
            )

    def _refuse_counts(self, counts):
        """Raise for a chunk of which more pairs failed than there are in it."""
        failed = np.flatnonzero(counts > 0)
        if (counts < _PENDING).any() or any(
            counts[number] > len(self.plan.chunk(number)) for number in failed
        ):
            raise ValueError(self._garbled)

    @property
    def _garbled(self):
        return (
            f"Got out={str(self.path)!r} with a ledger that cannot be read, expected "
            "one that an earlier call wrote. Delete both files."
        )

    def _refuse_cut_off(self):
        """Raise unless the matrix is whole. A map to write to would fill it up."""
        try:
            np.lib.format.open_memmap(self.path, mode="r")
        except ValueError as error:
            raise ValueError(
                f"Got out={str(self.path)!r} of {self.path.stat().st_size} bytes, "
                f"expected a whole matrix of shape {self.plan.shape}: the file is cut "
                "off, or no .npy file. Delete it and its ledger."
            ) from error

    def _create_ledger(self, identity):
        header = json.dumps(identity).encode().ljust(_HEADER_BYTES)
        content = header + self._all_pending()
        _write_at_once(self.ledger_path, lambda part: part.write_bytes(content))

    def _forget(self):
        """Mark all chunks as pending: what they noted was in a file that is gone."""
        with open(self.ledger_path, "r+b") as file:
            file.seek(_HEADER_BYTES)
            file.write(self._all_pending())

    def _all_pending(self):
        return np.full(self.plan.n_chunks, _PENDING, dtype=np.int32).tobytes()

    def _create_matrix(self):
        def create(part):
            np.lib.format.open_memmap(part, "w+", np.float64, self.plan.shape)
            _take_space(part)

        _write_at_once(self.path, create)


def _write_at_once(path, write):
    """Write a file under another name first: it is there whole or not at all.

    Where another call made it meanwhile, theirs stays.
    """
    part = Path(f"{path}.{_HOST}.{os.getpid()}.{uuid.uuid4().hex}.part")
    try:
        write(part)
        try:
            os.link(part, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _take_space(path):
    """Have the disk set aside what a file will hold, or raise OSError.

    A map that a full disk cannot hold ends the process when it is written to.
    """
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))


def _remove_left_over(*paths):
    """Remove what processes of this machine had begun to write when they ended."""
    for path in paths:
        for part in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
            *_, host, process, _, _ = part.name.rsplit(".", 4)
            if host == _HOST and process.isdigit() and not _is_running(int(process)):
                with suppress(OSError):  # where nobody can write
                    part.unlink()


def _is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of someone else
        return True
    return True


def identify(mu, nu, ground_truth, plan, chunk_size):
    """Hash what a result depends on, part by part so that a message can name it.

    Parameters
    ----------
    mu, nu : Histograms or PointClouds
        Measures.
    ground_truth : object
        What labels them.
    plan : ListedPairs, Rectangle or Triangle
        Which pairs.
    chunk_size : int
        How they are cut.

    Returns
    -------
    identity : dict of str
    """
    measures = joblib.hash(mu)
    return {
        "measures X": measures,
        "measures Y": "X" if nu is mu else joblib.hash(nu),
        "pairs": joblib.hash(
            (type(plan).__name__, plan.shape, getattr(plan, "pairs", None))
        ),
        "ground_truth": fingerprint(ground_truth),
        "chunk_size": str(chunk_size),
        "version of skwass": __version__,
    }
