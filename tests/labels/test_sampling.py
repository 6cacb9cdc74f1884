"""Which pairs are drawn, and which measures are held out."""

from itertools import combinations

import numpy as np
import pytest
from numpy.random import RandomState
from numpy.testing import assert_array_equal

from skwass.labels.holdout import MAX_VALIDATION_PAIRS, hold_out_measures
from skwass.ot import sample_pairs
from skwass.ot._sampling import _unrank


def rank(pairs):
    i, j = np.transpose(pairs)
    return j * (j - 1) // 2 + i


def split(pairs, held_out):
    """Return how many pairs are for validation and how many are cut."""
    n_ends = held_out[pairs].sum(axis=1)
    return np.count_nonzero(n_ends == 2), np.count_nonzero(n_ends == 1)


@pytest.mark.parametrize(
    ("n_measures", "n_pairs"),
    [(3, 1), (10, 44), (100, 2500), (60_000, 5000), (1_000_000, 5000)],
)
def test_pairs_are_distinct_and_ordered(n_measures, n_pairs):
    pairs = sample_pairs(n_measures, n_pairs, RandomState(0))
    assert pairs.shape == (n_pairs, 2)
    assert pairs.dtype == np.int64
    assert (pairs[:, 0] >= 0).all()
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert (pairs[:, 1] < n_measures).all()
    assert len(np.unique(pairs, axis=0)) == n_pairs


@pytest.mark.parametrize("n_measures", [1, 2, 7])
@pytest.mark.parametrize("n_pairs", [21, 22, 1000])
def test_all_pairs_come_back_when_more_are_asked_for(n_measures, n_pairs):
    pairs = sample_pairs(n_measures, n_pairs, RandomState(0))
    expected = list(combinations(range(n_measures), 2))
    assert sorted(map(tuple, pairs.tolist())) == expected


@pytest.mark.parametrize("n_pairs", [1, 5, 14])
def test_every_pair_is_as_likely(n_pairs):
    """Within five standard deviations over 1500 draws of 15 pairs."""
    rng = RandomState(0)
    drawn = np.concatenate([sample_pairs(6, n_pairs, rng) for _ in range(1500)])
    counts = np.bincount(rank(drawn), minlength=15)
    share = n_pairs / 15
    assert (
        np.abs(counts - 1500 * share) < 5 * (1500 * share * (1 - share)) ** 0.5
    ).all()


def test_every_measure_is_as_likely_among_many():
    ends = sample_pairs(60_000, 20_000, RandomState(0)).ravel()
    counts = np.bincount(ends // 6000, minlength=10)
    assert (np.abs(counts - 4000) < 5 * (40_000 * 0.1 * 0.9) ** 0.5).all()


def test_draws_depend_on_the_generator_alone():
    draws = [sample_pairs(500, 300, RandomState(seed)) for seed in (0, 0, 1)]
    assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


@pytest.mark.parametrize("n_measures", [300, 1_000_000, 3_000_000_000])
def test_unrank_inverts_the_rank_up_to_the_largest(n_measures):
    """Around the first rank of a column the square root could round across it."""
    columns = np.unique(np.linspace(2, n_measures, 5000).astype(np.int64))
    first = columns * (columns - 1) // 2
    last = first[-1] - 1
    near = (first + np.arange(-1, 2)[:, None]).ravel()
    ranks = np.concatenate([np.arange(1000), near, last - np.arange(1000)])
    ranks = ranks[ranks <= last]
    pairs = _unrank(ranks)
    assert_array_equal(rank(pairs), ranks)
    assert (pairs[:, 0] >= 0).all()
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert pairs.max() == n_measures - 1


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.333, 0.5])
@pytest.mark.parametrize("n_pairs", [60, 900])
def test_the_share_held_out_is_the_fraction_rounded_down(fraction, n_pairs):
    pairs = sample_pairs(101, n_pairs, RandomState(0))
    held_out = hold_out_measures(pairs, 101, fraction, RandomState(0))
    assert held_out.shape == (101,)
    assert held_out.dtype == bool
    assert held_out.sum() == int(fraction * 101)


@pytest.mark.parametrize(
    ("n_measures", "n_pairs"), [(300, 44_850), (2000, 60_000), (300, 20_000)]
)
def test_no_more_validation_pairs_than_are_of_use(n_measures, n_pairs):
    pairs = sample_pairs(n_measures, n_pairs, RandomState(0))
    held_out = hold_out_measures(pairs, n_measures, 0.9, RandomState(0))
    n_validation, _ = split(pairs, held_out)
    assert 0.9 * MAX_VALIDATION_PAIRS < n_validation <= MAX_VALIDATION_PAIRS


def test_fewer_pairs_are_cut_than_by_a_random_split():
    """Of a sparse random graph, at as many validation pairs on either side."""
    pairs = sample_pairs(6000, 20_000, RandomState(0))
    held_out = hold_out_measures(pairs, 6000, 0.1, RandomState(1))
    n_validation, n_cut = split(pairs, held_out)
    at_random = RandomState(2).permutation(6000) < 6000 * (n_validation / 20_000) ** 0.5
    n_validation_at_random, n_cut_at_random = split(pairs, at_random)
    assert n_validation >= 0.9 * n_validation_at_random
    assert n_cut < 0.6 * n_cut_at_random


@pytest.mark.parametrize("seed", range(3))
def test_blocks_of_pairs_are_taken_whole(seed):
    """Forty of 200 measures are four blocks of ten, whatever their names."""
    names = RandomState(seed).permutation(200).reshape(20, 10)
    pairs = np.array([pair for block in names for pair in combinations(block, 2)])
    held_out = hold_out_measures(
        RandomState(seed).permutation(pairs), 200, 0.2, RandomState(seed)
    )
    assert held_out.sum() == 40
    assert set(held_out[names].sum(axis=1)) == {0, 10}
    assert split(pairs, held_out) == (4 * 45, 0)


def test_measures_without_pairs_are_held_out_last():
    pairs = 3 * sample_pairs(20, 60, RandomState(0))
    for fraction, n_paired in [(0.25, 15), (0.5, 20)]:
        held_out = hold_out_measures(pairs, 60, fraction, RandomState(0))
        assert held_out[::3].sum() == n_paired
        assert held_out.sum() == int(fraction * 60)


def test_the_measures_held_out_depend_on_the_generator_alone():
    pairs = sample_pairs(200, 500, RandomState(0))
    draws = [
        hold_out_measures(pairs, 200, 0.2, RandomState(seed)) for seed in (0, 0, 1)
    ]
    assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
