"""Inputs that were once answered wrong, or in words of someone else."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.utils import _safe_indexing

from skwass import (
    DiffusionEMDEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WormholeEmbedder,
)
from skwass.embedders import _base
from skwass.measures import as_measures, clouds_from_groups
from skwass.metrics import embedding_report
from skwass.ot import ExactWasserstein, SinkhornDivergence, pairwise_wasserstein
from tests.toys import clouds_of

MASSES = np.random.default_rng(0).random((12, 16))
CLOUDS = clouds_of([4, 6, 5] * 4)
CONTAINERS = {
    "histograms": lambda: as_measures(MASSES, grid_shape=(4, 4)),
    "sparse": lambda: as_measures(sparse.csr_array(MASSES), grid_shape=(4, 4)),
    "clouds": lambda: as_measures(CLOUDS),
    "view": lambda: clouds_from_groups(np.eye(24)[:, :2], np.arange(24) // 2)[0],
}
every_container = pytest.mark.parametrize("name", CONTAINERS)


class Answering:
    """A ground truth that answers what it should not."""

    def __init__(self, answer):
        self.answer = answer

    def solve(self, mu, nu):
        return self.answer


@every_container
def test_our_collections_stay_what_they_are_in_scikit_learn(name):
    measures = CONTAINERS[name]()
    for some in (*train_test_split(measures, random_state=0), measures[3:]):
        assert type(some) is type(measures)
    rows = np.array([3, 1, 5])
    for key in (rows, rows.tolist(), np.isin(np.arange(12), rows), slice(1, 6, 2)):
        some = _safe_indexing(measures, key)
        numbers = np.arange(12)[np.asarray(key) if isinstance(key, list) else key]
        assert len(some) == len(numbers)
        for k, number in enumerate(numbers):
            for part, whole in zip(
                some.measure(k), measures.measure(number), strict=True
            ):
                assert_array_equal(part, whole)


@every_container
def test_our_collections_are_scored_by_folds(name):
    measures = CONTAINERS[name]()
    embedder = SlicedWassersteinEmbedder(n_projections=4, random_state=0)
    assert np.isfinite(cross_val_score(embedder, measures, cv=2)).all()
    report = embedding_report([embedder.fit(measures)], measures, n_measures=6)
    assert report.n_measures == 6


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": [1, 2]}, r"Pass list\(X.values\(\)\)"),
        ({1, 2}, r"Pass list\(X\)"),
        ((row for row in MASSES), "can be read more than once"),
        (map(np.asarray, CLOUDS), "can be read more than once"),
        ([[x, np.ones(len(x))] for x in CLOUDS], r"\[tuple\(x\) for x in X\]"),
        ([CLOUDS], "expected rows of numbers|expected numbers"),
        (np.arange(12).astype("M8[D]").reshape(3, 4), "Drop or encode dates"),
        (np.arange(12).astype("m8[s]").reshape(3, 4), "Drop or encode dates"),
        (
            pd.DataFrame({"a": pd.to_datetime(["2020-01-01"] * 2), "b": [1, 2]}),
            "Drop or encode dates",
        ),
        (MASSES * 1j, "Complex data not supported: got X of dtype complex128"),
        (torch.zeros(3, 4, device="meta"), "has no numbers"),
        (None, "Got X of type NoneType"),
        ("measures", "Got X of type str"),
        (3.0, "Got X of type float"),
        ([None, CLOUDS[0]], r"Got X\[1\]"),
        ([np.ones((3, 50)), np.ones((3, 51))], "Pass x.T if points are columns"),
    ],
)
def test_what_is_no_collection_is_told_shortly(X, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        as_measures(X)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("grid", ["44", (None, 4), (4.0, 4), {4: 4}, [[4], [4, 1]], 0])
def test_what_is_no_grid_is_shown(grid):
    with pytest.raises(ValueError, match="Got grid_shape=.* positive integers"):
        as_measures(MASSES, grid_shape=grid)


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: torch.tensor(X).to(torch.bfloat16).double().numpy(),
        lambda X: torch.tensor(X).to(torch.bfloat16),
        lambda X: torch.tensor(X).to(torch.bfloat16).to_sparse(),
        lambda X: torch.tensor(X).to(torch.bfloat16).to_sparse_csr(),
        lambda X: pd.Series(list(torch.tensor(X).to(torch.bfloat16).float().numpy())),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_rows_are_read_from_what_holds_them(convert):
    rounded = torch.tensor(MASSES).to(torch.bfloat16).double().numpy()
    found = as_measures(convert(MASSES)).dense_masses()
    np.testing.assert_allclose(found, as_measures(rounded).masses, rtol=1e-12)


def test_clouds_are_read_from_what_holds_them():
    expected = as_measures(CLOUDS).points
    index = np.arange(12)[::-1]
    for X in (
        pd.Series(CLOUDS, index=index),
        [x.astype(np.longdouble) for x in CLOUDS],
        torch.nested.nested_tensor(
            [torch.tensor(x) for x in CLOUDS], layout=torch.jagged
        ),
    ):
        for x, y in zip(as_measures(X).points, expected, strict=True):
            assert x.dtype == np.float64
            assert_array_equal(x, y)


@pytest.mark.parametrize(
    "groups",
    [
        np.array(["2020-01-01", "NaT", "2020-01-02"], "M8[D]"),
        np.array([1, "NaT", 2], "m8[s]"),
        np.array([1, np.nan, 2], complex),
        np.array([1, np.nan, 2]),
        np.array(["a", None, "b"], dtype=object),
        np.array([pd.Timestamp(0), pd.NaT, pd.Timestamp(1)], dtype=object),
        pd.Series(pd.to_datetime(["2020-01-01", None, "2020-01-02"])),
        pd.Categorical(["a", None, "b"]),
    ],
)
def test_no_group_is_no_group_of_its_own(groups):
    with pytest.raises(ValueError, match=r"Got groups\[1\]=.*without a group"):
        clouds_from_groups(np.zeros((3, 2)), groups)


def test_one_cloud_is_no_list_of_clouds():
    embedder = LinearOTEmbedder(n_reference=4, random_state=0).fit(CLOUDS)
    with pytest.raises(ValueError, match=r"Pass \[X\] if it is one cloud"):
        embedder.transform(CLOUDS[0])
    assert embedder.transform([CLOUDS[0]]).shape[0] == 1


@pytest.mark.parametrize("answer", [1.0, (1.0, True, 3), ("far", True), None])
def test_a_ground_truth_answers_two_numbers(answer):
    with pytest.raises(TypeError, match=r"expected two numbers, \(w, converged\)"):
        pairwise_wasserstein(MASSES, ground_truth=Answering(answer))


@pytest.mark.parametrize("pairs", ["ab", [], 3, [0, 1], [[0, 1], [2]], [[0.5, 1]]])
def test_what_are_no_pairs_is_told(pairs):
    with pytest.raises(ValueError, match="Got pairs.*Use np.column_stack"):
        pairwise_wasserstein(MASSES, pairs=pairs)


@pytest.mark.parametrize("kind", [ExactWasserstein, SinkhornDivergence])
def test_squared_distances_are_told_from_distances(kind):
    bins = np.arange(16.0)
    M = np.abs(bins[:, None] - bins)
    with pytest.warns(UserWarning, match=r"looks like squared distances"):
        pairwise_wasserstein(MASSES[:2], ground_truth=kind(ground_metric=M**2))
    for metric, p in ((M, 2), (M**0.5, 2), (M**2, 1), (M**3 + 1 - np.eye(16), 2)):
        truth = ExactWasserstein(ground_metric=metric * (1 - np.eye(16)), p=p)
        pairwise_wasserstein(MASSES[:2], ground_truth=truth)


def test_time_that_is_over_at_once_is_told():
    embedder = WormholeEmbedder(max_time=1e-9, random_state=0)
    with pytest.warns(ConvergenceWarning, match="was over after one epoch"):
        embedder.fit(CLOUDS)


def test_points_that_are_all_one_have_distances_zero():
    X = [np.ones((3, 2)), np.ones((2, 2))]
    W = DiffusionEMDEmbedder().fit(X).pairwise_distances(X)
    assert_array_equal(W, 0)


def test_score_embeds_what_its_pairs_name(monkeypatch):
    X = np.random.default_rng(0).random((300, 16))
    embedder = SlicedWassersteinEmbedder(n_score_pairs=20, random_state=0).fit(X)
    sizes, embed = [], SlicedWassersteinEmbedder._embed

    def counting(self, measures):
        sizes.append(len(measures))
        return embed(self, measures)

    monkeypatch.setattr(SlicedWassersteinEmbedder, "_embed", counting)
    embedder.score(X)
    assert sum(sizes) <= 40


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_table_is_embedded_block_by_block(dtype, monkeypatch):
    X = load_digits().data[:50].astype(dtype)
    embedder = SlicedWassersteinEmbedder(grid_shape=(8, 8), random_state=0).fit(X)
    whole = embedder.transform(X)
    monkeypatch.setattr(_base, "_BLOCK_ENTRIES", 64 * 7)
    np.testing.assert_allclose(embedder.transform(X), whole, rtol=1e-6, atol=1e-6)
    assert_array_equal(X, load_digits().data[:50])
    faulty = X.copy()
    faulty[[20, 40]] = 0
    with pytest.raises(ValueError, match=r"X\[20\] has no mass.*\(2 such rows\)"):
        embedder.transform(faulty)
