"""Labels of pairs by a ground truth: through a memory, or in the batch."""

import warnings
from dataclasses import dataclass
from functools import partial
from itertools import count
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_memory

from .. import _ranks
from .._version import __version__
from ..ot import PairLabels
from ..ot.engine import CHUNK_SIZE, label_chunks, label_pairs, warn_unconverged
from ..ot.fingerprint import fingerprint
from ..ot.ground_truths import as_ground_truth
from ..ot.plans import ListedPairs


@dataclass(frozen=True, eq=False)
class Labeller:
    """Labels pairs of measures.

    Parameters
    ----------
    ground_truth : str or object
        What labels, as a user gives it.
    memory : str, object with the joblib.Memory interface, or None
        Keeps labels.
    n_jobs : int or None
        Workers.
    checkpoint : object or None
        Its `chunks(kind)` are what an earlier fit has left of the next call.
    """

    ground_truth: object
    memory: object = None
    n_jobs: int | None = None
    checkpoint: Any = None

    def __post_init__(self):
        if _ranks.n_ranks() > 1:
            # Each process may have one of its own, with other labels in it.
            object.__setattr__(self, "memory", None)

    def label(
        self,
        measures,
        pairs,
        *,
        gradients=False,
        deadline=None,
        on_chunk=None,
        until=None,
    ):
        """Return labels of pairs.

        Parameters
        ----------
        measures : Histograms or PointClouds
            What pairs index.
        pairs : ndarray of int of shape (n_pairs, 2)
            Which.
        gradients : bool or Probes, default=False
            What to differentiate toward.
        deadline : float, default=None
            When to stop.
        on_chunk : callable, default=None
            Called after each chunk.
        until : callable, default=None
            `until(n_labelled)` says after each chunk whether that is enough.

        Returns
        -------
        w : ndarray of shape (<= n_pairs,)
            Distances of the first pairs; of all of them without a deadline or `until`.
        slopes : ndarray of shape (<= n_pairs, 2, n_probes) or None
            Derivatives of W^2 toward the probes that `gradients` are.
        n_solves : int
            How many of them were not in the memory.
        """
        if until is not None:
            on_chunk = partial(_report_and_ask, on_chunk, until, count(1))
        settings = {
            "n_jobs": self.n_jobs,
            "deadline": deadline,
            "on_chunk": on_chunk,
            "known": self._known("labels"),
        }
        ground_truth, code = self._identified()
        key = (measures, pairs, ground_truth, gradients, __version__, code)
        cached = check_memory(self.memory).cache(
            _solve, ignore=["ground_truth", *settings]
        )
        if cached.check_call_in_cache(*key, **settings):
            return *cached(*key, **settings), 0
        # Where labels may be left out, the answer is not to be remembered.
        solve = cached if deadline is None and until is None else _solve
        w, slopes = solve(*key, **settings)
        return w, slopes, len(w)

    def label_reported(self, measures, pairs, reporter, **options):
        """Return what `label` does, and tell a reporter of each chunk."""
        on_chunk = reporter.begin_labels(len(pairs))
        labels = self.label(measures, pairs, on_chunk=on_chunk, **options)
        reporter.end_labels()
        return labels

    def recall(self, function, *values):
        """Return `function(*values, ground_truth, n_jobs, known)`, and if it was kept.

        Parameters
        ----------
        function : callable
            Of this package; its answer depends on nothing else.
        *values : object
            Its arguments.
        """
        ground_truth, code = self._identified()
        key = (function, values, ground_truth, __version__, code)
        settings = {"n_jobs": self.n_jobs, "known": self._known("maps")}
        cached = check_memory(self.memory).cache(
            _call, ignore=["ground_truth", *settings]
        )
        is_kept = cached.check_call_in_cache(*key, **settings)
        return cached(*key, **settings), is_kept

    def _known(self, kind):
        """Return what is known of the chunks of a call, to be added to."""
        return None if self.checkpoint is None else self.checkpoint.chunks(kind)

    def _identified(self):
        """Return the ground truth, and its code for a memory, if there is one.

        The memory itself would know functions and classes only by name.
        """
        ground_truth = as_ground_truth(self.ground_truth)
        code = None if self.memory is None else fingerprint(ground_truth)
        return ground_truth, code

    def warn_of_idle_memory(self, random_state):
        """Warn of a memory whose labels cannot be reused."""
        if self.memory is not None and not isinstance(random_state, Integral):
            warnings.warn(
                f"Labels kept in memory={self.memory!r} cannot be reused: "
                f"random_state={random_state} draws different pairs on each fit. Set "
                "an integer random_state, or memory=None.",
                UserWarning,
                stacklevel=4,
            )


def _report_and_ask(on_chunk, until, n_chunks):
    """Tell of a chunk, and return whether labels are enough."""
    if on_chunk is not None:
        on_chunk()
    return until(CHUNK_SIZE * next(n_chunks))


def _solve(
    measures,
    pairs,
    ground_truth,
    gradients,
    version,
    code,
    *,
    n_jobs,
    deadline,
    on_chunk,
    known,
):
    """Label pairs; version and code are there for the cache to tell others by."""
    settings = {"n_jobs": n_jobs, "deadline": deadline, "on_chunk": on_chunk}
    labels = label_pairs(
        measures,
        measures,
        pairs,
        ground_truth,
        gradients=gradients,
        known=known,
        **settings,
    )
    return labels.w, slopes_of(labels)


def _call(function, values, ground_truth, version, code, *, n_jobs, known):
    """Call a function; version and code are there for the cache to tell others by."""
    return function(*values, ground_truth, n_jobs, known)


def slopes_of(labels):
    """Return the slopes of both ends of each pair: (n_pairs, 2, n_probes), or None."""
    if labels.grad_mu is None:
        return None
    return np.stack([labels.grad_mu, labels.grad_nu], axis=1)


class BatchLabeller:
    """Labels pairs of a batch while training, and counts what did not converge.

    Parameters
    ----------
    labeller : Labeller
        For its ground truth and workers; its memory is not used.
    measures : Histograms or PointClouds
        Training data.
    gradients : bool or Probes
        What to differentiate toward.
    """

    def __init__(self, labeller, measures, gradients):
        ground_truth = as_ground_truth(labeller.ground_truth)
        if hasattr(ground_truth, "_prepare"):
            # Once, on all measures: what is relative to the data must not change.
            measures, _, ground_truth = ground_truth._prepare(measures, measures)
        self.ground_truth, self.measures = ground_truth, measures
        self.n_jobs, self.gradients = labeller.n_jobs, gradients
        self.n_solves = self.n_unconverged = 0

    def label(self, numbers, pairs):
        """Return W and slopes of pairs of positions in `numbers`."""
        batch = self.measures[numbers]
        plan = ListedPairs(pairs, CHUNK_SIZE)
        how = {"gradients": self.gradients, "n_jobs": self.n_jobs, "in_order": True}
        label = partial(label_chunks, batch, batch, plan, self.ground_truth, **how)
        results = _ranks.by_all(range(plan.n_chunks), label)
        labels = PairLabels.concatenate([part for _, part in results])
        self.n_solves += len(labels)
        self.n_unconverged += labels.n_unconverged
        return labels.w, slopes_of(labels)

    def state_dict(self):
        """Return what is counted."""
        return {"n_solves": self.n_solves, "n_unconverged": int(self.n_unconverged)}

    def load_state_dict(self, state):
        """Count on from there."""
        self.n_solves, self.n_unconverged = state["n_solves"], state["n_unconverged"]

    def warn(self):
        """Warn once of all labels that are not reliable."""
        warn_unconverged(self.n_unconverged, self.n_solves, self.ground_truth)
