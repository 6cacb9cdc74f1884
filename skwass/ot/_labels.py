"""What a solve teaches: one record for a batch of pairs."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PairLabels:
    """Labels of pairs of measures.

    A record rather than an array because one solve yields more than a number; gradients
    and maps have their places beside the distance.

    Parameters
    ----------
    w : ndarray of shape (n_pairs,)
        Wasserstein distances, not squared.
    converged : ndarray of bool of shape (n_pairs,)
        Whether the solver proved its answer optimal.
    """

    w: np.ndarray
    converged: np.ndarray

    def __len__(self):
        return len(self.w)

    @classmethod
    def concatenate(cls, parts):
        """Join the records of consecutive chunks."""
        return cls(
            np.concatenate([part.w for part in parts]),
            np.concatenate([part.converged for part in parts]),
        )
