"""Sliced Wasserstein: closed forms, POT, laws."""

import numpy as np
import ot
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from toys import clouds_of

from skwass import SlicedWassersteinEmbedder
from skwass.measures import as_measures
from skwass.ot import pairwise_wasserstein


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_isometric_to_sliced_w2(dim):
    """With a cell a point, cells hold one point each and averages are exact."""
    clouds = clouds_of([8] * 6, dim)
    embedder = SlicedWassersteinEmbedder(12, n_quantiles=8, random_state=0).fit(clouds)
    assert embedder.directions_.shape == (dim, 1 if dim == 1 else 12)
    expected = [
        [
            ot.sliced_wasserstein_distance(x, y, projections=embedder.directions_, p=2)
            for y in clouds
        ]
        for x in clouds
    ]
    found = embedder.pairwise_distances(clouds)
    assert_allclose(found, np.sqrt(np.square(expected)), atol=1e-5)


def test_on_a_line_it_is_w2_to_the_error_of_quantiles():
    rng = np.random.default_rng(0)
    clouds = [(x, rng.uniform(0.1, 1, len(x))) for x in clouds_of([5, 9, 30, 7], 1)]
    W = pairwise_wasserstein(clouds)
    errors = []
    for n_quantiles in (10, 100, 1_000):
        embedder = SlicedWassersteinEmbedder(1, n_quantiles=n_quantiles).fit(clouds)
        found = embedder.pairwise_distances(clouds)
        assert (found <= W * (1 + 1e-6)).all()
        errors.append(np.abs(found - W).max())
    assert errors[2] < 1e-2 * W.max()
    assert errors[2] < errors[1] < errors[0]


@pytest.mark.parametrize("scale", [True, False])
def test_translates(scale):
    clouds = clouds_of([6, 7, 8] * 5, dim=3)
    shifts = 40 * clouds[2]
    embedder = SlicedWassersteinEmbedder(6, scale=scale, random_state=0).fit(clouds)
    W = embedder.pairwise_distances([clouds[0] + t for t in shifts])
    expected = cdist(shifts, shifts) * (1 if scale else 1 / 3**0.5)
    assert_allclose(W, expected, rtol=1e-5, atol=1e-4)


def test_whole_bases_bound_w2_from_below(digits, test_distances):
    embedder = SlicedWassersteinEmbedder(32, grid_shape=(8, 8), random_state=0)
    found = embedder.fit(digits[0]).pairwise_distances(digits[1])
    assert (2**0.5 * found <= test_distances + 1e-5).all()
    i, j = np.triu_indices(len(found), k=1)
    assert np.corrcoef(found[i, j], test_distances[i, j])[0, 1] > 0.9


def test_scaled_distances_are_in_the_unit_of_w2(digits, test_distances):
    errors = []
    for scale in (False, True):
        embedder = SlicedWassersteinEmbedder(
            32, scale=scale, grid_shape=(8, 8), random_state=0
        ).fit(digits[0])
        found = embedder.pairwise_distances(digits[1])
        errors.append(np.square(found - test_distances).mean())
    assert errors[1] < 0.1 * errors[0]
    assert embedder.scale_ > 1
    assert embedder.n_pairs_ == embedder.n_solves_ == 500


def test_histograms_are_clouds_of_their_bins(digits):
    X = digits[1]
    images = SlicedWassersteinEmbedder(grid_shape=(8, 8), random_state=0).fit(X)
    clouds = as_measures(X, grid_shape=(8, 8)).to_clouds()
    others = SlicedWassersteinEmbedder(random_state=0).fit(clouds)
    assert_allclose(images.transform(X), others.transform(clouds), atol=1e-6)
