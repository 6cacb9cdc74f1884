"""Linear optimal transport: maps from one reference measure to all others."""

from dataclasses import dataclass

import numpy as np

from ..measures.subsets import blocks_of
from ..ot.maps import transport_maps
from .correction import FeatureMap, fit_correction, fit_scale, gaps_squared, has_signal


@dataclass(frozen=True, eq=False, repr=False)
class LinearMaps:
    """Embed measures by their maps from a reference, and move it back.

    Parameters
    ----------
    points, weights : ndarray of shape (n_points, d) and (n_points,)
        The reference.
    solver : GroundTruth
        Solves maps.
    feature_map : FeatureMap
        What is done with maps about their means before distances are taken.
    center : ndarray of shape (n_features,)
        What is subtracted before the projection; empty without one.
    components : ndarray of shape (n_components, n_features)
        Axes to project on; of length 0 without a projection.
    stretch : float
        Factor of what is projected.
    """

    points: np.ndarray
    weights: np.ndarray
    solver: object
    feature_map: FeatureMap
    center: np.ndarray
    components: np.ndarray
    stretch: float

    def embed(self, measures, n_jobs=None):
        """Return float32 rows whose Euclidean distance is about W2."""
        parts = []
        for some in blocks_of(measures, self.points.size):
            moves = transport_maps(self.points, self.weights, some, self.solver, n_jobs)
            shapes, means = split_moves(moves, self.weights)
            Z = np.hstack([self.feature_map.apply(shapes), means])
            if len(self.components):
                Z = self.stretch * (Z - self.center) @ self.components.T
            parts.append(Z.astype(np.float32))
        return np.concatenate(parts)

    def decode(self, Z):
        """Return where rows move the points of the reference: [n, n_points, d]."""
        if len(self.components):
            Z = Z @ self.components / self.stretch + self.center
        shapes, means = np.split(Z, [self.points.size], axis=1)
        moves = self.feature_map.invert(shapes).reshape(-1, *self.points.shape)
        return self.points + moves / np.sqrt(self.weights)[:, None] + means[:, None]


def fit_maps(
    moves,
    reference,
    solver,
    ends,
    w,
    *,
    scale,
    correction,
    n_components=None,
    rng=None,
):
    """Fit maps of some measures to distances of some pairs.

    Parameters
    ----------
    moves : ndarray of shape (n_measures, n_points, d)
        Where maps move the points of the reference.
    reference : tuple of (points, weights)
        Arrays of shape (n_points, d) and (n_points,).
    solver : GroundTruth
        Solves maps.
    ends : ndarray of int of shape (n_pairs, 2)
        Rows of `moves`.
    w : ndarray of shape (n_pairs,)
        Their distances.
    scale, correction : bool
        Whether to fit one number, and a form, to distances.
    n_components : int, default=None
        Axes to project on.
    rng : numpy.random.RandomState, default=None
        Draws, for a projection.

    Returns
    -------
    maps : LinearMaps
    Z : ndarray of shape (n_measures, n_features)
        Embeddings before they are projected.

    Raises
    ------
    ValueError
        For more components than there are.
    """
    shapes, means = split_moves(moves, reference[1])
    feature_map = _fit_feature_map(shapes, means, ends, w, scale, correction)
    Z = np.hstack([feature_map.apply(shapes), means])
    center, components, stretch = np.empty(0), np.empty((0, 0)), 1.0
    if n_components is not None:
        center, components = _fit_components(Z, n_components, rng)
        if scale or correction:  # what is cut off was part of the distances
            stretch = fit_scale(gaps_squared(Z @ components.T, ends), w)
    points, weights = reference
    maps = LinearMaps(points, weights, solver, feature_map, center, components, stretch)
    return maps, Z


def _fit_feature_map(shapes, means, ends, w, scale, correction):
    gaps_sq, known_sq = gaps_squared(shapes, ends), gaps_squared(means, ends)
    factor = fit_scale(gaps_sq, w, known_sq) if scale or correction else 1.0
    if correction and has_signal(gaps_sq, w, known_sq):
        return fit_correction(shapes, ends, w, known_sq, factor)
    return FeatureMap.scaling(shapes.shape[1], factor)


def _fit_components(Z, n_components, rng):
    from sklearn.decomposition import PCA

    if n_components > min(Z.shape):
        raise ValueError(
            f"Got n_components={n_components}, expected at most {min(Z.shape)}: "
            f"{len(Z)} training measures with {Z.shape[1]} numbers each have no more. "
            "Lower it, or fit to more measures (see n_maps)."
        )
    pca = PCA(n_components, random_state=rng.randint(2**31 - 1)).fit(Z)
    return pca.mean_, pca.components_


def split_moves(moves, weights):
    """Split maps into what is left of them about their mean, and the mean.

    Shapes are in units in which their Euclidean distance is that of the maps:
    [n, K, d] -> [n, K d], [n, d].
    """
    means = weights @ moves
    shapes = (moves - means[:, None]) * np.sqrt(weights)[:, None]
    return shapes.reshape(len(moves), means.shape[1] * len(weights)), means
