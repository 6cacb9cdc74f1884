"""Thinned clouds keep mean and mass, and are near in W2."""

import numpy as np
import pytest

from skwass.measures import as_measures, clouds_from_groups, thin_clouds
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
    for other in ((x[::-1], a[::-1]), (np.concatenate([x, x]), np.append(a, a) / 2)):
        again = thin_clouds([other], 20)
        np.testing.assert_allclose(again.points[0], clouds.points[0], atol=1e-12)
        np.testing.assert_allclose(again.masses[0], clouds.masses[0], atol=1e-12)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("n_points", [1, 12, 60, 199])
def test_errors_bound_w(cloud, p, n_points):
    clouds, errors = thin_clouds([cloud], n_points, p=p, return_errors=True)
    w, _ = ExactWasserstein(p=p).solve(clouds.measure(0), cloud)
    assert 0 < w <= errors[0] * (1 + 1e-9)
    assert errors[0] <= 1.05 * w  # of k-means, which is nearly at its end


def test_one_point_costs_the_spread(cloud):
    x, a = cloud
    _, errors = thin_clouds([cloud], 1, return_errors=True)
    variance = a @ np.square(x - a @ x).sum(axis=1)
    assert errors[0] == pytest.approx(variance**0.5)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_a_tolerance_takes_as_many_points_as_it_needs(cloud, p):
    sizes = []
    for tolerance in (10.0, 1.0, 0.5, 0.1, 1e-9):
        clouds, errors = thin_clouds(
            [cloud], tolerance=tolerance, p=p, return_errors=True
        )
        assert errors[0] <= tolerance
        sizes.append(len(clouds.points[0]))
        # Half as many would not do.
        _, errors = thin_clouds([cloud], sizes[-1] // 2 or 1, p=p, return_errors=True)
        assert errors[0] > tolerance or sizes[-1] == 1
    assert sizes[0] == 1
    assert sizes[-1] == 200
    assert sizes == sorted(sizes)


def test_more_points_cost_less(cloud):
    errors = [
        thin_clouds([cloud], n_points, return_errors=True)[1][0]
        for n_points in (1, 2, 4, 8, 16, 32, 64, 128, 200)
    ]
    assert (np.diff(errors) < 0).all()
    assert errors[-1] == 0


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_units_do_not_matter(cloud, scale):
    x, a = cloud
    clouds, errors = thin_clouds([cloud, (scale * x, a)], 9, return_errors=True)
    np.testing.assert_allclose(clouds.points[1] / scale, clouds.points[0], atol=1e-12)
    assert errors[1] / scale == pytest.approx(errors[0])


def test_it_is_no_worse_than_k_means():
    from sklearn.cluster import KMeans

    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 5))[rng.integers(0, 6, 800)] * 3
    x += rng.normal(size=x.shape)
    _, errors = thin_clouds([x], 40, return_errors=True)
    means = KMeans(40, n_init=1, random_state=0).fit(x)
    assert errors[0] < 1.02 * (means.inertia_ / len(x)) ** 0.5


def test_views_and_histograms_are_thinned_as_clouds_are(cloud):
    x, _ = cloud
    groups = np.arange(200) % 3
    lists = thin_clouds([x[groups == k] for k in range(3)], tolerance=0.5)
    views = thin_clouds(clouds_from_groups(x, groups)[0], tolerance=0.5)
    for k in range(3):
        np.testing.assert_array_equal(views.points[k], lists.points[k])
        np.testing.assert_array_equal(views.masses[k], lists.masses[k])
    images = as_measures(np.random.default_rng(0).random((2, 36)), grid_shape=(6, 6))
    thinned, errors = thin_clouds(images, 5, return_errors=True)
    same, as_errors = thin_clouds(images.to_clouds(), 5, return_errors=True)
    np.testing.assert_array_equal(thinned.points[1], same.points[1])
    np.testing.assert_array_equal(errors, as_errors)


@pytest.mark.parametrize(
    "given", [{}, {"n_points": 3, "tolerance": 0.1}], ids=["none", "both"]
)
def test_either_a_number_or_a_tolerance(cloud, given):
    with pytest.raises(ValueError, match="Got n_points=.* expected one of the two"):
        thin_clouds([cloud], **given)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, np.nan, "tight"])
def test_a_tolerance_is_positive(cloud, tolerance):
    with pytest.raises(ValueError, match="'tolerance' parameter"):
        thin_clouds([cloud], tolerance=tolerance)


def test_points_that_coincide():
    points, masses = thin_clouds([np.ones((6, 2))], 3).measure(0)
    np.testing.assert_allclose(points, [[1, 1]])
    np.testing.assert_allclose(masses, [1])
    with pytest.raises(ValueError, match="n_points"):
        thin_clouds([np.ones((6, 2))], 0)
