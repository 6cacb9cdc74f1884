"""What holds for the estimators around the search: scikit-learn's contract and ours."""

import pickle

import numpy as np
import pytest
from brute import assert_nearest, make
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import DBSCAN, SpectralClustering
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import TSNE, Isomap
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skwass import LinearOTEmbedder, PseudobulkEmbedder
from skwass.measures import as_measures
from skwass.neighbors import (
    WassersteinNeighbors,
    WassersteinNeighborsClassifier,
    WassersteinNeighborsRegressor,
    WassersteinNeighborsTransformer,
    knn_layout,
)
from skwass.ot import (
    ExactWasserstein,
    GromovWasserstein,
    SinkhornDivergence,
    pairwise_wasserstein,
)

FAST = PseudobulkEmbedder()
QUICK = {"embedder": FAST, "neighbors_mode": "embedded"}


def expected_failures(estimator):
    checks = (
        "check_estimators_dtypes",
        "check_estimator_sparse_array",
        "check_estimator_sparse_matrix",
        "check_estimator_sparse_tag",
    )
    return dict.fromkeys(checks, "its data hold a row of zeros, which is no measure")


@parametrize_with_checks(
    [WassersteinNeighbors(FAST)],
    expected_failed_checks=expected_failures,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        WassersteinNeighborsTransformer(n_neighbors=3, **QUICK),
        WassersteinNeighborsClassifier(3, **QUICK),
        WassersteinNeighborsRegressor(1, **QUICK),
    ],
    expected_failed_checks=expected_failures,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks_of_the_rest(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def stored(digits):
    return as_measures(digits[0][:70], grid_shape=(8, 8))


@pytest.fixture(scope="module")
def queries(digits):
    return digits[1][:8]


@pytest.fixture(scope="module")
def W(stored, queries):
    return pairwise_wasserstein(as_measures(queries, grid_shape=(8, 8)), stored)


@pytest.fixture(scope="module")
def fitted(stored):
    return WassersteinNeighbors(FAST, 5, random_state=0).fit(stored)


@pytest.mark.parametrize(
    ("index", "n_shards", "n_jobs"), [("sklearn", 1, None), ("brute", 3, 2)]
)
def test_settings_that_change_no_answer(stored, queries, W, index, n_shards, n_jobs):
    model = WassersteinNeighbors(
        FAST, 5, index=index, n_shards=n_shards, n_jobs=n_jobs, random_state=0
    )
    found = model.fit(stored).search(queries)
    assert found.is_proved.all()
    assert_nearest(found, W, 5)
    assert repr(found).startswith("NeighborSearch(8 queries, 8 proved, ")


@pytest.mark.parametrize("index", ["faiss", "pynndescent"])
def test_indexes_of_other_packages(stored, queries, W, index):
    pytest.importorskip(index)
    model = WassersteinNeighbors(LinearOTEmbedder(8), 5, index=index, random_state=0)
    found = model.fit(stored).search(queries)
    assert found.is_proved.all()
    assert_nearest(found, W, 5)


def test_an_index_that_is_not_there_says_what_to_install(stored, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        WassersteinNeighbors(FAST, index="faiss").fit(stored)


def test_refined_ranks_candidates_exactly(stored, queries, W):
    model = WassersteinNeighbors(
        FAST, 5, mode="refined", n_candidates=20, random_state=0
    ).fit(stored)
    found = model.search(queries)
    Z = model.embedder_.transform(queries)
    D = model.embedder_.embedded_distances(Z, model.embedding_)
    near = np.argsort(D, axis=1, kind="stable")[:, :20]
    exact = np.sort(np.take_along_axis(W, near, axis=1), axis=1)[:, :5]
    assert_allclose(found.distances, exact, atol=1e-7)
    assert not found.is_proved.any()
    assert np.isnan(found.gaps).all()
    assert (found.n_solves <= 20).all()
    assert 0 < model.expected_recall_ <= 1
    # All candidates: nothing is left out.
    every = clone(model).set_params(n_candidates=70, n_calibration=0).fit(stored)
    assert_nearest(every.search(queries), W, 5)
    assert every.search(queries).is_proved.all()
    assert every.expected_recall_ is None


def test_expected_recall_is_near_the_measured_one(digits):
    X = as_measures(digits[0][:100], grid_shape=(8, 8))
    Q = as_measures(digits[1][:25], grid_shape=(8, 8))
    W = pairwise_wasserstein(Q, X)
    model = WassersteinNeighbors(
        FAST, 5, mode="refined", n_candidates=6, n_calibration=25,
        random_state=0,
    ).fit(X)  # fmt: skip
    indices = model.kneighbors(Q, return_distance=False)
    near = np.argsort(W, axis=1)[:, :5]
    recall = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(indices, near)])  # noqa: B905
    assert recall < 0.9  # there is something to estimate
    assert abs(model.expected_recall_ - recall) < 0.12


def test_embedded_are_the_distances_of_the_embedding(stored, queries):
    model = WassersteinNeighbors(LinearOTEmbedder(6), 5, mode="embedded")
    model.fit(stored)
    distances, indices = model.kneighbors(queries)
    Z = model.embedder_.transform(queries)
    D = model.embedder_.embedded_distances(Z, model.embedding_)
    assert_allclose(distances, np.sort(D, axis=1)[:, :5], rtol=1e-5)
    radius = float(np.median(D))
    _, within = model.radius_neighbors(queries, radius)
    assert sum(map(len, within)) == pytest.approx(D.size / 2, abs=5)


@pytest.mark.parametrize("truth", [SinkhornDivergence(), GromovWasserstein()])
def test_other_ground_truths_are_refined_and_not_certified(truth):
    X, Q = make("weighted", 0)
    model = WassersteinNeighbors(FAST, 3, ground_truth=truth, random_state=0)
    with pytest.raises(ValueError, match="Got mode='certified' with ground_truth"):
        model.fit(X)
    model.set_params(mode="refined", n_calibration=5, n_candidates=9).fit(X)
    distances, indices = model.kneighbors(Q)
    W = pairwise_wasserstein(Q, X, ground_truth=truth)
    assert_allclose(np.take_along_axis(W, indices, axis=1), distances, atol=1e-6)
    assert 0 <= model.expected_recall_ <= 1
    with pytest.raises(ValueError, match="expected an exact distance to solve"):
        model.kneighbors(Q, out="never.npy")


def test_a_tolerance_is_not_certified():
    truth = ExactWasserstein(tolerance=0.1)
    with pytest.raises(ValueError, match="without a tolerance"):
        WassersteinNeighbors(ground_truth=truth).fit(make("weighted", 0)[0])


def test_max_solves_leaves_gaps(stored, queries, W):
    model = WassersteinNeighbors(FAST, 5, max_solves=6, random_state=0).fit(stored)
    found = model.search(queries)
    assert (found.n_solves <= 6).all()
    assert not found.is_proved.all()
    exact = np.sort(W, axis=1)[:, 4]
    # What it returns is further, but for no more than the gap.
    assert (found.distances[:, -1] >= exact - 1e-9).all()
    assert (found.distances[:, -1] - found.gaps <= exact + 1e-9).all()
    assert_array_equal(found.gaps == 0, found.is_proved)
    with pytest.raises(ValueError, match="Got max_solves=6 with n_neighbors=7"):
        model.kneighbors(queries, 7)
    parts = model.set_params(n_shards=3).search(queries)
    assert_array_equal(parts.gaps == 0, parts.is_proved)
    assert (parts.distances[:, -1] - parts.gaps <= exact + 1e-9).all()


def test_a_mode_that_is_set_later_is_proved_too(stored, queries, W):
    model = WassersteinNeighbors(FAST, 5, mode="embedded", random_state=0).fit(stored)
    found = model.set_params(mode="certified").search(queries)
    assert found.is_proved.all()
    assert_nearest(found, W, 5)
    model = WassersteinNeighbors(FAST, mode="embedded", ground_truth="sinkhorn")
    model.fit(stored).set_params(mode="certified")
    with pytest.raises(ValueError, match="Got mode='certified' with ground_truth"):
        model.search(queries)


def test_attributes_are_those_of_the_last_call(fitted, queries):
    model = clone(fitted).fit(fitted._collection(fitted._targets))
    assert not hasattr(model, "n_solves_")
    model.search(queries)
    assert not hasattr(model, "n_solves_")
    model.kneighbors(queries[:3])
    assert len(model.n_solves_) == len(model.proved_) == len(model.gaps_) == 3


@pytest.mark.parametrize("kind", ["grid", "sparse", "clouds", "weighted", "view"])
def test_more_measures_and_files(kind, tmp_path):
    X, Q = make(kind, 5)
    settings = {"n_neighbors": 3, "random_state": 0}
    whole = WassersteinNeighbors(FAST, **settings).fit(X)
    expected = whole.search(Q)
    frozen = FrozenEstimator(whole.embedder_)
    grown = WassersteinNeighbors(frozen, **settings).partial_fit(X[:9])
    grown.partial_fit(X[9:10]).partial_fit(X[10:])
    assert grown.n_samples_fit_ == len(X)
    whole.save(tmp_path / "neighbors")
    loaded = WassersteinNeighbors.load(tmp_path / "neighbors")
    copied = pickle.loads(pickle.dumps(whole))
    for other in (grown, loaded, copied):
        found = other.search(Q)
        assert found.is_proved.all()
        assert_allclose(found.distances, expected.distances, rtol=1e-9, atol=1e-9)
    assert_array_equal(loaded.search(Q).indices, expected.indices)
    assert loaded.get_params()["n_neighbors"] == 3
    with pytest.raises(ValueError, match="of a WassersteinNeighbors, expected a"):
        type("Other", (WassersteinNeighbors,), {}).load(tmp_path / "neighbors")


def test_a_search_goes_on_where_it_was_killed(stored, queries, tmp_path, monkeypatch):
    from skwass.neighbors import _resume, _work

    monkeypatch.setattr(_work, "BLOCK_SIZE", 4)
    monkeypatch.setattr(_resume, "BLOCK_SIZE", 4)
    model = WassersteinNeighbors(FAST, 5, random_state=0).fit(stored)
    expected = model.search(queries)
    path, solve, n_calls = tmp_path / "found.npy", _work._search_one, []

    def killed(*args):
        n_calls.append(1)
        if len(n_calls) == 7:
            raise KeyboardInterrupt
        return solve(*args)

    monkeypatch.setattr(_work, "_search_one", killed)
    with pytest.raises(KeyboardInterrupt):
        model.search(queries, out=path)
    n_calls.clear()
    monkeypatch.setattr(_work, "_search_one", lambda *a: n_calls.append(1) or solve(*a))
    found = model.search(queries, out=path)
    assert len(n_calls) == 4  # of 8: four were there
    for name in ("distances", "indices", "is_proved", "n_solves"):
        assert_array_equal(getattr(found, name), getattr(expected, name))
    model.kneighbors(queries, out=path)
    assert len(n_calls) == 4
    with pytest.raises(ValueError, match="belongs to other embeddings, settings"):
        model.search(queries, 4, out=path)


def test_graphs_are_those_of_scikit_learn(stored, queries, W):
    """Of the same distances, with and without the measures themselves."""
    stored, queries, W = stored[:16], queries[:4], W[:4, :16]
    inner = pairwise_wasserstein(stored)
    for mode in ("distance", "connectivity"):
        ours = WassersteinNeighborsTransformer(
            mode=mode, n_neighbors=4, embedder=FAST, random_state=0
        )
        theirs = KNeighborsTransformer(mode=mode, n_neighbors=4, metric="precomputed")
        pairs = [
            (ours.fit_transform(stored), theirs.fit_transform(inner)),
            (ours.transform(queries), theirs.transform(W)),
        ]
        for graph, expected in pairs:
            assert graph.shape == expected.shape
            assert_array_equal(graph.indptr, expected.indptr)
            assert_allclose(graph.toarray(), expected.toarray(), atol=1e-7)
    assert len(ours.get_feature_names_out()) == len(inner)


@pytest.mark.parametrize(
    "estimator",
    [
        DBSCAN(eps=0.8, metric="precomputed"),
        *(
            pytest.param(e, marks=pytest.mark.slow)
            for e in (
                Isomap(n_neighbors=8, metric="precomputed"),
                TSNE(perplexity=5, metric="precomputed", init="random", max_iter=250),
                SpectralClustering(
                    3, affinity="precomputed_nearest_neighbors", n_neighbors=8
                ),
            )
        ),
    ],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.filterwarnings("ignore:The number of connected components")
@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
def test_what_takes_graphs_takes_ours(stored, estimator):
    graph = WassersteinNeighborsTransformer(
        n_neighbors=20, embedder=FAST, neighbors_mode="embedded", random_state=0
    )
    answer = make_pipeline(graph, estimator).fit(stored)[-1]
    found = getattr(answer, "labels_", getattr(answer, "embedding_", None))
    assert len(found) == len(stored)
    assert np.isfinite(found).all()


def test_votes_are_those_of_scikit_learn(digits, stored, queries, W):
    stored, W = stored[:40], W[:, :40]
    inner, y = pairwise_wasserstein(stored), digits[2][:40]
    for weights in ("uniform", "distance"):
        ours = WassersteinNeighborsClassifier(3, weights=weights, embedder=FAST)
        theirs = KNeighborsClassifier(3, weights=weights, metric="precomputed")
        ours.fit(stored, y), theirs.fit(inner, y)
        assert_array_equal(ours.predict(queries), theirs.predict(W))
        assert_allclose(ours.predict_proba(queries), theirs.predict_proba(W), atol=1e-6)
    regressor = WassersteinNeighborsRegressor(3, embedder=FAST).fit(stored, y)
    nearest = np.argsort(W, axis=1)[:, :3]
    assert_allclose(regressor.predict(queries), y[nearest].mean(axis=1))
    assert ours.score(queries, digits[3][:8]) > 0.7
    with pytest.raises(ValueError, match="requires y to be passed"):
        ours.fit(stored, None)


def test_clouds_in_a_search_over_parameters():
    X, _ = make("weighted", 0)
    clouds = list(zip(X.points, X.masses, strict=True))
    y = np.arange(len(clouds)) % 2
    classifier = WassersteinNeighborsClassifier(embedder=FAST)
    assert np.isfinite(cross_val_score(classifier, clouds, y, cv=2)).all()
    grid = {"n_neighbors": [1, 3], "neighbors_mode": ["certified", "embedded"]}
    search = GridSearchCV(classifier, grid, cv=2, error_score="raise").fit(clouds, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_layouts_for_maps(stored):
    stored = stored[:12]
    fitted = WassersteinNeighbors(FAST, 5, random_state=0).fit(stored)
    distances, indices = fitted.kneighbors(n_neighbors=4)
    for layout, own in (("umap", 1), ("opentsne", 0)):
        found, w = knn_layout(fitted, layout, 4 + own)
        assert found.shape == w.shape == (len(stored), 4 + own)
        assert_array_equal(found[:, own:], indices)
        assert_array_equal(w[:, own:], distances)
    assert_array_equal(knn_layout(fitted)[0][:, 0], np.arange(len(stored)))


@pytest.mark.filterwarnings("default")
def test_umap_takes_the_layout(fitted):
    umap = pytest.importorskip("umap")
    knn = knn_layout(fitted, "umap", 8)
    X = np.zeros((len(knn[0]), 2))
    found = umap.UMAP(n_neighbors=8, precomputed_knn=knn, n_epochs=20).fit_transform(X)
    assert np.isfinite(found).all()


@pytest.mark.filterwarnings("default")
def test_opentsne_takes_the_layout(fitted):
    opentsne = pytest.importorskip("openTSNE")
    knn = opentsne.nearest_neighbors.PrecomputedNeighbors(
        *knn_layout(fitted, "opentsne", 15)
    )
    affinities = opentsne.affinity.PerplexityBasedNN(knn_index=knn, perplexity=5)
    found = opentsne.TSNEEmbedding(np.random.default_rng(0).normal(size=(70, 2)),
                                   affinities)  # fmt: skip
    assert np.isfinite(found.optimize(10)).all()


@pytest.mark.filterwarnings("default")
def test_scanpy_takes_the_transformer(stored):
    scanpy = pytest.importorskip("scanpy")
    anndata = pytest.importorskip("anndata")
    data = anndata.AnnData(stored.masses)
    ours = WassersteinNeighborsTransformer(
        n_neighbors=6, embedder=FAST, grid_shape=(8, 8), random_state=0
    )
    scanpy.pp.neighbors(data, transformer=ours, use_rep="X")
    assert data.obsp["distances"].nnz >= 5 * len(stored)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"mode": "exact"}, "mode"),
        ({"radius": -1.0}, "radius"),
        ({"index": "annoy"}, "index"),
    ],
)
def test_bad_parameters(stored, parameters, message):
    with pytest.raises(ValueError, match=message):
        WassersteinNeighbors(FAST, **parameters).fit(stored)


def test_bad_calls(stored, fitted, queries):
    for n in (0, 71, 2.5):
        with pytest.raises(ValueError, match="expected a whole number from 1 to 70"):
            fitted.kneighbors(queries, n)
    with pytest.raises(ValueError, match="from 1 to 69"):
        fitted.kneighbors(n_neighbors=70)
    with pytest.raises(ValueError, match="Got radius=-1, expected a number >= 0"):
        fitted.radius_neighbors(queries, -1)
    with pytest.raises(ValueError, match="Got mode='weights', expected 'conn"):
        fitted.kneighbors_graph(queries, mode="weights")
    with pytest.raises(ValueError, match="expected at least two measures"):
        WassersteinNeighbors(FAST).fit(stored[:1])
    few = WassersteinNeighbors(FAST, 5, mode="refined", n_candidates=3)
    with pytest.raises(ValueError, match="Got n_candidates=3 with n_neighbors=5"):
        few.set_params(n_calibration=0).fit(stored).kneighbors(queries)
    with pytest.raises(TypeError, match="without embedded_distances"):
        WassersteinNeighbors(KNeighborsTransformer()).fit(stored)
    with pytest.raises(ValueError, match="expected point clouds|expected histograms"):
        fitted.kneighbors([np.zeros((3, 2))])
    for radius in (-1, np.nan, "1"):
        with pytest.raises(ValueError, match="expected a number >= 0"):
            fitted.search(queries, radius=radius)
    with pytest.raises(ValueError, match="Got out='a.npy' with radius=1.0"):
        fitted.search(queries, radius=1.0, out="a.npy")
    for k in (1, 71):
        with pytest.raises(ValueError, match=f"Got n_neighbors={k}, .* from 2 to 70"):
            knn_layout(fitted, "umap", k)
    with pytest.raises(ValueError, match="'n_neighbors' parameter of knn_layout"):
        knn_layout(fitted, "umap", 2.5)
    graph = WassersteinNeighborsTransformer(n_neighbors=71, **QUICK).fit(stored)
    with pytest.raises(ValueError, match="Got n_neighbors=71, .* from 1 to 70"):
        graph.transform(queries)
    assert graph.set_params(n_neighbors=70).transform(queries).nnz == 70 * len(queries)


def test_a_fit_that_fails_changes_nothing(fitted, queries, monkeypatch):
    import sys

    model = pickle.loads(pickle.dumps(fitted))
    expected = model.search(queries)
    with pytest.raises(ValueError, match="NaN|nan"):
        model.fit(np.full((5, 64), np.nan))
    monkeypatch.setitem(sys.modules, "faiss", None)
    model.set_params(index="faiss")
    for fails, X in ((model.fit, np.eye(5)), (model.partial_fit, queries)):
        with pytest.raises(ImportError, match="pip install faiss-cpu"):
            fails(X)
    assert model.n_samples_fit_ == len(model.embedding_) == 70
    assert_array_equal(model.search(queries).indices, expected.indices)
