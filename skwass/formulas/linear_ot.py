"""Linear optimal transport: maps from one reference measure to all others."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..measures.subsets import variances_of
from ..ot.maps import transport_maps
from ..ot.threads import stack_blocks
from .correction import FeatureMap, fit_correction, fit_scale, gaps_squared, has_signal
from .private_axis import fit_private

# Of so many columns or more, two thirds are given to the mean, if it has as many
# dimensions. With fewer, principal axes alone are better, of niches and of patients.
_MIN_SKETCHED, _SHARE_SKETCHED = 48, 2 / 3
# Of squared lengths, what is rounding where scores are in float32.
_ROUNDED = 1e-6
# Of so many measures per axis, axes say as much of others.
_MANY = 10
# Pairs within halves of few measures, at least, that private axes are fitted to.
_FEWEST_PAIRS = 30
# Numbers of embeddings that stay near the processor, and measures, at least.
_NEAR_NUMBERS, _FEWEST = 2**19, 32


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
    n_sketched : int
        How many of them, the last, are random ones of the mean.
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
    n_sketched: int = 0
    stretch: float = 1.0
    private: np.ndarray = field(default_factory=lambda: np.empty(0))
    reach: float = 0.0

    def embed(self, measures, n_jobs=None):
        """Return float32 rows whose distance is about W2, private axes last."""
        step = max(_FEWEST, _NEAR_NUMBERS // self.points.size)
        return stack_blocks(self._embed_block, measures, step, n_jobs)

    def _embed_block(self, measures):
        """Return rows of a few measures."""
        moves = transport_maps(self.points, self.weights, measures, self.solver)
        has_private = len(self.private) > 0
        variances = variances_of(measures) if has_private else np.zeros(len(measures))
        return self._embed_moves(moves, variances)

    def _embed_moves(self, moves, variances):
        """Return rows of measures, of their maps and total variances."""
        shapes, means = split_moves(moves, self.weights)
        Z = np.hstack([self.feature_map.apply(shapes), means])
        dropped = np.zeros(len(Z))
        if len(self.components):
            Z, dropped = self.projected(Z)
        if len(self.private):
            rest = unresolved(self.points, self.weights, shapes, variances)
            own = np.array([dropped, rest])
            Z = np.column_stack([Z, np.sqrt(self.private @ own)])
        return Z.astype(np.float32)

    def projected(self, Z):
        """Return stretched scores of embeddings, and the variance that they drop."""
        centred = Z - self.center
        scores = centred @ self.components.T
        n_axes = len(self.components) - self.n_sketched
        dim = self.points.shape[1] if self.n_sketched else 0
        dropped = dropped_by(self.components[:n_axes], centred, scores[:, :n_axes], dim)
        return self.stretch * scores, dropped

    def decode(self, Z):
        """Return where rows move the points of the reference: [n, n_points, d]."""
        if len(self.private):
            Z = Z[:, :-1]
        if len(self.components):
            # Random axes are not orthonormal: of what has these scores, the shortest.
            weights = np.linalg.solve(self.components @ self.components.T, Z.T).T
            Z = weights @ self.components / self.stretch + self.center
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
    """Return maps that end with a projection on few axes of embeddings.

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
    if n_components > min(Z.shape):
        raise ValueError(
            f"Got n_components={n_components}, expected at most {min(Z.shape)}: "
            f"{len(Z)} training measures with {Z.shape[1]} numbers each have no more. "
            "Lower it, or fit to more measures (see n_maps)."
        )
    dim = maps.points.shape[1]
    center, components, n_sketched, _ = choose_axes(Z, dim, n_components, rng)
    axes = {"center": center, "components": components, "n_sketched": n_sketched}
    stretch = 1.0
    if len(ends):  # what is cut off was part of the distances
        stretch = fit_scale(gaps_squared(Z @ components.T, ends), w)
    return replace(maps, **axes, stretch=stretch)


def choose_axes(Z, dim, n_components, rng, n_more=0):
    """Return few axes whose scores hold most of the distances of rows.

    Principal ones; where the mean has many dimensions, a third as many, and random ones
    of what they leave of the mean, scaled so that its length is right on average [1]_.
    Principal axes say little of measures unlike those of training; random ones have no
    such preference.

    Parameters
    ----------
    Z : ndarray of shape (n_measures, n_features)
        Rows.
    dim : int
        How many features, the last, are the mean; 0 if none are.
    n_components : int
        Axes; fewer are returned where rows have no more.
    rng : numpy.random.RandomState
        Draws.
    n_more : int, default=0
        Further principal axes, at most.

    Returns
    -------
    center : ndarray of shape (n_features,)
        The mean of the rows.
    components : ndarray of shape (n_components, n_features)
        The random ones last.
    n_sketched : int
        How many are random.
    more : ndarray of shape (n_more, n_features)

    References
    ----------
    .. [1] Johnson, Lindenstrauss (1984). Extensions of Lipschitz mappings into a
       Hilbert space. Contemporary Mathematics 26.
    """
    from sklearn.decomposition import PCA

    n_sketched = 0
    if n_components >= _MIN_SKETCHED:
        n_sketched = min(dim, int(_SHARE_SKETCHED * n_components))
    n_axes = n_components - n_sketched
    n_found = min(n_axes + n_more, *Z.shape)
    pca = PCA(n_found, random_state=rng.randint(2**31 - 1))
    with np.errstate(invalid="ignore"):  # shares of no variance, where rows are equal
        pca.fit(Z)
    components, more = pca.components_[:n_axes], pca.components_[n_axes:]
    if n_sketched:
        random = np.linalg.qr(rng.normal(size=(dim, n_sketched)))[0]
        means = np.eye(dim, Z.shape[1], Z.shape[1] - dim)
        rest = means - components[:, -dim:].T @ components
        rows = (dim / n_sketched) ** 0.5 * random.T @ rest
        components = np.concatenate([components, rows])
    return pca.mean_, components, n_sketched, more


def scores_apart(Z, dim, n_components, rng):
    """Return what axes say of rows that they were not chosen by.

    Axes hold nearly all of few rows that they are chosen by, and much less of others.
    So each half of the rows is projected on axes of the other half.

    Parameters
    ----------
    Z, dim, n_components, rng
        As for :func:`choose_axes`.

    Returns
    -------
    scores : ndarray of shape (n_measures, n_components)
        To be compared within a half.
    dropped : ndarray of shape (n_measures,)
        Of :func:`dropped_by`.
    half : ndarray of bool of shape (n_measures,)
    """
    half = rng.permutation(len(Z)) < len(Z) // 2
    scores, dropped = np.zeros((len(Z), n_components)), np.zeros(len(Z))
    for own in (half, ~half):
        center, axes, n_sketched, _ = choose_axes(Z[~own], dim, n_components, rng)
        centred, n_axes = Z[own] - center, len(axes) - n_sketched
        found = centred @ axes.T
        scores[own, : len(axes)] = found
        sketched_dim = dim if n_sketched else 0
        leading = axes[:n_axes], centred, found[:, :n_axes]
        dropped[own] = dropped_by(*leading, sketched_dim)
    return scores, dropped, half


def both_ways(rows, apart, half, ends):
    """Return rows of measures and rows by axes of the other half, and their pairs.

    To fit numbers to that are right for measures that axes were chosen by, and for
    others. None of the pairs, where too few are within halves to be fitted to.

    Parameters
    ----------
    rows, apart : ndarray of shape (n_measures, k)
        As they are, and by axes of the other half.
    half : ndarray of bool of shape (n_measures,)
        Of :func:`scores_apart`.
    ends : ndarray of int of shape (n_pairs, 2)
        Pairs of measures.

    Returns
    -------
    rows : ndarray of shape (2 * n_measures, k)
    ends : ndarray of int of shape (n_both, 2)
        Of these rows.
    kept : ndarray of int of shape (n_both,)
        Which pair each is.
    """
    within = np.flatnonzero(half[ends[:, 0]] == half[ends[:, 1]])
    kept = np.append(np.arange(len(ends)), within)
    both = np.concatenate([ends, len(rows) + ends[within]])
    if len(within) < _FEWEST_PAIRS:
        both, kept = both[:0], kept[:0]
    return np.concatenate([rows, apart]), both, kept


def are_few(n_measures, n_components):
    """Whether axes hold more of measures that they were chosen by than of others."""
    return 4 <= n_measures < _MANY * n_components


def dropped_by(axes, centred, scores, dim):
    """Return the squared length that principal axes leave out, nor random ones hold.

    Parameters
    ----------
    axes : ndarray of shape (k, n_features)
        Principal, so orthonormal.
    centred : ndarray of shape (n, n_features)
        Rows less their mean.
    scores : ndarray of shape (n, k)
        Of the rows on the axes.
    dim : int
        How many features, the last, random axes see what is left of.

    Returns
    -------
    dropped : ndarray of shape (n,)
        Not negative.
    """
    whole = np.einsum("ij,ij->i", centred, centred)
    dropped = whole - np.square(scores).sum(axis=1)
    if dim:
        rest = centred[:, -dim:] - scores @ axes[:, -dim:]
        dropped -= np.square(rest).sum(axis=1)
    # It would depend on what rows go together.
    return np.where(dropped > _ROUNDED * whole, dropped, 0.0)


def add_private(maps, Z, spreads, ends, w, rng):
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
    rng : numpy.random.RandomState
        Draws.

    Returns
    -------
    maps : LinearMaps
    """
    columns, means = np.split(Z, [maps.points.size], axis=1)
    dropped, known_sq = np.zeros(len(Z)), gaps_squared(means, ends)
    if len(maps.components):
        (columns, dropped), known_sq = maps.projected(Z), np.zeros(len(w))
        if are_few(len(Z), len(maps.components)):
            how = maps.points.shape[1], len(maps.components), rng
            scores, left_out, half = scores_apart(Z, *how)
            rows = np.hstack([columns, dropped[:, None]])
            apart = np.column_stack([maps.stretch * scores, left_out])
            rows, ends, kept = both_ways(rows, apart, half, ends)
            columns, dropped = rows[:, :-1], rows[:, -1]
            spreads = np.tile(spreads, 2)
            w, known_sq = w[kept], known_sq[kept]
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
    shapes = moves - means[:, None]
    shapes *= np.sqrt(weights)[:, None]
    return shapes.reshape(len(moves), means.shape[1] * len(weights)), means


def unresolved(points, weights, shapes, variances):
    """Return the variance of mass about the place its reference point is moved to.

    An optimal plan may send the mass of one point to several places: of them, maps keep
    the mean.

    Parameters
    ----------
    points, weights : ndarray of shape (n_points, d) and (n_points,)
        The reference.
    shapes : ndarray of shape (n_measures, n_points * d)
        Of :func:`split_moves`.
    variances : ndarray of shape (n_measures,)
        Total variances of the measures.

    Returns
    -------
    variance : ndarray of shape (n_measures,)
        Not negative.
    """
    own = (points - weights @ points) * np.sqrt(weights)[:, None]
    places = shapes + own.ravel()
    return np.maximum(variances - np.einsum("ij,ij->i", places, places), 0)
