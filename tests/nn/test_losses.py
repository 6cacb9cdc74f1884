"""Loss terms: values against plain numpy, extremes by hand, gradients in float64."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from skwass.nn.losses import distance_regression, kl_reconstruction, sqrt_sparsity
from skwass.nn.readouts import Readout

RNG = np.random.default_rng(0)
Z_A, Z_B = RNG.normal(size=(2, 6, 4))
W = RNG.uniform(1, 4, size=6)
P, Q = RNG.dirichlet(np.ones(9), size=(2, 5))
P_WITH_ZEROS = np.where(P < np.median(P), 0, P)
P_WITH_ZEROS /= P_WITH_ZEROS.sum(axis=1, keepdims=True)


def tensors(*arrays):
    return [torch.from_numpy(np.array(array)) for array in arrays]


BLOCKS = [(4,), (1, 3), (2, 1, 1)]


def distances_by_hand(blocks):
    ends = np.cumsum(blocks)[:-1]
    parts = np.split(Z_A - Z_B, ends, axis=1)
    return sum(np.linalg.norm(part, axis=1) for part in parts)


@pytest.mark.parametrize("blocks", BLOCKS, ids=str)
@pytest.mark.parametrize("power", [1, 2])
def test_regression_is_a_mean_square_without_one_half(blocks, power):
    d = distances_by_hand(blocks)
    z_a, z_b, w = tensors(Z_A, Z_B, W)
    value = distance_regression(z_a, z_b, w, Readout(blocks), power == 2)
    assert float(value) == pytest.approx(np.mean((d**power - W**power) ** 2))
    # Distances to a power 0.5 too large, for every pair: 0.5^2.
    (w,) = tensors((d**power - 0.5) ** (1 / power))
    value = distance_regression(z_a, z_b, w, Readout(blocks), power == 2)
    assert float(value) == pytest.approx(0.25)


@pytest.mark.parametrize("p", [P, P_WITH_ZEROS], ids=["positive", "zeros"])
def test_kl_is_that_of_scipy(p):
    value = float(kl_reconstruction(*tensors(np.log(Q), p)))
    assert value == pytest.approx(entropy(p, Q, axis=1).mean())


def test_kl_is_zero_for_equal_measures_and_positive_for_others():
    assert float(kl_reconstruction(*tensors(np.log(P), P))) == pytest.approx(
        0, abs=1e-14
    )
    for step in (1e-3, -1e-3):
        other = P + step * (Q - P)
        assert float(kl_reconstruction(*tensors(np.log(other), P))) > 1e-9


@pytest.mark.parametrize("n_bins", [1, 2, 49])
def test_sqrt_sparsity_goes_from_a_dirac_to_the_uniform_measure(n_bins):
    dirac = torch.full((3, n_bins), -torch.inf)
    dirac[:, n_bins // 2] = 0
    assert float(sqrt_sparsity(dirac)) == 1
    uniform = torch.full((3, n_bins), -np.log(n_bins))
    assert float(sqrt_sparsity(uniform)) == pytest.approx(np.sqrt(n_bins))


def test_sqrt_sparsity_is_the_mean_over_measures_of_sums():
    value = float(sqrt_sparsity(*tensors(np.log(Q))))
    assert value == pytest.approx(np.sqrt(Q).sum(axis=1).mean())
    assert 1 < value < np.sqrt(Q.shape[1])


@pytest.mark.parametrize(
    ("loss", "arrays"),
    [
        (kl_reconstruction, (np.log(Q), P)),
        (sqrt_sparsity, (np.log(Q),)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_gradients(loss, arrays):
    arguments = [x.requires_grad_() for x in tensors(*arrays)]
    assert torch.autograd.gradcheck(loss, arguments)


@pytest.mark.parametrize("blocks", BLOCKS, ids=str)
@pytest.mark.parametrize("squared", [False, True])
def test_gradients_of_the_regression(blocks, squared):
    arguments = [x.requires_grad_() for x in tensors(Z_A, Z_B, W)]
    loss = partial(distance_regression, readout=Readout(blocks), squared=squared)
    assert torch.autograd.gradcheck(loss, arguments)


@pytest.mark.parametrize("blocks", BLOCKS, ids=str)
def test_equal_measures_have_no_gradient(blocks):
    z_a, z_b, w = (x.requires_grad_() for x in tensors(Z_A, Z_A, 0 * W))
    distance_regression(z_a, z_b, w, Readout(blocks), False).backward()
    assert (z_a.grad == 0).all()


def test_kl_has_finite_gradients_where_the_measure_has_zeros():
    log_q, p = tensors(np.log(Q), P_WITH_ZEROS)
    kl_reconstruction(log_q.requires_grad_(), p).backward()
    # d/d log_q of -mean_i sum_j p_ij log_q_ij
    np.testing.assert_allclose(log_q.grad, -P_WITH_ZEROS / len(P))
