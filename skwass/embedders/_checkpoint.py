"""A file in which a fit notes what it has done, and from which it goes on."""

import io
import os
import sqlite3
from collections.abc import MutableMapping
from contextlib import closing
from itertools import count
from numbers import Integral

import joblib
import numpy as np
import torch

from .. import _clock, _ranks
from .._version import __version__
from ..ot.fingerprint import fingerprint

# Seconds of work that a kill may cost: writing more often would take time of its own.
INTERVAL = 5.0
# Parameters that change nothing of what is learned, or have an entry of their own.
_IDLE = {
    "device",
    "ground_truth",
    "memory",
    "n_jobs",
    "n_score_pairs",
    "random_state",
    "verbose",
    "warm_start",
}


class Checkpoint:
    """What a fit has done, in an SQLite file that survives a kill at any moment.

    A fit that is called again does the same in the same order: what it finds here it
    takes, and goes on where nothing is noted. So entries are numbered by the calls that
    make them, and the file belongs to one fit only.

    Parameters
    ----------
    path : str or path
        The file; made if it is not there.
    identity : dict of str
        What the fit depends on, by name, as :func:`identify_fit` gives it.

    Raises
    ------
    ValueError
        If the file is of a fit to something else, or not a checkpoint.
    """

    def __init__(self, path, identity):
        self.path = os.fspath(path)
        self.waiting, self.settled = {}, set()
        self.written = _clock.now()
        self.n_calls = {"labels": count(), "maps": count(), "training": count()}
        try:
            with closing(self._connect()) as file, file:
                file.execute(
                    "CREATE TABLE IF NOT EXISTS entries (name TEXT PRIMARY KEY, "
                    "value BLOB)"
                )
            found = self.settle("identity", identity)
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"Got checkpoint={self.path!r}, expected a file that an earlier fit "
                f"made, or a new one in a folder that is there: {error}. Name another."
            ) from error
        strange = [name for name, value in identity.items() if found.get(name) != value]
        if strange:
            raise ValueError(
                f"Got checkpoint={self.path!r} of a fit with other "
                f"{', '.join(strange)}, expected that of the same fit. Name another "
                "file, or delete this one to begin anew."
            )

    def settle(self, name, value):
        """Return what is noted under a name; note a value there if nothing is."""
        if self.read(name) is None:
            self.settled.add(name)
            self.note(name, value)
            self.write()
        return self.read(name)

    def chunks(self, kind):
        """Return what is noted of the next call that makes chunks, by their number."""
        return _Chunks(self, f"{kind}/{next(self.n_calls[kind])}")

    def training(self):
        """Return where the next training notes its state."""
        return _Training(self, f"training/{next(self.n_calls['training'])}")

    def read(self, name):
        """Return what is noted under a name, or None."""
        if name in self.waiting:
            return self.waiting[name]
        with closing(self._connect()) as file:
            query = "SELECT value FROM entries WHERE name = ?"
            row = file.execute(query, [name]).fetchone()
        if row is None:
            return None
        # What was noted on a GPU can be read where there is none, or another.
        return torch.load(io.BytesIO(row[0]), map_location="cpu", weights_only=True)

    def note(self, name, value):
        """Note tensors, numbers and strings, in dicts and lists, before long."""
        self.waiting[name] = value
        if self.is_due:
            self.write()

    @property
    def is_due(self):
        """Whether it is time to write."""
        return _clock.now() >= self.written + INTERVAL

    def write(self):
        """Write what is waiting, all of it or nothing."""
        with closing(self._connect()) as file, file:
            for name, value in self.waiting.items():
                content = io.BytesIO()
                torch.save(value, content)
                # Of two fits that begin at once, the first one settles.
                how = "IGNORE" if name in self.settled else "REPLACE"
                query = f"INSERT OR {how} INTO entries VALUES (?, ?)"
                file.execute(query, [name, content.getvalue()])
        self.waiting = {}
        self.written = _clock.now()

    def _connect(self):
        return sqlite3.connect(self.path)


class _Chunks(MutableMapping):
    """Dicts of arrays by the numbers of chunks."""

    def __init__(self, checkpoint, name):
        self.checkpoint, self.name = checkpoint, name
        with closing(checkpoint._connect()) as file:
            query = "SELECT name FROM entries WHERE name GLOB ?"
            found = file.execute(query, [f"{name}/*"]).fetchall()
        self.numbers = {int(entry.rsplit("/", 1)[1]) for (entry,) in found}

    def __getitem__(self, number):
        if number not in self.numbers:
            raise KeyError(number)
        return _as_arrays(self.checkpoint.read(f"{self.name}/{number}"))

    def __setitem__(self, number, value):
        self.numbers.add(number)
        self.checkpoint.note(f"{self.name}/{number}", _as_tensors(value))

    def __delitem__(self, number):
        raise TypeError("What was done stays.")

    def __iter__(self):
        return iter(sorted(self.numbers))

    def __len__(self):
        return len(self.numbers)


class _Training:
    """The latest state of one training."""

    def __init__(self, checkpoint, name):
        self.checkpoint, self.name = checkpoint, name

    def read(self):
        """Return the state that was noted last, or None."""
        return self.checkpoint.read(self.name)

    def offer(self, make_state, is_over):
        """Note a state, if training is over or the last one is old."""
        if is_over or self.checkpoint.is_due:
            self.checkpoint.note(self.name, make_state())
        if is_over:
            self.checkpoint.write()


def open_checkpoint(path, estimator, measures, given, goes_on):
    """Return the checkpoint at a path, or None without one.

    The other parameters are those of :func:`identify_fit`.

    Raises
    ------
    ValueError
        If the file is of another fit, or time is limited.
    """
    is_one_of_many = _ranks.n_ranks() > 1
    if path is None and not is_one_of_many:
        return None
    if estimator.max_time is not None:
        what = f"checkpoint={str(path)!r}" if path else f"{_ranks.n_ranks()} processes"
        raise ValueError(
            f"Got {what} and max_time={estimator.max_time:g}, expected one of the two: "
            "where time decides how much is learned, neither another call nor another "
            "process learns the same. Set n_pairs and max_iter instead of max_time."
        )
    identity = identify_fit(estimator, measures, given, goes_on)
    _refuse_other_ranks(identity)
    return _open_in_first(path, identity)


def _open_in_first(path, identity):
    """Open the file in the first process; a refusal there is one in all."""
    checkpoint = failure = None
    if path and _ranks.rank() == 0:
        try:
            checkpoint = Checkpoint(path, identity)
        except ValueError as error:
            failure = error
    failure = _ranks.from_first(failure)
    if failure is not None:
        raise failure
    return checkpoint


def _refuse_other_ranks(identity):
    """Raise if processes that fit together fit other things."""
    for number, other in enumerate(_ranks.gather(identity)):
        strange = [name for name, value in identity.items() if other.get(name) != value]
        if strange:
            raise ValueError(
                f"Got a group of {_ranks.n_ranks()} processes, of which number "
                f"{number} fits to other {', '.join(strange)} than number "
                f"{_ranks.rank()}, expected the same call of fit in all of them. Leave "
                "the group, torch.distributed.destroy_process_group(), for fits of "
                "their own."
            )


def identify_fit(estimator, measures, given, goes_on):
    """Hash what a fit depends on, part by part so that a message can name it.

    Parameters
    ----------
    estimator : TrainedEmbedder
        To be fitted.
    measures : Histograms or PointClouds
        Training data.
    given : tuple or None
        Pairs and their W, if the user gave them.
    goes_on : bool
        Whether the fit goes on with the network that there is.

    Returns
    -------
    identity : dict of str
    """
    parameters = estimator.get_params(deep=False)
    identity = {
        "version of skwass": __version__,
        "class": type(estimator).__name__,
        "measures X": joblib.hash(measures),
        "distances": joblib.hash(given),
        "ground_truth": fingerprint(parameters["ground_truth"]),
    }
    if isinstance(parameters["random_state"], Integral):
        identity["random_state"] = str(parameters["random_state"])
    if goes_on:
        weights = estimator.module_.state_dict().items()
        state = [(name, weight.cpu().numpy()) for name, weight in weights]
        # Its seeds follow from these, and a fit need not change the weights.
        seeds = estimator._first_seeds, estimator.n_iter_
        identity["weights to go on from"] = joblib.hash((state, seeds))
    for name in sorted(parameters.keys() - _IDLE):
        identity[name] = joblib.hash(parameters[name])
    return identity


def _as_tensors(value):
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, dict):
        return {name: _as_tensors(part) for name, part in value.items()}
    return [_as_tensors(part) for part in value] if isinstance(value, list) else value


def _as_arrays(value):
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, dict):
        return {name: _as_arrays(part) for name, part in value.items()}
    return [_as_arrays(part) for part in value] if isinstance(value, list) else value
