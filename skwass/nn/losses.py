"""Terms of the training objectives, as free functions of tensors.

References: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
"""

import torch
from torch import Tensor


def squared_distances(z_a: Tensor, z_b: Tensor) -> Tensor:
    """Return |z_a - z_b|^2 row by row: [B, k], [B, k] -> [B]."""
    return (z_a - z_b).square().sum(dim=1)


def squared_distance_regression(z_a: Tensor, z_b: Tensor, w2_sq: Tensor) -> Tensor:
    """Mean over pairs of (|z_a - z_b|^2 - W2^2)^2: first term of [DWE], eq. 2."""
    return (squared_distances(z_a, z_b) - w2_sq).square().mean()


def kl_reconstruction(log_q: Tensor, p: Tensor) -> Tensor:
    """Mean over measures of KL(p || q), q the reconstruction: [DWE], eq. 2.

    Bins where p is zero add nothing. `log_q` and `p` are of shape [B, n_bins].
    """
    return (torch.xlogy(p, p) - p * log_q).sum(dim=1).mean()


def sqrt_sparsity(log_q: Tensor) -> Tensor:
    """Mean over measures of sum_bins sqrt(q): the sparsity term of [DWE], sec. 4.1.

    Its least value is 1, for one occupied bin; its largest sqrt(n_bins).
    """
    return (0.5 * log_q).exp().sum(dim=1).mean()
