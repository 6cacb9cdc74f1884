"""scikit-learn's own checks, and ours for collections, over every estimator."""

import functools

import numpy as np
import pytest
from collection_checks import COLLECTION_CHECKS, make_collections
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import skwass
from skwass import (
    DeepWassersteinEmbedder,
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    PseudobulkEmbedder,
    SlicedRegressionEmbedder,
    SlicedWassersteinEmbedder,
    WassersteinEmbedder,
    WassersteinMDS,
    WormholeEmbedder,
)
from skwass.architectures import (
    ODEKENN,
    CloudDecoder,
    Fourier,
    SetTransformer,
    Slices,
)
from skwass.geometry import (
    PrincipalGeodesics,
    WassersteinArchetypes,
    WassersteinKMeans,
)

SLICES, CURVE = {"architecture": Slices((16,))}, {"architecture": ODEKENN(widths=(16,))}
SMALL = {
    "n_components": 4,
    "n_pairs": 50,
    "max_iter": 2,
    "n_score_pairs": 50,
}
ESTIMATORS = [
    DeepWassersteinEmbedder(**SMALL, **SLICES),
    DiffusionEMDEmbedder(n_score_pairs=50),
    GaussianEmbedder(),
    KuratowskiEmbedder(**SMALL, **CURVE),
    LinearOTEmbedder(n_score_pairs=50),
    PseudobulkEmbedder(),
    SlicedRegressionEmbedder(8, n_pairs=50, n_score_pairs=50),
    SlicedWassersteinEmbedder(),
    WassersteinMDS(3),
    WassersteinMDS(2, ground_truth="exact"),
    WormholeEmbedder(**SMALL, **SLICES),
]
# The same with what changes the way that data take through them.
VARIANTS = [
    DeepWassersteinEmbedder(**SMALL, **SLICES, decoder=None, early_stopping=False),
    KuratowskiEmbedder(
        **SMALL,
        architecture=ODEKENN(widths=(16,), aggregation="l1"),
        early_stopping=False,
    ),
    LinearOTEmbedder(1, correction=True, reference="kmeans", n_score_pairs=50),
    PseudobulkEmbedder(scale=True, n_pairs=50),
    SlicedRegressionEmbedder(
        8, predictors=["best"], constrained=True, n_pairs=50, n_score_pairs=50
    ),
    SlicedWassersteinEmbedder(scale=True),
    WassersteinMDS(),
    WassersteinMDS(ground_truth="exact"),
    WormholeEmbedder(
        **SMALL, architecture=SetTransformer(point_width=16), early_stopping=False
    ),
]
# Those that see measures through an embedder.
_LINEAR = LinearOTEmbedder(n_reference=8, random_state=0)
ON_EMBEDDINGS = [
    PrincipalGeodesics(_LINEAR, 1),
    WassersteinArchetypes(_LINEAR, 2, random_state=0),
    WassersteinKMeans(_LINEAR, 2, random_state=0),
]
# Estimators of point clouds.
_WORMHOLE = WormholeEmbedder(**SMALL, **SLICES, random_state=0)
_ATTENTION = {"widths": (16,), "n_frequencies": 32, "point_width": 16}
COLLECTORS = [
    DiffusionEMDEmbedder(n_nodes=20, random_state=0),
    GaussianEmbedder(),
    LinearOTEmbedder(n_reference=8, random_state=0),
    LinearOTEmbedder(4, correction=True, reference="kmeans", random_state=0),
    PseudobulkEmbedder(scale=True, random_state=0),
    SlicedRegressionEmbedder(8, random_state=0),
    SlicedWassersteinEmbedder(random_state=0),
    SlicedWassersteinEmbedder(scale=True, random_state=0),
    WassersteinMDS(ground_truth="exact"),
    WassersteinMDS(3, ground_truth="exact"),
    *ON_EMBEDDINGS,
    _WORMHOLE,
    clone(_WORMHOLE).set_params(architecture=SetTransformer(**_ATTENTION)),
    clone(_WORMHOLE).set_params(
        architecture=SetTransformer(**_ATTENTION, n_inducing=8), exact_mean=False
    ),
    clone(_WORMHOLE).set_params(architecture=ODEKENN(Fourier(()), widths=(16,))),
    clone(_WORMHOLE).set_params(
        ground_truth="gromov", decoder=CloudDecoder(n_points=9, point_width=16)
    ),
]


def expected_failures(estimator):
    """Checks that ask for what a collection of measures cannot give."""
    if get_tags(estimator).input_tags.pairwise:
        return {}
    checks = (
        "check_clustering",
        "check_estimators_dtypes",
        # `test_sparse.py` runs them on rows with mass.
        "check_estimator_sparse_array",
        "check_estimator_sparse_matrix",
        "check_estimator_sparse_tag",
    )
    return dict.fromkeys(checks, "its data hold rows that are no measures")


def test_every_public_estimator_is_checked():
    public = {getattr(skwass, name) for name in skwass.__all__}
    estimators = {
        thing
        for thing in public
        if isinstance(thing, type)
        and issubclass(thing, BaseEstimator)
        and thing is not WassersteinEmbedder
    }
    assert estimators == {type(estimator) for estimator in ESTIMATORS}


def test_every_estimator_of_geometry_is_checked():
    public = {getattr(skwass.geometry, name) for name in skwass.geometry.__all__}
    estimators = {thing for thing in public if isinstance(thing, type)}
    assert estimators == {type(estimator) for estimator in ON_EMBEDDINGS}


@parametrize_with_checks(
    [*ESTIMATORS, ON_EMBEDDINGS[0]], expected_failed_checks=expected_failures
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [*VARIANTS, *ON_EMBEDDINGS[1:]], expected_failed_checks=expected_failures
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks_of_variants(estimator, check):
    check(estimator)


# Beside other tests that start processes, which are then few and shared.
@pytest.mark.slow
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_grid_search_in_processes(estimator, labelled_digits):
    X, W = labelled_digits
    data = W if get_tags(estimator).input_tags.pairwise else X
    has_components = getattr(estimator, "n_components", None) is not None
    name = "n_components" if has_components else "n_score_pairs"
    search = GridSearchCV(
        clone(estimator), {name: [5, 9]}, cv=2, n_jobs=2, error_score="raise"
    ).fit(data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@functools.cache
def fitted(number, kind):
    """Return an estimator that checks must not modify, its data, and unseen ones."""
    X, X_new = (make_collections(seed)[kind] for seed in range(2))
    return clone(COLLECTORS[number]).fit(X), X, X_new


def _cases():
    """Yield all estimators on all kinds. The rest of the product is slow: by default
    each estimator runs on one kind, and a cheap and a trained one on others.
    """
    for number, estimator in enumerate(COLLECTORS):
        for kind in make_collections():
            is_fast = (
                (kind == "weighted" and estimator not in ON_EMBEDDINGS[1:])
                or isinstance(estimator, GaussianEmbedder)
                or (estimator is _WORMHOLE and kind == "list")
            )
            marks = [] if is_fast else [pytest.mark.slow]
            yield pytest.param(number, kind, marks=marks, id=f"{estimator}-{kind}")


@pytest.mark.parametrize("check", COLLECTION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("number", "kind"), list(_cases()))
def test_collection_checks(number, kind, check):
    check(*fitted(number, kind))
