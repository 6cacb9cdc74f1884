"""Which pairs are drawn, and how labelled pairs are split."""

import numpy as np
import pytest

from skwass.labels.holdout import MAX_VALIDATION_PAIRS
from skwass.labels.pairs import choose_pairs
from skwass.ot import ExactWasserstein


@pytest.mark.parametrize("n_measures", [20, 300])
@pytest.mark.parametrize("fraction", [0.1, 0.4])
def test_no_drawn_pair_joins_training_and_validation(n_measures, fraction):
    rng = np.random.RandomState(0)
    pairs, held_out, _ = choose_pairs(n_measures, 500, fraction, rng)
    n_ends = held_out[pairs].sum(axis=1)
    assert set(n_ends) == {0, 2}
    assert held_out.sum() == int(fraction * n_measures)
    n_train = n_measures - held_out.sum()
    assert (n_ends == 0).sum() == min(500, n_train * (n_train - 1) // 2)
    assert len(np.unique(np.sort(pairs, axis=1), axis=0)) == len(pairs)
    # Both kinds are spread over the order, so that a deadline leaves some of each.
    assert 2 in n_ends[: len(pairs) // 2]


def test_validation_pairs_are_bounded():
    pairs, held_out, _ = choose_pairs(5_000, 60_000, 0.1, np.random.RandomState(0))
    assert held_out[pairs].all(axis=1).sum() == MAX_VALIDATION_PAIRS


@pytest.mark.parametrize("n_measures", [2, 3, 9])
def test_too_few_measures_to_hold_out(n_measures):
    pairs, held_out, _ = choose_pairs(n_measures, 100, 0.2, np.random.RandomState(0))
    assert not held_out.any()
    assert len(pairs) == n_measures * (n_measures - 1) // 2


def test_early_stopping_needs_no_validation_to_go_on(small, digits):
    embedder = small(validation_fraction=0.01).fit(digits[0][:20])
    assert embedder.validation_scores_ == []
    assert embedder.n_iter_ == embedder.max_iter


def test_the_ground_truth_is_asked_for_each_pair_once(small, digits, monkeypatch):
    solved = []
    solve = ExactWasserstein._solve

    def counted(self, mu, nu, *, needs_plan):
        solved.append(1)
        return solve(self, mu, nu, needs_plan=needs_plan)

    monkeypatch.setattr(ExactWasserstein, "_solve", counted)
    embedder = small(max_iter=1, n_jobs=2).fit(digits[0])
    assert len(solved) == embedder.n_pairs_ == embedder.n_solves_
    assert embedder.n_pairs_ == 100 + 10


def test_scale_is_the_root_mean_square_of_training_labels(small, labelled_digits):
    X, W = labelled_digits
    embedder = small(max_iter=1, early_stopping=False).fit(X, distances=W)
    upper = W[np.triu_indices(len(W), k=1)]
    expected = np.sqrt(np.mean(upper**2))
    assert float(embedder.module_.scale) == pytest.approx(expected, rel=1e-6)
