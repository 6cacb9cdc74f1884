"""Chunks of pairs through the workers: threads here, or a cluster."""

import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain, takewhile
from sys import getsizeof

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.exceptions import ConvergenceWarning

from .. import _clock, _ranks
from ..measures.layout import shown
from ._labels import PairLabels
from .plans import ListedPairs
from .threads import SingleThreaded

# Pairs per task: long enough to hide the cost of a task, short enough to show progress
# and to lose little. A square, for tiles.
CHUNK_SIZE = 256


def label_pairs(
    mu,
    nu,
    pairs,
    ground_truth,
    *,
    gradients=False,
    n_jobs=None,
    deadline=None,
    on_chunk=None,
    known=None,
):
    """Label listed pairs of checked measures.

    Parameters
    ----------
    mu, nu : Histograms or PointClouds
        Collections that the columns of `pairs` index.
    pairs : ndarray of int of shape (n_pairs, 2)
        Which pairs.
    ground_truth : object
        A :class:`GroundTruth`, or what has `solve(measure, measure)`.
    gradients : bool, default=False
        Whether to ask for gradients.
    n_jobs : int, default=None
        Workers.
    deadline : float, default=None
        Value of `_clock.now()` after which no further chunk is awaited. At least
        one chunk is labelled. Fewer labels than pairs come back if it passes.
    on_chunk : callable, default=None
        Called after each chunk; what is true of its answer stops as a deadline does.
    known : mutable mapping of int to dict, default=None
        Fields of the labels of chunks that an earlier call has left, by their number;
        those that are solved are added.

    Returns
    -------
    labels : PairLabels
        Of the first `len(labels)` pairs.
    """
    plan = ListedPairs(pairs, CHUNK_SIZE)
    how = {"gradients": gradients, "n_jobs": n_jobs}
    numbers = range(plan.n_chunks)
    done = takewhile((known or {}).__contains__, numbers)
    done = _ranks.from_first([(k, PairLabels(**known[k])) for k in done])
    # In order: a deadline keeps the first labels.
    label = partial(label_chunks, mu, nu, plan, ground_truth, in_order=True, **how)
    results = _ranks.by_all(numbers[len(done) :], label)
    parts = []
    for number, part in chain(done, results):
        parts.append(part)
        if known is not None and number not in known:
            known[number] = vars(part)
        is_over = on_chunk is not None and on_chunk()
        if is_over or (deadline is not None and _clock.now() > deadline):
            results.close()
            break
    labels = PairLabels.concatenate(parts)
    warn_unconverged(labels.n_unconverged, len(labels), ground_truth)
    return labels


def label_chunks(
    mu,
    nu,
    plan,
    ground_truth,
    numbers=None,
    *,
    gradients=False,
    n_jobs=None,
    in_order=False,
):
    """Label chunks of a plan and yield them as they are finished.

    Threads by default: POT's solver releases the interpreter lock, and measures are
    not copied. Any other backend of joblib is honoured, and then gets the measures in a
    form that it sends once and not with each task.

    Parameters
    ----------
    mu, nu : Histograms or PointClouds
        Collections that the plan indexes.
    plan : ListedPairs, Rectangle or Triangle
        Chunks of pairs.
    ground_truth : object
        A :class:`GroundTruth`, or what has `solve(measure, measure)`.
    numbers : iterable of int, default=None
        Which chunks; all if None.
    gradients : bool, default=False
        Whether to ask for gradients.
    n_jobs : int, default=None
        Workers.
    in_order : bool, default=False
        Whether chunks must come in the order of their numbers.

    Yields
    ------
    number : int
        Of the chunk.
    labels : PairLabels
        Of its pairs.
    """
    if hasattr(ground_truth, "_prepare"):
        mu, nu, ground_truth = ground_truth._prepare(mu, nu)
    backend, _ = get_active_backend(prefer="threads")
    if not getattr(backend, "supports_sharedmem", False):
        left = mu.packed()
        mu, nu = left, left if nu is mu else nu.packed()
    is_shared = effective_n_jobs(n_jobs) > 1
    work = _Work(mu, nu, plan, ground_truth, gradients, is_shared)
    solve = delayed(_label_chunk)
    # Few tasks wait at a time: a deadline or a crash leaves little work behind.
    parallel = Parallel(
        n_jobs=n_jobs,
        prefer="threads",
        batch_size=1,
        return_as="generator" if in_order else "generator_unordered",
    )
    results = parallel(
        solve(work, number)
        for number in (range(plan.n_chunks) if numbers is None else numbers)
    )
    try:
        # Not `yield from`: it would close `results` before `finally` is reached.
        for result in results:  # noqa: UP028
            yield result
    finally:
        # joblib warns of work that nobody awaits, which is what was asked for.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()


@dataclass(frozen=True, eq=False, repr=False)
class _Work:
    """All that tasks share. One object, so that a cluster gets it once."""

    mu: object
    nu: object
    plan: object
    ground_truth: object
    gradients: bool
    is_shared: bool  # whether other workers compete for the processor

    def __sizeof__(self):
        return sum(map(getsizeof, (self.mu, self.nu, self.plan)))


def _label_chunk(work, number):
    """Label one chunk, in whatever process this is."""
    pairs = work.plan.chunk(number)
    with SingleThreaded() if work.is_shared else nullcontext():
        labels = _label(work.mu, work.nu, pairs, work.ground_truth, work.gradients)
    faulty = np.flatnonzero(~(np.isfinite(labels.w) & (labels.w >= 0)))
    if len(faulty):
        k = faulty[0]
        raise ValueError(
            f"Got W={labels.w[k]} from {work.ground_truth} for the pair "
            f"{pairs[k].tolist()}, expected a finite distance >= 0. Fix the ground "
            "truth, or the measures that it cannot tell apart."
        )
    return number, labels


def _label(mu, nu, pairs, ground_truth, gradients):
    if hasattr(ground_truth, "_label"):
        return ground_truth._label(mu, nu, pairs, gradients=gradients)
    if gradients:
        raise ValueError(
            f"Got gradients with ground_truth={ground_truth}, which has none, expected "
            "a ground truth of skwass.ot. Leave gradients out."
        )
    w, converged = np.empty(len(pairs)), np.empty(len(pairs), dtype=bool)
    for k, (i, j) in enumerate(pairs):
        answer = ground_truth.solve(mu.measure(i), nu.measure(j))
        try:
            w[k], converged[k] = answer
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"Got ground_truth={shown(ground_truth)} whose solve answers "
                f"{shown(answer)}, expected two numbers, (w, converged). Return "
                "w, True if there is nothing to converge."
            ) from error
    return PairLabels(w, converged)


def warn_unconverged(n_unconverged, n_pairs, ground_truth):
    """Warn of pairs that did not converge, with their number and a remedy."""
    if n_unconverged:
        warnings.warn(
            f"{n_unconverged} of {n_pairs} pairs did not converge in {ground_truth}; "
            "their distances are kept and not reliable. "
            f"{getattr(ground_truth, '_remedy', 'Raise its max_iter.')}",
            ConvergenceWarning,
            stacklevel=3,
        )
