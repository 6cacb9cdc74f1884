"""Which pairs are labelled: drawn, in blocks or one by one, split by measures."""

from typing import NamedTuple

import numpy as np

from ..ot import sample_pairs
from .holdout import MAX_VALIDATION_PAIRS, MIN_VALIDATION_PAIRS

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

    @classmethod
    def split(cls, pairs, w, held_out, n_solves, **more):
        """Split pairs by the measures that they join.

        Without training pairs, or with fewer than `MIN_VALIDATION_PAIRS` others, all
        are for training.

        Parameters
        ----------
        pairs, w, n_solves, **more
            As in the record.
        held_out : ndarray of bool of shape (n_measures,)
            Measures for validation. Pairs that join both sides are for neither.
        """
        n_ends = held_out[pairs].sum(axis=1)
        train, validation = np.flatnonzero(n_ends == 0), np.flatnonzero(n_ends == 2)
        if not len(train) or len(validation) < MIN_VALIDATION_PAIRS:
            train, validation = np.arange(len(pairs)), np.arange(0)
            if more.get("members") is not None:
                more["members"] = np.arange(len(held_out))
        return cls(pairs, w, train, validation, n_solves, **more)


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
        Draw all pairs of blocks of this many measures for training; single ones if
        None.

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
        return pairs, group_by_blocks(pairs, n_measures, block_size, rng)
    seen: set[int] = set()
    keys: list[int] = []
    groups: list[int] = []
    number = 0
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


def group_by_blocks(pairs, n_measures, block_size, rng):
    """Number given pairs by the blocks of measures that they join."""
    block = rng.permutation(n_measures) // block_size
    ends = np.sort(block[pairs], axis=1)
    return np.unique(ends[:, 0] * n_measures + ends[:, 1], return_inverse=True)[1]
