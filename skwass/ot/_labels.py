"""What a solve teaches: one record for a batch of pairs."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PairLabels:
    """Labels of pairs of measures.

    A record rather than an array because one solve yields more than a number.

    Parameters
    ----------
    w : ndarray of shape (n_pairs,)
        Wasserstein distances, not squared.
    converged : ndarray of bool of shape (n_pairs,)
        Whether the solver met its criterion.
    grad_mu, grad_nu : ndarray or list of ndarray, default=None
        Derivatives of W^p (so of W^2 for p = 2) in the first and second measure of
        each pair. Histograms: potentials on all bins, shape (n_pairs, n_bins), each row
        up to a constant. Clouds: one array of shape (n_i, d) per pair, the derivative
        in the points.

    See Also
    --------
    GroundTruth : Makes them.
    """

    w: np.ndarray
    converged: np.ndarray
    grad_mu: np.ndarray | list | None = None
    grad_nu: np.ndarray | list | None = None

    def __len__(self):
        return len(self.w)

    @property
    def n_unconverged(self):
        """Number of pairs whose solver stopped before it met its criterion."""
        return np.count_nonzero(~self.converged)

    @classmethod
    def concatenate(cls, parts):
        """Join the records of consecutive chunks."""
        return cls(
            np.concatenate([part.w for part in parts]),
            np.concatenate([part.converged for part in parts]),
            _join([part.grad_mu for part in parts]),
            _join([part.grad_nu for part in parts]),
        )


def _join(gradients):
    if gradients[0] is None:
        return None
    if isinstance(gradients[0], np.ndarray):
        return np.concatenate(gradients)
    return [gradient for part in gradients for gradient in part]
