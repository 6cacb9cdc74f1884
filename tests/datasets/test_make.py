"""Made data: the distances that come with them are exact."""

import numpy as np
import pytest

from skwass.datasets import make_gaussian_clouds, make_translated
from skwass.ot import pairwise_wasserstein


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_distances_of_gaussian_clouds_are_exact(dim):
    clouds, W = make_gaussian_clouds(6, 40, dim, random_state=0)
    assert [cloud.shape for cloud in clouds] == [(40, dim)] * 6
    np.testing.assert_allclose(pairwise_wasserstein(clouds), W, atol=1e-7)
    assert W[0, 1] > 0.1


@pytest.mark.parametrize("grid_shape", [(12,), (8, 10), (4, 5, 6)])
@pytest.mark.parametrize("p", [1, 2])
def test_distances_of_translates_are_exact(grid_shape, p):
    X, W = make_translated(8, grid_shape=grid_shape, random_state=0)
    assert X.shape == (8, np.prod(grid_shape))
    true = pairwise_wasserstein(X, grid_shape=grid_shape, p=p)
    np.testing.assert_allclose(true, W, atol=1e-7)
    assert W.max() > 1


@pytest.mark.parametrize("make", [make_gaussian_clouds, make_translated])
def test_same_seed_same_data(make):
    first, second, other = (make(5, random_state=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first[1], other[1])


def test_a_grid_too_small_is_refused():
    with pytest.raises(ValueError, match=r"Got grid_shape=\(3, 8\).* 4 cells"):
        make_translated(2, grid_shape=(3, 8))
