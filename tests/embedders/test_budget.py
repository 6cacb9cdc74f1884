"""Time that is limited: what it is spent on, on a clock that a test moves."""

from functools import partial

import numpy as np
import pytest

from skwass import DeepWassersteinEmbedder
from skwass.embedders._budget import Budget, Speeds, choose_budget
from skwass.nn.objectives import PairObjective
from skwass.ot import ExactWasserstein, pairwise_wasserstein

# A solve takes a millisecond, a step four, and twenty with derivatives.
SPEEDS = Speeds(1e-3, 1e-5, (4e-3, 1e-5), (2e-2, 5e-5))


def budget(seconds, speeds=SPEEDS, with_slopes=True, n_measures=60_000, **more):
    settings = {"batch_size": "auto", "max_iter": "auto", **more}
    return Budget(0.0, 0.0, seconds, n_measures, speeds, with_slopes, **settings)


def test_more_time_is_for_more_labels():
    plain = [
        choose_budget(budget(seconds, with_slopes=False), 1, False)
        for seconds in (30, 100, 300, 1_000, 3_000)
    ]
    numbers = [one.expected_pairs for one in plain]
    assert (np.diff(numbers) > 0).all()
    for one in plain[1:]:  # the whole schedule fits
        spent = one.expected_pairs * SPEEDS.solve
        assert spent + one.training_seconds(one.expected_pairs) <= one.seconds
    # And if it cannot, two fifths of the time are for labels.
    short = choose_budget(budget(5.0, with_slopes=False), 1, False)
    assert 0.3 < short.expected_pairs * SPEEDS.solve / 5.0 < 0.45


def test_derivatives_are_for_expensive_labels():
    cheap, costly = (SPEEDS._replace(solve=solve) for solve in (1e-4, 1e-1))
    assert not choose_budget(budget(100, cheap), 1, True).with_slopes
    assert choose_budget(budget(1_000, costly), 1, True).with_slopes
    assert choose_budget(budget(100, cheap), 1, False).with_slopes  # as it was asked
    assert not choose_budget(budget(1_000, costly, False), 1, True).with_slopes


def test_workers_count():
    one, four = (choose_budget(budget(300), n, False) for n in (1, 4))
    assert four.expected_pairs > 1.2 * one.expected_pairs


def test_what_the_user_set_stays():
    few = choose_budget(budget(300, max_iter=2), 1, False)
    many = choose_budget(budget(300, max_iter=200), 1, False)
    assert few.expected_pairs > many.expected_pairs
    assert few.summary(1_000)["n_epochs"] == 2
    assert budget(300, batch_size=100).batches(1_000) == 10


def test_few_measures_have_few_pairs():
    assert choose_budget(budget(10**4, n_measures=10), 1, False).expected_pairs == 45


def test_nothing_takes_no_time():
    instant = Speeds(0.0, 0.0, (0.0, 0.0), None)
    chosen = choose_budget(budget(10.0, instant, with_slopes=False), 1, True)
    assert chosen.expected_pairs > 10**5
    assert chosen.summary(1_000)["pairs_per_second"] > 1e6


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [40.0, pytest.param(100.0, marks=pytest.mark.slow)])
def test_it_is_kept(seconds, digits, clock, small):
    """A solve takes 10 ms and a step 100 ms; labels come in chunks of 256.

    The schedule, of 4,500 steps, is cut, and two fifths of the time are for labels.
    """
    clock.charge(0.01, ExactWasserstein, "_solve")
    clock.charge(0.1, PairObjective, "__call__")
    free = dict.fromkeys(["n_pairs", "max_iter", "batch_size"], "auto")
    embedder = small(**free, max_time=seconds)
    embedder.fit(digits[0])
    assert 0.9 * seconds < clock.now() < seconds + 0.2
    assert embedder.n_pairs_ == pytest.approx(0.38 * seconds / 0.01, abs=300)
    assert embedder.budget_["n_pairs"] == pytest.approx(embedder.n_pairs_, rel=0.2)
    assert embedder.budget_["pairs_per_second"] == pytest.approx(100, rel=0.01)
    assert embedder.n_solves_ == embedder.n_pairs_ + 32
    assert embedder.score(digits[1]) > 0.5


def test_it_is_told(digits, clock, small, capsys):
    clock.charge(0.01, ExactWasserstein, "_solve")
    clock.charge(0.5, PairObjective, "__call__")
    small(n_pairs="auto", max_time=60.0, verbose=1).fit(digits[0])
    assert "100 pairs and" in capsys.readouterr().out


def test_it_is_not_planned_where_the_user_did(digits, clock, small):
    clock.charge(0.01, ExactWasserstein, "_solve")
    clock.charge(0.2, PairObjective, "__call__")
    fit = partial(small, max_time=20.0, max_iter=2)
    assert fit(n_pairs=100).fit(digits[0]).budget_ is None
    assert fit(n_pairs="auto", n_maps=20).fit(digits[0]).budget_ is None
    pairs = np.column_stack([np.arange(50), np.arange(50) + 50])
    W = pairwise_wasserstein(digits[0], pairs=pairs, grid_shape=(8, 8))
    given = fit(n_pairs="auto").fit(digits[0], pairs=pairs, distances=W)
    assert given.budget_ is None


@pytest.mark.slow
def test_it_is_found_again_in_a_pickle_not_in_a_file(digits, clock, small, tmp_path):
    clock.charge(0.2, PairObjective, "__call__")
    clock.charge(0.01, ExactWasserstein, "_solve")
    embedder = small(n_pairs="auto", max_time=20.0).fit(digits[0])
    embedder.save(tmp_path / "file")
    again = DeepWassersteinEmbedder.load(tmp_path / "file")
    assert not hasattr(again, "budget_")
    assert np.array_equal(again.transform(digits[1]), embedder.transform(digits[1]))
