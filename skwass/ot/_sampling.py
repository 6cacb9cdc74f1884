"""Which pairs to label."""

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.random import sample_without_replacement


def sample_pairs(n_measures, n_pairs, random_state=None):
    """Draw distinct unordered pairs of different measures.

    Parameters
    ----------
    n_measures : int
        Number of measures.
    n_pairs : int
        Number of pairs; all there are, if there are fewer.
    random_state : int, RandomState instance or None, default=None
        Source of randomness.

    Returns
    -------
    pairs : ndarray of int of shape (min(n_pairs, n_measures (n_measures - 1) / 2), 2)
        Rows `(i, j)` with `i < j`. A random set; its order is not.

    See Also
    --------
    pairwise_wasserstein : Their distances.

    Examples
    --------
    >>> from skwass.ot import sample_pairs
    >>> sample_pairs(3, 10).tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    total = n_measures * (n_measures - 1) // 2
    if n_pairs >= total:
        return np.column_stack(np.triu_indices(n_measures, k=1))
    ranks = sample_without_replacement(
        total, n_pairs, random_state=check_random_state(random_state)
    )
    return _unrank(ranks.astype(np.int64))


def _unrank(ranks):
    """Pair number `j (j - 1) / 2 + i` back to `(i, j)`."""
    j = ((1 + np.sqrt(1 + 8 * ranks.astype(np.float64))) // 2).astype(np.int64)
    # The square root may round up to the next integer for large ranks.
    j -= j * (j - 1) // 2 > ranks
    return np.column_stack([ranks - j * (j - 1) // 2, j])
