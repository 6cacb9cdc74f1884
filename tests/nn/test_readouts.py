"""All pairwise distances of embeddings, by blocks."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from skwass.nn import readouts
from skwass.nn.readouts import pairwise_distances

N, M, K = 23, 17, 5
Z_A = np.random.default_rng(0).normal(size=(N, K)).astype(np.float32)
Z_B = np.random.default_rng(1).normal(size=(M, K)).astype(np.float32) + 2


def distances(z_a, z_b=None, *, squared=False):
    z_b = z_b if z_b is None else torch.from_numpy(z_b)
    out = pairwise_distances(torch.from_numpy(z_a), z_b, (z_a.shape[1],), squared)
    assert out.dtype == torch.float32
    return out.numpy()


@pytest.fixture(params=[1, 6, 7, 23, 1024])
def block(request, monkeypatch):
    """Sides of blocks that divide neither N nor M, or one block for all."""
    monkeypatch.setattr(readouts, "BLOCK", request.param)


def reference(z_a, z_b, squared):
    metric = "sqeuclidean" if squared else "euclidean"
    return cdist(z_a.astype(float), z_b.astype(float), metric)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("squared", [False, True])
def test_rectangle_is_that_of_scipy(squared):
    expected = reference(Z_A, Z_B, squared)
    out = distances(Z_A, Z_B, squared=squared)
    np.testing.assert_allclose(out, expected, rtol=1e-6)
    transposed = distances(Z_B, Z_A, squared=squared).T
    np.testing.assert_allclose(transposed, expected, rtol=1e-6)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("squared", [False, True])
def test_square_is_that_of_scipy_and_exactly_symmetric(squared):
    out = distances(Z_A, squared=squared)
    np.testing.assert_allclose(out, reference(Z_A, Z_A, squared), rtol=1e-6)
    np.testing.assert_array_equal(out, out.T)
    np.testing.assert_array_equal(out.diagonal(), 0)


# Neither shift rounds: multiples of 2^-10 are float32 numbers near 1e4, and the other
# one is along an axis of its own.
STEPS = np.random.default_rng(2).integers(-50, 50, size=(N, K)) / 1024
AXIS = np.eye(1, K)


@pytest.mark.parametrize(
    ("small", "shift"),
    [(STEPS, 1e4), (Z_A / 8192 * (1 - AXIS), 1e4 * AXIS)],
    ids=["all axes", "one axis"],
)
def test_small_distances_far_from_the_origin_keep_their_digits(small, shift):
    z = (shift + small).astype(np.float32)
    expected = cdist(small, small)
    assert expected.max() < 0.3
    np.testing.assert_allclose(distances(z), expected, rtol=1e-6)
    rectangle = distances(z, z[:M])
    np.testing.assert_allclose(rectangle, expected[:, :M], rtol=1e-6, atol=1e-9)


def test_translation_and_scaling():
    out = distances(Z_A)
    np.testing.assert_allclose(distances(Z_A + 64), out, rtol=1e-4)
    np.testing.assert_allclose(distances(4 * Z_A), 4 * out, rtol=1e-6)
    np.testing.assert_allclose(distances(4 * Z_A, squared=True), 16 * out**2, rtol=1e-5)


def test_triangle_inequality():
    # Points on a line have equality, where rounding shows.
    for z in (Z_A, Z_A[:, :1] * np.ones(K, dtype=np.float32)):
        d = distances(z)
        detour = (d[:, :, None] + d[None, :, :]).min(axis=1)
        assert (d <= detour * (1 + 1e-6) + 1e-6).all()


def test_equal_rows_are_at_distance_zero():
    z = np.repeat(Z_A[:3], 4, axis=0)
    same = np.kron(np.eye(3), np.ones((4, 4))).astype(bool)
    out = distances(z)
    np.testing.assert_allclose(out[same], 0, atol=1e-6)
    assert out[~same].min() > 0.1


def test_one_row():
    np.testing.assert_array_equal(distances(Z_A[:1]), [[0]])
    expected = cdist(Z_A[:1].astype(float), Z_B.astype(float))
    np.testing.assert_allclose(distances(Z_A[:1], Z_B), expected, rtol=1e-6)
