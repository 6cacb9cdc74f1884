"""Small collections of every kind, and their neighbours by all exact distances."""

import numpy as np
from scipy.sparse import csr_array

from skwass.measures import as_measures, clouds_from_groups
from skwass.ot import pairwise_wasserstein

N_QUERIES = 3


def make(kind, seed, n=20):
    """Return stored measures and queries: with duplicates, ties and zero distances."""
    rng = np.random.default_rng(seed)
    X = _KINDS[kind](rng, n + N_QUERIES)
    # Stored twice, and asked for.
    X[1], X[n] = X[0], X[2]
    if kind == "sparse":
        rows, words = csr_array(np.array(X)), rng.normal(size=(len(X[0]), 4))
        return (as_measures(part, support=words) for part in (rows[:n], rows[n:]))
    if kind == "view":
        table = rng.normal(size=(30, 3))
        owners = np.repeat(np.arange(n + N_QUERIES), [len(x) for x in X])
        clouds, _ = clouds_from_groups(table[np.concatenate(X)], owners)
        return clouds[:n], clouds[n:]
    grids = {"grid": (3, 4), "pixels": (3, 4)}
    settings = {"grid_shape": grids[kind]} if kind in grids else {}
    if kind in ("grid", "pixels", "line"):
        X = np.array(X)
    return as_measures(X[:n], **settings), as_measures(X[n:], **settings)


def _grid(rng, n):
    X = rng.integers(0, 3, (n, 12))
    X[:, 0] += 1
    return list(X)


def _pixels(rng, n):
    """Single pixels: most distances are ties."""
    return [np.eye(12)[k] for k in rng.integers(12, size=n)]


def _line(rng, n):
    return [x + np.eye(7)[0] for x in rng.integers(0, 3, (n, 7))]


def _sparse(rng, n):
    return [
        x * (rng.uniform(size=30) < 0.2) + np.eye(30)[3] for x in rng.random((n, 30))
    ]


def _clouds(rng, n):
    """As many points, of equal masses, on a lattice."""
    return [rng.integers(0, 4, (5, 3)).astype(float) for _ in range(n)]


def _weighted(rng, n):
    return [
        (rng.normal(size=(m, 2)) + rng.normal(size=2), rng.uniform(0.1, 1, m))
        for m in rng.integers(1, 9, n)
    ]


def _samples(rng, n):
    """On a line."""
    return [rng.normal(size=(m, 1)) + rng.normal() for m in rng.integers(1, 9, n)]


def _many_dimensions(rng, n):
    return [rng.normal(size=(m, 12)) + rng.normal() for m in rng.integers(3, 7, n)]


def _view(rng, n):
    return [rng.integers(30, size=4) for _ in range(n)]


_KINDS = {
    "grid": _grid,
    "pixels": _pixels,
    "line": _line,
    "sparse": _sparse,
    "clouds": _clouds,
    "weighted": _weighted,
    "samples": _samples,
    "many dimensions": _many_dimensions,
    "view": _view,
}
KINDS = list(_KINDS)


def nearest(Q, X, k, truth):
    """Return distances and indices of the k nearest, by all exact distances."""
    W = pairwise_wasserstein(Q, X, ground_truth=truth)
    order = np.argsort(W, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(W, order, axis=1), order, W


def assert_nearest(found, W, k):
    """The k nearest of a matrix of distances, up to ties at nine digits."""
    expected = np.sort(W, axis=1)[:, :k]
    scale = W.max()
    np.testing.assert_allclose(found.distances, expected, rtol=1e-9, atol=2e-8 * scale)
    own = np.take_along_axis(W, found.indices, axis=1)
    np.testing.assert_allclose(own, expected, rtol=1e-9, atol=2e-8 * scale)
    assert all(len(set(row)) == k for row in found.indices.tolist())
