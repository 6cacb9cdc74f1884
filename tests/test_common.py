"""scikit-learn's own checks, over every estimator of the package."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import skwass
from skwass import DeepWassersteinEmbedder, WassersteinEmbedder

ESTIMATORS = [
    DeepWassersteinEmbedder(max_iter=2, n_pairs=100),
    DeepWassersteinEmbedder(
        max_iter=2, n_pairs=100, reconstruction_weight=0, early_stopping=False
    ),
]


def expected_failures(estimator):
    """Checks that ask for what a collection of measures cannot give."""
    return {
        "check_estimators_dtypes": "its data hold a row of zeros, which is no measure"
    }


def test_every_public_estimator_is_checked():
    public = {getattr(skwass, name) for name in skwass.__all__}
    estimators = {
        thing
        for thing in public
        if isinstance(thing, type)
        and issubclass(thing, WassersteinEmbedder)
        and thing is not WassersteinEmbedder
    }
    assert estimators == {type(estimator) for estimator in ESTIMATORS}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)
