"""Squared distances of many kinds: random, adversarial, degenerate and real."""

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

from skwass.ot import pairwise_wasserstein


def euclidean(n, dim=4, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, dim))
    return cdist(X, X, "sqeuclidean")


def hollow(A):
    A = np.abs(np.triu(A, 1))
    return A + A.T


def noisy(n, seed=0, noise=0.5, dim=5):
    """Squared distances of Gaussian points plus symmetric Gaussian noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, dim))
    E = rng.normal(size=(n, n))
    D = np.abs(cdist(X, X, "sqeuclidean") + noise * (E + E.T))
    np.fill_diagonal(D, 0)
    return D


def zoo():
    """Return matrices by name, none of them Euclidean."""
    rng = np.random.default_rng(1)
    n = 60
    far = euclidean(n)
    far[0, 1] = far[1, 0] = 1e6
    doubled = np.repeat(rng.normal(size=(12, 2)), 5, axis=0)
    i = np.arange(n)
    around = np.abs(i[:, None] - i)
    clusters = hollow(np.kron([[0, 1], [1, 0]], np.ones((10, 10))) + 1e-12)
    clusters[0, 15] = clusters[15, 0] = 0
    digits = load_digits(return_X_y=True)[0][:110]
    return {
        "noisy": noisy(n),
        "faint noise": euclidean(n) + hollow(1e-6 * rng.normal(size=(n, n))),
        "uniform": hollow(rng.uniform(size=(n, n))),
        "binary": hollow(rng.uniform(size=(n, n)) < 0.1),
        "heavy tails": hollow(rng.pareto(0.5, size=(n, n))),
        "one far pair": far,
        "squares": euclidean(n) ** 2,
        "fourth powers": euclidean(n) ** 4,
        "duplicates": cdist(doubled, doubled, "cityblock") ** 2,
        "circle": np.minimum(around, n - around) ** 2.0,
        "clusters": clusters,
        "no triangle": np.array([[0.0, 1, 1], [1, 0, 100], [1, 100, 0]]),
        "huge": 1e140 * noisy(20),
        "tiny": 1e-140 * noisy(20),
        "digits": pairwise_wasserstein(digits, grid_shape=(8, 8)) ** 2,
    }


ZOO = zoo()
# Here the published upper bound is below the optimum.
COUNTEREXAMPLE = noisy(128)
