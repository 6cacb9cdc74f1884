"""A quadratic form that makes squared distances of features those of labels.

Pure NumPy. Of all positive semidefinite forms the best is found, a convex problem.
"""

import numpy as np

# How strongly the form is held to the one to start from, in mean curvatures.
_RIDGE = 0.1
_MAX_ITER, _TOL = 500, 1e-6
# Labels a number to fit, and measures a component: with fewer it fits their noise.
_LABELS_A_NUMBER, _MEASURES_A_COMPONENT = 8, 10
_MAX_COMPONENTS = 64


def n_corrected(n_labels, n_measures):
    """Return how many leading components labels of measures can correct."""
    by_labels = int((2 * n_labels / _LABELS_A_NUMBER) ** 0.5)
    by_measures = n_measures // _MEASURES_A_COMPONENT
    return max(1, min(by_labels, by_measures, _MAX_COMPONENTS))


def fit_quadratic_form(differences, rest, target, w, start):
    """Fit a form M and a factor f of what it does not see.

    Minimises over positive semidefinite M and f >= 0::

        mean ((x' M x + f rest - target) / w)^2 + ridge |(M, f) - start (I, 1)|^2

    in units in which each component and the rest have mean square 1, by accelerated
    projected gradients with restarts. Dividing by w weighs errors of W equally.

    Parameters
    ----------
    differences : ndarray of shape (n_pairs, k)
        x, of the leading components.
    rest : ndarray of shape (n_pairs,)
        Squared differences of all other components.
    target : ndarray of shape (n_pairs,)
        What the form should be.
    w : ndarray of shape (n_pairs,)
        Distances, > 0.
    start : float
        Multiple of the Euclidean form to start from.

    Returns
    -------
    M : ndarray of shape (k, k)
    f : float
    """
    k = differences.shape[1]
    unit = np.sqrt(np.mean(differences**2, axis=0))
    unit[unit == 0] = 1
    rest_unit = np.sqrt(np.mean(rest**2)) or 1.0
    space = _Forms(k)
    # [n_pairs, k (k + 1) / 2 + 1]: the form is linear in its own entries.
    design = np.column_stack([space.squares(differences / unit), rest / rest_unit])
    initial = space.pack(start * np.diag(unit**2), start * rest_unit)
    design /= w[:, None]
    curvature = design.T @ design / len(w)
    ridge = _RIDGE * np.trace(curvature) / len(curvature)
    curvature.flat[:: len(curvature) + 1] += ridge
    slope = design.T @ (target / w) / len(w) + ridge * initial
    step = 1 / np.linalg.eigvalsh(curvature)[-1]
    best = ahead = initial
    momentum = 1.0
    for _ in range(_MAX_ITER):
        new = space.project(ahead - step * (curvature @ ahead - slope))
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - best)
        if (new - best) @ (curvature @ new - slope) > 0:  # uphill: start afresh
            following, ahead = 1.0, new
        moved = np.linalg.norm(new - best)
        best, momentum = new, following
        if moved <= _TOL * np.linalg.norm(best):
            break
    M, f = space.unpack(best)
    return M / np.outer(unit, unit), f / rest_unit


class _Forms:
    """Symmetric matrices as vectors with the same inner product, and one number."""

    def __init__(self, k):
        self.k, self.entries = k, np.triu_indices(k)
        self.weight = np.where(self.entries[0] == self.entries[1], 1, np.sqrt(2))

    def squares(self, x):
        """Return the rows that forms are the products of, for differences x."""
        i, j = self.entries
        return x[:, i] * x[:, j] * self.weight

    def pack(self, M, f):
        return np.append(M[self.entries] * self.weight, f)

    def unpack(self, vector):
        M = np.zeros((self.k, self.k))
        M[self.entries] = vector[:-1] / self.weight
        return M + np.triu(M, 1).T, float(vector[-1])

    def project(self, vector):
        """Return the nearest positive semidefinite form."""
        M, f = self.unpack(vector)
        values, vectors = np.linalg.eigh(M)
        return self.pack((vectors * np.maximum(values, 0)) @ vectors.T, max(f, 0.0))


def root(M):
    """Return the positive semidefinite square root of a matrix that is so itself."""
    values, vectors = np.linalg.eigh(M)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
