"""How many true neighbours are among the candidates of an embedding: an estimate."""

import numpy as np

from ..ot.duals import has_duals
from ._candidates import by_label

# Candidates that are solved, in multiples of those that `"refined"` takes.
_DEPTH = 2
# Solves for a proof, in the same.
_MAX_SOLVES = 10


def calibrate(estimator, n_candidates):
    """Return the expected recall of a fitted estimator, from some stored measures.

    Each is a query that is not its own neighbour. Where its neighbours can be
    certified, recall is counted; elsewhere it is estimated from ratios of distances to
    their predictions.

    Parameters
    ----------
    estimator : WassersteinNeighbors
        All but its `expected_recall_`.
    n_candidates : int
        That `"refined"` takes.
    """
    n = estimator.n_samples_fit_
    k = min(estimator.n_neighbors, n_candidates, n - 1)
    order = np.random.RandomState(estimator._seed).permutation(n)
    rows = np.sort(order[: estimator.n_calibration])
    recalls = np.full(len(rows), np.nan)
    if has_duals(estimator.ground_truth_):
        limit = max(k, _MAX_SOLVES * n_candidates)
        refined, certified = estimator._search_both(rows, k, limit)
        for q in np.flatnonzero(certified.is_proved):
            missed = np.setdiff1d(certified.indices[q], refined.indices[q])
            recalls[q] = 1 - len(missed) / k
    left = np.flatnonzero(np.isnan(recalls))
    if len(left):
        predicted, found = _solve_beyond(estimator, rows[left], n_candidates)
        recalls[left] = expected_recalls(n_candidates, found, predicted, k)
    return float(recalls.mean())


def _solve_beyond(estimator, rows, n_candidates):
    """Return predicted distances of some measures, and W of more than candidates."""
    Z, n = estimator.embedding_, estimator.n_samples_fit_
    predicted, likely = [], []
    for row in rows:
        d = estimator.embedder_.embedded_distances(Z[row : row + 1], Z)[0]
        others = np.delete(np.arange(n), row)
        order = others[np.argsort(d[others], kind="stable")]
        predicted.append(d[order].astype(np.float64))
        likely.append(order[: _DEPTH * n_candidates])
    stored = estimator._collection(estimator._targets)
    truth = estimator._solving_truth()
    found = by_label(truth, stored[rows], stored, likely, estimator.n_jobs)
    return predicted, found


def expected_recalls(candidates, found, predicted, k):
    """Estimate the shares of true neighbours among candidates.

    Parameters
    ----------
    candidates : int
        How many of the nearest in the embedding `"refined"` takes.
    found : list of Found
        For each query: W to more than these candidates, in the order of predictions.
    predicted : list of ndarray of shape (n,)
        Predicted distances to all other measures, ascending.
    k : int
        Neighbours that are wanted.

    Returns
    -------
    recalls : ndarray of shape (n_queries,)

    Notes
    -----
    A measure beyond the candidates is a neighbour that was missed if its W is less than
    the k-th smallest among them. Some are solved, and known. For those further away it
    is as probable as that the ratio of W to its prediction is small enough, among pairs
    beyond the candidates that were solved. Ratios grow with the distance, so that this
    expects less than there is.
    """
    parts = []
    for one, d in zip(found, predicted, strict=True):
        w = one.distances
        parts.append(w[candidates:] / _positive(d[candidates : len(w)]))
    ratios = np.sort(np.concatenate(parts))
    missed = []
    for one, d in zip(found, predicted, strict=True):
        w = one.distances
        radius = np.partition(w[:candidates], k - 1)[k - 1]
        n_known = np.count_nonzero(w[candidates:] < radius)
        rest = radius / _positive(d[len(w) :])
        # Strictly below, as ties do not count.
        below = np.searchsorted(ratios, rest, side="left").sum()
        missed.append(n_known + below / max(1, len(ratios)))
    return 1 - np.minimum(missed, k) / k


def _positive(d):
    return np.maximum(d, 1e-300)
