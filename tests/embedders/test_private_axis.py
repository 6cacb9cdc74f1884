"""The private axis of embedders: laws, whatever was learned, and its use."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from toys import LEARNING, clouds_of, distances_of_rows, make_small, relative_error

from skwass import (
    DeepWassersteinEmbedder,
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WormholeEmbedder,
)
from skwass.architectures import ODEKENN, DeepKENN, Dense, SetTransformer, Slices
from skwass.ot import pairwise_wasserstein

GRID = {"grid_shape": (8, 8), "random_state": 0}
UNTRAINED = {"max_iter": 1, "learning_rate": 1e-9, "n_pairs": 100}
MAKE = {
    "deep": partial(make_small, DeepWassersteinEmbedder, **LEARNING),
    "dense": partial(
        make_small, DeepWassersteinEmbedder, architecture=Dense((32,)), **LEARNING
    ),
    "curve": partial(make_small, KuratowskiEmbedder, **LEARNING),
    "sum": partial(
        make_small,
        KuratowskiEmbedder,
        architecture=DeepKENN(Dense((32,)), aggregation="l1"),
        private_axis=True,
        **LEARNING,
    ),
    "points": partial(
        make_small,
        WormholeEmbedder,
        architecture=SetTransformer(n_layers=1, point_width=16, widths=(16,)),
        **UNTRAINED,
    ),
    "untrained": partial(make_small, WormholeEmbedder, **UNTRAINED),
    "linear OT": partial(LinearOTEmbedder, 10, n_reference=16, **GRID),
    "coarse": partial(LinearOTEmbedder, n_reference=8, private_axis=True, **GRID),
    "sliced": partial(SlicedWassersteinEmbedder, 16, scale=True, **GRID),
}


@pytest.fixture(scope="module", params=MAKE)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(name, digits):
    """Return an embedder that nobody may change."""
    return MAKE[name]().fit(digits[0])


def test_it_is_a_metric(fitted, digits):
    """Of images, copies of them, and such that differ little."""
    rng = np.random.default_rng(0)
    X = digits[1][:20]
    X = np.vstack([X, X[:5], X[:5] + 0.05 * rng.random((5, 64))])
    d = fitted.pairwise_distances(X).astype(np.float64)
    scale = d.max()
    np.testing.assert_array_equal(d, d.T)
    assert (np.diag(d) == 0).all()
    detour = (d[:, :, None] + d[None, :, :]).min(axis=1)
    assert (d <= detour + 1e-5 * scale).all()
    np.testing.assert_allclose(np.diag(d[:5, 20:25]), 0, atol=1e-4 * scale)
    others = ~np.eye(20, dtype=bool)
    assert d[:20, :20][others].min() > 1e-3 * scale


def test_rows_are_all_it_takes(fitted, digits):
    X = digits[1]
    Z = fitted.transform(X)
    assert fitted.get_feature_names_out()[-1].endswith("_private")
    assert len(fitted.get_feature_names_out()) == Z.shape[1]
    assert (Z[:, -1] >= 0).all()
    W = fitted.pairwise_distances(X)
    np.testing.assert_allclose(fitted.embedded_distances(Z), W, atol=1e-5)
    part = fitted.embedded_distances(Z[:7], Z, squared=True)
    np.testing.assert_allclose(part, W[:7].astype(float) ** 2, atol=1e-4)
    if len(fitted._readout.blocks) == 1:
        expected = distances_of_rows(Z, fitted._readout)
        np.testing.assert_allclose(W, expected, rtol=1e-4, atol=1e-4)
    for bad in (Z[:, :-1], np.full_like(Z, np.nan)):
        with pytest.raises(ValueError, match=r"Got Z_new with|Z_new contains NaN"):
            fitted.embedded_distances(Z, bad)


def test_a_row_depends_on_no_other(name, fitted, digits):
    Z = fitted.transform(digits[1])
    alone = np.vstack([fitted.transform(x[None]) for x in digits[1]])
    atol = (5e-6 if name == "points" else 1e-6) * np.abs(Z).max()
    np.testing.assert_allclose(alone, Z, rtol=0, atol=atol)
    # However it came to be, an equal measure is at 0.
    own = np.diag(fitted.embedded_distances(Z, alone))
    assert own.max() < 1e-3 * np.abs(Z).max()


def test_an_index_finds_the_same_neighbours(name, fitted, digits):
    """Queries with 0 in the last column, then s of the query: to 1e-6."""
    if name == "sum":
        pytest.skip("rows are not Euclidean")
    stored, queries = (fitted.transform(X).astype(float) for X in digits[:2])
    asked = queries.copy()
    asked[:, -1] = 0
    index = NearestNeighbors(n_neighbors=200, algorithm="kd_tree").fit(stored)
    found, numbers = index.kneighbors(asked)
    d_sq = found**2 + queries[:, -1:] ** 2
    D = fitted.embedded_distances(queries, stored, squared=True).astype(float)
    exact = np.take_along_axis(D, numbers, axis=1)
    shape = slice(fitted._readout.n_common - fitted._readout.n_exact)
    gaps = queries[:, None, shape] - stored[numbers][:, :, shape]
    apart = np.square(gaps).sum(axis=2) > 72 * fitted._readout.reach**2
    if name in ("deep", "dense", "curve"):
        assert apart.mean() > 0.3  # many shapes share nothing at all
    np.testing.assert_allclose(d_sq[apart], exact[apart], rtol=1e-5)
    # Where private axes are shared, nearer: the index bounds from above, rows below.
    assert (exact <= d_sq * (1 + 1e-5)).all()
    rows = np.linalg.norm(queries[:, None] - stored[numbers], axis=2)
    assert (rows**2 <= exact * (1 + 1e-5) + 1e-6).all()


def test_files_and_pickles_carry_it(fitted, digits, tmp_path):
    fitted.save(tmp_path / "file")
    expected = fitted.pairwise_distances(digits[1])
    for again in (
        type(fitted).load(tmp_path / "file"),
        pickle.loads(pickle.dumps(fitted)),
    ):
        np.testing.assert_array_equal(again.pairwise_distances(digits[1]), expected)


@pytest.mark.slow
def test_distances_are_nearer_with_it(name, fitted, digits, test_distances):
    if name in ("points", "untrained"):
        pytest.skip("learned nothing")
    plain = MAKE[name](private_axis=False).fit(digits[0])
    assert plain.transform(digits[1]).shape[1] == fitted._n_features_out - 1
    errors = [
        relative_error(one.pairwise_distances(digits[1]), test_distances)
        for one in (fitted, plain)
    ]
    assert errors[0] < errors[1]
    near = np.argsort(test_distances + np.eye(100) * 99, axis=1)[:, :5]
    bias = [
        np.take_along_axis(one.pairwise_distances(digits[1]) / test_distances, near, 1)
        for one in (fitted, plain)
    ]
    assert abs(np.mean(bias[0]) - 1) < abs(np.mean(bias[1]) - 1)


@pytest.fixture
def test_distances(test_distances):
    """Return them without zeros, which are divided by."""
    return test_distances + 1e-9 * np.eye(len(test_distances))


def test_decoding_ignores_it(digits):
    deep = make_small(DeepWassersteinEmbedder, decoder="auto").fit(digits[0])
    linear = LinearOTEmbedder(10, n_reference=16, **GRID).fit(digits[0])
    for embedder in (deep, linear):
        Z = embedder.transform(digits[1][:5])
        expected = embedder.inverse_transform(Z)
        changed = Z.copy()
        changed[:, -1] = 7
        np.testing.assert_array_equal(embedder.inverse_transform(changed), expected)
        np.testing.assert_array_equal(embedder.inverse_transform(Z[:, :-1]), expected)
        masked = np.ma.masked_greater(Z[:, :-1], 1e9)
        masked[0, 0] = np.ma.masked
        with pytest.raises(ValueError, match="mask"):
            embedder.inverse_transform(masked)


def test_translates_stay_at_their_true_distance():
    clouds = clouds_of(np.arange(20, 60))
    shift = np.array([40.0, -9.0])
    moved = [x + shift for x in clouds]
    for embedder in (
        WormholeEmbedder(**LEARNING, n_components=16, random_state=0),
        LinearOTEmbedder(n_reference=8, private_axis=True, random_state=0),
        SlicedWassersteinEmbedder(scale=True, random_state=0),
    ):
        d = embedder.fit(clouds).pairwise_distances(clouds, moved)
        np.testing.assert_allclose(np.diag(d), np.linalg.norm(shift), rtol=1e-4)


def test_little_changes_change_little():
    clouds = clouds_of([30] * 40)
    rng = np.random.default_rng(0)
    embedder = WormholeEmbedder(**LEARNING, n_components=16, random_state=0).fit(clouds)
    d = []
    for size in (1e-1, 1e-2, 1e-3, 1e-4):
        moved = [x + size * rng.normal(size=x.shape) for x in clouds]
        d.append(np.diag(embedder.pairwise_distances(clouds, moved)).mean())
    assert (np.diff(d) < 0).all()
    assert d[-1] < 0.01 * embedder.pairwise_distances(clouds).mean()


def test_who_has_it_by_default(digits):
    X = digits[0]
    small = partial(make_small, KuratowskiEmbedder, max_iter=1)
    cases = [
        (small(), True),
        (small(architecture=DeepKENN(Dense((8,)), aggregation="l1")), False),
        (small(private_axis=False), False),
        (small(private_axis=np.False_), False),
        (small(private_axis=np.True_), True),
        (LinearOTEmbedder(n_reference=8, **GRID), False),
        (LinearOTEmbedder(4, n_reference=8, **GRID), True),
        (LinearOTEmbedder(4, n_reference=8, scale=False, **GRID), True),
        (SlicedWassersteinEmbedder(8, **GRID), False),
        (SlicedWassersteinEmbedder(8, scale=True, **GRID), True),
        (GaussianEmbedder(**GRID), False),
        (DiffusionEMDEmbedder(n_pairs=20, **GRID), False),
    ]
    for embedder, has_it in cases:
        assert embedder.fit(X)._readout.has_private == has_it, embedder
    with pytest.raises(ValueError, match="Got private_axis=True with scale=False"):
        SlicedWassersteinEmbedder(private_axis=True, **GRID).fit(X)


def test_every_embedder_has_distances_of_rows(digits):
    for embedder in (
        GaussianEmbedder(**GRID),
        DiffusionEMDEmbedder(n_pairs=20, **GRID),
        DiffusionEMDEmbedder(scale=False, **GRID),
        LinearOTEmbedder(n_reference=8, **GRID),
    ):
        Z = embedder.fit(digits[0]).transform(digits[1])
        d = embedder.embedded_distances(Z)
        assert d.shape == (100, 100)
        if not isinstance(embedder, GaussianEmbedder):  # exact beyond its rows
            W = embedder.pairwise_distances(digits[1])
            np.testing.assert_allclose(d, W, atol=1e-5 * W.max())


@pytest.mark.parametrize("unit", [2.0**-70, 2.0**60])
def test_distances_of_rows_are_in_the_unit_of_the_data(unit):
    clouds = [unit * x for x in clouds_of([20] * 30)]
    for embedder in (
        LinearOTEmbedder(4, n_reference=8, random_state=0),
        SlicedWassersteinEmbedder(8, scale=True, random_state=0),
        make_small(WormholeEmbedder, grid_shape=None, max_iter=1),
        DiffusionEMDEmbedder(random_state=0),
    ):
        W = embedder.fit(clouds).pairwise_distances(clouds)
        d = embedder.embedded_distances(embedder.transform(clouds))
        np.testing.assert_allclose(d, W, rtol=1e-4, atol=1e-5 * W.max())


@pytest.mark.parametrize("n_components", [None, 2, 24])
def test_rounding_is_no_variance(n_components):
    """Maps to as many points are permutations: nothing is unresolved but rounding."""
    rng = np.random.default_rng(0)
    clouds = rng.normal(size=(60, 4, 50))
    embedder = LinearOTEmbedder(
        n_components, private_axis=True, n_reference=4, random_state=0
    ).fit(clouds)
    others = list(rng.normal(size=(20, 5, 50)))
    found, true = embedder.pairwise_distances(others), pairwise_wasserstein(others)
    upper = np.triu_indices(20, k=1)
    assert 0.5 < (found[upper] / true[upper]).mean() < 1.1


@pytest.mark.parametrize("seed", range(4))
def test_columns_never_vanish(seed):
    """Of noise in high dimension all is private, and measures stay apart."""
    rng = np.random.default_rng(seed)
    clouds = [rng.normal(size=(rng.integers(3, 6), 500)) for _ in range(60)]
    embedder = SlicedWassersteinEmbedder(16, scale=True, random_state=seed)
    found = embedder.fit(clouds[:40]).pairwise_distances(clouds[40:])
    upper = np.triu_indices(20, k=1)
    true = pairwise_wasserstein(clouds[40:])
    np.testing.assert_allclose(found[upper], true[upper], rtol=0.2)
    with pytest.raises(ValueError, match="Got private_axis=True with scale=False and"):
        LinearOTEmbedder(private_axis=True, scale=False).fit(clouds)


def test_distances_of_candidates(fitted, digits):
    Z, stored = (fitted.transform(X) for X in digits[:2])
    pairs = np.column_stack([np.arange(50), np.arange(50)[::-1]])
    expected = fitted.embedded_distances(Z, stored)[pairs[:, 0], pairs[:, 1]]
    found = fitted.embedded_distances(Z, stored, pairs=pairs)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    squared = fitted.embedded_distances(Z, pairs=pairs, squared=True)
    expected = fitted.embedded_distances(Z, squared=True)[pairs[:, 0], pairs[:, 1]]
    np.testing.assert_allclose(squared, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"Got pairs\[0\]"):
        fitted.embedded_distances(Z[:5], stored, pairs=pairs[:1] + 7)
    assert 0 < fitted.private_reach_ < 2 * fitted.pairwise_distances(digits[1]).max()


def test_going_on_keeps_it(digits):
    embedder = make_small(WormholeEmbedder, warm_start=True, max_iter=1).fit(digits[0])
    embedder.set_params(private_axis=False)
    with pytest.warns(UserWarning, match="private_axis=False in a fit that goes on"):
        embedder.fit(digits[0])
    assert embedder.transform(digits[1]).shape == (100, 17)


@pytest.mark.slow
def test_clusters_and_neighbours_in_a_pipeline_are_as_good(digits):
    X, _, y, _ = digits
    # Enough that clusters do not depend on how k-means begins.
    X_test, y_test = (part[-1_000:] for part in load_digits(return_X_y=True))
    scores = {}
    for axis in (True, False):
        small = partial(make_small, WormholeEmbedder, **LEARNING, private_axis=axis)
        embedder = small(n_pairs=3_000, architecture=Slices((128,))).fit(X)
        knn = make_pipeline(embedder, KNeighborsClassifier(3)).fit(X, y)
        groups = KMeans(10, n_init=10, random_state=0).fit_predict(
            embedder.transform(X_test)
        )
        scores[axis] = knn.score(X_test, y_test), adjusted_rand_score(y_test, groups)
    assert scores[True][0] > scores[False][0] - 0.03
    assert scores[True][1] > scores[False][1] - 0.06


def test_curves_too_have_one_column_for_it(digits):
    embedder = make_small(
        KuratowskiEmbedder, architecture=ODEKENN(n_nodes=3, widths=(8,)), max_iter=1
    ).fit(digits[0])
    assert embedder.transform(digits[1]).shape[1] == 3 * 16 + 2 + 1
