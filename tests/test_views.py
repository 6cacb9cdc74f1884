"""Clouds that are rows of one table: as copies, but for memory."""

import pickle
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array, csc_array, csr_array, csr_matrix
from scipy.spatial.distance import cdist
from sklearn.base import BaseEstimator
from sklearn.model_selection import GridSearchCV, train_test_split
from toys import ON_CLOUDS

from skwass import GaussianEmbedder, LinearOTEmbedder, WassersteinMDS
from skwass.measures import (
    CloudView,
    PointClouds,
    as_measures,
    clouds_from_groups,
    clouds_from_neighbors,
    is_collection_of_clouds,
    thin_clouds,
)
from skwass.ot import ExactWasserstein, SinkhornDivergence, pairwise_wasserstein
from skwass.ot.bounds import lower_bound

RNG = np.random.default_rng(0)
N_ROWS, N_NEIGHBORS = 30, 5
POSITIONS = RNG.normal(size=(N_ROWS, 2))
COUNTS = RNG.poisson(1.0, (N_ROWS, 3))  # a third are zero
X = COUNTS * RNG.uniform(0.5, 2, COUNTS.shape)
SLICES = np.repeat(["s2", "s1"], N_ROWS // 2)
BIG = np.array([[2.0**40, 0.0], [1.0, 1.0], [2.0**50, 1.0]])


def niches(table=X, **settings):
    return clouds_from_neighbors(table, POSITIONS, N_NEIGHBORS, **settings)


def copies(view):
    """Return the same clouds in arrays of their own."""
    return PointClouds(list(view.points), list(view.masses))


def weighted():
    weights = np.arange(N_ROWS) % 4 + 0.5
    return clouds_from_groups(X, np.arange(N_ROWS) % 8, weights)[0]


def assert_same_clouds(clouds, others):
    assert len(clouds) == len(others)
    for (x, a), (y, b) in zip(clouds, others, strict=True):
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes()
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("groups", [None, SLICES])
def test_niches_are_the_nearest_rows_of_the_group(groups, include_self):
    view = niches(groups=groups, include_self=include_self)
    gaps = cdist(POSITIONS, POSITIONS)
    np.fill_diagonal(gaps, -1 if include_self else np.inf)
    if groups is not None:
        gaps[groups[:, None] != groups] = np.inf
    nearest = np.argsort(gaps, axis=1)[:, :N_NEIGHBORS]
    assert_array_equal(view.rows.reshape(N_ROWS, -1), nearest)
    assert_array_equal(np.stack(view.points), X[nearest])
    assert_array_equal(np.stack(view.masses), np.full(nearest.shape, 1 / N_NEIGHBORS))


def test_of_equally_near_rows_the_first_are_taken():
    grid = np.indices((7, 7)).reshape(2, -1).T
    view = clouds_from_neighbors(grid, grid, 7, include_self=True)
    gaps = cdist(grid, grid)
    nearest = np.argsort(gaps, axis=1, kind="stable")[:, :7]
    assert_array_equal(view.rows.reshape(49, 7), nearest)


def test_a_row_is_in_its_niche_however_many_are_in_its_place():
    table, places = np.arange(60.0)[:, None], np.zeros((60, 2))
    view = clouds_from_neighbors(table, places, 3, include_self=True)
    rows = view.rows.reshape(60, 3)
    assert_array_equal(rows[:, 0], np.arange(60))
    assert (np.diff(np.sort(rows, axis=1), axis=1) > 0).all()
    others = clouds_from_neighbors(table, places, 3)
    assert not (others.rows.reshape(60, 3) == np.arange(60)[:, None]).any()


def test_a_niche_may_be_the_row_alone_or_all_rows():
    alone = clouds_from_neighbors(X, POSITIONS, 1, include_self=True)
    assert_array_equal(np.concatenate(alone.points), X)
    whole = clouds_from_neighbors(X, POSITIONS, N_ROWS, include_self=True)
    assert_array_equal(np.sort(whole.rows.reshape(N_ROWS, -1)), [range(N_ROWS)] * 30)


def test_a_view_holds_the_table_and_numbers_of_rows():
    table = X.astype(np.float32)
    view = niches(table)
    assert view.table is table
    assert view.__sizeof__() == table.nbytes + view.rows.nbytes + view.offsets.nbytes
    assert view.rows.dtype == np.int32
    assert (len(view), view.shape, view.dim, view.n_features) == (30, (30,), 3, 3)
    assert is_collection_of_clouds(view)
    assert as_measures(view) is view
    assert view.to_clouds() is view
    assert view.packed() is view
    assert_array_equal(view.sizes, np.full(N_ROWS, N_NEIGHBORS))
    assert view.points[0].dtype == np.float32
    assert clouds_from_groups(table, SLICES)[0].table is table


@pytest.mark.parametrize(
    "key",
    [
        slice(3, 20, 4),
        slice(None, None, -1),
        np.array([5, 2, 2, -1]),
        np.arange(8) % 3 == 0,
        [7, 0],
        np.array([], dtype=int),
        ([1, 2], ...),  # as scikit-learn does
    ],
    ids=repr,
)
def test_parts_are_views_of_the_same_table(key):
    view = weighted()
    part = view[key]
    assert isinstance(part, CloudView)
    assert part.table is view.table
    index = np.arange(len(view))[key]
    assert_same_clouds(part, [view.measure(i) for i in index])
    assert_array_equal(part.names, view.names[index])


def test_measures_are_numbered_from_both_ends():
    view = weighted()
    assert_same_clouds([view[-1], view.measure(-8)], [view[7], view[0]])
    assert_array_equal(view.points[-1], view.points[7])
    assert len(view.points[2:4]) == 2
    for read in (view.measure, view.points.__getitem__, view.masses.__getitem__):
        with pytest.raises(IndexError, match="Got index=8, expected a number below 8"):
            read(8)
        with pytest.raises(IndexError, match="Got index=-9"):
            read(-9)
    with pytest.raises(IndexError):
        view[[8]]
    assert len(list(view)) == 8


@pytest.mark.parametrize(
    "convert",
    [
        np.float16,
        np.float32,
        np.asfortranarray,
        lambda x: x[::-1][::-1],
        np.round,
        lambda x: x.astype(int),
        lambda x: x.astype(bool),
        pd.DataFrame,
        lambda x: x.tolist(),
    ],
)
def test_points_come_in_the_types_of_single_clouds(convert):
    table = convert(X)
    own = np.asarray(table)
    expected = as_measures([own[rows] for rows in niches().rows.reshape(N_ROWS, -1)])
    assert_same_clouds(niches(table), expected)
    assert niches(table).points[0].flags.c_contiguous
    groups = np.arange(N_ROWS) % 3
    expected = as_measures([own[groups == i] for i in range(3)])
    assert_same_clouds(clouds_from_groups(table, groups)[0], expected)


@pytest.mark.parametrize("kind", [csr_matrix, csr_array, csc_array, coo_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_sparse_tables_give_the_bytes_of_dense_ones(kind, dtype):
    dense = X.astype(dtype)
    view = niches(kind(dense))
    assert view.table.format == "csr"
    assert_same_clouds(view, niches(dense))
    assert_same_clouds(view[::3], niches(dense)[::3])
    W = pairwise_wasserstein(view[:12])
    assert_allclose(W, pairwise_wasserstein(niches(dense)[:12]), rtol=0, atol=1e-12)
    assert view.reach == niches(dense).reach


def test_sparse_tables_may_have_entries_in_two_parts_rows_of_none_and_bare_indices():
    rows, columns = [0, 0, 3, 2], [1, 1, 0, 2]
    table = csr_matrix((4, 3))
    table.indptr = np.array([0, 2, 2, 3, 4], dtype=np.int32)
    table.indices = np.array([1, 1, 2, 0], dtype=np.int32)
    table.data = np.array([1.0, 2.0, 5.0, 4.0])
    dense = np.zeros((4, 3))
    np.add.at(dense, (rows, columns), [1.0, 2.0, 4.0, 5.0])
    clouds, _ = clouds_from_groups(table, [0, 1, 0, 1])
    assert_array_equal(np.stack(clouds.points), [dense[[0, 2]], dense[[1, 3]]])
    assert table.nnz == 4, "the user's matrix has changed"
    empty = clouds_from_groups(csr_array((2, 3)), [0, 1])[0]
    assert_array_equal(np.concatenate(empty.points), np.zeros((2, 3)))
    assert empty.reach == 0


def test_a_table_may_be_mapped_from_a_file(tmp_path):
    path = tmp_path / "table.npy"
    np.save(path, X)
    table = np.load(path, mmap_mode="r")
    view = niches(table)
    assert np.shares_memory(view.table, table)
    assert_same_clouds(view, niches())


@pytest.mark.parametrize(
    ("name", "scale"),
    [(name, 1.0) for name in ON_CLOUDS]
    # One of each kind, in a unit of its own.
    + [(name, 2.0**40) for name in ("linear", "scaled", "wormhole")],
)
def test_estimators_give_the_bytes_that_copies_give(name, scale):
    view = niches(csr_array(scale * X) if name == "gaussian" else scale * X)[:24]
    one, other = ON_CLOUDS[name](), ON_CLOUDS[name]()
    Z = one.fit_transform(view)
    assert Z.tobytes() == other.fit_transform(copies(view)).tobytes()
    unseen = niches(scale * X)[24:]
    expected = other.transform(copies(unseen))
    assert one.transform(unseen).tobytes() == expected.tobytes()
    assert one.transform(copies(unseen)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("make", [niches, weighted], ids=["even", "weighted"])
@pytest.mark.parametrize(
    "ground_truth", ["exact", SinkhornDivergence(reg=1.0), ExactWasserstein(p=1)]
)
def test_distances_are_those_of_copies(make, ground_truth):
    view = make()[:8]
    solve = partial(pairwise_wasserstein, ground_truth=ground_truth)
    own = copies(view)
    assert solve(view).tobytes() == solve(own).tobytes()
    assert solve(view[:3], view).tobytes() == solve(own[:3], own).tobytes()
    assert lower_bound(view).tobytes() == lower_bound(own).tobytes()
    assert_same_clouds(thin_clouds(view, 2), thin_clouds(own, 2))


def test_processes_get_a_view_in_one_piece():
    view = weighted()
    with joblib.parallel_backend("loky"):
        W = pairwise_wasserstein(view, n_jobs=2)
    assert_array_equal(W, pairwise_wasserstein(view))


@pytest.mark.parametrize("rows", [[0], [2], [0, 1, 2], [1]])
def test_the_unit_is_that_of_the_points_in_use(rows):
    """Not of others in the table, lest copies be computed in another one."""
    clouds, _ = clouds_from_groups(-BIG, np.arange(3))
    part = clouds[rows]
    assert part.reach == np.abs(BIG[rows]).max()
    halved = part.in_unit(1)
    assert halved.reach == part.reach / 2
    assert_array_equal(halved.points[0], -BIG[rows[:1]] / 2)
    assert halved.in_unit(-1).exponent == 0
    assert clouds_from_groups(csr_array(-BIG), range(3))[0][rows].reach == part.reach


def test_pickles_leave_out_rows_that_are_not_used():
    wide = np.random.default_rng(0).normal(size=(1000, 100))
    view = clouds_from_neighbors(wide, wide[:, :2], 4)
    part = view[10:20]
    again = pickle.loads(pickle.dumps(part))
    assert_same_clouds(again, part)
    assert len(again.table) < 50
    assert part.table is wide
    # The same array each time: joblib sends what it has seen before by its name.
    assert part.__getstate__()["table"] is part.__getstate__()["table"]
    assert len(pickle.dumps(part)) < wide.nbytes / 20
    assert pickle.loads(pickle.dumps(view)).table.shape == wide.shape
    sparse = clouds_from_neighbors(csr_array(wide), wide[:, :2], 4)[10:20]
    again = pickle.loads(pickle.dumps(sparse))
    assert_same_clouds(again, part)
    assert again.table.nnz == again.table.shape[0] * 100
    assert joblib.hash(part) == joblib.hash(view[10:20])
    assert joblib.hash(part) != joblib.hash(view[10:21])


class Recorder(BaseEstimator):
    """An estimator whose score says where its data are."""

    def __init__(self, parameter=0):
        self.parameter = parameter

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return float(isinstance(X, CloudView) and isinstance(X.table, np.memmap))


@pytest.mark.parametrize("n_used", [2000, 500], ids=["all rows", "few rows"])
def test_workers_of_a_grid_search_share_one_table(n_used):
    wide = np.random.default_rng(0).normal(size=(2000, 400))  # joblib maps from 1 MB
    view = clouds_from_neighbors(wide, wide[:, :2], 4)[:n_used]
    search = GridSearchCV(
        Recorder(), {"parameter": [1, 2]}, cv=2, n_jobs=2, refit=False
    )
    assert_array_equal(search.fit(view).cv_results_["mean_test_score"], [1, 1])


def test_scikit_learn_splits_views_into_views():
    view = niches()
    train, test, y, _ = train_test_split(view, np.arange(N_ROWS), random_state=0)
    assert train.table is test.table is view.table
    assert_same_clouds(train, [view.measure(i) for i in y])
    search = GridSearchCV(GaussianEmbedder(), {"n_score_pairs": [5, 6]}, cv=2)
    assert np.isfinite(search.fit(view).cv_results_["mean_test_score"]).all()


def test_names_of_features_and_measures_are_kept():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    frame.index = [f"cell {i}" for i in range(N_ROWS)]
    view = niches(frame)
    assert view.names.tolist() == frame.index.tolist()
    assert view.feature_names.tolist() == ["a", "b", "c"]
    clouds, names = clouds_from_groups(frame, SLICES)
    assert clouds.names is names
    assert names.tolist() == ["s1", "s2"]
    assert clouds.feature_names.tolist() == ["a", "b", "c"]
    assert niches().names is niches().feature_names is None
    assert pickle.loads(pickle.dumps(view[3:5])).names.tolist() == ["cell 3", "cell 4"]


@pytest.mark.parametrize("name", ["linear", "mds"])
def test_estimators_refuse_other_features_than_those_of_fit(name, tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    embedder = ON_CLOUDS[name]().fit(niches(frame))
    assert embedder.feature_names_in_.tolist() == ["a", "b", "c"]
    Z = embedder.transform(niches(frame))
    assert_array_equal(embedder.transform(niches()), Z)
    embedder.save(tmp_path / "file")
    loaded = type(embedder).load(tmp_path / "file")
    for one in (embedder, loaded):
        with pytest.raises(ValueError, match=r"Got X with feature 'c' in column 0, ex"):
            one.transform(niches(frame[["c", "b", "a"]]))
    assert_array_equal(loaded.transform(niches(frame)), Z)
    assert not hasattr(embedder.fit(niches()), "feature_names_in_")


def test_a_fit_that_fails_keeps_the_names_of_the_last():
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    embedder = LinearOTEmbedder(n_reference=4, random_state=0).fit(niches(frame))
    with pytest.raises(ValueError, match="n_samples=1"):
        embedder.fit(niches()[:1])
    assert embedder.feature_names_in_.tolist() == ["a", "b", "c"]


def test_a_model_of_distances_keeps_a_view_and_its_file_holds_points(tmp_path):
    view = weighted()
    model = WassersteinMDS(2, ground_truth="exact").fit(view)
    assert model.measures_ is view
    model.save(tmp_path / "file")
    loaded = WassersteinMDS.load(tmp_path / "file")
    assert_same_clouds(loaded.measures_, view)
    assert loaded.transform(view).tobytes() == model.transform(view).tobytes()


FAULTS = {
    "NaN": (np.nan, ValueError, r"Got X where X\[3\] has NaN, infinity or a coor"),
    "inf": (np.inf, ValueError, r"X\[3\] has NaN, .* rescale all\.$"),
    "minus inf": (-np.inf, ValueError, r"X\[3\] has NaN"),
    "far": (-1.1e150, ValueError, r"a coordinate beyond 1e\+150"),
}


@pytest.mark.parametrize("convert", [np.array, csr_array])
@pytest.mark.parametrize(("bad", "error", "message"), FAULTS.values(), ids=FAULTS)
def test_coordinates_are_checked_once_and_the_row_is_named(
    convert, bad, error, message
):
    faulty = X.copy()
    faulty[3, 1] = bad
    for make in (niches, lambda table: clouds_from_groups(table, SLICES)):
        with pytest.raises(error, match=message):
            make(convert(faulty))
    faulty[5, 0] = bad
    with pytest.raises(ValueError, match=r"X\[3\] has .* \(2 such rows\)$"):
        niches(convert(faulty))


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        (X * 1j, ValueError, "Complex data not supported"),
        (csr_array(X * 1j), ValueError, "Complex data not supported"),
        (X.astype(str), TypeError, "Got X of dtype <U32, expected real numbers"),
        (pd.DataFrame({"a": ["x"] * 30}), TypeError, "Got X of dtype"),
        (X[0], ValueError, "Expected 2D array"),
        (X[:0], ValueError, r"0 sample\(s\)"),
        (X[:, :0], ValueError, r"0 feature\(s\)"),
        (np.ma.masked_equal(X, 0), ValueError, "Got X with masked entries"),
    ],
)
def test_bad_tables_are_refused(table, error, message):
    with pytest.raises(error, match=message):
        niches(table)
    with pytest.raises(error, match=message):
        clouds_from_groups(table, SLICES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"positions": POSITIONS[:5]}, r"positions of shape \(5, 2\), expected \(30,"),
        ({"positions": POSITIONS[:, 0]}, "Expected 2D array"),
        ({"positions": POSITIONS * 1e160}, "positions with NaN, infinity or a coord"),
        ({"positions": np.full((30, 2), np.nan)}, r"positions\[0\] .*\(30 such rows\)"),
        ({"positions": np.ma.masked_less(POSITIONS, 0)}, "positions with masked"),
        (
            {"n_neighbors": 30},
            r"n_neighbors=30 with 30 rows in X, expected at least 31",
        ),
        ({"n_neighbors": 15, "groups": SLICES}, "15 rows in the group 's1', .* 16. Dr"),
        (
            {"n_neighbors": 31, "include_self": True},
            "n_neighbors=31 with 30 rows in X, expected at least 31",
        ),
        ({"groups": SLICES[:3]}, r"groups of shape \(3,\), expected \(30,\)"),
        ({"groups": [None] * 30}, r"Got groups\[0\]=None"),
        ({"n_neighbors": 0}, "'n_neighbors' parameter"),
        ({"n_neighbors": 2.0}, "'n_neighbors' parameter"),
        ({"include_self": "no"}, "'include_self' parameter"),
    ],
)
def test_neighbours_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        clouds_from_neighbors(**{"X": X, "positions": POSITIONS, **settings})


def test_data_frames_in_another_order_are_refused():
    """Rows are taken as they come, whatever their labels say."""
    frame = pd.DataFrame(X, index=[f"c{k}" for k in range(N_ROWS)])
    groups = pd.Series(SLICES, index=frame.index)
    places = pd.DataFrame(POSITIONS, index=frame.index)
    order = np.random.default_rng(0).permutation(N_ROWS)
    for build, given, name in (
        (clouds_from_groups, groups, "groups"),
        (clouds_from_neighbors, places, "positions"),
    ):
        build(frame, given)
        with pytest.raises(ValueError, match=f"Got {name} whose index has the labels"):
            build(frame, given.iloc[order])
        # Other labels, or none, say nothing of an order.
        build(frame, given.reset_index(drop=True))
        build(frame, given.to_numpy())


def test_clouds_with_their_names_are_no_measures():
    with pytest.raises(TypeError, match="Got X=clouds and their names.*clouds, names"):
        as_measures(clouds_from_groups(X, SLICES))


def test_sparse_clouds_in_a_list_are_refused():
    with pytest.raises(TypeError, match=r"X\[0\]=a sparse matrix.*clouds_from_groups"):
        as_measures([csr_array(X), csr_array(X)])
