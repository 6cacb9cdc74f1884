"""Loss terms: values against plain numpy, extremes by hand, gradients in float64."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from skwass.nn.losses import (
    kl_reconstruction,
    sqrt_sparsity,
    squared_distance_regression,
    squared_distances,
)

RNG = np.random.default_rng(0)
Z_A, Z_B = RNG.normal(size=(2, 6, 4))
W2_SQ = RNG.uniform(1, 20, size=6)
P, Q = RNG.dirichlet(np.ones(9), size=(2, 5))
P_WITH_ZEROS = np.where(P < np.median(P), 0, P)
P_WITH_ZEROS /= P_WITH_ZEROS.sum(axis=1, keepdims=True)


def tensors(*arrays):
    return [torch.from_numpy(np.array(array)) for array in arrays]


def test_squared_distances_are_row_by_row():
    expected = np.linalg.norm(Z_A - Z_B, axis=1) ** 2
    np.testing.assert_allclose(squared_distances(*tensors(Z_A, Z_B)), expected)


def test_regression_is_a_mean_square_without_one_half():
    squares = ((Z_A - Z_B) ** 2).sum(axis=1)
    value = squared_distance_regression(*tensors(Z_A, Z_B, W2_SQ))
    assert float(value) == pytest.approx(np.mean((squares - W2_SQ) ** 2))
    # Squared distances 2 too large, for every pair: 2^2.
    value = squared_distance_regression(*tensors(Z_A, Z_B, squares - 2))
    assert float(value) == pytest.approx(4)


def test_regression_is_zero_at_the_truth():
    w2_sq = ((Z_A - Z_B) ** 2).sum(axis=1)
    value = squared_distance_regression(*tensors(Z_A, Z_B, w2_sq))
    assert float(value) == pytest.approx(0, abs=1e-24)


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
        (squared_distances, (Z_A, Z_B)),
        (squared_distance_regression, (Z_A, Z_B, W2_SQ)),
        (kl_reconstruction, (np.log(Q), P)),
        (sqrt_sparsity, (np.log(Q),)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_gradients(loss, arrays):
    arguments = [x.requires_grad_() for x in tensors(*arrays)]
    assert torch.autograd.gradcheck(loss, arguments)


def test_kl_has_finite_gradients_where_the_measure_has_zeros():
    log_q, p = tensors(np.log(Q), P_WITH_ZEROS)
    kl_reconstruction(log_q.requires_grad_(), p).backward()
    # d/d log_q of -mean_i sum_j p_ij log_q_ij
    np.testing.assert_allclose(log_q.grad, -P_WITH_ZEROS / len(P))
