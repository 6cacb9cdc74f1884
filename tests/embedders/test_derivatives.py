"""Training on derivatives: when there are any, and what they are worth."""

from functools import partial

import numpy as np
import pytest
from joblib import Memory
from toys import clouds_of, make_small, relative_error

from skwass import DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder
from skwass.architectures import ODEKENN, Convolutional, SetTransformer, Slices
from skwass.labels import InBatch
from skwass.labels.probes import choose_probes
from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, SinkhornDivergence
from skwass.ot.engine import CHUNK_SIZE

EMBEDDERS = {
    "deep": DeepWassersteinEmbedder,
    "dense": partial(DeepWassersteinEmbedder, architecture="dense"),
    "kuratowski": partial(KuratowskiEmbedder, architecture="deep_kenn"),
    "ode": KuratowskiEmbedder,
    "wormhole": WormholeEmbedder,
    "fourier": partial(WormholeEmbedder, architecture="fourier"),
}


def have_slopes(batches):
    found = {batch.slopes is not None for batch in batches}
    batches.clear()
    assert len(found) == 1
    return found.pop()


@pytest.mark.parametrize(
    "name",
    [
        "dense",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("deep", "kuratowski", "ode", "wormhole", "fourier")
        ),
    ],
)
def test_derivatives_are_worth_labels(name, digits, test_distances):
    """Of few pairs; with all else equal, the mean of two seeds.

    Without private axes, which take off more of the error than derivatives do here.
    """
    settings = {"n_pairs": 300, "max_iter": 30, "batch_size": 64, "private_axis": False}
    embedder = partial(make_small, EMBEDDERS[name], **settings)
    errors = [
        np.mean(
            [
                relative_error(
                    embedder(gradient_weight=weight, random_state=seed)
                    .fit(digits[0])
                    .pairwise_distances(digits[1]),
                    test_distances,
                )
                for seed in range(2)
            ]
        )
        for weight in (0.0, 0.3)
    ]
    assert errors[1] < 0.98 * errors[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", EMBEDDERS)
def test_exact_solves_have_derivatives(name, digits, labelled_digits, batches):
    small = partial(make_small, EMBEDDERS[name], max_iter=1, n_pairs=100)
    embedder = small().fit(digits[0])
    assert have_slopes(batches)
    embedder.partial_fit(digits[0])
    assert not have_slopes(batches)
    small(gradient_weight=0.0).fit(digits[0])
    assert not have_slopes(batches)
    X, W = labelled_digits
    small().fit(X, distances=W)
    assert not have_slopes(batches)
    for truth in (SinkhornDivergence(reg=0.1), ExactWasserstein(p=1)):
        small(ground_truth=truth).fit(digits[0])
        assert not have_slopes(batches)


@pytest.mark.parametrize(
    ("embedder", "parameters", "expected"),
    [
        (DeepWassersteinEmbedder, {"architecture": Convolutional((4,), (8,))}, True),
        (DeepWassersteinEmbedder, {"exact_mean": False}, False),
        (DeepWassersteinEmbedder, {"architecture": "dense"}, True),
        (KuratowskiEmbedder, {"architecture": ODEKENN(adjoint=True)}, False),
        (
            KuratowskiEmbedder,
            {"architecture": ODEKENN("dense", aggregation="l1")},
            True,
        ),
        (WormholeEmbedder, {"architecture": "fourier", "exact_mean": False}, True),
        (WormholeEmbedder, {"architecture": SetTransformer(n_inducing=8)}, False),
        (WormholeEmbedder, {"labels": InBatch(5)}, True),
    ],
)
def test_networks_that_can_use_them_do(embedder, parameters, expected, digits, batches):
    make_small(embedder, max_iter=1, n_pairs=50, **parameters).fit(digits[0])
    assert have_slopes(batches) == expected


def test_clouds_have_them_too(batches):
    clouds = clouds_of(np.random.default_rng(0).integers(5, 20, size=60), dim=3)
    make_small(WormholeEmbedder, grid_shape=None, max_iter=1).fit(clouds)
    assert have_slopes(batches)


def test_a_matrix_of_ground_distances_has_them(digits, batches):
    metric = np.abs(np.subtract.outer(np.arange(64), np.arange(64))) / 8
    truth = ExactWasserstein(ground_metric=metric)
    parameters = {"architecture": "auto", "ground_truth": truth, "max_iter": 1}
    make_small(DeepWassersteinEmbedder, **parameters).fit(digits[0])
    assert have_slopes(batches)


def test_memory_keeps_them(small, digits, tmp_path):
    embedder = small(memory=Memory(tmp_path, verbose=0), max_iter=1)
    Z = embedder.fit(digits[0]).transform(digits[1])
    again = embedder.set_params(architecture=Slices((64,))).fit(digits[0])
    assert again.n_solves_ == 0
    np.testing.assert_array_equal(again.transform(digits[1]), Z)
    embedder.set_params(gradient_weight=0.0).fit(digits[0])
    assert embedder.n_solves_ > 0  # labels alone are another answer


def test_going_on_uses_them_again(small, digits, batches):
    embedder = small(warm_start=True, max_iter=1).fit(digits[0])
    assert have_slopes(batches)
    embedder.fit(digits[0])
    assert have_slopes(batches)


def test_derivatives_are_used_of_labels_made_in_time(small, digits, batches, clock):
    """Half of the time is for labels, which come in chunks."""
    clock.charge(1.0, ExactWasserstein, "_solve")
    embedder = small(max_time=1_000.0, n_pairs=20_000).fit(digits[0])
    assert embedder.n_pairs_ == 2 * CHUNK_SIZE > 500
    assert have_slopes(batches)


def test_labels_that_a_deadline_cut_off_are_not_remembered(
    small, digits, clock, tmp_path
):
    clock.charge(1.0, ExactWasserstein, "_solve")
    embedder = small(memory=str(tmp_path), n_pairs=700, max_iter=1, max_time=400.0)
    assert embedder.fit(digits[0]).n_solves_ == CHUNK_SIZE
    embedder.set_params(max_time=None).fit(digits[0])
    assert embedder.n_solves_ == embedder.n_pairs_ == 770
    embedder.set_params(max_time=400.0).fit(digits[0])  # all are there by now
    assert (embedder.n_solves_, embedder.n_pairs_) == (0, 770)


def test_probes_are_training_measures():
    measures = as_measures(np.eye(20) + 1)
    held_out = np.arange(20) < 15
    rng = np.random.RandomState(0)
    probes = choose_probes(measures, held_out, rng, centred=False)
    assert len(probes) == 5
    rows = {row.tobytes() for row in measures.masses[15:]}
    assert {row.tobytes() for row in probes.masses} == rows


def test_a_fit_that_goes_on_keeps_its_kind_of_network(small, digits, batches):
    """Parameters may say otherwise by then."""
    embedder = small(warm_start=True, max_iter=1, exact_mean=False).fit(digits[0])
    assert not have_slopes(batches)
    embedder.set_params(architecture="dense")
    with pytest.warns(UserWarning, match="it stays as it is"):
        embedder.fit(digits[0])
    assert not have_slopes(batches)
    other = small(warm_start=True, max_iter=1).fit(digits[0])
    assert have_slopes(batches)
    other.set_params(architecture="dense", exact_mean=False)
    with pytest.warns(UserWarning, match="it stays as it is"):
        other.fit(digits[0])
    assert have_slopes(batches)


@pytest.mark.filterwarnings("ignore:Got labels that are all 0")
@pytest.mark.parametrize("name", EMBEDDERS)
def test_equal_measures_do_no_harm(name):
    X = np.tile([1.0, 2.0, 3.0], (12, 1))
    small = partial(make_small, EMBEDDERS[name], grid_shape=None, max_iter=2)
    Z = small(n_pairs=30).fit(X).transform(X)
    assert np.isfinite(Z).all()
    assert np.abs(Z - Z[0]).max() < 1e-6


def test_bad_weights(small, digits):
    with pytest.raises(ValueError, match="gradient_weight"):
        small(gradient_weight=-1.0).fit(digits[0])
