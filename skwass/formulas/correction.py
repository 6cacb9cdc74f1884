"""Linear maps of features that make their distances those of labels.

No estimator. Of all positive semidefinite forms of leading components the nearest is
found, a convex problem.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning

# How strongly the form is held to the one to start from, in mean curvatures.
_RIDGE = 0.1
_MAX_ITER, _TOL = 500, 1e-6
# Labels per number to fit, and measures per component: with fewer it fits their noise.
_LABELS_A_NUMBER, _MEASURES_A_COMPONENT = 8, 10
_MAX_COMPONENTS = 64
# Components and gaps below this share of the largest are rounding, and their squares.
_NULL = 1e-6
# A label counts as if it were no smaller than this share of the median.
_LEAST_LABEL = 0.05
# What the first of several parts has at least, of the mean of W^2.
_LEAST_PART = 1e-3
# A scale below this is worth a warning.
_SMALL_SCALE = 0.05
# Pairs that are looked at together.
_BLOCK = 1_024


@dataclass(frozen=True, eq=False, repr=False)
class FeatureMap:
    """Multiply features by a matrix along some axes, and by a number across them.

    Parameters
    ----------
    offset : ndarray of shape (n_features,)
        What is subtracted first.
    axes : ndarray of shape (n_features, k)
        Orthonormal columns; k may be 0.
    factor : ndarray of shape (k, k)
        Symmetric.
    scale : float
        Of the rest.
    """

    offset: np.ndarray
    axes: np.ndarray
    factor: np.ndarray
    scale: float

    @classmethod
    def scaling(cls, n_features, scale):
        """Return the map that does nothing but scale."""
        return cls(np.zeros(n_features), np.zeros((n_features, 0)), np.eye(0), scale)

    def apply(self, features):
        """Map features: [n, n_features] -> the same."""
        centred = features - self.offset
        change = self.factor - self.scale * np.eye(len(self.factor))
        return self.scale * centred + centred @ self.axes @ change @ self.axes.T

    def stretched(self, factor):
        """Return the map followed by a multiplication with a number."""
        return replace(self, factor=factor * self.factor, scale=factor * self.scale)

    def invert(self, mapped):
        """Return features; what the map has forgotten is that of the offset."""
        leading = mapped @ self.axes
        rest = mapped - leading @ self.axes.T
        rest = rest / self.scale if self.scale > 0 else np.zeros_like(rest)
        leading = leading @ np.linalg.pinv(self.factor, rcond=_NULL, hermitian=True)
        return rest + leading @ self.axes.T + self.offset


def n_corrected(n_labels, n_measures):
    """Return how many leading components labels of measures can correct."""
    by_labels = int((2 * n_labels / _LABELS_A_NUMBER) ** 0.5)
    by_measures = n_measures // _MEASURES_A_COMPONENT
    return max(1, min(by_labels, by_measures, _MAX_COMPONENTS))


def gaps_squared(Z, ends):
    """Return squared distances of pairs of rows: [n, k], [n_pairs, 2] -> [n_pairs]."""
    parts = [
        np.square(Z[some[:, 0]] - Z[some[:, 1]]).sum(axis=1)
        for some in np.array_split(ends, max(1, -(-len(ends) // _BLOCK)))
    ]
    return np.concatenate(parts)


def has_signal(gaps_sq, w, known_sq=0.0):
    """Whether there are true distances, and gaps larger than rounding of known ones.

    They are not compared with true distances, which may be in another unit.
    """
    return w.any() and gaps_sq.max(initial=0) > _NULL**2 * np.max(known_sq, initial=0)


def label_units(w):
    """Return what errors of squared distances are divided by, to be those of W.

    About W itself: |d^2 - W^2| / W is 2 |d - W|. But no tiny label may outweigh all
    others.
    """
    return np.maximum(w, _LEAST_LABEL * np.median(w[w > 0]))


def fit_scale(gaps_sq, w, known_sq=0.0):
    """Return c >= 0 such that `known_sq + c^2 gaps_sq` is nearest to `w^2`.

    To first order in W, not in its square. Where there is nothing to scale, as between
    translates, or to scale to, c is 1.

    Parameters
    ----------
    gaps_sq, w, known_sq : ndarray of shape (n_pairs,)
        Squared distances to scale, true distances, and a part of their squares that is
        exact.
    """
    if not has_signal(gaps_sq, w, known_sq):
        if len(w) and not w.any() and gaps_sq.any():
            warnings.warn(
                "Got labels that are all 0, expected some W > 0: distances keep the "
                "unit that they have without labels. Pass true distances, or fit on "
                "measures that differ.",
                UserWarning,
                stacklevel=7,
            )
        return 1.0
    unit = label_units(w)
    x, y = gaps_sq / unit, (w**2 - known_sq) / unit
    c = max(float(x @ y / (x @ x)), 0.0) ** 0.5
    if c < _SMALL_SCALE:
        warnings.warn(
            f"Fitted a scale of {c:.2g}: true distances are hardly more than those of "
            "means, and the embedding keeps nothing else. Fit to measures that differ "
            "in shape and W2 in the unit of X, or set scale=False.",
            UserWarning,
            stacklevel=7,
        )
    return c


def fit_parts(parts, w, known_sq=0.0):
    """Return coefficients c >= 0 such that `known_sq + parts @ c` is nearest to `w^2`.

    To first order in W, as :func:`fit_scale`. Where labels say nothing, they are 1 for
    the first part and 0 for all others. The first is never quite 0, or measures would
    no longer be told apart, and parts that are rounding have 0.

    Parameters
    ----------
    parts : ndarray of shape (n_pairs, n_parts)
        Parts of squared distances.
    w, known_sq : ndarray of shape (n_pairs,)
        True distances, and a part of their squares that is exact.

    Returns
    -------
    coefficients : ndarray of shape (n_parts,)
    error : float
        Root of the sum of squares that are left.
    """
    from scipy.optimize import nnls

    if not has_signal(parts[:, 0], w, known_sq):
        return np.eye(1, parts.shape[1])[0], 0.0
    unit = label_units(w)
    size = np.sqrt(np.mean(np.square(parts), axis=0))
    is_null = size <= _NULL * size.max()
    is_null[0] = False
    least = np.zeros(len(size))
    least[0] = _LEAST_PART * np.mean(w**2) / size[0]
    scaled = np.where(is_null, 0, parts) / np.where(is_null, 1, size) / unit[:, None]
    rest = w**2 - known_sq - parts @ least
    found, error = nnls(scaled, rest / unit)
    coefficients = np.where(is_null, 0, found / np.where(is_null, 1, size)) + least
    return coefficients, float(error)


def fit_correction(features, ends, w, known_sq, start):
    """Return the :class:`FeatureMap` whose distances are nearest to labels.

    Parameters
    ----------
    features : ndarray of shape (n, n_features)
        Of the measures that pairs join.
    ends : ndarray of int of shape (n_pairs, 2)
        Rows of `features`.
    w, known_sq : ndarray of shape (n_pairs,)
        True distances, and the part of their squares that is exact.
    start : float
        The scale to start from, and to stay at where labels say nothing.
    """
    from sklearn.decomposition import PCA

    k = n_corrected(np.count_nonzero(w), len(np.unique(ends)))
    pca = PCA(min(k, *features.shape), random_state=0).fit(features)
    sizes = pca.singular_values_
    axes = pca.components_[sizes > _NULL * sizes[0]].T
    scores = features @ axes
    x = scores[ends[:, 0]] - scores[ends[:, 1]]
    rest = np.maximum(gaps_squared(features, ends) - np.square(x).sum(axis=1), 0)
    M, scale_sq = fit_quadratic_form(x, rest, w**2 - known_sq, w, start**2)
    return FeatureMap(pca.mean_, axes, root(M), scale_sq**0.5)


def fit_quadratic_form(differences, rest, target, w, start):
    """Fit a form M and a factor f of what it does not see.

    Minimises over positive semidefinite M and f >= 0::

        mean ((x' M x + f rest - target) / w)^2 + ridge |(M, f) - start (I, 1)|^2

    in units in which each component and the rest have mean square 1, by accelerated
    projected gradients with restarts. Dividing by w weighs errors of W equally.

    Parameters
    ----------
    differences : ndarray of shape (n_pairs, k)
        x, of the leading components, none of them null.
    rest : ndarray of shape (n_pairs,)
        Squared differences of all other components.
    target : ndarray of shape (n_pairs,)
        What the form should be.
    w : ndarray of shape (n_pairs,)
        Distances, not all 0.
    start : float
        Multiple of the Euclidean form to start from.

    Returns
    -------
    M : ndarray of shape (k, k)
    f : float

    Warns
    -----
    ConvergenceWarning
        If the form still moves at the last iteration.
    """
    unit = np.sqrt(np.mean(differences**2, axis=0))
    unit = np.maximum(unit, _NULL * unit.max())
    rest_unit = np.sqrt(np.mean(rest**2))
    if rest_unit <= _NULL**2 * unit.max() ** 2:
        rest, rest_unit = np.zeros_like(rest), 1.0
    space, label_unit = _Forms(differences.shape[1]), label_units(w)
    initial = space.pack(start * np.diag(unit**2), start * rest_unit)
    curvature, slope = np.zeros((len(initial), len(initial))), np.zeros(len(initial))
    for k in range(0, len(w), _BLOCK):
        some = slice(k, k + _BLOCK)
        # [pairs, k (k + 1) / 2 + 1]: the form is linear in its own entries.
        squares = space.squares(differences[some] / unit)
        design = np.column_stack([squares, rest[some] / rest_unit])
        design /= label_unit[some, None]
        curvature += design.T @ design / len(w)
        slope += design.T @ (target[some] / label_unit[some]) / len(w)
    ridge = _RIDGE * np.trace(curvature) / len(curvature)
    curvature.flat[:: len(curvature) + 1] += ridge
    slope += ridge * initial
    M, f = space.unpack(_minimise(curvature, slope, initial, space.project))
    return M / np.outer(unit, unit), f / rest_unit


def _minimise(curvature, slope, start, project):
    """Minimise v' C v / 2 - slope' v over a convex set."""
    step = 1 / np.linalg.eigvalsh(curvature)[-1]
    best, ahead, momentum = start, start, 1.0
    for _ in range(_MAX_ITER):
        new = project(ahead - step * (curvature @ ahead - slope))
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - best)
        if (new - best) @ (curvature @ new - slope) > 0:  # uphill: start afresh
            following, ahead = 1.0, new
        moved = np.linalg.norm(new - best)
        best, momentum = new, following
        if moved <= _TOL * np.linalg.norm(best):
            return best
    warnings.warn(
        f"The correction still moved by {moved / np.linalg.norm(best):.1e} of its "
        f"size after {_MAX_ITER} steps; it is kept, and not quite the best. More pairs "
        "help.",
        ConvergenceWarning,
        stacklevel=8,
    )
    return best


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
