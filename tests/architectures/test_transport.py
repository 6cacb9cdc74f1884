"""Networks that start with linear optimal transport, for many dimensions."""

import copy
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from toys import make_small

from skwass import (
    DeepWassersteinEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    WormholeEmbedder,
)
from skwass.architectures import DeepKENN, Fourier, TransportMaps
from skwass.measures import as_measures
from skwass.nn.readouts import PrivateAxis, lengths_to_columns
from skwass.nn.transport_inputs import TransportInput
from skwass.ot import pairwise_wasserstein

DIM = 12
SMALL = {"grid_shape": None, "n_components": 16, "architecture": "auto"}


def small_clouds(n_clouds, seed, n_points=6):
    """Draw clouds of a few of many points, about means that differ."""
    rng = np.random.default_rng(seed)
    pool = rng.normal(size=(200, DIM)) * np.linspace(2, 0.2, DIM)
    shifts = rng.normal(size=(n_clouds, 1, DIM)) * np.linspace(1, 0.1, DIM)
    return pool[rng.integers(200, size=(n_clouds, n_points))] + shifts


@pytest.fixture(scope="module")
def data():
    clouds = small_clouds(260, 0)
    return clouds[:200], clouds[200:], pairwise_wasserstein(clouds[200:])


@pytest.fixture(scope="module")
def fitted(data):
    return make_small(WormholeEmbedder, **SMALL, n_pairs=2_000, max_iter=8).fit(data[0])


def error_of(embedder, clouds, W):
    rows = np.triu_indices(len(W), 1)
    return np.mean((embedder.pairwise_distances(clouds)[rows] - W[rows]) ** 2)


@pytest.mark.parametrize(
    ("embedder", "expected"),
    [
        (WormholeEmbedder, "TransportMaps(n_reference=6)"),
        (DeepWassersteinEmbedder, "TransportMaps(n_reference=128)"),
        (KuratowskiEmbedder, "DeepKENN(backbone=TransportMaps(n_reference=128"),
    ],
)
def test_is_the_default_for_w2_in_many_dimensions(data, embedder, expected):
    X, options = data[0], SMALL
    if embedder is not WormholeEmbedder:
        rng = np.random.default_rng(0)
        X = rng.random((30, 20)) + 0.1
        options = {**SMALL, "support": rng.normal(size=(20, 5))}
        if embedder is KuratowskiEmbedder:
            options["architecture"] = "deep_kenn"
    made = make_small(embedder, **options, max_iter=1).fit(X)
    assert (
        repr(made.architecture_).replace("widths=(512, 512), ", "").startswith(expected)
    )


@pytest.mark.slow
def test_learns_from_the_formula_on(data, fitted):
    """Untrained it is as good as its formula; trained, it has not lost that."""
    train, test, W = data
    formula = LinearOTEmbedder(16, random_state=0).fit(train)
    untrained = make_small(
        WormholeEmbedder, **SMALL, max_iter=1, learning_rate=1e-9
    ).fit(train)
    waves = make_small(
        WormholeEmbedder,
        **{**SMALL, "architecture": Fourier()},
        n_pairs=2_000,
        max_iter=8,
    ).fit(train)
    errors = [error_of(x, test, W) for x in (fitted, formula, untrained, waves)]

    assert errors[2] < 1.2 * errors[1]
    assert errors[0] < 1.2 * errors[1]
    assert errors[0] < 0.5 * errors[3]


@pytest.mark.parametrize("private_axis", [True, False])
@pytest.mark.parametrize("n_components", [16, 32])
def test_starts_as_accurate_as_linear_ot(data, n_components, private_axis):
    """With the mean among the axes, or exact, in columns of its own."""
    train, test, W = data
    options = {**SMALL, "n_components": n_components, "private_axis": private_axis}
    formula = LinearOTEmbedder(
        n_components, private_axis=private_axis, random_state=0
    ).fit(train)
    untrained = make_small(
        WormholeEmbedder, **options, n_pairs=1_000, max_iter=1, learning_rate=1e-9
    ).fit(train)
    assert (untrained.module_.n_exact > 0) == (n_components == 32)
    limit = 1.3 * error_of(formula, test, W)
    assert error_of(untrained, test, W) < limit


def test_axes_that_are_missing_are_zero():
    """Fewer measures than principal axes; what random ones do not hold is dropped."""
    rng = np.random.default_rng(0)
    clouds = as_measures(rng.normal(size=(15, 6, 50)))
    inputs = TransportInput(50, 6, 64, 8, exact_mean=False)
    generator = torch.Generator().manual_seed(0)
    inputs.fit_to(clouds, generator, np.empty((0, 2), dtype=int), np.empty(0))
    axes, n_principal = inputs.axes.numpy(), 64 - int(inputs.n_sketched)
    gram = axes[:n_principal] @ axes[:n_principal].T
    assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-5)
    assert set(np.diag(gram).round(5)) == {0.0, 1.0}
    assert (np.abs(axes[n_principal:64]).sum(axis=1) > 0).all()
    # Of training measures principal axes hold all but the mean of all.
    rows = inputs.rows(clouds, torch.device("cpu")).numpy()
    assert rows[:, -3].max() < 1e-3


@pytest.mark.parametrize(
    ("clouds", "options"),
    [
        (np.zeros((30, 4, 5)) + np.eye(5)[:4], {}),
        (np.random.default_rng(0).normal(size=(30, 1, 5)), {"exact_mean": True}),
    ],
    ids=["equal", "points"],
)
def test_what_does_not_vary_is_no_error(clouds, options):
    made = make_small(
        WormholeEmbedder, **{**SMALL, "max_iter": 1}, **options, n_pairs=100
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        made.fit(clouds)
    W = pairwise_wasserstein(clouds)
    error = np.abs(made.pairwise_distances(clouds) - W).max()
    assert error <= 0.05 * W.max()


def test_threads_change_nothing(data, fitted):
    test = data[1]
    Z = fitted.transform(test)
    again = clone_with_threads(fitted)
    assert_allclose(again.transform(test), Z, atol=1e-6 * np.abs(Z).max())


def clone_with_threads(fitted):
    """Return a copy of a fitted embedder that embeds in two threads."""
    again = copy.deepcopy(fitted)
    return again.set_params(n_jobs=2)


def test_labels_in_another_unit_leave_shapes_in_place(data):
    """As far below the distances of means as given labels may be."""
    train, test, W = data
    pairs = np.column_stack(np.triu_indices(60, 1))
    w = 0.3 * pairwise_wasserstein(train[:60], pairs=pairs)
    made = make_small(WormholeEmbedder, **SMALL, max_iter=3)
    with pytest.warns(UserWarning, match="0.3 times W"):
        made.fit(train[:60], pairs=pairs, distances=w)
    assert float(made.module_.inputs.factor) == 1.0


def test_is_sample_wise_and_blind_to_the_order_of_points(data, fitted):
    test = data[1]
    Z = fitted.transform(test)
    alone = np.concatenate([fitted.transform(test[i : i + 1]) for i in range(9)])
    assert_allclose(alone, Z[:9], atol=1e-5 * np.abs(Z).max())
    assert_allclose(fitted.transform(test[:, ::-1]), Z, atol=1e-5 * np.abs(Z).max())


@pytest.mark.parametrize("n_components", [4, 16, 30, 64])
def test_takes_data_of_few_axes(n_components):
    """Fewer measures and points than are wanted; columns that nothing fills stay."""
    clouds = small_clouds(9, 1, n_points=2)
    made = make_small(
        WormholeEmbedder,
        grid_shape=None,
        n_components=n_components,
        max_iter=1,
        architecture=TransportMaps((8,), n_reference=40),
    ).fit(clouds)
    Z = made.transform(clouds)
    assert Z.shape == (9, n_components + 1)
    assert np.isfinite(Z).all()
    assert made.pairwise_distances(clouds).max() > 0


def test_weighted_clouds_and_histograms_in_many_dimensions():
    rng = np.random.default_rng(2)
    support = rng.normal(size=(20, 5))
    masses = rng.random((30, 20)) * (rng.random((30, 20)) < 0.4) + 1e-3
    options = {"n_components": 8, "max_iter": 1, "architecture": TransportMaps((8,))}
    options |= {"grid_shape": None}
    by_bins = make_small(WormholeEmbedder, **options, support=support).fit(masses)
    clouds = as_measures(masses, support=support).to_clouds()
    as_clouds = make_small(WormholeEmbedder, **options).fit(clouds)
    Z = by_bins.transform(masses)
    assert_allclose(as_clouds.transform(clouds), Z, atol=1e-4 * np.abs(Z).max())


def test_a_mean_that_is_exact_keeps_measures_apart(data):
    """Where measures are far from each other they share nothing of their own."""
    train, test, _ = data
    made = make_small(WormholeEmbedder, **{**SMALL, "n_components": 32}, max_iter=1)
    made.fit(train)
    assert made.module_.n_exact == DIM
    Z = made.transform(test)
    shift = np.zeros(DIM)
    shift[0] = 1e3
    moved = made.transform(test[:1] + shift)
    assert_allclose((moved - Z[:1])[0, -DIM - 1 : -1], shift, atol=1e-2)
    assert made.embedded_distances(moved, Z[:1])[0, 0] > 1e3


def test_lengths_become_columns_and_lengths_again():
    lengths = torch.tensor([1e-4, 0.1, 1.0, 50.0])
    assert_allclose(PrivateAxis()(lengths_to_columns(lengths)), lengths, rtol=1e-3)


def test_is_part_of_kuratowski_networks(data, tmp_path):
    train, test, _ = data
    architecture = DeepKENN(TransportMaps((16,)))
    made = make_small(
        WormholeEmbedder, **{**SMALL, "architecture": architecture}, max_iter=1
    ).fit(train)
    assert made.architecture_.backbone.n_reference == 6
    made.save(tmp_path / "file")
    again = WormholeEmbedder.load(tmp_path / "file")
    assert_array_equal(again.transform(test), made.transform(test))


def test_what_it_does_not_take(data):
    options = {**SMALL, "architecture": TransportMaps()}
    made = make_small(WormholeEmbedder, **options, ground_truth="gromov")
    with pytest.raises(ValueError, match="Gromov distance.*architecture='fourier'"):
        made.fit(data[0])
    made = make_small(WormholeEmbedder, **options, gradient_weight=0.3)
    assert made.fit(data[0][:40]).n_pairs_ > 0  # as for all that has no derivatives
