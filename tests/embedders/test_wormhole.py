"""WormholeEmbedder: clouds of any size, and laws that hold whatever was learned."""

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from sklearn.model_selection import GridSearchCV

from skwass import WormholeEmbedder
from skwass.architectures import (
    ODEKENN,
    CloudDecoder,
    DeepSets,
    Fourier,
    SetTransformer,
    Slices,
)
from skwass.datasets import make_gaussian_clouds
from skwass.labels import Blocks, InBatch, Pairs
from skwass.labels.pairs import N_SCALE_PAIRS, choose_pairs
from skwass.measures import PointClouds, as_measures
from skwass.nn.transformer import SetEncoder
from skwass.ot import (
    ExactWasserstein,
    GromovWasserstein,
    SinkhornDivergence,
    pairwise_wasserstein,
)

_SIZES = {"widths": (32,), "n_frequencies": 32}
SLICES, FOURIER = Slices(widths=(32,)), Fourier(**_SIZES)
DEEP_SETS = DeepSets(point_width=16, **_SIZES)
TRANSFORMER = SetTransformer(point_width=16, **_SIZES)
INDUCING = SetTransformer(point_width=16, n_inducing=8, **_SIZES)
ARCHITECTURES = {
    "slices": {"architecture": SLICES},
    "fourier": {"architecture": FOURIER},
    "deep sets": {"architecture": DEEP_SETS},
    "transformer": {"architecture": TRANSFORMER},
    "inducing": {"architecture": INDUCING, "exact_mean": False},
    "ode": {"architecture": ODEKENN(Fourier((), n_frequencies=32), widths=(32,))},
    "gromov": {"ground_truth": "gromov", "architecture": FOURIER},
}


def small(**parameters):
    defaults = {
        "architecture": SLICES,
        "n_components": 16,
        "n_pairs": 200,
        "max_iter": 2,
        "learning_rate": 3e-3,
        "random_state": 0,
    }
    return WormholeEmbedder(**{**defaults, **parameters})


def draw(n_clouds, seed, dim=3):
    rng = np.random.default_rng(seed)
    clouds = []
    for n in rng.integers(1, 40, size=n_clouds):
        factors = rng.uniform(0.3, 2, size=dim)
        points = rng.normal(size=(n, dim)) * factors + rng.normal(size=dim)
        clouds.append((points, rng.uniform(0.1, 1, size=n)))
    return clouds


@pytest.fixture(scope="module")
def clouds():
    return draw(60, 0)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def fitted(request, clouds):
    return small(**ARCHITECTURES[request.param]).fit(clouds)


def relative_change(Z, expected):
    return np.abs(Z - expected).max() / np.abs(expected).max()


def test_what_a_measure_is_written_as_changes_nothing(fitted):
    rng = np.random.default_rng(1)
    clouds = draw(20, 2)
    Z = fitted.transform(clouds)
    again = []
    for x, a in clouds:
        order = rng.permutation(len(x))
        points = np.vstack([x[order], x[:1], np.full((2, 3), 50.0)])
        masses = np.concatenate([a[order], a[:1] / 3, [0, 0]])
        masses[np.flatnonzero(order == 0)] *= 2 / 3
        again.append((points, masses * 7))
    assert relative_change(fitted.transform(again), Z) < 1e-5
    alone = np.concatenate([fitted.transform([cloud]) for cloud in clouds])
    assert relative_change(alone, Z) < 1e-5
    assert relative_change(fitted.transform(clouds[::-1])[::-1], Z) < 1e-5


def test_translates_are_at_their_true_distance(clouds):
    """Exactly, far from all that was seen, and whatever was learned."""
    embedder = small(max_iter=1).fit(clouds)
    x, a = clouds[5]
    shift = np.array([3e4, -7e3, 1e5])
    W = embedder.pairwise_distances([(x, a), (x + shift, a)])
    assert W[0, 1] == pytest.approx(np.linalg.norm(shift), rel=1e-6)
    Z = embedder.transform([(x, a), (x + shift, a)])
    np.testing.assert_allclose(Z[1, -4:-1] - Z[0, -4:-1], shift, rtol=1e-6)


def test_distances_are_never_below_those_of_means(clouds):
    embedder = small(max_iter=1).fit(clouds)
    W = embedder.pairwise_distances(clouds)
    means = np.stack([(a / a.sum()) @ x for x, a in clouds])
    gaps = np.linalg.norm(means[:, None] - means, axis=2)
    assert (W >= gaps - 1e-5).all()


@pytest.mark.parametrize(
    ("parameters", "is_exact"),
    [
        ({}, True),
        ({"n_components": 5}, False),
        ({"n_components": 5, "exact_mean": True}, True),
        ({"exact_mean": False}, False),
        ({"ground_truth": ExactWasserstein(p=1)}, False),
        ({"ground_truth": ExactWasserstein(ground_metric="cityblock")}, False),
        ({"ground_truth": "sinkhorn"}, True),
        ({"ground_truth": "gromov"}, False),
    ],
)
def test_when_the_mean_is_exact(parameters, is_exact, clouds):
    embedder = small(max_iter=1, n_pairs=50, **parameters).fit(clouds[:20])
    Z = embedder.transform(clouds)
    assert Z.shape[1] == embedder.n_components + 1
    means = np.stack([(a / a.sum()) @ x for x, a in clouds])
    columns = Z[:, -4:-1] - Z[0, -4:-1]
    assert np.allclose(columns, means - means[0], atol=1e-5) == is_exact


@pytest.mark.parametrize(
    "architecture",
    [
        SLICES,
        FOURIER,
        pytest.param(TRANSFORMER, marks=pytest.mark.slow),
        pytest.param(INDUCING, marks=pytest.mark.slow),
    ],
)
def test_it_learns(architecture):
    """R2 of W on unseen clouds, far above that of their means alone."""
    clouds, _ = make_gaussian_clouds(150, n_points=30, random_state=0)
    train, test = clouds[:110], clouds[110:]
    W = pairwise_wasserstein(test)
    upper = np.triu_indices(len(test), k=1)
    means = np.stack([x.mean(axis=0) for x in test])
    gaps = np.linalg.norm(means[:, None] - means, axis=2)
    baseline = np.mean((W - gaps)[upper] ** 2)
    embedder = small(
        architecture=architecture,
        n_pairs=1_500,
        max_iter=12,
        gradient_weight=0.0,
    ).fit(train)
    error = np.mean((W - embedder.pairwise_distances(test))[upper] ** 2)
    assert error < 0.1 * baseline


def test_images_are_clouds_of_pixels(digits):
    X, X_test = digits[:2]
    for parameters in (
        {},
        {"exact_mean": False},
        {"architecture": FOURIER},
        {"architecture": TRANSFORMER},
    ):
        embedder = small(grid_shape=(8, 8), max_iter=1, **parameters).fit(X)
        Z = embedder.transform(X_test)
        clouds = as_measures(X_test, grid_shape=(8, 8)).to_clouds()
        as_points = embedder.module_.embed(clouds, embedder._device()).detach().numpy()
        assert relative_change(as_points, Z) < 1e-5
        with pytest.raises(ValueError, match="expected histograms"):
            embedder.transform(clouds)


def test_isometries_do_not_move_gromov_embeddings(clouds):
    truth = GromovWasserstein()
    embedder = small(ground_truth=truth, architecture=FOURIER).fit(clouds)
    Z = embedder.transform(clouds)
    turn = ortho_group.rvs(3, random_state=0)  # a rotation or a reflection
    for turned in (turn, turn * [-1, 1, 1]):
        moved = [(x @ turned + 100, a) for x, a in clouds]
        assert relative_change(embedder.transform(moved), Z) < 1e-4
    W = pairwise_wasserstein(clouds[:20], ground_truth=truth)
    upper = np.triu_indices(20, k=1)
    found = embedder.pairwise_distances(clouds[:20])[upper]
    assert np.corrcoef(found, W[upper])[0, 1] > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("labels", [Pairs(), Blocks(8), InBatch(8)])
def test_labels_of_every_kind_teach(labels, clouds):
    truth = SinkhornDivergence(reg=0.1)
    embedder = small(labels=labels, ground_truth=truth, n_pairs=400, max_iter=6)
    embedder.fit(clouds)
    assert embedder.validation_scores_[-1] > 0


@pytest.mark.parametrize("labels", [Pairs(), Blocks(8), InBatch(8)])
def test_labels_of_every_kind(labels, clouds):
    truth = SinkhornDivergence(reg=0.1)
    settings = {"labels": labels, "ground_truth": truth, "max_iter": 3}
    embedder = small(**settings).fit(clouds)
    Z = embedder.transform(clouds)
    n_validation = 15  # all pairs of six measures
    steps = -(-200 // 28)
    expected = {
        Pairs: 200 + n_validation,
        Blocks: 200 + n_validation,
        InBatch: N_SCALE_PAIRS + n_validation + 3 * steps * 28,
    }
    assert embedder.n_solves_ == embedder.n_pairs_ == expected[type(labels)]
    assert small(**settings).fit(clouds).transform(clouds).tobytes() == Z.tobytes()


def test_labels_in_the_batch_are_those_of_the_ground_truth(clouds, batches):
    embedder = small(labels=InBatch(5), max_iter=1, n_pairs=20)
    scale = float(embedder.fit(clouds).module_.scale)
    W = pairwise_wasserstein(clouds)
    assert len(batches) == 2
    for batch in batches:
        numbers = batch.measures.numpy()
        i, j = numbers[batch.left.numpy()], numbers[batch.right.numpy()]
        assert len(i) == 10
        np.testing.assert_allclose(batch.w.numpy() * scale, W[i, j], rtol=1e-5)


def test_given_labels_and_labels_in_the_batch_exclude_each_other(clouds):
    with pytest.raises(ValueError, match="Got labels=InBatch.* and distances"):
        small(labels="in_batch").fit(clouds, distances=np.zeros((60, 60)))


def test_a_matrix_of_distances_trains_by_tiles(clouds):
    W = pairwise_wasserstein(clouds)
    embedder = small(architecture=TRANSFORMER, max_iter=2).fit(clouds, distances=W)
    assert embedder.n_solves_ == 0
    assert embedder.n_pairs_ == 60 * 59 // 2


@pytest.mark.parametrize("n_pairs", [5, 600, 2_000, 10**6])
def test_blocks_share_measures_and_no_pair(n_pairs):
    rng = np.random.RandomState(0)
    pairs, held_out, groups = choose_pairs(200, n_pairs, 0.1, rng, block_size=8)
    n_ends = held_out[pairs].sum(axis=1)
    assert set(n_ends) <= {0, 2}
    train = pairs[n_ends == 0]
    assert len(train) == min(n_pairs, 180 * 179 // 2)
    assert len(np.unique(np.sort(pairs, axis=1), axis=0)) == len(pairs)
    for group in np.unique(groups[n_ends == 0]):
        assert len(np.unique(pairs[groups == group])) <= 16
    if n_pairs == 600:
        sizes = np.bincount(groups[n_ends == 0])
        assert np.median(sizes[sizes > 0]) == 28
    assert (np.diff(groups) != 0).sum() == len(np.unique(groups)) - 1


@pytest.mark.slow
def test_decoded_clouds_are_near():
    clouds, _ = make_gaussian_clouds(80, n_points=30, random_state=0)
    embedder = small(
        decoder=CloudDecoder(1.0, n_points=30),
        n_pairs=1_000,
        max_iter=40,
        gradient_weight=0.0,
    ).fit(clouds)
    Z = embedder.transform(clouds)
    made = embedder.inverse_transform(Z)
    assert made.shape == (80, 30, 2)
    own = np.column_stack([np.arange(80)] * 2)
    near = pairwise_wasserstein(clouds, list(made), pairs=own)
    others = pairwise_wasserstein(clouds, list(np.roll(made, 1, axis=0)), pairs=own)
    assert near.mean() < 0.3 * others.mean()
    means = np.stack([x.mean(axis=0) for x in clouds])
    np.testing.assert_allclose(made.mean(axis=1), means, atol=1e-4)
    shifted = Z.copy()
    shifted[:, -3:-1] += [100, -50]
    moved = embedder.inverse_transform(shifted) - made
    np.testing.assert_allclose(
        moved, np.broadcast_to([100, -50], moved.shape), atol=1e-4
    )


def test_the_size_of_decoded_clouds_is_that_of_the_data(clouds):
    embedder = small(decoder="cloud", max_iter=1).fit(clouds)
    sizes = []
    for _, a in clouds:
        a = a / a.sum()
        sizes.append(np.exp(-(a * np.log(a)).sum()))
    made = embedder.inverse_transform(embedder.transform(clouds))
    assert made.shape == (60, round(np.mean(sizes)), 3)
    # Their means are exact, whatever was learned.
    means = np.stack([a @ x / a.sum() for x, a in clouds])
    np.testing.assert_allclose(made.mean(axis=1), means, atol=1e-4)
    with pytest.raises(ValueError, match="Got X with 3 columns, expected 17"):
        embedder.inverse_transform(np.zeros((1, 3)))
    assert not hasattr(small(), "inverse_transform")


@pytest.mark.parametrize("architecture", [TRANSFORMER, INDUCING, DEEP_SETS])
def test_clouds_are_subsampled_in_training_alone(architecture, clouds, monkeypatch):
    sizes = []
    original = SetEncoder.forward

    def spy(self, tokens, masses):
        sizes.append((self.training, tokens.shape[1]))
        return original(self, tokens, masses)

    monkeypatch.setattr(SetEncoder, "forward", spy)
    embedder = small(architecture=architecture, max_iter=1)
    embedder.set_params(architecture__n_layers=1, architecture__max_points=10)
    embedder.fit(clouds).transform(clouds)
    assert max(n for training, n in sizes if training) == 10
    assert max(n for training, n in sizes if not training) > 30


def test_many_dimensions_and_memory_maps(tmp_path):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(80, 11, 4)) + 2 * rng.normal(size=(80, 1, 4))
    X = latent @ rng.normal(size=(4, 300)) + 0.1 * rng.normal(size=(80, 11, 300))
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for parameters in ({}, {"architecture": TRANSFORMER}):
        embedder = small(n_pairs=600, max_iter=12, **parameters).fit(mapped)
        measures = embedder._as_measures(mapped)
        assert all(np.shares_memory(x, mapped) for x in measures.points)
        Z = embedder.transform(list(X.astype(np.float32)))
        np.testing.assert_array_equal(embedder.transform(mapped), Z)
        assert embedder.score(mapped) > 0.7


def test_files_keep_every_setting(clouds, tmp_path):
    for k, parameters in enumerate(ARCHITECTURES.values()):
        embedder = small(max_iter=1, decoder=CloudDecoder(n_points=5), **parameters)
        Z = embedder.fit(clouds).transform(clouds)
        path = tmp_path / f"{k}.safetensors"
        embedder.save(path)
        again = WormholeEmbedder.load(path)
        np.testing.assert_array_equal(again.transform(clouds), Z)
        made = embedder.inverse_transform(Z)
        np.testing.assert_array_equal(again.inverse_transform(Z), made)
        assert again.padded_share_ == embedder.padded_share_
        assert again.n_features_in_ == 3


def test_a_grid_of_architectures(clouds):
    grid = {
        "architecture": [FOURIER, TRANSFORMER],
        "labels": [Blocks(4), Blocks()],
    }
    search = GridSearchCV(small(max_iter=1), grid, cv=2, error_score="raise")
    search.fit(PointClouds(*zip(*[(x, a / a.sum()) for x, a in clouds], strict=True)))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"architecture": SetTransformer(n_heads=3)},
            "Got point_width=64 with n_heads=3",
        ),
        ({"decoder": CloudDecoder(n_heads=3)}, "Got point_width=64 with n_heads=3"),
        ({"exact_mean": True, "ground_truth": "gromov"}, "Got exact_mean=True with"),
        (
            {"exact_mean": True, "n_components": 3},
            "expected more than 3",
        ),
        ({"architecture": Slices((0,))}, r"Got widths=\(0,\)"),
    ],
)
def test_bad_parameters(parameters, message, clouds):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(clouds)


def test_padding_is_reported(clouds):
    embedder = small(max_iter=1).fit(clouds)
    assert 0 < embedder.padded_share_ < 0.2
    assert small(max_iter=1).fit([x[:1] for x, _ in clouds]).padded_share_ == 0


def test_dropout_follows_the_random_state(clouds):
    parameters = {
        "architecture": SetTransformer(point_width=16, dropout=0.3, **_SIZES),
        "max_iter": 2,
    }
    state = torch.get_rng_state()
    first, second = (
        small(**parameters).fit(clouds).transform(clouds) for _ in range(2)
    )
    assert first.tobytes() == second.tobytes()
    assert torch.equal(torch.get_rng_state(), state)
    without = small(**{**parameters, "architecture": TRANSFORMER}).fit(clouds)
    without = without.transform(clouds)
    assert not np.allclose(without, first)


@pytest.mark.parametrize("ground_truth", ["exact", "gromov"])
def test_far_from_the_origin_nothing_is_lost(ground_truth):
    """Clouds, and histograms on a support, moved by a million of their widths."""
    rng = np.random.default_rng(0)
    support = rng.normal(size=(30, 2))
    X = rng.uniform(size=(40, 30)) ** 4
    distances = []
    for shift in (0, 1e6):
        embedder = small(support=support + shift, ground_truth=ground_truth, n_pairs=60)
        distances.append(embedder.fit(X).pairwise_distances(X))
        clouds = [(support + shift, row) for row in X]
        embedder = small(ground_truth=ground_truth, n_pairs=60).fit(clouds)
        distances.append(embedder.pairwise_distances(clouds))
    unit = distances[0].mean()
    for other in distances[1:]:
        np.testing.assert_allclose(other, distances[0], atol=1e-3 * unit)


def test_scales_come_from_all_over_the_data():
    """Not from the first clouds: data are often sorted by class."""
    rng = np.random.default_rng(0)
    points = [np.zeros((1, 2)) for _ in range(300)]
    spread = [rng.normal(scale=100.0, size=(9, 2)) for _ in range(300)]
    embedder = small(max_iter=1, n_pairs=50).fit(points + spread)
    assert float(embedder.module_.inputs.unit) == pytest.approx(100, rel=0.1)


def test_the_mean_is_not_exact_where_labels_are_below_it(clouds):
    clouds = clouds[:20]
    W = pairwise_wasserstein(clouds, ground_truth=GromovWasserstein(init="product"))
    with pytest.warns(UserWarning, match="times W, by no common factor"):
        embedder = small(max_iter=1).fit(clouds, distances=W)
    assert embedder.module_.n_exact == 0
    with (
        pytest.warns(UserWarning, match="by no common factor"),
        pytest.raises(ValueError, match="distances below those of means"),
    ):
        small(exact_mean=True).fit(clouds, distances=W)
    W = pairwise_wasserstein(clouds)
    assert small(max_iter=1).fit(clouds, distances=W).module_.n_exact == 3


def test_few_measures_are_all_for_training_in_the_batch(clouds):
    embedder = small(labels=InBatch(50), n_pairs=10, max_iter=1)
    embedder.fit(clouds[:30])
    assert embedder.validation_scores_ == []
    assert embedder.n_solves_ == N_SCALE_PAIRS + 1 + 30 * 29 // 2
