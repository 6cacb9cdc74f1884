"""labels="doubling": labels in rounds, as many as bring much."""

import numpy as np
import pytest
import torch
from toys import make_small

from skwass import DeepWassersteinEmbedder, WormholeEmbedder
from skwass.architectures import SetTransformer
from skwass.embedders._rounds import train_in_rounds
from skwass.labels import Doubling
from skwass.labels.solve import Labeller
from skwass.nn.objectives import PairObjective
from skwass.nn.train import TrainingResult
from skwass.ot import ExactWasserstein
from skwass.ot.engine import CHUNK_SIZE

# Rounds go on to the last pair, or end with the second: nothing is enough.
TO_THE_LAST, TWO = Doubling(least_gain=-1.0), Doubling(least_gain=0.99)


@pytest.fixture
def plain():
    def fit(X, **parameters):
        common = {
            "labels": "doubling",
            "n_pairs": 200,
            "max_iter": 5,
            "batch_size": 64,
            "decoder": None,
            "gradient_weight": 0,
        }
        return make_small(DeepWassersteinEmbedder, **{**common, **parameters}).fit(X)

    return fit


@pytest.fixture
def images(digits):
    """Return so few that rounds soon come to the last pair: 72 are for training."""
    return digits[0][:80]


N_TRAINING, N_VALIDATION = 72 * 71 // 2, 8 * 7 // 2


def n_training(embedder):
    return embedder.n_pairs_ - N_VALIDATION


def test_it_labels_more_while_that_brings_much(plain, images, digits):
    everything = plain(images, labels=TO_THE_LAST)
    assert n_training(everything) == N_TRAINING
    assert everything.n_solves_ == everything.n_pairs_
    n_rounds = 1 + int(np.ceil(np.log2(N_TRAINING / 200)))
    assert everything.n_iter_ == 5 * n_rounds == len(everything.validation_scores_)
    once = plain(images, labels=TWO)
    assert n_training(once) == 400
    some = plain(images)
    assert 400 <= n_training(some) <= n_training(everything)
    best, of_two = (max(one.validation_scores_) for one in (everything, once))
    assert best > of_two


@pytest.mark.parametrize(("score", "is_kept"), [(0.6, True), (0.4, False)])
def test_a_round_that_made_it_worse_is_undone(score, is_kept):
    """Its labels stay."""
    module, first = torch.nn.Linear(2, 1), TrainingResult([1.0], [0.5], "max_iter")
    before = [weights.clone() for weights in module.state_dict().values()]

    def fit_round(labelled):
        assert labelled == "more labels"
        for weights in module.parameters():
            torch.nn.init.constant_(weights, 7.0)
        return TrainingResult([0.9], [score], "callback")

    labelled, result = train_in_rounds(
        module,
        first,
        fit_round,
        lambda labelled: f"more {labelled}",
        "labels",
        deadline=None,
        least_gain=0.2,
    )
    assert labelled == "more labels"
    assert result == ([1.0, 0.9], [0.5, score], "callback")
    for weights, old in zip(module.state_dict().values(), before, strict=True):
        assert torch.equal(weights, torch.full_like(old, 7.0) if is_kept else old)


def test_the_best_of_all_rounds_stays():
    """Where error may rise: the first was best, and a better third is no progress."""
    module = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(module.weight, 0.0)
    scores = iter([0.5, 0.6, 0.55])

    def fit_round(labelled):
        torch.nn.init.constant_(module.weight, float(labelled))
        return TrainingResult([0.9], [next(scores)], "max_iter")

    first = TrainingResult([1.0], [0.7], "max_iter")

    def more(labelled):
        return labelled + 1 if labelled < 3 else None

    train_in_rounds(module, first, fit_round, more, 0, deadline=None, least_gain=-9.0)
    assert module.weight.item() == 0.0


def test_too_few_to_judge_rounds_by(images):
    embedder = make_small(DeepWassersteinEmbedder, labels="doubling", n_pairs=50)
    with pytest.warns(UserWarning, match=r"Got labels=Doubling\(\) and too few"):
        embedder.fit(images[:30])
    assert embedder.n_pairs_ < 60


def test_the_same_seed_gives_the_same_rounds(plain, images):
    one, other = (plain(images, max_iter=1, learning_rate=3e-2) for _ in range(2))
    assert one.validation_scores_ == other.validation_scores_
    assert one.transform(images).tobytes() == other.transform(images).tobytes()


def test_derivatives_come_with_all_rounds(plain, images, batches):
    embedder = plain(images, gradient_weight=0.3, max_iter=1, labels=TWO)
    assert n_training(embedder) == 400
    assert all(batch.slopes is not None for batch in batches)
    rows = sum(len(batch.slopes) for batch in batches)
    assert rows == 200 + 400


def test_maps_come_once(plain, images):
    embedder = plain(images, n_maps=50)
    assert embedder.n_solves_ == embedder.n_pairs_ + 50 + 3 * 50


def test_no_label_is_solved_twice_with_memory(plain, images, tmp_path):
    first = plain(images, memory=str(tmp_path))
    again = plain(images, memory=str(tmp_path))
    assert first.n_solves_ == first.n_pairs_ == again.n_pairs_
    assert again.n_solves_ == 0


def test_time_ends_rounds(plain, images, clock):
    """Training takes a second per step; the second round is cut off."""
    clock.charge(1.0, PairObjective, "__call__")
    embedder = plain(images, labels=TO_THE_LAST, max_time=50.0)
    assert embedder.n_iter_ > 5
    assert n_training(embedder) == 400
    assert embedder.stopped_by_ == "max_time"


def test_half_of_the_time_that_is_left_is_for_labels(plain, images, monkeypatch, clock):
    """A solve takes a second and training nothing; chunks that began are finished."""
    clock.charge(1.0, ExactWasserstein, "_solve")
    n_labels, original = [], Labeller.label

    def spy(*args, **kwargs):
        labels = original(*args, **kwargs)
        n_labels.append(len(labels[0]))
        return labels

    monkeypatch.setattr(Labeller, "label", spy)
    plain(images, labels=TO_THE_LAST, max_time=2_000.0)
    # From 828 s on, 586 are half of what is left.
    assert n_labels[1:4] == [200, 400, 3 * CHUNK_SIZE]


def test_what_rounds_need(digits):
    with pytest.raises(
        ValueError, match="Got labels=Doubling.* with early_stopping=False"
    ):
        make_small(
            DeepWassersteinEmbedder, labels="doubling", early_stopping=False
        ).fit(digits[0])
    with pytest.raises(ValueError, match="'least_gain' parameter of Doubling"):
        make_small(DeepWassersteinEmbedder, labels=Doubling(1.0)).fit(digits[0])


@pytest.mark.slow
def test_learned_layers_get_single_pairs(images):
    embedder = make_small(
        WormholeEmbedder,
        labels="doubling",
        n_pairs=200,
        architecture=SetTransformer(point_width=16, n_inducing=4),
        max_iter=1,
    ).fit(images)
    assert n_training(embedder) >= 400


def test_given_distances_are_all_there_is(images):
    W = np.ones((80, 80)) - np.eye(80)
    embedder = make_small(DeepWassersteinEmbedder, labels="doubling", max_iter=1)
    with pytest.warns(UserWarning, match="times W, by no common factor"):
        assert embedder.fit(images, distances=W).n_iter_ == 1
