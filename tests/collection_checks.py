"""What every estimator of point clouds must do; scikit-learn has no checks for them.

A check takes an estimator fitted to a collection of clouds, which it must not change;
that collection; and another like it, which the estimator has not seen.
"""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skwass.measures import clouds_from_groups

N_CLOUDS, DIM = 24, 2


def make_collections(seed=0):
    """Return the same kind of data laid out in every way that is allowed."""
    rng = np.random.default_rng(seed)
    factors = rng.uniform(0.5, 2, size=(N_CLOUDS, 1, DIM))
    ragged = [
        f * rng.normal(size=(rng.integers(3, 9), DIM)) + rng.normal(size=DIM)
        for f in factors
    ]
    weighted = [(x, rng.uniform(0.1, 1, size=len(x))) for x in ragged]
    objects = np.empty(N_CLOUDS, dtype=object)
    objects[:] = ragged
    owners = np.repeat(np.arange(N_CLOUDS), [len(x) for x in ragged])
    return {
        "list": ragged,
        "weighted": weighted,
        "objects": objects,
        "array": factors * rng.normal(size=(N_CLOUDS, 6, DIM)),
        "view": clouds_from_groups(np.vstack(ragged), owners)[0],
    }


def labels():
    return np.arange(N_CLOUDS) % 2


def subset(X, rows):
    return [X[i] for i in rows]


def assert_same_distances(Z, other, atol=1e-5):
    """Equal up to a rigid motion, which no distance sees."""
    gram, expected = (A @ A.T for A in (Z - Z.mean(axis=0), other - other.mean(axis=0)))
    np.testing.assert_allclose(gram, expected, atol=atol * np.abs(expected).max())


def check_shapes_and_features(estimator, X, X_new):
    assert estimator.n_features_in_ == DIM
    Z = estimator.transform(X)
    assert Z.shape == (N_CLOUDS, len(estimator.get_feature_names_out()))
    assert np.isfinite(Z).all()
    np.testing.assert_allclose(clone(estimator).fit_transform(X), Z, atol=1e-2)


def check_transform_is_sample_wise(estimator, X, X_new):
    Z = estimator.transform(X_new)
    alone = np.vstack([estimator.transform([X_new[i]]) for i in range(N_CLOUDS)])
    np.testing.assert_allclose(Z, alone, atol=1e-6 * np.abs(Z).max())


def check_pickle(estimator, X, X_new):
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.transform(X), estimator.transform(X))


def check_same_bytes_and_global_generators(estimator, X, X_new):
    """A second fit gives the same, and leaves NumPy's global generator alone."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = clone(estimator).fit(X).transform(X)
    assert again.tobytes() == estimator.transform(X).tobytes()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def check_layouts(estimator, X, X_new):
    """Clouds in a list, in an array of objects, with weights: the same clouds."""
    tuples = [c if isinstance(c, tuple) else (c, np.ones(len(c))) for c in X]
    objects = np.empty(N_CLOUDS, dtype=object)
    objects[:] = tuples
    Z = estimator.transform(X)
    for same in (list(X), tuples, objects):
        np.testing.assert_array_equal(estimator.transform(same), Z)


def check_cross_validation(estimator, X, X_new):
    pipeline = make_pipeline(clone(estimator), KNeighborsClassifier(3))
    scores = cross_val_score(pipeline, X, labels(), cv=3, error_score="raise")
    assert np.isfinite(scores).all()


def check_grid_search_in_processes(estimator, X, X_new):
    # Its first parameter of the size of the embedding, or any.
    names = [
        "n_components",
        "n_projections",
        "n_nodes",
        "n_score_pairs",
        "n_archetypes",
        "n_clusters",
    ]
    name = next(name for name in names if name in estimator.get_params())
    search = GridSearchCV(
        clone(estimator), {name: [2, 3]}, cv=2, n_jobs=2, error_score="raise"
    ).fit(X)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def check_order_of_points(estimator, X, X_new):
    rng = np.random.default_rng(1)
    shuffled = []
    for cloud in X:
        x, a = cloud if isinstance(cloud, tuple) else (cloud, np.ones(len(cloud)))
        order = rng.permutation(len(x))
        shuffled.append((x[order], a[order]))
    np.testing.assert_allclose(
        estimator.transform(shuffled), estimator.transform(X), atol=1e-5
    )


def check_padding(estimator, X, X_new):
    """Points without weight, and points in two halves, change nothing."""
    padded = []
    for cloud in X:
        x, a = cloud if isinstance(cloud, tuple) else (cloud, np.ones(len(cloud)))
        points = np.vstack([x, x[:1], np.full((2, DIM), 50.0)])
        halves = np.concatenate([a, a[:1] / 2, [0, 0]])
        halves[0] /= 2
        padded.append((points, halves))
    np.testing.assert_allclose(
        estimator.transform(padded), estimator.transform(X), atol=1e-5
    )
    again = clone(estimator).fit(padded)
    # Training amplifies rounding.
    atol = 1e-2 if hasattr(estimator, "module_") else 1e-5
    assert_same_distances(again.transform(X), estimator.transform(X), atol)


def check_other_input_is_refused(estimator, X, X_new):
    with pytest.raises(ValueError, match="dimension 3, expected 2 features"):
        estimator.transform([np.zeros((4, 3))])
    with pytest.raises(ValueError, match="Got X=histograms, expected point clouds"):
        estimator.transform(np.ones((2, DIM)))


COLLECTION_CHECKS = [
    check for name, check in sorted(globals().items()) if name.startswith("check_")
]
