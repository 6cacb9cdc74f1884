"""Placing points by their distances: global, exact, row by row."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.distance import cdist

from skwass.manifold._placement import place


def residual(z, landmarks, d_sq):
    return np.square(cdist(z, landmarks, "sqeuclidean") - d_sq).sum(axis=1)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k"), [(6, 1), (5, 2), (9, 2), (6, 3), (30, 4)])
def test_no_descent_from_anywhere_is_better(n, k):
    rng = np.random.default_rng(n)
    landmarks, d_sq = rng.normal(size=(n, k)), 5 * rng.uniform(size=(8, n))
    found = residual(place(landmarks, d_sq), landmarks, d_sq)
    for row, value in zip(d_sq, found, strict=True):
        starts = 3 * rng.normal(size=(20, k))
        others = [
            minimize(lambda z, d=row: residual(z[None], landmarks, d)[0], start).fun
            for start in starts
        ]
        assert value <= min(others) * (1 + 1e-9)


@pytest.mark.parametrize("k", [1, 3, 20])
def test_planted_points_are_recovered(k):
    rng = np.random.default_rng(k)
    landmarks, points = 5 + rng.normal(size=(60, k)), 5 + 2 * rng.normal(size=(40, k))
    found = place(landmarks, cdist(points, landmarks, "sqeuclidean"))
    np.testing.assert_allclose(found, points, atol=1e-10)


@pytest.mark.parametrize("thin", [1e-3, 1e-4, 1e-5])
def test_thin_axes_are_no_rounding(thin):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(70, 3)) * [9, 3, 9 * thin]
    found = place(points[:50], cdist(points, points[:50], "sqeuclidean"))
    np.testing.assert_allclose(found, points, atol=1e-8)


def test_rows_do_not_depend_on_each_other():
    rng = np.random.default_rng(0)
    landmarks, d_sq = rng.normal(size=(20, 5)), rng.uniform(1, 9, size=(15, 20))
    d_sq[3] *= 1e6
    together = place(landmarks, d_sq)
    alone = np.vstack([place(landmarks, row[None]) for row in d_sq])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_moving_and_turning_landmarks_moves_and_turns_points():
    rng = np.random.default_rng(0)
    landmarks, d_sq = rng.normal(size=(12, 3)), rng.uniform(1, 9, size=(7, 12))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    moved = place(landmarks @ turn + 7, d_sq)
    np.testing.assert_allclose(moved, place(landmarks, d_sq) @ turn + 7, atol=1e-9)
    scaled = place(1e70 * landmarks, 1e140 * d_sq)
    np.testing.assert_allclose(scaled, 1e70 * place(landmarks, d_sq), rtol=1e-9)


def test_mirror_images():
    """Landmarks on a cross: up and down are as good, and one is chosen."""
    cross = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]])
    points = np.array([[0.0, 3.0], [0.0, 0.0], [1.0, 0.0]])
    found = place(cross, cdist(points, cross, "sqeuclidean"))
    np.testing.assert_allclose(np.abs(found), np.abs(points), atol=1e-12)
    # Equally far from all: off the line, at the height that fits.
    d_sq = np.full((1, 4), 9.0)
    z = place(cross, d_sq)
    for other in (-z, [[0.0, 3.0]], [[3.0, 0.0]], [[0.0, 0.0]]):
        assert residual(z, cross, d_sq) <= residual(other, cross, d_sq) + 1e-12
    for angle in np.linspace(0, 3, 40):
        turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turned = cross @ np.array(turn) + 1
        together = place(turned, np.repeat(d_sq, 5, axis=0))
        alone = place(turned, d_sq)
        np.testing.assert_allclose(together, np.repeat(alone, 5, axis=0), atol=1e-9)


def test_landmarks_in_a_subspace_and_in_one_point():
    line = np.array([[0.0, 1.0], [1.0, 1.0], [3.0, 1.0]])
    found = place(line, cdist([[2.0, 1.0]], line, "sqeuclidean"))
    np.testing.assert_allclose(found, [[2.0, 1.0]], atol=1e-12)
    same = np.ones((3, 2))
    np.testing.assert_array_equal(place(same, np.full((2, 3), 4.0)), np.ones((2, 2)))


@pytest.mark.parametrize("value", [0.0, 1e-12, 1e12])
def test_extreme_distances(value):
    """As near or as far as can be: finite, and no worse than the centre."""
    landmarks = np.random.default_rng(0).normal(size=(10, 3))
    d_sq = np.full((1, 10), value)
    z = place(landmarks, d_sq)
    assert np.isfinite(z).all()
    centre = landmarks.mean(axis=0, keepdims=True)
    best = residual(centre, landmarks, d_sq) * (1 + 1e-12)
    assert residual(z, landmarks, d_sq) <= best
