"""Rows in a file that grows chunk by chunk, and a ledger of which are there."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from .._version import __version__

# What numpy reserves for the header of a table.
_HEADER_BYTES = 128


class Table:
    """A `.npy` file that is written row by row, and at `path` + ".ledger" its ledger.

    The ledger has one line of JSON for each chunk that is written: its number, rows and
    token. The line follows the rows, so a kill loses at most rows that nobody claims,
    and they are written again. Before `close` the file is no `.npy` file yet.

    Parameters
    ----------
    path : str or path
        The file. If an earlier call began it, with its ledger.

    Raises
    ------
    ValueError
        If the file exists without a ledger, or the ledger is none of ours.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.ledger = Path(f"{path}.ledger")
        self.header: dict[str, Any] = {}
        self.lines: list[dict] = []
        if self.ledger.exists():
            self.header, *self.lines = self._read_ledger()
        elif self.path.exists():
            raise ValueError(
                f"Got out={str(path)!r}, which exists without a ledger, expected a new "
                "file or one that an earlier call began. Name another or delete it."
            )
        if self.header and not self._holds_all():
            # The ledger claims rows of a file that is gone, or cut off.
            self.header, self.lines = {}, []
            self.ledger.unlink()

    def __len__(self):
        return len(self.lines)

    @property
    def n_rows(self):
        """Rows that are written."""
        return sum(line["rows"] for line in self.lines)

    def read_first(self):
        """Return the rows of the first chunk."""
        shape = self.lines[0]["rows"], self.header["columns"]
        flat = np.fromfile(
            self.path, self.header["dtype"], shape[0] * shape[1], offset=_HEADER_BYTES
        )
        return flat.reshape(shape)

    def refuse_other(self, number, token):
        """Raise unless a chunk is the one that was written under this number."""
        if self.lines[number]["token"] != token:
            raise ValueError(
                f"Got out={str(self.path)!r}, whose chunk {number} is of other "
                "measures, expected those of the call that began it, in chunks of the "
                "same size. Name another file, or delete it and its ledger."
            )

    def append(self, rows, token):
        """Write the rows of the next chunk, then that they are there."""
        rows = np.ascontiguousarray(rows)
        if not self.header:
            self._begin(rows)
        if (rows.shape[1], rows.dtype.str) != (
            self.header["columns"],
            self.header["dtype"],
        ):
            raise ValueError(
                f"Got {rows.shape[1]} columns of {rows.dtype} for "
                f"out={str(self.path)!r}, expected {self.header['columns']} of "
                f"{self.header['dtype']} as before. Name another file."
            )
        with open(self.path, "r+b") as file:
            file.seek(self._position())
            file.write(rows.tobytes())
            file.flush()
            os.fsync(file.fileno())
        line = {"chunk": len(self.lines), "rows": len(rows), "token": token}
        with open(self.ledger, "a") as file:
            file.write(json.dumps(line) + "\n")
        self.lines.append(line)

    def close(self):
        """Make it a `.npy` file; return it as a map that cannot be written to."""
        shape = self.n_rows, self.header["columns"]
        if self._is_closed(shape):  # maybe where nobody can write
            return np.load(self.path, mmap_mode="r")
        with open(self.path, "r+b") as file:
            description = {
                "descr": self.header["dtype"],
                "fortran_order": False,
                "shape": shape,
            }
            np.lib.format.write_array_header_1_0(file, description)
            if file.tell() != _HEADER_BYTES:
                raise RuntimeError(f"numpy wrote a header of {file.tell()} bytes")
            file.truncate(self._position())
        return np.load(self.path, mmap_mode="r")

    def _is_closed(self, shape):
        """Whether it is the file that an earlier call ended with."""
        try:
            found = np.load(self.path, mmap_mode="r")
        except (EOFError, ValueError):
            return False
        return (found.shape, found.dtype.str) == (
            shape,
            self.header["dtype"],
        ) and self.path.stat().st_size == self._position()

    def _begin(self, rows):
        """Make both files, the ledger first, and at once."""
        if self.ledger.exists():  # it did not when this call looked
            raise ValueError(
                f"Got out={str(self.path)!r}, which another call has begun since this "
                "one did, expected one call at a time. Call again when it has ended, "
                "or name another file."
            )
        self.header = {
            "version of skwass": __version__,
            "columns": rows.shape[1],
            "dtype": rows.dtype.str,
        }
        part = Path(f"{self.ledger}.part")
        part.write_text(json.dumps(self.header) + "\n")
        os.replace(part, self.ledger)
        self.path.write_bytes(bytes(_HEADER_BYTES))

    def _position(self):
        """Return where the next rows begin, in bytes."""
        size = np.dtype(self.header["dtype"]).itemsize * self.header["columns"]
        return _HEADER_BYTES + self.n_rows * size

    def _holds_all(self):
        return self.path.exists() and self.path.stat().st_size >= self._position()

    def _read_ledger(self):
        """Return its lines; one that a kill has cut off does not count."""
        content = self.ledger.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.truncate(self.ledger, len(whole))
        try:
            header, *chunks = map(json.loads, whole.splitlines())
            np.dtype(header["dtype"]).itemsize * header["columns"]
            numbers = {line["chunk"]: line for line in chunks}
            [line["rows"] + len(line["token"]) for line in chunks]
            # Two calls at once may both have written a line.
            return header, *(numbers[k] for k in range(len(numbers)))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"Got out={str(self.path)!r} with a ledger that cannot be read, "
                "expected one that an earlier call wrote. Delete both files."
            ) from error
