"""Searches of a long list of measures in a file, which go on after a crash."""

from dataclasses import dataclass

import joblib
import numpy as np

from .._version import __version__
from ..ot.fingerprint import fingerprint
from ..ot.ledger import Ledger
from ._record import as_table, width_of
from ._work import BLOCK_SIZE, search_blocks


@dataclass(frozen=True)
class Rows:
    """A table with a row for each query, as blocks of rows."""

    n_queries: int
    n_neighbors: int

    @property
    def shape(self):
        """Of the table."""
        return self.n_queries, width_of(self.n_neighbors)

    @property
    def n_chunks(self):
        """How many blocks there are."""
        return -(-self.n_queries // BLOCK_SIZE)

    def store(self, table, number, rows):
        """Write the rows of a block."""
        start = number * BLOCK_SIZE
        table[start : start + len(rows)] = rows


@dataclass(frozen=True)
class _Block:
    """What a ledger notes of a block."""

    w: np.ndarray
    n_unconverged: int


def search_table(works, n_neighbors, n_jobs, out=None):
    """Return the table of all searches, in memory or in a file.

    Parameters
    ----------
    works : list of Work
        One for each part of the stored measures.
    n_neighbors : int
        Of each query.
    n_jobs : int
        Workers.
    out : path-like, default=None
        File, with a ledger next to it.
    """
    rows = Rows(len(works[0].queries), n_neighbors)
    ledger = None
    numbers, table = range(rows.n_chunks), None
    if out is None:
        table = np.zeros(rows.shape)
    else:
        ledger = Ledger(out, rows, _identity(works, n_neighbors))
        numbers = ledger.pending().tolist()
    for number, found in search_blocks(works, numbers, n_jobs):
        part = as_table(found, n_neighbors)
        if ledger is None:
            rows.store(table, number, part)
        else:
            n_unconverged = sum(one.n_unconverged for one in found)
            ledger.record(number, _Block(part, n_unconverged))
    return table if ledger is None else np.array(ledger.close())


def _identity(works, n_neighbors):
    """Hash what a table depends on, part by part so that a message can name it."""
    first = works[0]
    settings = n_neighbors, first.max_solves, first.radius, len(works)
    return {
        "stored measures": joblib.hash([_arrays(work.targets) for work in works]),
        "queries": joblib.hash((_arrays(first.queries), first.exclude)),
        "embeddings": joblib.hash([work.likely for work in works]),
        "ground_truth": fingerprint(first.truth),
        "settings": joblib.hash((settings, first.summaries is None)),
        "version of skwass": __version__,
    }


def _arrays(targets):
    masses = targets.masses
    return masses.data, masses.indices, masses.indptr, targets.points
