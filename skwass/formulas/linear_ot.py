"""Linear optimal transport: maps from one reference measure to all others."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..measures.subsets import blocks_of, variances_of
from ..ot.maps import transport_maps
from .correction import FeatureMap, fit_correction, fit_scale, gaps_squared, has_signal
from .private_axis import fit_private


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
    private : ndarray of shape (2,)
        What private axes hold, as multiples of the variance that the projection drops,
        and of what is `unresolved`; empty without such axes.
    reach : float
        Distance of columns within which private axes are shared.
    """

    points: np.ndarray
    weights: np.ndarray
    solver: object
    feature_map: FeatureMap
    center: np.ndarray = field(default_factory=lambda: np.empty(0))
    components: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    stretch: float = 1.0
    private: np.ndarray = field(default_factory=lambda: np.empty(0))
    reach: float = 0.0

    def embed(self, measures, n_jobs=None):
        """Return float32 rows whose distance is about W2, private axes last."""
        parts = []
        for some in blocks_of(measures, self.points.size):
            moves = transport_maps(self.points, self.weights, some, self.solver, n_jobs)
            shapes, means = split_moves(moves, self.weights)
            Z = np.hstack([self.feature_map.apply(shapes), means])
            dropped = np.zeros(len(Z))
            if len(self.components):
                Z, dropped = self.projected(Z)
            if len(self.private):
                own = np.array([dropped, unresolved(moves, self, some)])
                Z = np.column_stack([Z, np.sqrt(self.private @ own)])
            parts.append(Z.astype(np.float32))
        return np.concatenate(parts)

    def projected(self, Z):
        """Return stretched scores of embeddings, and the variance that they drop."""
        centred = Z - self.center
        scores = centred @ self.components.T
        dropped = np.square(centred).sum(axis=1) - np.square(scores).sum(axis=1)
        return self.stretch * scores, np.maximum(dropped, 0)

    def decode(self, Z):
        """Return where rows move the points of the reference: [n, n_points, d]."""
        if len(self.private):
            Z = Z[:, :-1]
        if len(self.components):
            Z = Z @ self.components / self.stretch + self.center
        shapes, means = np.split(Z, [self.points.size], axis=1)
        moves = self.feature_map.invert(shapes).reshape(-1, *self.points.shape)
        return self.points + moves / np.sqrt(self.weights)[:, None] + means[:, None]


def fit_maps(moves, reference, solver, ends, w, *, scale, correction):
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

    Returns
    -------
    maps : LinearMaps
        Without a projection and private axes.
    Z : ndarray of shape (n_measures, n_features)
        Embeddings.
    """
    shapes, means = split_moves(moves, reference[1])
    feature_map = _fit_feature_map(shapes, means, ends, w, scale, correction)
    Z = np.hstack([feature_map.apply(shapes), means])
    points, weights = reference
    return LinearMaps(points, weights, solver, feature_map), Z


def project(maps, Z, ends, w, n_components, rng):
    """Return maps that end with a projection on the leading axes of embeddings.

    Parameters
    ----------
    maps : LinearMaps
        Without a projection.
    Z : ndarray of shape (n_measures, n_features)
        Embeddings by them.
    ends, w : ndarray of shape (n_pairs, 2) and (n_pairs,)
        Rows of `Z` whose distances are known, and these; none without labels.
    n_components : int
        Axes.
    rng : numpy.random.RandomState
        Draws.

    Returns
    -------
    maps : LinearMaps

    Raises
    ------
    ValueError
        For more components than there are.
    """
    from sklearn.decomposition import PCA

    if n_components > min(Z.shape):
        raise ValueError(
            f"Got n_components={n_components}, expected at most {min(Z.shape)}: "
            f"{len(Z)} training measures with {Z.shape[1]} numbers each have no more. "
            "Lower it, or fit to more measures (see n_maps)."
        )
    pca = PCA(n_components, random_state=rng.randint(2**31 - 1)).fit(Z)
    stretch = 1.0
    if len(ends):  # what is cut off was part of the distances
        stretch = fit_scale(gaps_squared(Z @ pca.components_.T, ends), w)
    axes = {"center": pca.mean_, "components": pca.components_}
    return replace(maps, **axes, stretch=stretch)


def add_private(maps, Z, spreads, ends, w):
    """Return maps whose embeddings have private axes.

    They hold multiples of what the projection drops, and of `unresolved`, fitted to
    distances together with the scale of the columns.

    Parameters
    ----------
    maps : LinearMaps
        With or without a projection.
    Z : ndarray of shape (n_measures, n_features)
        Embeddings before it.
    spreads : ndarray of shape (n_measures,)
        What is unresolved of the measures.
    ends, w : ndarray of shape (n_pairs, 2) and (n_pairs,)
        As above; without labels, private axes hold all that is dropped.

    Returns
    -------
    maps : LinearMaps
    """
    columns, means = np.split(Z, [maps.points.size], axis=1)
    dropped, known_sq = np.zeros(len(Z)), gaps_squared(means, ends)
    if len(maps.components):
        (columns, dropped), known_sq = maps.projected(Z), np.zeros(len(w))
    own = np.column_stack([dropped, spreads])
    stretch, private, reach = fit_private(columns, own, ends, w, known_sq)
    maps = replace(maps, private=private, reach=reach)
    if len(maps.components):
        return replace(maps, stretch=stretch * maps.stretch)
    return replace(maps, feature_map=maps.feature_map.stretched(stretch))


def _fit_feature_map(shapes, means, ends, w, scale, correction):
    gaps_sq, known_sq = gaps_squared(shapes, ends), gaps_squared(means, ends)
    factor = fit_scale(gaps_sq, w, known_sq) if scale or correction else 1.0
    if correction and has_signal(gaps_sq, w, known_sq):
        return fit_correction(shapes, ends, w, known_sq, factor)
    return FeatureMap.scaling(shapes.shape[1], factor)


def split_moves(moves, weights):
    """Split maps into what is left of them about their mean, and the mean.

    Shapes are in units in which their Euclidean distance is that of the maps:
    [n, K, d] -> [n, K d], [n, d].
    """
    means = weights @ moves
    shapes = (moves - means[:, None]) * np.sqrt(weights)[:, None]
    return shapes.reshape(len(moves), means.shape[1] * len(weights)), means


def unresolved(moves, reference, measures):
    """Return the variance of mass about the place its reference point is moved to.

    An optimal plan may send the mass of one point to several places: of them, maps keep
    the mean.

    Parameters
    ----------
    moves : ndarray of shape (n_measures, n_points, d)
        Where maps move the points of the reference.
    reference : LinearMaps
        Its points and weights.
    measures : Histograms or PointClouds
        Where the mass is.

    Returns
    -------
    variance : ndarray of shape (n_measures,)
        Not negative.
    """
    places, weights = reference.points + moves, reference.weights
    means = weights @ places
    of_places = np.square(places - means[:, None]).sum(axis=2) @ weights
    return np.maximum(variances_of(measures) - of_places, 0)
