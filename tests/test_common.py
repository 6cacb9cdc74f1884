"""scikit-learn's own checks, and ours for collections, over every estimator."""

import pytest
from collection_checks import COLLECTION_CHECKS, make_collections
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import skwass
from skwass import (
    DeepWassersteinEmbedder,
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WassersteinEmbedder,
    WassersteinMDS,
    WormholeEmbedder,
)

ESTIMATORS = [
    DeepWassersteinEmbedder(max_iter=2, n_pairs=100),
    DeepWassersteinEmbedder(
        max_iter=2, n_pairs=100, reconstruction_weight=0, early_stopping=False
    ),
    DiffusionEMDEmbedder(),
    GaussianEmbedder(),
    KuratowskiEmbedder(max_iter=2, n_pairs=100),
    KuratowskiEmbedder(
        max_iter=2,
        n_pairs=100,
        architecture="ode",
        aggregation="l1",
        n_nodes=3,
        early_stopping=False,
    ),
    LinearOTEmbedder(),
    LinearOTEmbedder(1, correction=True, reference="kmeans"),
    SlicedWassersteinEmbedder(),
    SlicedWassersteinEmbedder(scale=True),
    WassersteinMDS(),
    WassersteinMDS(2),
    WassersteinMDS(metric="exact"),
    WassersteinMDS(2, metric="exact"),
    WormholeEmbedder(max_iter=2, n_pairs=100),
    WormholeEmbedder(
        max_iter=2, n_pairs=100, architecture="transformer", early_stopping=False
    ),
]
# Estimators of point clouds.
_SMALL = WormholeEmbedder(max_iter=2, n_pairs=100, random_state=0)
COLLECTORS = [
    DiffusionEMDEmbedder(n_nodes=20, random_state=0),
    GaussianEmbedder(),
    LinearOTEmbedder(n_reference=8, random_state=0),
    LinearOTEmbedder(4, correction=True, reference="kmeans", random_state=0),
    SlicedWassersteinEmbedder(random_state=0),
    SlicedWassersteinEmbedder(scale=True, random_state=0),
    WassersteinMDS(metric="exact"),
    WassersteinMDS(3, metric="exact"),
    _SMALL,
    clone(_SMALL).set_params(architecture="transformer"),
    clone(_SMALL).set_params(architecture="inducing", exact_mean=False),
    clone(_SMALL).set_params(
        ground_truth="gromov", reconstruction_weight=0.1, n_points=9
    ),
]


def expected_failures(estimator):
    """Checks that ask for what a collection of measures cannot give."""
    if get_tags(estimator).input_tags.pairwise:
        return {}
    return {
        "check_estimators_dtypes": "its data hold a row of zeros, which is no measure"
    }


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


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("check", COLLECTION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("kind", make_collections())
@pytest.mark.parametrize("estimator", COLLECTORS, ids=str)
def test_collection_checks(estimator, kind, check):
    check(estimator, make_collections()[kind])
