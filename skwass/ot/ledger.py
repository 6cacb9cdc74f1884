"""Results in a file that outlive the process: what is finished is never done again."""

import json
import os
import uuid
from pathlib import Path

import joblib
import numpy as np

from .._version import __version__
from .fingerprint import fingerprint

_HEADER_BYTES = 1024
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
        self.w = np.lib.format.open_memmap(self.path, mode="r+")
        # A map would read as zeros, so as finished, what a full disk has cut off.
        if self.ledger_path.stat().st_size != _HEADER_BYTES + 4 * plan.n_chunks:
            raise ValueError(
                f"Got out={str(path)!r} with a ledger of the wrong size, expected "
                f"{plan.n_chunks} chunks. Delete both files."
            )
        self.chunks = np.memmap(
            self.ledger_path, np.int32, "r+", _HEADER_BYTES, (plan.n_chunks,)
        )
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
        with open(self.ledger_path, "rb") as file:
            found = json.loads(file.read(_HEADER_BYTES))
        strange = [name for name, value in identity.items() if found.get(name) != value]
        if strange:
            raise ValueError(
                f"Got out={str(self.path)!r}, whose ledger belongs to other "
                f"{', '.join(strange)}, expected those of the call that began it. Name "
                "another file, or delete it and its ledger."
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

        _write_at_once(self.path, create)


def _write_at_once(path, write):
    """Write a file under another name first: it is there whole or not at all.

    Where another call made it meanwhile, theirs stays.
    """
    part = Path(f"{path}.{uuid.uuid4().hex}.part")
    write(part)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(part, path)
        return
    os.unlink(part)


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
