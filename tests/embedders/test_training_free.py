"""The promises that embedders without a network make to a scikit-learn user."""

import json
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import safe_open
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from toys import distances_of_rows

from skwass import (
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    LinearOTEmbedder,
    PseudobulkEmbedder,
    SlicedRegressionEmbedder,
    SlicedWassersteinEmbedder,
)
from skwass.ot import SinkhornDivergence, pairwise_wasserstein

OPTIONS = {"grid_shape": (8, 8), "random_state": 0}
EMBEDDERS = {
    "diffusion": partial(DiffusionEMDEmbedder, **OPTIONS),
    "gaussian": partial(GaussianEmbedder, **OPTIONS),
    "linear": partial(LinearOTEmbedder, n_reference=20, **OPTIONS),
    "corrected": partial(
        LinearOTEmbedder, 12, n_reference=20, correction=True, n_pairs=500, **OPTIONS
    ),
    "pseudobulk": partial(PseudobulkEmbedder, scale=True, **OPTIONS),
    "regression": partial(SlicedRegressionEmbedder, 8, n_pairs=200, **OPTIONS),
    "sliced": partial(SlicedWassersteinEmbedder, scale=True, **OPTIONS),
}
# Their distance is not the Euclidean one of `transform`.
NOT_EUCLIDEAN = ("diffusion", "gaussian", "regression")


@pytest.fixture(scope="module", params=EMBEDDERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def make(name):
    return EMBEDDERS[name]


@pytest.fixture(scope="module")
def fitted(make, digits):
    """Return an embedder that nobody may change."""
    return make().fit(digits[0])


def test_distances(name, fitted, digits):
    W = fitted.pairwise_distances(digits[1])
    assert W.dtype == np.float32
    assert_array_equal(W, W.T)
    assert (np.diag(W) == 0).all()
    Z = fitted.transform(digits[1])
    if name not in NOT_EUCLIDEAN:
        expected = distances_of_rows(Z, fitted._readout)
        assert_allclose(W, expected, atol=1e-5)
    part = fitted.pairwise_distances(digits[1][:7], digits[1])
    assert_allclose(part, W[:7], atol=1e-5)
    if name == "regression":
        return  # no metric
    # The triangle inequality, which holds for all others.
    assert (W[:, :, None] <= W[:, None] + W.T[None] + 1e-4).all()


def test_score_is_r2_of_W(fitted, digits, test_distances):
    X = digits[1][:40]
    i, j = np.triu_indices(40, k=1)
    w, d = test_distances[i, j], fitted.pairwise_distances(X)[i, j]
    fitted = pickle.loads(pickle.dumps(fitted)).set_params(n_score_pairs=10**6)
    expected = 1 - np.mean((d - w) ** 2) / w.var()
    assert fitted.score(X) == pytest.approx(expected, abs=1e-4)


def test_correlation_on_unseen_measures(name, fitted, digits, test_distances):
    i, j = np.triu_indices(100, k=1)
    d = fitted.pairwise_distances(digits[1])[i, j]
    least = {"linear": 0.98, "corrected": 0.98, "gaussian": 0.7, "pseudobulk": 0.5}.get(
        name, 0.9
    )
    assert np.corrcoef(d, test_distances[i, j])[0, 1] > least


def test_a_fit_that_fails_changes_nothing(make, digits):
    embedder = make().fit(digits[0])
    Z = embedder.transform(digits[1])
    with pytest.raises(ValueError, match="Got grid_shape="):
        embedder.fit(digits[0][:, :32])
    with pytest.raises(ValueError, match="n_samples=1"):
        embedder.fit(digits[0][:1])
    assert_array_equal(embedder.transform(digits[1]), Z)
    with pytest.raises(NotFittedError):
        make().transform(digits[1])


def test_parameters_set_after_fit_change_nothing(make, digits):
    embedder = make().fit(digits[0])

    def answers():
        Z = embedder.transform(digits[1])
        found = [Z, embedder.pairwise_distances(digits[1])]
        if hasattr(embedder, "inverse_transform"):
            found.append(embedder.inverse_transform(Z))
        return found

    before = answers()
    other = {
        "n_components": 3,
        "n_reference": 3,
        "n_projections": 3,
        "predictors": "mean",
        "constrained": True,
        "n_quantiles": 5,
        "n_scales": 2,
        "n_nodes": 5,
        "alpha": 0.9,
        "n_neighbors": 3,
        "reference": "kmeans",
        "scale": False,
        "correction": False,
        "ground_truth": SinkhornDivergence(),
        "grid_shape": (4, 16),
    }
    known = embedder.get_params()
    embedder.set_params(**{key: v for key, v in other.items() if key in known})
    for one, two in zip(before, answers(), strict=True):
        assert_array_equal(one, two)


def test_files(name, fitted, digits, tmp_path):
    path = tmp_path / "embedder.safetensors"
    fitted.save(path)
    again = type(fitted).load(path)
    assert repr(again) == repr(fitted)
    assert_array_equal(again.transform(digits[1]), fitted.transform(digits[1]))
    assert again.score(digits[1]) == fitted.score(digits[1])
    if hasattr(fitted, "inverse_transform"):
        Z = fitted.transform(digits[1][:3])
        assert_allclose(again.inverse_transform(Z), fitted.inverse_transform(Z))
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["skwass"])
    assert header["estimator"] == type(fitted).__name__
    wrong = GaussianEmbedder if name != "gaussian" else LinearOTEmbedder
    with pytest.raises(ValueError, match=rf"Call {type(fitted).__name__}\.load"):
        wrong.load(path)


def test_files_of_clouds_and_of_solvers(tmp_path):
    rng = np.random.default_rng(0)
    clouds = [rng.normal(size=(n, 3)) for n in (4, 5, 6, 7)]
    path = tmp_path / "embedder.safetensors"
    for embedder in (
        DiffusionEMDEmbedder(n_nodes=10, n_neighbors=4, random_state=0),
        LinearOTEmbedder(
            reference=clouds[0],
            ground_truth=SinkhornDivergence(reg=0.1),
            random_state=0,
        ),
    ):
        embedder.fit(clouds).save(path)
        again = type(embedder).load(path)
        assert_array_equal(again.transform(clouds), embedder.transform(clouds))


def test_pandas_in_and_out(make, digits):
    X = pd.DataFrame(digits[0], columns=[f"pixel{i}" for i in range(64)])
    embedder = make().set_output(transform="pandas").fit(X)
    Z = embedder.transform(X[:5])
    assert list(embedder.feature_names_in_) == list(X.columns)
    assert list(Z.columns) == list(embedder.get_feature_names_out())


@pytest.mark.slow
def test_in_a_pipeline_and_a_search(name, make, digits):
    X_train, X_test, y_train, y_test = digits
    pipeline = make_pipeline(make(), KNeighborsClassifier(3)).fit(X_train, y_train)
    least = {"gaussian": 0.45, "pseudobulk": 0.2}.get(name, 0.8)
    assert pipeline.score(X_test, y_test) > least
    grid = {f"{pipeline.steps[0][0]}__n_score_pairs": [10, 20]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    assert np.isfinite(search.fit(X_train, y_train).best_score_)


def test_memory_keeps_labels(name, make, digits, tmp_path):
    if name == "gaussian":
        pytest.skip("labels nothing in fit")
    first, second = (make(memory=str(tmp_path)).fit(digits[0]) for _ in range(2))
    assert first.n_solves_ == make().fit(digits[0]).n_solves_ >= first.n_pairs_
    # What is left makes the reference of maps.
    assert second.n_solves_ == (300 if name in ("linear", "corrected") else 0)
    assert_array_equal(second.transform(digits[1]), first.transform(digits[1]))


def test_given_distances_are_those_of_pairs(name, make, digits, test_distances):
    if name == "gaussian":
        pytest.skip("learns no unit")
    one = make().fit(digits[1], distances=test_distances)
    with pytest.warns(UserWarning, match="are 3 times W"):
        other = make().fit(digits[1], distances=3 * test_distances)
    assert one.n_pairs_ == 100 * 99 // 2
    if name == "regression":  # predictions stay between bounds of W
        assert other.coef_.sum() > 2 * one.coef_.sum()
        return
    assert other.scale_ > 2 * one.scale_


@pytest.fixture(scope="module")
def entropic(digits):
    """Return a ground truth, and its distances of test images."""
    truth = SinkhornDivergence(reg=0.05)
    return truth, pairwise_wasserstein(
        digits[1][:40], grid_shape=(8, 8), ground_truth=truth
    )


def test_labels_that_are_all_0_scale_nothing(name, make, digits):
    if name == "gaussian":
        pytest.skip("learns no unit")
    X = digits[1][:20]
    with pytest.warns(UserWarning, match="Got labels that are all 0"):
        embedder = make().fit(X, distances=np.zeros((20, 20)))
    if name != "regression":
        assert embedder.scale_ == 1
    W = embedder.pairwise_distances(X)
    assert np.isfinite(W).all()
    assert (W[~np.eye(20, dtype=bool)] > 0).all()


def test_other_ground_truths(make, digits, entropic):
    truth, labels = entropic
    embedder = make(ground_truth=truth).fit(digits[0][:60])
    i, j = np.triu_indices(40, k=1)
    d = embedder.pairwise_distances(digits[1][:40])[i, j]
    assert np.corrcoef(d, labels[i, j])[0, 1] > 0.6


def test_alone_or_in_a_batch_and_global_generators(make, digits):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    embedder = make(random_state=None).fit(digits[0])
    Z = embedder.transform(digits[1])
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    alone = np.vstack([embedder.transform(x[None]) for x in digits[1][:20]])
    assert_allclose(alone, Z[:20], atol=1e-6 * np.abs(Z).max())


def test_same_seed_same_bytes(make, digits):
    one, other = (make().fit(digits[0]).transform(digits[1]) for _ in range(2))
    assert one.tobytes() == other.tobytes()
