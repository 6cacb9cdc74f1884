"""Barycenters and geodesics of measures, through an embedding that decodes."""

import numpy as np
from sklearn.utils.validation import _num_samples, check_array, check_is_fitted

from .measures.layout import refuse_masked

__all__ = ["barycenter", "geodesic"]


def barycenter(embedder, X, *, weights=None):
    """Return an approximate Wasserstein barycenter: the decoded mean of embeddings.

    Where distances of embeddings are Wasserstein distances, the weighted mean minimises
    the weighted sum of their squares over what can be decoded.

    Parameters
    ----------
    embedder : fitted WassersteinEmbedder with `inverse_transform`
        Decodes.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or point clouds
        Measures, as `embedder` takes them.
    weights : array-like of shape (n_samples,), default=None
        Non-negative, with a positive sum; equal if None.

    Returns
    -------
    measure : ndarray of shape (n_features,), or (n_points, d)
        What `inverse_transform` gives: masses of a histogram, or points of equal
        weights; for a :class:`LinearOTEmbedder` with a weighted reference, a tuple
        `(points, weights)`.

    Raises
    ------
    ValueError
        If weights are negative, all zero, or not one per measure.
    AttributeError
        If the embedder has no decoder; the message says how to get one.

    See Also
    --------
    geodesic : Points between two measures.
    skwass.inspection.BarycenterDisplay : Barycenters, drawn.

    Notes
    -----
    Costs one transform and one decoding, where exact barycenters cost hundreds of
    solves; it is as good as the decoder is. Up to isometry only, if the embedder was
    fitted on a Gromov distance.

    References
    ----------
    .. [1] Agueh, Carlier (2011). Barycenters in the Wasserstein space. SIAM J. Math.
       Anal. 43(2).

    Examples
    --------
    >>> from skwass import DeepWassersteinEmbedder
    >>> from skwass.datasets import make_translated
    >>> from skwass.geometry import barycenter
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = DeepWassersteinEmbedder(
    ...     grid_shape=(8, 8), n_pairs=200, max_iter=20, random_state=0
    ... ).fit(X)
    >>> barycenter(embedder, X[:4]).shape
    (64,)
    """
    decode = _decoder(embedder)
    Z = np.asarray(embedder.transform(X), dtype=np.float64)
    if weights is None:
        weights = np.ones(len(Z))
    refuse_masked(weights, "weights")
    weights = check_array(weights, dtype=np.float64, ensure_2d=False)
    if weights.shape != (len(Z),):
        raise ValueError(
            f"Got weights of shape {weights.shape}, expected ({len(Z)},), one per "
            "measure. Leave them out for equal weights."
        )
    if weights.min() < 0 or weights.sum() == 0:
        raise ValueError(
            f"Got weights from {weights.min():g} to {weights.max():g}, expected "
            "weights >= 0 with a positive sum. Leave them out for equal weights."
        )
    return decode((weights / weights.sum() @ Z)[None])[0]


def geodesic(embedder, X, *, times=7):
    """Return measures on the way from one to another, decoded from a segment.

    Between the embeddings z_0 and z_1 of two measures, (1 - t) z_0 + t z_1 is at the
    distances t W and (1 - t) W from the ends, as measures on a Wasserstein geodesic
    are.

    Parameters
    ----------
    embedder : fitted WassersteinEmbedder with `inverse_transform`
        Decodes.
    X : {array-like, sparse matrix} of shape (2, n_features), or two point clouds
        Start and end.
    times : int or array-like of shape (n_times,), default=7
        Where on the way, 0 the start and 1 the end, beyond them further on; an integer
        is that many times, evenly spaced, both ends among them.

    Returns
    -------
    measures : ndarray of shape (n_times, n_features), or (n_times, n_points, d)
        What `inverse_transform` gives, the ends reconstructed too; a list of tuples
        if the points have weights.

    Raises
    ------
    ValueError
        If there are not two measures.
    AttributeError
        If the embedder has no decoder; the message says how to get one.

    See Also
    --------
    barycenter : The mean of many measures.
    skwass.inspection.GeodesicDisplay : Geodesics, drawn.

    Examples
    --------
    >>> from skwass import DeepWassersteinEmbedder
    >>> from skwass.datasets import make_translated
    >>> from skwass.geometry import geodesic
    >>> X, W = make_translated(60, grid_shape=(8, 8), random_state=0)
    >>> embedder = DeepWassersteinEmbedder(
    ...     grid_shape=(8, 8), n_pairs=200, max_iter=20, random_state=0
    ... ).fit(X)
    >>> geodesic(embedder, X[:2], times=[0.25, 0.5]).shape
    (2, 64)
    """
    decode = _decoder(embedder)
    n = _num_samples(X)
    if n != 2:
        raise ValueError(
            f"Got X with n_samples={n}, expected two measures, start and end. "
            "Pass X[[i, j]], or [cloud_a, cloud_b]."
        )
    start, end = np.asarray(embedder.transform(X), dtype=np.float64)
    refuse_masked(times, "times")
    t = np.linspace(0, 1, times) if np.ndim(times) == 0 else np.asarray(times, float)
    if t.ndim != 1 or not len(t):
        raise ValueError(
            f"Got times={times!r}, expected a positive number of times, or a list of "
            "them. Use times=7 for seven."
        )
    return decode((1 - t)[:, None] * start + t[:, None] * end)


def _decoder(embedder):
    """Return what decodes, or raise that nothing does."""
    check_is_fitted(embedder)
    if not hasattr(embedder, "inverse_transform"):
        way_out = "Use LinearOTEmbedder."
        if hasattr(embedder, "decoder"):
            way_out = "Set decoder='auto' before a new fit."
        raise AttributeError(
            f"Got embedder={embedder} without a decoder, expected one that has "
            f"inverse_transform. {way_out}"
        )
    return embedder.inverse_transform
