"""How many true neighbours are among the candidates of an embedding: an estimate."""

import numpy as np

from ._candidates import by_label

# Candidates that are solved, in multiples of those that `"refined"` takes.
_DEPTH = 2


def expected_recall(candidates, found, predicted, k):
    """Estimate the share of true neighbours among candidates.

    Parameters
    ----------
    candidates : int
        How many of the nearest in the embedding `"refined"` takes.
    found : list of Found
        Of some measures: W to more than these candidates, in the order of predictions.
    predicted : ndarray of shape (n_queries, n)
        Predicted distances to all other measures, ascending.
    k : int
        Neighbours that are wanted.

    Returns
    -------
    recall : float

    Notes
    -----
    A measure beyond the candidates is a neighbour that was missed if its W is less than
    the k-th smallest among them. Some are solved, and known. For those further away it
    is as probable as that the ratio of W to its prediction is small enough, among pairs
    that were solved.
    """
    ratios = np.sort(
        np.concatenate(
            [
                one.distances / np.maximum(d[: len(one.distances)], 1e-300)
                for one, d in zip(found, predicted, strict=True)
            ]
        )
    )
    missed = []
    for one, d in zip(found, predicted, strict=True):
        w = one.distances
        radius = np.partition(w[:candidates], k - 1)[k - 1]
        n_known = np.count_nonzero(w[candidates:] < radius)
        rest = radius / np.maximum(d[len(w) :], 1e-300)
        # Strictly below, as ties do not count.
        share = np.searchsorted(ratios, rest, side="left") / len(ratios)
        missed.append(n_known + share.sum())
    return float(np.mean(1 - np.minimum(missed, k) / k))


def calibrate(estimator, truth, collection, n_candidates):
    """Return the expected recall of a fitted estimator, from some stored measures.

    Parameters
    ----------
    estimator : WassersteinNeighbors
        Its embedder and embeddings, number of neighbours, workers and seed count.
    truth : GroundTruth or object
        The distance.
    collection : Histograms or PointClouds
        The stored measures.
    n_candidates : int
        That `"refined"` takes.
    """
    n = len(collection)
    k = min(estimator.n_neighbors, n_candidates, n - 1)
    rng = np.random.RandomState(estimator._seed)
    rows = np.sort(rng.permutation(n)[: estimator.n_calibration])
    Z = estimator.embedding_
    predicted, likely = [], []
    for row in rows:
        d = estimator.embedder_.embedded_distances(Z[row : row + 1], Z)[0]
        others = np.delete(np.arange(n), row)
        order = others[np.argsort(d[others], kind="stable")]
        predicted.append(d[order].astype(np.float64))
        likely.append(order[: _DEPTH * n_candidates])
    found = by_label(truth, collection[rows], collection, likely, estimator.n_jobs)
    return expected_recall(n_candidates, found, np.array(predicted), k)
