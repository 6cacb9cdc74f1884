"""Which pairs an embedder learns from, and where their labels come from."""

import warnings
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_memory

from .._version import __version__
from ..ot import PairLabels, sample_pairs
from ..ot.engine import CHUNK_SIZE, label_chunks, label_pairs, warn_unconverged
from ..ot.fingerprint import fingerprint
from ..ot.ground_truths import as_ground_truth
from ..ot.plans import ListedPairs
from ._given_labels import check_labels, refuse_other_unit, warn_of_other_labels
from ._holdout import MAX_VALIDATION_PAIRS, MIN_VALIDATION_PAIRS, hold_out_measures
from ._slopes import as_probes, choose_probes, in_units, slopes_of

# Pairs of the first round where their number is "auto"; each further one labels as many
# as there are.
FIRST_PAIRS = 5_000
# Pairs that give the scale of labels, where all others are labelled while training.
N_SCALE_PAIRS = 256


class LabelledPairs(NamedTuple):
    """Pairs of measures with their distances, split into training and validation."""

    pairs: np.ndarray  # (n_pairs, 2) measure numbers
    w: np.ndarray  # (n_pairs,) distances, not squared
    train: np.ndarray  # row numbers whose measures are both for training
    validation: np.ndarray  # row numbers whose measures are both held out
    n_solves: int  # how many labels had to be computed
    groups: np.ndarray | None = None  # (n_pairs,) pairs that batches keep together
    members: np.ndarray | None = None  # measures for training, where labels come later
    slopes: np.ndarray | None = None  # (n_pairs, 2, n_probes) derivatives of W^2
    probes: object = None  # measures that they are toward


def label(embedder, measures, pairs, *, gradients=False, deadline=None, on_chunk=None):
    """Label pairs by the ground truth of an embedder, through its `memory`.

    Returns
    -------
    w : ndarray of shape (<= n_pairs,)
        Distances of the first pairs; of all of them without a deadline.
    slopes : ndarray of shape (<= n_pairs, 2, n_probes) or None
        Derivatives of W^2 toward the probes that `gradients` are.
    n_solves : int
        How many of them were not in `memory`.
    """
    settings = {"n_jobs": embedder.n_jobs, "deadline": deadline, "on_chunk": on_chunk}
    ground_truth = as_ground_truth(embedder.ground_truth)
    memory, code = check_memory(embedder.memory), None
    if embedder.memory is not None:
        # The memory itself would know functions and classes by name alone.
        code = fingerprint(ground_truth)
    key = (measures, pairs, ground_truth, gradients, __version__, code)
    cached = memory.cache(_solve, ignore=["ground_truth", *settings])
    if cached.check_call_in_cache(*key, **settings):
        return *cached(*key, **settings), 0
    # A deadline may leave labels out: such an answer is not to be remembered.
    solve = cached if deadline is None else _solve
    w, slopes = solve(*key, **settings)
    return w, slopes, len(w)


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
):
    """Label pairs; version and code are there for the cache to tell others by."""
    settings = {"n_jobs": n_jobs, "deadline": deadline, "on_chunk": on_chunk}
    labels = label_pairs(
        measures, measures, pairs, ground_truth, gradients=gradients, **settings
    )
    return labels.w, slopes_of(labels)


def choose_pairs(
    n_measures, n_pairs, fraction, rng, *, n_validation=None, block_size=None
):
    """Draw the pairs to label and the measures to hold out.

    Both ends of a pair are on one side, so no label is wasted.

    Parameters
    ----------
    n_measures, n_pairs : int
        Measures to draw from, pairs to draw for training.
    fraction : float
        Share of the measures to hold out; none, where that is fewer than two. As large
        a share of pairs again is drawn among them, up to `MAX_VALIDATION_PAIRS`.
    rng : numpy.random.RandomState
        Source of randomness.
    n_validation : int, default=None
        How many pairs to draw among measures held out, if not as many as that.
    block_size : int, default=None
        Draw all pairs of blocks of so many measures for training; single pairs if None.

    Returns
    -------
    pairs : ndarray of int of shape (n_drawn, 2)
        In random order, those of a block together.
    held_out : ndarray of bool of shape (n_measures,)
    groups : ndarray of int of shape (n_drawn,) or None
        Numbers of the blocks, if there are any.
    """
    n_held_out = int(fraction * n_measures)
    held_out = np.zeros(n_measures, dtype=bool)
    if n_held_out > 1 and n_measures - n_held_out > 1:
        held_out[rng.permutation(n_measures)[:n_held_out]] = True
    if n_validation is None:
        n_validation = min(MAX_VALIDATION_PAIRS, int(np.ceil(fraction * n_pairs)))
    members, others = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    validation = others[sample_pairs(len(others), n_validation, rng)]
    if block_size is None:
        train = members[sample_pairs(len(members), n_pairs, rng)]
        return rng.permutation(np.concatenate([train, validation])), held_out, None
    blocks, groups = _sample_blocks(len(members), n_pairs, block_size, rng)
    pairs = np.concatenate([members[blocks], validation])
    groups = np.append(groups, groups.max() + 1 + np.arange(len(validation)))
    order = np.argsort(rng.permutation(groups.max() + 1)[groups], kind="stable")
    return pairs[order], held_out, groups[order]


def _sample_blocks(n_measures, n_pairs, block_size, rng):
    """Draw distinct pairs, all of a block of measures, and number their blocks.

    Each pass cuts all measures into blocks, until there are pairs enough.
    """
    if 4 * n_pairs > n_measures * (n_measures - 1):
        # Blocks that share no pair would be hard to find for the last of them.
        pairs = sample_pairs(n_measures, n_pairs, rng)
        return pairs, _tile(pairs, n_measures, block_size, rng)
    seen, keys, groups, number = set(), [], [], 0
    while len(keys) < n_pairs:
        shuffled = rng.permutation(n_measures)
        for start in range(0, n_measures, block_size):
            block = np.sort(shuffled[start : start + block_size])
            i, j = np.triu_indices(len(block), k=1)
            drawn = (block[i] * n_measures + block[j]).tolist()
            fresh = [key for key in drawn if key not in seen][: n_pairs - len(keys)]
            seen.update(fresh)
            keys += fresh
            groups += [number] * len(fresh)
            number += 1
            if len(keys) == n_pairs:
                break
    return np.column_stack(np.divmod(keys, n_measures)), np.array(groups)


def _tile(pairs, n_measures, block_size, rng):
    """Number given pairs by the blocks of measures that they join."""
    block = rng.permutation(n_measures) // block_size
    ends = np.sort(block[pairs], axis=1)
    return np.unique(ends[:, 0] * n_measures + ends[:, 1], return_inverse=True)[1]


def warn_of_idle_memory(embedder):
    """Warn of a `memory` that will not find labels again."""
    is_seeded = isinstance(embedder.random_state, Integral)
    if embedder.memory is not None and not is_seeded:
        warnings.warn(
            f"Labels kept in memory={embedder.memory!r} cannot be reused: "
            f"random_state={embedder.random_state} draws different pairs on each fit. "
            "Set an integer random_state, or memory=None.",
            UserWarning,
            stacklevel=4,
        )


def _refuse_rounds(mode, embedder):
    """Raise where labels cannot come in rounds that are judged by held-out pairs."""
    if mode != "pairs" or not embedder.early_stopping:
        raise ValueError(
            f"Got n_pairs='auto' with labels={mode!r} and early_stopping="
            f"{embedder.early_stopping}, expected single pairs, some of them held out "
            "to judge by. Set n_pairs to a number, or labels='pairs' and "
            "early_stopping=True."
        )


def obtain_labels(
    embedder,
    measures,
    pairs,
    distances,
    fraction,
    rng,
    reporter,
    deadline,
    *,
    with_slopes=True,
    compare=True,
):
    """Return labelled pairs, given by the user or drawn, split by measures.

    Parameters
    ----------
    embedder : TrainedEmbedder
        For its `n_pairs`, `ground_truth`, `memory` and `n_jobs`, and how it chooses
        pairs.
    measures : Histograms or PointClouds
        Training data.
    pairs, distances : array-like or None
        Given by the user.
    fraction : float
        Share of the measures to hold out; 0 for none.
    rng : numpy.random.RandomState
        Draws.
    reporter : FitReporter
        Told of labels as they come.
    deadline : float or None
        When to stop labelling.
    with_slopes : bool, default=True
        Whether slopes are wanted of pairs that are drawn.
    compare : bool, default=True
        Whether to see if given labels are W.

    Returns
    -------
    labelled : LabelledPairs
        Without training pairs, or with fewer than `MIN_VALIDATION_PAIRS` others, all
        are for training. If labels come in batches, those for training are few, for the
        scale alone.
    """
    mode, members, groups = embedder._labels_mode(), None, None
    slopes = probes = None
    if pairs is None and distances is None:
        warn_of_idle_memory(embedder)
        n_pairs, options = embedder.n_pairs, {}
        if n_pairs == "auto":
            _refuse_rounds(mode, embedder)
            n_pairs, options["n_validation"] = FIRST_PAIRS, MAX_VALIDATION_PAIRS
        if mode == "blocks":
            options["block_size"] = embedder.block_size
        elif mode == "in_batch":
            n_validation = int(np.ceil(fraction * n_pairs))
            options["n_validation"] = min(MAX_VALIDATION_PAIRS, n_validation)
            n_pairs = N_SCALE_PAIRS
        pairs, held_out, groups = choose_pairs(
            len(measures), n_pairs, fraction, rng, **options
        )
        on_chunk = reporter.begin_labels(len(pairs))
        if with_slopes:
            probes = choose_probes(embedder, measures, held_out, rng)
        w, slopes, n_solves = label(
            embedder,
            measures,
            pairs,
            gradients=as_probes(embedder, measures, probes),
            deadline=deadline,
            on_chunk=on_chunk,
        )
        reporter.end_labels()
        pairs = pairs[: len(w)]
        groups = None if groups is None else groups[: len(w)]
        if mode == "in_batch":
            members = np.flatnonzero(~held_out)
    else:
        if mode == "in_batch":
            raise ValueError(
                "Got labels='in_batch' and distances, expected one of the two. Leave "
                "distances out, or set labels='auto' to train on them."
            )
        pairs, w = check_labels(pairs, distances, len(measures))
        w = np.ldexp(w, -embedder._unit)
        refuse_other_unit(w)
        if compare:
            warn_of_other_labels(embedder, measures, pairs, w)
        held_out = hold_out_measures(pairs, len(measures), fraction, rng)
        n_solves = 0
        if mode == "blocks":
            groups = _tile(pairs, len(measures), embedder.block_size, rng)
    n_ends = held_out[pairs].sum(axis=1)
    train, validation = np.flatnonzero(n_ends == 0), np.flatnonzero(n_ends == 2)
    if not len(train) or len(validation) < MIN_VALIDATION_PAIRS:
        train, validation = np.arange(len(pairs)), np.arange(0)
        members = None if members is None else np.arange(len(measures))
    return LabelledPairs(
        pairs, w, train, validation, n_solves, groups, members, slopes, probes
    )


class BatchLabeller:
    """Labels pairs of a batch while training, and counts what did not converge.

    Parameters
    ----------
    embedder : TrainedEmbedder
        For its `ground_truth` and `n_jobs`.
    measures : Histograms or PointClouds
        Training data.
    scale : float
        Unit of the labels.
    probes : Histograms, PointClouds or None
        Measures that slopes are toward.
    """

    def __init__(self, embedder, measures, scale, probes=None):
        ground_truth = as_ground_truth(embedder.ground_truth)
        self.gradients = as_probes(embedder, measures, probes)
        if hasattr(ground_truth, "_prepare"):
            # Once, on all measures: what is relative to the data must not change.
            measures, _, ground_truth = ground_truth._prepare(measures, measures)
        self.ground_truth, self.measures = ground_truth, measures
        self.n_jobs, self.scale = embedder.n_jobs, scale
        self.n_solves = self.n_unconverged = 0

    def __call__(self, numbers, pairs):
        """Return W and slopes of pairs of positions in `numbers`, in the unit."""
        batch = self.measures[numbers.numpy()]
        plan = ListedPairs(pairs.numpy(), CHUNK_SIZE)
        results = label_chunks(
            batch,
            batch,
            plan,
            self.ground_truth,
            gradients=self.gradients,
            n_jobs=self.n_jobs,
            in_order=True,
        )
        labels = PairLabels.concatenate([part for _, part in results])
        self.n_solves += len(labels)
        self.n_unconverged += labels.n_unconverged
        return in_units(labels.w, slopes_of(labels), self.scale)

    def warn(self):
        """Warn once of all labels that are not reliable."""
        warn_unconverged(self.n_unconverged, self.n_solves, self.ground_truth)
