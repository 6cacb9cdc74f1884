"""Ground metrics by name, as a callable and as a matrix."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone

from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, pairwise_wasserstein


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def manhattan(X_a, X_b):
    return np.abs(X_a[:, None] - X_b).sum(axis=2)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_name_callable_and_matrix_agree(rng, p):
    images = as_measures(rng.integers(0, 3, (6, 16)), grid_shape=(4, 4))
    matrix = manhattan(images.support, images.support)
    answers = [
        pairwise_wasserstein(images, ground_truth=ExactWasserstein(p, metric))
        for metric in ("cityblock", manhattan, matrix, matrix.tolist())
    ]
    for answer in answers[1:]:
        assert_allclose(answer, answers[0], rtol=1e-12)
    assert not np.allclose(answers[0], pairwise_wasserstein(images, p=p))


def test_power_of_the_metric_is_what_is_transported(rng):
    clouds = list(rng.normal(size=(4, 7, 3)))
    squared = ExactWasserstein(p=1, ground_metric="sqeuclidean")
    W = pairwise_wasserstein(clouds, ground_truth=squared)
    assert_allclose(np.sqrt(W), pairwise_wasserstein(clouds), rtol=1e-12)


def test_diracs_are_as_far_as_the_metric_says(rng):
    x, y = rng.random(size=(2, 1, 4))
    for name in ("cosine", "chebyshev", "canberra", "cityblock"):
        for p in (1, 2):
            w, _ = ExactWasserstein(p, name).solve((x, np.ones(1)), (y, np.ones(1)))
            assert_allclose(w, cdist(x, y, name).item(), rtol=1e-12)


def test_on_a_line_other_metrics_are_not_sorted():
    """Sorting is optimal for convex costs of x - y, which this is not."""

    def root(X_a, X_b):
        return np.sqrt(np.abs(X_a - X_b.T))

    truth = ExactWasserstein(p=1, ground_metric=root)
    w = pairwise_wasserstein(
        [np.array([[0.0], [1.0]]), np.array([[1.0], [4.0]])],
        pairs=[[0, 1]],
        ground_truth=truth,
    )
    assert_allclose(w, [1.0])  # 1 stays, 0 goes to 4


def test_parameters_clone_and_reach_grids():
    matrix = 1 - np.eye(3)
    truth = clone(ExactWasserstein(1, matrix))
    assert_array_equal(truth.get_params()["ground_metric"], matrix)
    truth.set_params(ground_metric="cityblock", p=2)
    assert truth.p == 2
    assert_allclose(
        pairwise_wasserstein(np.eye(3), ground_truth=ExactWasserstein(1, matrix)),
        matrix,
    )


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (np.eye(3), "whose entries are not distances"),
        (-(1 - np.eye(3)), "whose entries are not distances"),
        (np.triu(np.ones((3, 3)), 1), "whose entries are not distances"),
        (1 - np.eye(4), r"shape \(4, 4\), expected \(3, 3\)"),
        (np.full((3, 3), np.nan), "NaN"),
        (lambda x, y: np.zeros(3), r"answers of shape \(3,\) for 1 and 1 points"),
        (lambda x, y: -np.ones((len(x), len(y))), "finite distances >= 0"),
        (lambda x, y: np.full((len(x), len(y)), np.nan), "finite distances >= 0"),
        ("nonsense", "'ground_metric' parameter"),
    ],
)
def test_what_is_no_metric_is_refused(metric, message):
    with pytest.raises(ValueError, match=message):
        pairwise_wasserstein(np.eye(3), ground_truth=ExactWasserstein(1, metric))


def test_a_matrix_needs_histograms():
    truth = ExactWasserstein(1, 1 - np.eye(3))
    with pytest.raises(ValueError, match="a matrix with point clouds"):
        pairwise_wasserstein([np.eye(3)], ground_truth=truth)
