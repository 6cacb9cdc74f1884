"""Thinned clouds keep mean and mass, and are near in W2."""

import numpy as np
import pytest

from skwass.measures import as_measures, thin_clouds
from skwass.ot import ExactWasserstein


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 3)), rng.dirichlet(np.ones(200))


@pytest.mark.parametrize("n_points", [1, 7, 50])
def test_mean_and_mass_stay(cloud, n_points):
    points, masses = thin_clouds([cloud], n_points).measure(0)
    assert points.shape == (n_points, 3)
    assert masses.min() > 0
    assert masses.sum() == pytest.approx(1)
    np.testing.assert_allclose(masses @ points, cloud[1] @ cloud[0], atol=1e-12)


def test_they_are_nearer_than_points_drawn_at_random(cloud):
    rng = np.random.default_rng(1)
    distance = ExactWasserstein()
    w, _ = distance.solve(thin_clouds([cloud], 40).measure(0), cloud)
    drawn = []
    for _ in range(10):
        rows = rng.choice(200, size=40, replace=False)
        other = cloud[0][rows], cloud[1][rows] / cloud[1][rows].sum()
        drawn.append(distance.solve(other, cloud)[0])
    assert w < 0.7 * min(drawn)


def test_small_clouds_are_kept_and_order_does_not_matter(cloud):
    x, a = cloud
    clouds = thin_clouds([(x, a), (x[:5], a[:5])], 20)
    assert clouds.points[1] is as_measures([x[:5]]).points[0] or np.array_equal(
        clouds.points[1], x[:5]
    )
    again = thin_clouds([(x[::-1], a[::-1])], 20)
    np.testing.assert_allclose(again.points[0], clouds.points[0], atol=1e-12)
    np.testing.assert_allclose(again.masses[0], clouds.masses[0], atol=1e-12)


def test_points_that_coincide():
    points, masses = thin_clouds([np.ones((6, 2))], 3).measure(0)
    np.testing.assert_allclose(points, [[1, 1]])
    np.testing.assert_allclose(masses, [1])
    with pytest.raises(ValueError, match="n_points"):
        thin_clouds([np.ones((6, 2))], 0)
