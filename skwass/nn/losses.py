"""Terms of the training objectives, as free functions of tensors.

References: [DWE] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings.
[KENN] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein Metric
Learning.
"""

import torch
from torch import Tensor

from .readouts import Readout, paired_distances


def distance_regression(
    z_a: Tensor, z_b: Tensor, w: Tensor, readout: Readout, squared: bool
) -> Tensor:
    """Mean over pairs of (d - W)^2, the loss of [KENN], or of (d^2 - W^2)^2.

    The latter, `squared`, is the first term of [DWE], eq. 2. `w` is not squared.
    """
    d = paired_distances(z_a, z_b, readout, squared)
    return (d - (w.square() if squared else w)).square().mean()


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
