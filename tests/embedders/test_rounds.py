"""n_pairs="auto": labels in rounds, as many as bring much."""

import numpy as np
import pytest
from conftest import make_small

from skwass import DeepWassersteinEmbedder, WormholeEmbedder
from skwass.embedders import _labelling, _rounds


@pytest.fixture
def few(monkeypatch):
    """Make rounds small."""
    monkeypatch.setattr(_labelling, "FIRST_PAIRS", 200)


@pytest.fixture
def plain(few):
    def fit(X, **parameters):
        common = {"n_pairs": "auto", "max_iter": 5, "reconstruction_weight": 0.0}
        return make_small(DeepWassersteinEmbedder, **{**common, **parameters}).fit(X)

    return fit


def n_training(embedder):
    n_validation = 20 * 19 // 2
    return embedder.n_pairs_ - n_validation


def test_it_labels_more_while_that_brings_much(plain, digits, monkeypatch):
    monkeypatch.setattr(_rounds, "LEAST_GAIN", -1.0)  # to the last pair
    everything = plain(digits[0])
    assert n_training(everything) == 180 * 179 // 2
    assert everything.n_solves_ == everything.n_pairs_
    n_rounds = 1 + int(np.ceil(np.log2(180 * 179 / 2 / 200)))
    assert everything.n_iter_ == 5 * n_rounds == len(everything.validation_scores_)
    monkeypatch.setattr(_rounds, "LEAST_GAIN", 1.0)  # nothing is enough
    once = plain(digits[0])
    assert n_training(once) == 400
    monkeypatch.setattr(_rounds, "LEAST_GAIN", 0.2)
    some = plain(digits[0])
    assert 400 <= n_training(some) <= n_training(everything)
    assert everything.score(digits[1]) > once.score(digits[1])


def test_the_weights_of_the_best_round_are_kept(plain, digits):
    embedder = plain(digits[0], max_iter=1, learning_rate=3e-2)
    held_out = embedder.validation_scores_
    assert len(held_out) == embedder.n_iter_
    again = plain(digits[0], max_iter=1, learning_rate=3e-2)
    assert (
        again.transform(digits[1]).tobytes() == embedder.transform(digits[1]).tobytes()
    )


def test_maps_come_once(plain, digits):
    embedder = plain(digits[0], n_maps=100)
    assert embedder.n_solves_ == embedder.n_pairs_ + 100 + 300


def test_no_label_is_solved_twice_with_memory(plain, digits, tmp_path):
    first = plain(digits[0], memory=str(tmp_path))
    again = plain(digits[0], memory=str(tmp_path))
    assert first.n_solves_ == first.n_pairs_ == again.n_pairs_
    assert again.n_solves_ == 0


def test_time_ends_rounds(plain, digits, monkeypatch):
    monkeypatch.setattr(_rounds, "LEAST_GAIN", -1.0)
    embedder = plain(digits[0], max_time=2.0, max_iter=200, n_iter_no_change=1000)
    assert n_training(embedder) < 180 * 179 // 2
    assert embedder.stopped_by_ == "max_time"


def test_what_rounds_need(digits):
    with pytest.raises(ValueError, match="Got n_pairs='auto' with"):
        make_small(DeepWassersteinEmbedder, n_pairs="auto", early_stopping=False).fit(
            digits[0]
        )
    with pytest.raises(ValueError, match="labels='in_batch'"):
        make_small(WormholeEmbedder, n_pairs="auto", labels="in_batch").fit(digits[0])


def test_learned_layers_get_single_pairs(few, digits):
    embedder = make_small(
        WormholeEmbedder, n_pairs="auto", architecture="inducing", max_iter=1
    ).fit(digits[0])
    assert n_training(embedder) >= 400


def test_given_distances_are_all_there_is(plain, digits):
    W = np.ones((200, 200)) - np.eye(200)
    embedder = make_small(DeepWassersteinEmbedder, n_pairs="auto", max_iter=1)
    assert embedder.fit(digits[0], distances=W).n_iter_ == 1
