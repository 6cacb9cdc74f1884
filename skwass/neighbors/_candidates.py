"""Neighbours among candidates: by the embedding alone, or by any ground truth."""

from dataclasses import replace

import numpy as np

from ..ot.engine import label_pairs
from ._search import Found


def by_embedding(embedder, Z, rows, likely):
    """Return neighbours with the distances that the embedding predicts.

    Parameters
    ----------
    embedder : object
        Fitted.
    Z, rows : ndarray of shape (n_queries, n_features_out) and (n, n_features_out)
        Embeddings of queries and of stored measures.
    likely : list of ndarray of int
        Candidates of each query.
    """
    pairs = _pairs(likely)
    d = np.zeros(0)
    if len(pairs):
        d = embedder.embedded_distances(Z, rows, pairs=pairs)
    return _split(likely, np.asarray(d, dtype=np.float64), n_solves=False)


def by_label(truth, queries, stored, likely, n_jobs):
    """Return candidates with the distances that a ground truth says.

    Parameters
    ----------
    truth : GroundTruth or object
        Labels pairs.
    queries, stored : Histograms or PointClouds
        Measures.
    likely : list of ndarray of int
        Candidates of each query.
    n_jobs : int
        Workers.
    """
    pairs = _pairs(likely)
    w = np.zeros(0)
    if len(pairs):
        w = label_pairs(queries, stored, pairs, truth, n_jobs=n_jobs).w
    return _split(likely, w, n_solves=True)


def nearest(found, n_neighbors=None, radius=np.inf):
    """Return the nearest of what was found, in order; equal distances by index."""
    answers = []
    for one in found:
        order = np.lexsort([one.indices, one.distances])
        order = order[one.distances[order] <= radius][:n_neighbors]
        w, rows = one.distances[order], one.indices[order]
        answers.append(replace(one, distances=w, indices=rows, radius=radius))
    return answers


def _pairs(likely):
    sizes = [len(rows) for rows in likely]
    queries = np.repeat(np.arange(len(likely)), sizes)
    rows = np.concatenate([np.zeros(0, dtype=np.intp), *likely])
    return np.column_stack([queries, rows]).astype(np.int64)


def _split(likely, w, n_solves):
    found, start = [], 0
    for rows in likely:
        own = w[start : start + len(rows)]
        start += len(rows)
        n = len(rows) if n_solves else 0
        left = {"all": len(rows), "rest": 0}
        found.append(Found(own, rows, np.inf, 0.0, False, n, 0, left))
    return found
