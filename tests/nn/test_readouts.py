"""All pairwise distances of embeddings, by blocks."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch.overrides import TorchFunctionMode

from skwass.nn import readouts
from skwass.nn.readouts import (
    BlockWeights,
    Readout,
    paired_distances,
    paired_squares,
    pairwise_distances,
)

N, M, K = 23, 17, 5
Z_A = np.random.default_rng(0).normal(size=(N, K)).astype(np.float32)
Z_B = np.random.default_rng(1).normal(size=(M, K)).astype(np.float32) + 2


def distances(z_a, z_b=None, *, squared=False):
    z_b = z_b if z_b is None else torch.from_numpy(z_b)
    readout = Readout((z_a.shape[1],))
    out = pairwise_distances(torch.from_numpy(z_a), z_b, readout, squared)
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


BLOCKS = [(2, 2, 1), (1, 1, 1, 1, 1), (4, 1)]


def by_hand(z_a, z_b, blocks, squared=False):
    ends = np.cumsum(blocks)[:-1]
    parts = zip(np.split(z_a, ends, axis=1), np.split(z_b, ends, axis=1), strict=True)
    d = sum(cdist(a.astype(float), b.astype(float)) for a, b in parts)
    return d**2 if squared else d


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("blocks", BLOCKS, ids=str)
@pytest.mark.parametrize("squared", [False, True])
def test_distances_of_blocks_add_up(blocks, squared):
    z_a, z_b = torch.from_numpy(Z_A), torch.from_numpy(Z_B)
    out = pairwise_distances(z_a, z_b, Readout(blocks), squared).numpy()
    np.testing.assert_allclose(out, by_hand(Z_A, Z_B, blocks, squared), rtol=1e-6)
    square = pairwise_distances(z_a, None, Readout(blocks), squared).numpy()
    np.testing.assert_allclose(
        square, by_hand(Z_A, Z_A, blocks, squared), rtol=1e-6, atol=1e-7
    )
    np.testing.assert_array_equal(square, square.T)
    np.testing.assert_array_equal(square.diagonal(), 0)
    if blocks == (1, 1, 1, 1, 1) and not squared:
        np.testing.assert_allclose(out, cdist(Z_A, Z_B, "cityblock"), rtol=1e-6)


@pytest.mark.parametrize("blocks", [(K,), *BLOCKS], ids=str)
@pytest.mark.parametrize("squared", [False, True])
def test_pairs_are_entries_of_the_matrix(blocks, squared):
    z_a, z_b = torch.from_numpy(Z_A[:M]), torch.from_numpy(Z_B)
    matrix = pairwise_distances(z_a, z_b, Readout(blocks), squared)
    paired = paired_distances(z_a, z_b, Readout(blocks), squared)
    torch.testing.assert_close(paired, matrix.diagonal(), rtol=1e-5, atol=1e-6)


# Sizes of blocks, and exact columns of the last.
PRIVATE = [((3,), 0), ((5,), 2), ((2, 3), 0)]


def with_private(blocks, n_exact, reach=0.05, n=40, seed=0):
    """Embeddings of which some are near each other, some equal up to exact columns."""
    rng = np.random.default_rng(seed)
    k = sum(blocks)
    z = np.column_stack([rng.normal(size=(n, k)), rng.uniform(0, 1, size=n)])
    z[10:20] = z[:10]
    z[10:20, : k - n_exact] += reach * rng.normal(size=(10, k - n_exact))
    z[20:30] = z[:10]  # equal shapes
    z[20:30, k - n_exact : k] += 1.0
    z[30] = z[0]
    z[31, :-1], z[31, -1] = z[0, :-1], 0.0  # the same place, nothing of its own
    return torch.from_numpy(z), Readout(blocks, n_exact, reach)


def formula(z_a, z_b, readout):
    """The documented formula, in NumPy, of all pairs."""
    k = readout.n_common
    z_a, z_b = z_a.numpy(), z_b.numpy()
    common = by_hand(z_a[:, :k], z_b[:, :k], readout.blocks, squared=True)
    shape = slice(k - readout.n_exact)
    rho = np.exp(-(cdist(z_a[:, shape], z_b[:, shape]) ** 2) / (2 * readout.reach**2))
    r_a, r_b = z_a[:, -1][:, None], z_b[:, -1]
    return common + r_a**2 + r_b**2 - 2 * r_a * r_b * rho


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(("blocks", "n_exact"), PRIVATE, ids=str)
@pytest.mark.parametrize("squared", [False, True])
class TestPrivateAxis:
    """What measures have alone adds up, unless they are the same measure."""

    @pytest.mark.parametrize("reach", [0.02, 0.05, 2.0])
    def test_matrix_and_pairs_are_the_formula(self, blocks, n_exact, squared, reach):
        z, readout = with_private(blocks, n_exact, reach)
        expected = np.maximum(formula(z, z, readout), 0) ** (1 if squared else 0.5)
        square = pairwise_distances(z, None, readout, squared).numpy()
        atol = 1e-12 if squared else 1e-6
        np.testing.assert_allclose(square, expected, rtol=1e-6, atol=atol)
        np.testing.assert_array_equal(square, square.T)
        np.testing.assert_array_equal(square.diagonal(), 0)
        rectangle = pairwise_distances(z, z[5:], readout, squared).numpy()
        np.testing.assert_allclose(rectangle, expected[:, 5:], rtol=1e-6, atol=atol)
        i, j = torch.combinations(torch.arange(len(z))).T
        paired = paired_distances(z[i], z[j], readout, squared).numpy()
        np.testing.assert_allclose(paired, expected[i, j], rtol=1e-6, atol=atol)
        if squared:
            smooth = paired_squares(z[i], z[j], readout).numpy()
            np.testing.assert_allclose(smooth, expected[i, j], rtol=1e-6, atol=1e-9)

    def test_it_is_a_metric(self, blocks, n_exact, squared):
        z, readout = with_private(blocks, n_exact, reach=0.5)
        d = pairwise_distances(z, None, readout, squared=False).double()
        detour = (d[:, :, None] + d[None, :, :]).amin(dim=1)
        assert (d <= detour * (1 + 1e-6) + 1e-6).all()
        if len(blocks) == 1:  # Euclidean: classical scaling has no negative eigenvalue
            n = len(z)
            J = np.eye(n) - 1 / n
            D = pairwise_distances(z, None, readout, squared=True).double().numpy()
            assert np.linalg.eigvalsh(-J @ D @ J)[0] > -1e-5

    def test_equal_shapes_share_their_axes(self, blocks, n_exact, squared):
        z, readout = with_private(blocks, n_exact)
        d = pairwise_distances(z, None, readout, squared).numpy()
        assert d[0, 30] == pytest.approx(0, abs=1e-6)
        assert d[0, 31] == pytest.approx(float(z[0, -1]) ** (2 if squared else 1))
        moved = [d[i, 20 + i] for i in range(10)]
        expected = n_exact if squared else n_exact**0.5
        np.testing.assert_allclose(moved, expected, atol=1e-6)

    def test_a_euclidean_index_gives_the_same(self, blocks, n_exact, squared):
        if len(blocks) > 1:
            return
        z, readout = with_private(blocks, n_exact, reach=1e-3)
        stored, queries = z[:10], z[32:]
        asked = queries.clone()
        asked[:, -1] = 0
        found = cdist(asked.numpy(), stored.numpy(), "sqeuclidean")
        found += queries[:, -1:].numpy() ** 2
        d = pairwise_distances(queries, stored, readout, squared).numpy()
        np.testing.assert_allclose(d, found ** (1 if squared else 0.5), rtol=1e-6)

    def test_units(self, blocks, n_exact, squared):
        z, readout = with_private(blocks, n_exact)
        d = pairwise_distances(z, None, readout, squared)
        scaled = pairwise_distances(8 * z, None, readout.in_unit(8.0), squared)
        torch.testing.assert_close(scaled, d * (64 if squared else 8))
        assert Readout(blocks).in_unit(8.0) == Readout(blocks)


@pytest.mark.parametrize(("blocks", "n_exact"), PRIVATE, ids=str)
def test_gradients_with_a_private_axis(blocks, n_exact):
    z, readout = with_private(blocks, n_exact, reach=0.5, n=40)
    i, j = torch.combinations(torch.arange(32, 38)).T
    a, b = z[i].clone().requires_grad_(), z[j].clone().requires_grad_()
    for squared in (False, True):
        assert torch.autograd.gradcheck(
            lambda a, b, squared=squared: paired_distances(a, b, readout, squared),
            (a, b),
        )
    assert torch.autograd.gradgradcheck(
        lambda a, b: paired_squares(a, b, readout), (a, b)
    )
    same = z[:3].clone().requires_grad_()
    paired_distances(same, z[:3], readout).sum().backward()
    torch.testing.assert_close(same.grad, torch.zeros_like(same))


def test_memory_is_that_of_the_result_and_blocks(monkeypatch):
    """No tensor of shape (n, n, d) is ever made, whatever the blocks."""
    largest = []

    class Spy(TorchFunctionMode):
        def __torch_function__(self, function, types, arguments=(), kwargs=None):
            out = function(*arguments, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest.append(out.numel())
            return out

    monkeypatch.setattr(readouts, "BLOCK", 32)
    z = torch.zeros(100, 60)
    with Spy():
        pairwise_distances(z, None, Readout((20, 20, 20)), False)
    assert max(largest) == 100 * 100  # the result itself


@pytest.mark.parametrize("aggregation", ["l1", "l2"])
class TestBlockWeights:
    """The learned weights of feature maps."""

    SIZES, QUADRATURE = (2, 3), (1 / 3, 2 / 3)

    def weights(self, aggregation):
        module = BlockWeights(self.SIZES, self.QUADRATURE, aggregation).double()
        module.initialize(torch.Generator())
        module.raw.data += torch.tensor([0.03, -0.08])
        return module

    def features(self, n, seed=0):
        rng = np.random.default_rng(seed)
        return [torch.from_numpy(rng.normal(size=(n, size))) for size in self.SIZES]

    def test_the_distance_is_the_weighted_sum(self, aggregation):
        module, a, b = self.weights(aggregation), self.features(4), self.features(4, 1)
        power = 1 if aggregation == "l1" else 2
        expected = sum(
            q * weight * (phi - psi).norm(dim=1) ** power
            for q, weight, phi, psi in zip(
                self.QUADRATURE, module.values, a, b, strict=True
            )
        ) ** (1 / power)
        out = paired_distances(module(a), module(b), Readout(module.blocks))
        torch.testing.assert_close(out, expected)
        assert module.blocks == ((2, 3) if aggregation == "l1" else (5,))

    def test_weights_stay_positive(self, aggregation):
        module = self.weights(aggregation)
        module.float().raw.data[:] = torch.tensor([-200.0, 200.0])
        assert (module.values > 0).all()
        features = [phi.float() for phi in self.features(3)]
        module(features).sum().backward()
        assert torch.isfinite(module.raw.grad).all()

    def test_calibrated_distances_have_mean_one(self, aggregation):
        module = self.weights(aggregation)
        module.initialize(torch.Generator())
        features = self.features(50)
        features[1] *= 1e3
        module.calibrate(features)
        z = module(features).detach()
        d = pairwise_distances(
            z, None, Readout(module.blocks), aggregation == "l2"
        ).numpy()
        mean = d.sum() / (50 * 49)
        assert mean == pytest.approx(1, rel=1e-5)
        # Each map contributes its share, whatever its scale.
        norms = [part.double() for part in z.split(self.SIZES, dim=1)]
        power = 1 if aggregation == "l1" else 2
        shares = [float(torch.pdist(part).pow(power).mean()) for part in norms]
        np.testing.assert_allclose(shares, self.QUADRATURE, rtol=1e-5)

    def test_equal_measures_are_not_blown_up(self, aggregation):
        module = self.weights(aggregation)
        module.initialize(torch.Generator())
        features = [1 + 1e-7 * phi for phi in self.features(20)]
        module.calibrate(features)
        torch.testing.assert_close(module.values, torch.ones(2).double())

    def test_gradients(self, aggregation):
        module, a, b = self.weights(aggregation), self.features(3), self.features(3, 1)
        arguments = [x.requires_grad_() for x in (*a, *b)]

        def distances(phi_1, phi_2, psi_1, psi_2, raw):
            return paired_distances(
                module((phi_1, phi_2)),
                module((psi_1, psi_2)),
                Readout(module.blocks),
            )

        assert torch.autograd.gradcheck(distances, (*arguments, module.raw))
