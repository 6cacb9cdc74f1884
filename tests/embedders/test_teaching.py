"""Maps that teach a network before pairs do."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from toys import make_small

from skwass import (
    DeepWassersteinEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    WormholeEmbedder,
)
from skwass.architectures import Slices
from skwass.embedders import _trained
from skwass.labels.maps import learn_maps
from skwass.labels.pairs import LabelledPairs
from skwass.labels.solve import Labeller
from skwass.measures import as_measures
from skwass.nn.objectives import PairObjective
from skwass.nn.pairs import FreshPairs, RowDistances
from skwass.ot import ExactWasserstein, GromovWasserstein

LABELLER = Labeller("exact")


def labelled_pairs(pairs, w, n_validation=0):
    rows = np.arange(len(pairs))
    train, validation = rows[n_validation:], rows[:n_validation]
    return LabelledPairs(np.asarray(pairs), np.asarray(w), train, validation, 0)


def test_maps_are_of_training_measures_and_near_w(digits, test_distances):
    measures = as_measures(digits[1], grid_shape=(8, 8))
    rng = np.random.RandomState(0)
    validation = [[0, 1], [2, 3]]
    pairs = rng.randint(4, 100, size=(300, 2))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    pairs = np.concatenate([validation, pairs])
    labelled = labelled_pairs(pairs, test_distances[tuple(pairs.T)], 2)
    numbers, Z, n_solves = learn_maps(LABELLER, 40, measures, labelled, 0)
    assert len(numbers) == len(Z) == 40
    assert n_solves == 40 + 3 * 40  # maps, and a barycenter for a reference
    assert (np.diff(numbers) > 0).all()
    # Those that pairs join come first, and none that is held out.
    assert set(numbers) <= set(pairs[2:].ravel())
    numbers, Z, _ = learn_maps(LABELLER, 10**6, measures, labelled, 0)
    assert_array_equal(numbers, np.arange(4, 100))
    i, j = np.triu_indices(96, k=1)
    W = test_distances[np.ix_(numbers, numbers)]
    assert np.corrcoef(cdist(Z, Z)[i, j], W[i, j])[0, 1] > 0.98


def test_maps_without_a_label(digits):
    measures = as_measures(digits[1], grid_shape=(8, 8))
    nothing = labelled_pairs(np.empty((0, 2), dtype=int), [])
    numbers, Z, _ = learn_maps(LABELLER, 30, measures, nothing, 0)
    assert len(numbers) == len(Z) == 30


def test_row_distances_label_fresh_pairs():
    rows = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    numbers = torch.arange(0, 60, 3)
    batches = FreshPairs(
        numbers, RowDistances(rows, numbers), 6, 4, torch.device("cpu")
    )
    for batch in batches.epoch(torch.Generator().manual_seed(1)):
        own = rows[batch.measures // 3]
        expected = (own[batch.left] - own[batch.right]).norm(dim=1)
        assert_allclose(batch.w, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "embedder",
    [
        WormholeEmbedder,
        pytest.param(DeepWassersteinEmbedder, marks=pytest.mark.slow),
        pytest.param(KuratowskiEmbedder, marks=pytest.mark.slow),
    ],
    ids=lambda embedder: embedder.__name__,
)
def test_maps_teach_what_few_pairs_cannot(embedder, digits, test_distances):
    """With 100 pairs alone, nothing is learned; with as many maps as measures, much."""
    i, j = np.triu_indices(100, k=1)
    errors, solves = [], []
    for n_maps in (0, 200):
        fitted = make_small(
            embedder,
            n_pairs=100,
            max_iter=8,
            n_maps=n_maps,
            decoder=None,
            early_stopping=False,
        ).fit(digits[0])
        d = fitted.pairwise_distances(digits[1])[i, j]
        errors.append(np.mean((d**2 - test_distances[i, j] ** 2) ** 2))
        solves.append(fitted.n_solves_)
        assert fitted.n_iter_ == (16 if n_maps else 8)
        assert len(fitted.loss_curve_) == fitted.n_iter_
    assert solves == [100, 100 + 300 + 200]
    assert errors[1] < 0.7 * errors[0]


def test_clouds_learn_maps_too():
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(rng.integers(5, 20), 3)) * f for f in (1, 2, 3) * 15]
    embedder = WormholeEmbedder(n_maps=30, n_pairs=100, max_iter=2, random_state=0).fit(
        clouds
    )
    assert embedder.n_iter_ == 4
    assert embedder.score(clouds) > 0.5


def test_no_map_is_solved_without_being_asked(digits, small, monkeypatch):
    def refuse(*args):
        raise AssertionError

    embedder = small(max_iter=1, n_maps=50, warm_start=True).fit(digits[0])
    monkeypatch.setattr(_trained, "learn_maps", refuse)
    small(max_iter=1).fit(digits[0])
    embedder.fit(digits[0])  # goes on from what maps have taught
    embedder.partial_fit(digits[0])


@pytest.mark.parametrize("truth", [ExactWasserstein(p=1), GromovWasserstein()])
def test_distances_without_maps_are_refused(truth):
    clouds = np.random.default_rng(0).normal(size=(12, 5, 2))
    embedder = WormholeEmbedder(ground_truth=truth, n_maps=5, n_pairs=20, max_iter=1)
    with pytest.raises(ValueError, match="whose plans are maps"):
        embedder.fit(clouds)


def test_same_seed_same_bytes_with_maps(digits, small):
    one, other = (
        small(max_iter=1, n_maps=50).fit(digits[0]).transform(digits[1])
        for _ in range(2)
    )
    assert one.tobytes() == other.tobytes()


def test_time_is_shared_with_maps(digits, small, test_distances, batches, clock):
    """Half of the steps, of a second each, are on maps: one epoch has a hundred."""
    clock.charge(1.0, PairObjective, "__call__")
    limits = {"max_iter": 10**4, "max_time": 80.0, "n_iter_no_change": 10**6}
    embedder = small(n_maps=50, **limits).fit(digits[0])
    assert embedder.stopped_by_ == "max_time"
    n_steps = 40 + 1  # the last one begins when time is up
    n_pairs = [len(batch.w) for batch in batches]
    assert n_pairs[:n_steps] == [50 * 49 // 2] * n_steps
    assert len(n_pairs) in (2 * n_steps - 1, 2 * n_steps)
    assert max(n_pairs[n_steps:]) <= 128
    few = np.triu_indices(100, k=1)
    found = embedder.pairwise_distances(digits[1])[few]
    assert np.corrcoef(found, test_distances[few])[0, 1] > 0.5


def test_one_map_has_no_distances(digits, small):
    with pytest.raises(ValueError, match="n_maps"):
        small(n_maps=1).fit(digits[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trained", "linear"])
def test_memory_keeps_maps(name, digits, tmp_path):
    """Also for another network: maps do not depend on it."""
    fits = []
    for widths in ((64,), (64,), (32,)):
        if name == "linear":
            embedder = LinearOTEmbedder(
                2, n_reference=16, n_maps=50, random_state=0, memory=str(tmp_path)
            )
        else:
            embedder = make_small(
                DeepWassersteinEmbedder,
                n_maps=50,
                memory=str(tmp_path),
                architecture=Slices(widths),
            )
        fits.append(embedder.set_params(grid_shape=(8, 8)).fit(digits[0]))
    first, again, other = fits
    n_reference = 3 * 100 if name == "linear" else 0  # drawn anew, and solved
    assert first.n_solves_ > 50 + n_reference
    assert again.n_solves_ == other.n_solves_ == n_reference
    assert again.transform(digits[1]).tobytes() == first.transform(digits[1]).tobytes()
