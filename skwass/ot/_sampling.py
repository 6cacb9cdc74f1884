"""Which pairs to label, and which to keep for validation. Indices only."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order
from sklearn.utils.random import sample_without_replacement

# More validation pairs than this would not sharpen the choice of when to stop.
MAX_VALIDATION_PAIRS = 2_000


def sample_pairs(n_measures, n_pairs, rng):
    """Draw distinct unordered pairs of different measures.

    Parameters
    ----------
    n_measures : int
        Number of measures.
    n_pairs : int
        Number of pairs; all there are, if there are fewer.
    rng : numpy.random.RandomState
        Source of randomness.

    Returns
    -------
    pairs : ndarray of int of shape (min(n_pairs, n_measures (n_measures - 1) / 2), 2)
        Rows `(i, j)` with `i < j`. A random set; its order is not.
    """
    total = n_measures * (n_measures - 1) // 2
    if n_pairs >= total:
        return np.column_stack(np.triu_indices(n_measures, k=1))
    ranks = sample_without_replacement(total, n_pairs, random_state=rng)
    return _unrank(ranks.astype(np.int64))


def _unrank(ranks):
    """Pair number `j (j - 1) / 2 + i` back to `(i, j)`."""
    j = ((1 + np.sqrt(1 + 8 * ranks.astype(np.float64))) // 2).astype(np.int64)
    # The square root may round up to the next integer for large ranks.
    j -= j * (j - 1) // 2 > ranks
    return np.column_stack([ranks - j * (j - 1) // 2, j])


def hold_out_measures(pairs, n_measures, fraction, rng):
    """Choose validation measures for pairs that are labelled already.

    Pairs that join a training to a validation measure are of no use to either side.
    Measures are therefore taken breadth first in the graph of pairs, which cuts few: of
    200,000 random pairs of 60,000 measures, 2,000 pairs for validation cost 5 % of the
    rest, where measures drawn at random would cost 18 %.

    Parameters
    ----------
    pairs : ndarray of int of shape (n_pairs, 2)
        Labelled pairs.
    n_measures : int
        Number of measures.
    fraction : float
        Largest share of the measures to hold out. Fewer are, where they span
        `MAX_VALIDATION_PAIRS` pairs.
    rng : numpy.random.RandomState
        Source of randomness.

    Returns
    -------
    held_out : ndarray of bool of shape (n_measures,)
    """
    shuffle = rng.permutation(n_measures)
    rank = np.empty(n_measures, dtype=np.int64)
    rank[_breadth_first(shuffle[pairs], n_measures)] = np.arange(n_measures)
    rank = rank[shuffle]
    n_held_out = int(fraction * n_measures)
    if len(pairs) > MAX_VALIDATION_PAIRS:
        last = rank[pairs].max(axis=1)
        enough = np.partition(last, MAX_VALIDATION_PAIRS)[MAX_VALIDATION_PAIRS]
        n_held_out = min(n_held_out, enough)
    return rank < n_held_out


def _breadth_first(pairs, n_measures):
    """Order the nodes of a graph breadth first, component after component."""
    ones = np.ones(len(pairs), dtype=np.int8)
    graph = coo_array((ones, pairs.T), shape=(n_measures, n_measures)).tocsr()
    seen = np.zeros(n_measures, dtype=bool)
    order = []
    for node in np.unique(pairs):
        if not seen[node]:
            component = breadth_first_order(
                graph, node, directed=False, return_predecessors=False
            )
            seen[component] = True
            order.append(component)
    return np.concatenate([*order, np.flatnonzero(~seen)])
