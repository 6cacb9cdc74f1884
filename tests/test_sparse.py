"""Histograms in sparse matrices: the same measures, without the bins that are empty."""

import pickle
import tracemalloc
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags
from test_common import ESTIMATORS
from toys import ON_CLOUDS, TRAINED

from skwass import (
    DeepWassersteinEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    WassersteinMDS,
    WormholeEmbedder,
)
from skwass.architectures import ODEKENN
from skwass.geometry import geodesic
from skwass.inspection import BarycenterDisplay
from skwass.manifold.checks import look_like_distances
from skwass.measures import CloudView, SparseHistograms, as_measures
from skwass.ot import (
    ExactWasserstein,
    SinkhornDivergence,
    pairwise_wasserstein,
)
from skwass.ot.bounds import lower_bound

N_BINS, DIM = 40, 3


def make_counts(n, n_bins=N_BINS, n_filled=6, seed=0):
    """Return counts of `n_filled` bins a row, or fewer, in CSR format."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(n), n_filled)
    columns = rng.integers(n_bins, size=n * n_filled)
    counts = rng.integers(1, 5, size=n * n_filled)
    return sparse.csr_array((counts, (rows, columns)), shape=(n, n_bins))


@pytest.fixture(scope="module")
def words():
    return np.random.default_rng(1).normal(size=(N_BINS, DIM))


@pytest.fixture(scope="module")
def counts():
    return make_counts(30)


def careless():
    """Return a matrix with an entry in two parts, out of order, and a stored zero."""
    data, columns = [1.0, 2.0, 3.0, 0.0, 5.0], [2, 0, 2, 1, 1]
    return sparse.csr_array((data, columns, [0, 4, 5]), shape=(2, 3))


def frame_of(X, **settings):
    return pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X), **settings)


LAYOUTS = {
    "frame": frame_of,
    "float32": lambda X: X.astype(np.float32),
    "bool": lambda X: X > 0,
    "int64": lambda X: sparse.csr_array(
        (X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), X.shape
    ),
    **{
        f"{name}_{kind}": getattr(sparse, f"{name}_{kind}")
        for name in ("csr", "csc", "coo", "lil", "dok", "bsr")
        for kind in ("array", "matrix")
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_layouts_are_the_same_measures(layout, counts, words):
    given = LAYOUTS[layout](counts)
    rows = counts.toarray() > 0 if layout == "bool" else counts.toarray()
    expected = as_measures(rows, support=words)
    found = as_measures(given, support=words)
    assert isinstance(found, SparseHistograms)
    assert_allclose(found.dense_masses(), expected.masses, rtol=1e-15)
    assert_array_equal(found.sizes, expected.sizes)
    for i in (0, 7, -1):
        for own, other in zip(found[i], expected[i], strict=True):
            assert_allclose(own, other, rtol=1e-15)


def test_entries_are_added_up_and_zeros_left_out_of_a_copy():
    X = careless()
    kept = [part.copy() for part in (X.data, X.indices, X.indptr)]
    measures = as_measures(X)
    for part, before in zip((X.data, X.indices, X.indptr), kept, strict=True):
        assert_array_equal(part, before)
    assert_array_equal(measures.dense_masses(), [[1 / 3, 0, 2 / 3], [0, 1, 0]])
    assert_array_equal(measures.sizes, [2, 1])


@pytest.mark.parametrize("unit", [1e-300, 1e300])
def test_masses_in_any_unit(unit, counts):
    masses = as_measures(counts * unit).masses
    assert_allclose(masses.data, as_measures(counts).masses.data, rtol=1e-12)


def test_clouds_are_a_view_of_the_support(counts, words):
    measures = as_measures(counts, support=words)
    clouds = measures.to_clouds()
    assert isinstance(clouds, CloudView)
    assert clouds.table is measures.support
    few = measures[[3, 1]]
    assert isinstance(few, SparseHistograms)
    assert_array_equal(few.measure(1)[0], measures.measure(1)[0])
    last = measures[np.arange(30) > 27]
    assert_array_equal(last.dense_masses(), measures[-2:].dense_masses())
    assert repr(measures) == "SparseHistograms(30 measures, 40 bins)"


def test_pickles_and_hashes_are_of_values_alone(counts, words):
    measures = as_measures(counts, support=words)
    again = pickle.loads(pickle.dumps(measures))
    assert_array_equal(again.dense_masses(), measures.dense_masses())
    # Such a question is noted on the matrix.
    assert again.masses.has_canonical_format
    assert joblib.hash(again) == joblib.hash(measures)
    assert joblib.hash(measures[:-1]) != joblib.hash(measures)


ONES = np.ones((4, 2))
FAULTS = {
    "negative": (
        [[1, 1], [-1, 3], [1, 1], [-2, 3]],
        r"^Negative values in data: Got X where X\[1\] .* \(2 such rows\)$",
    ),
    "NaN": ([[1, 1], [np.nan, 1]], r"X\[1\] contains NaN or infinity"),
    "infinity": ([[1, 1], [1, np.inf]], r"X\[1\] contains NaN or infinity"),
    "empty": (
        [[1, 1], [0, 0], [0, 1], [0, 0]],
        r"X\[1\] has no mass .*X\[np.ravel\(X.sum\(axis=1\)\) > 0\]\. \(2 such rows\)$",
    ),
    "complex": (ONES * 1j, "Complex data not supported"),
    "no rows": (ONES[:0], r"0 sample\(s\)"),
    "bins": (np.ones((4, 3)), r"support of shape \(2, 1\), .*\(3, d\)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named(fault):
    X, message = FAULTS[fault]
    with pytest.raises(ValueError, match=message):
        as_measures(sparse.csr_array(X), support=[0.0, 1.0])


@pytest.mark.parametrize("layout", ["csr_array", "csr_matrix", "frame"])
def test_empty_rows_are_dropped_as_the_message_says(layout):
    X = LAYOUTS[layout](sparse.csr_array([[1, 1], [0, 0], [0, 1]]))
    assert len(as_measures(X[np.ravel(X.sum(axis=1)) > 0])) == 2


def test_stored_zeros_alone_are_no_mass():
    X = sparse.csr_array(([1.0, 0.0], [0, 1], [0, 1, 2]), shape=(2, 2))
    with pytest.raises(ValueError, match=r"X\[1\] has no mass"):
        as_measures(X)


TRUTHS = {
    "W2": {},
    "word mover": {"ground_truth": ExactWasserstein(p=1)},
    "matrix": {"matrix": True},
    "entropic": {"ground_truth": SinkhornDivergence(reg=0.1)},
    "gromov": {"ground_truth": "gromov"},
}


@pytest.mark.parametrize("truth", TRUTHS)
def test_distances_are_those_of_dense_rows(truth, counts, words):
    settings = {"support": words, **TRUTHS[truth]}
    if settings.pop("matrix", False):
        gaps = np.linalg.norm(words[:, None] - words, axis=2)
        settings["ground_truth"] = ExactWasserstein(p=1, ground_metric=gaps)
    X, Y = counts[:6], counts[6:10]
    expected = pairwise_wasserstein(X.toarray(), Y.toarray(), **settings)
    for left, right in ((X, Y), (X, Y.toarray()), (X.toarray(), Y)):
        found = pairwise_wasserstein(left, right, **settings)
        assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "ground_truth", ["exact", SinkhornDivergence(reg=0.5)], ids=str
)
def test_distances_on_a_grid(ground_truth):
    settings = {"grid_shape": (5, 8), "ground_truth": ground_truth}
    X = make_counts(6)
    expected = pairwise_wasserstein(X.toarray(), **settings)
    found = pairwise_wasserstein(X, **settings)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_bounds_are_those_of_dense_rows(counts, words):
    expected = lower_bound(counts.toarray(), support=words)
    assert_allclose(lower_bound(counts, support=words), expected, atol=1e-12)


# Names of toys, and those that see masses of bins, with how far embeddings may be
# apart: training carries on what float32 rounds.
MAKERS = {
    **ON_CLOUDS,
    "masses": partial(WormholeEmbedder, architecture="dense", **TRAINED),
    "deep": partial(DeepWassersteinEmbedder, **TRAINED),
    "kuratowski": partial(
        KuratowskiEmbedder, architecture=ODEKENN(widths=(16,)), **TRAINED
    ),
}
LEARNED = {"wormhole", "fourier", "maps", "masses", "deep", "kuratowski"}


@pytest.mark.parametrize("name", MAKERS)
def test_embeddings_are_those_of_dense_rows(name, counts, words):
    rows, new = counts.toarray(), make_counts(9, seed=2)
    embedder = MAKERS[name](support=words)
    of_dense, of_sparse = (clone(embedder).fit(X) for X in (rows, counts))
    Z = of_dense.transform(new.toarray())
    size = np.abs(Z).max()
    # What was fitted reads both kinds.
    assert_allclose(of_dense.transform(new), Z, atol=1e-5 * size)
    atol = (1e-3 if name in LEARNED else 1e-5) * size
    for X in (new, new.toarray(), as_measures(new, support=words)):
        assert_allclose(of_sparse.transform(X), Z, atol=atol)
    W = of_dense.pairwise_distances(new.toarray())
    atol = 3e-3 * W.max()
    assert_allclose(of_sparse.pairwise_distances(new, new), W, atol=atol)
    assert_array_equal(of_sparse.support_, words)
    assert of_sparse.n_features_in_ == N_BINS


def test_slices_with_derivatives_on_few_dimensions():
    """Probes are used bins alone, or clouds; fixed layers see clouds."""
    X = make_counts(40, n_bins=36)
    for exact_mean in (True, False):
        embedder = WormholeEmbedder(
            grid_shape=(6, 6), exact_mean=exact_mean, gradient_weight=0.3, **TRAINED
        )
        Z, Z_of_dense = (
            clone(embedder).fit(data).transform(X) for data in (X, X.toarray())
        )
        assert_allclose(Z, Z_of_dense, atol=1e-3 * np.abs(Z).max())


def test_no_dense_matrix_is_made_of_many_bins(monkeypatch):
    """It would take 320 MB. torch allocates on its own, and reads `dense_masses`."""

    def refuse(self, *args, **kwargs):
        raise AssertionError("dense")

    monkeypatch.setattr(SparseHistograms, "dense_masses", refuse)
    X = make_counts(200, n_bins=200_000)
    support = np.random.default_rng(0).normal(size=(200_000, 2))
    names = "linear", "sliced", "gaussian", "pseudobulk", "regression", "fourier"
    for name in (*names, "maps"):
        embedder = MAKERS[name](support=support)
        tracemalloc.start()
        embedder.fit(X).transform(X[:20])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 6e7, name


def test_names_of_bins_are_kept(counts, words):
    names = [f"word {k}" for k in range(N_BINS)]
    frame = frame_of(counts, columns=names)
    embedder = LinearOTEmbedder(n_reference=4, support=words, random_state=0).fit(frame)
    assert embedder.feature_names_in_.tolist() == names
    with pytest.raises(ValueError, match="feature names should match"):
        embedder.transform(frame[names[::-1]])
    with pytest.raises(ValueError, match="39 features, but Lin.* is expecting 40"):
        clone(embedder).fit(counts).transform(counts[:, 1:])


def test_search_and_pipeline(counts, words):
    embedder = LinearOTEmbedder(n_reference=4, n_score_pairs=20, random_state=0)
    embedder.set_params(support=words)
    search = GridSearchCV(embedder, {"n_reference": [2, 6]}, cv=2, error_score="raise")
    dense = clone(search).fit(counts.toarray()).cv_results_["mean_test_score"]
    search.fit(counts.tocsr())
    assert_allclose(search.cv_results_["mean_test_score"], dense, rtol=1e-5)
    assert make_pipeline(embedder).fit_transform(counts).shape[0] == counts.shape[0]


def test_a_network_learns_the_word_movers_distance():
    """On documents about one or two of four subjects."""
    rng = np.random.default_rng(0)
    subject = np.arange(N_BINS) % 4
    words = 3 * np.eye(4, 8)[subject] + rng.normal(size=(N_BINS, 8))
    likely = rng.dirichlet(np.full(4, 0.3), size=120)[:, subject] + 1e-3
    documents = sparse.csr_matrix(rng.poisson(12 * likely / likely.sum(1)[:, None]))
    documents = documents[documents.sum(axis=1).A1 > 0]
    mover = ExactWasserstein(p=1)
    embedder = WormholeEmbedder(
        8,
        ground_truth=mover,
        support=words,
        n_pairs=1_000,
        max_iter=20,
        batch_size=64,
        n_score_pairs=200,
        random_state=0,
    ).fit(documents)
    W = pairwise_wasserstein(documents, support=words, ground_truth=mover)
    predicted = embedder.pairwise_distances(documents)
    error = np.abs(predicted - W).mean()
    means = documents @ words / documents.sum(axis=1).A1[:, None]
    of_means = np.linalg.norm(means[:, None] - means, axis=2)
    assert error < 0.5 * np.abs(of_means - W).mean()
    assert embedder.score(documents) > 0.8


def test_training_goes_on_with_the_other_kind(counts, words):
    embedder = WormholeEmbedder(support=words, **TRAINED).fit(counts)
    embedder.partial_fit(counts.toarray()).partial_fit(counts)
    embedder.set_params(warm_start=True).fit(counts)
    assert np.isfinite(embedder.transform(counts)).all()


def test_files_keep_sparse_measures(counts, words, tmp_path):
    mds = WassersteinMDS(3, ground_truth="exact", support=words).fit(counts)
    mds.save(tmp_path / "mds")
    again = WassersteinMDS.load(tmp_path / "mds")
    assert isinstance(again.measures_, SparseHistograms)
    new = make_counts(5, seed=3)
    assert_array_equal(again.transform(new), mds.transform(new))


def test_sparse_distances_are_noticed_as_dense_ones_are():
    near = sparse.csr_array(np.ones((4, 4)) - np.eye(4))
    assert look_like_distances(near)
    assert not look_like_distances(make_counts(4, n_bins=4))
    assert not look_like_distances(make_counts(4))
    with pytest.warns(UserWarning, match="Got X with a zero diagonal"):
        WassersteinMDS(ground_truth="exact").fit(near)
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        WassersteinMDS().fit(near)
    with pytest.raises(ValueError, match=r"Got y of shape \(30, 30\)"):
        LinearOTEmbedder().fit(make_counts(30), np.ones((30, 30)))


def test_decoding_and_drawing(counts):
    rows = counts[:, :36]
    embedder = DeepWassersteinEmbedder(grid_shape=(6, 6), **TRAINED).fit(rows)
    dense = geodesic(embedder, rows[:2].toarray(), times=3)
    assert_allclose(geodesic(embedder, rows[:2], times=3), dense, atol=1e-6)
    with pytest.raises(ValueError, match="Got X with n_samples=3"):
        geodesic(embedder, rows[:3])
    display = BarycenterDisplay.from_estimator(embedder, rows)
    masses = as_measures(rows.toarray()).masses
    assert_allclose(display.means[0], masses.mean(axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_estimator_sparse_tag,
        estimator_checks.check_estimator_sparse_array,
        estimator_checks.check_estimator_sparse_matrix,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learn_checks_on_rows_with_mass(estimator, check, monkeypatch):
    """Those of `parametrize_with_checks` have empty rows, which are no measures."""
    original = estimator_checks._enforce_estimator_tags_X

    def with_mass(estimator, X):
        X = original(estimator, X)
        X[X.sum(axis=1) == 0, 0] = 1
        return X

    monkeypatch.setattr(estimator_checks, "_enforce_estimator_tags_X", with_mass)
    tags = get_tags(estimator).input_tags
    assert tags.sparse != tags.pairwise
    check(type(estimator).__name__, estimator)
