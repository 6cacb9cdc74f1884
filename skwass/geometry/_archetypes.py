"""WassersteinArchetypes: a few extreme measures that all others lie between."""

from numbers import Integral, Real

import numpy as np
from scipy.optimize import nnls
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._random import fresh_random_state
from ._shared import (
    EMBEDDER_CONSTRAINT,
    OnEmbeddings,
    share_explained,
)

# Weight of the equation that shares sum to 1, relative to the size of the data: sums
# are then 1 to a few digits, and made so.
_WEIGHT_OF_SUM = 1e3
# Shares below this are rounding.
_LEAST = 1e-12


class WassersteinArchetypes(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, OnEmbeddings
):
    """Archetypal analysis in Wasserstein space: measures as mixtures of extreme ones.

    Of embeddings z_i, whose distances are Wasserstein distances, it minimises::

        sum_i |z_i - sum_k a_ik v_k|^2    with    v_k = sum_j b_kj z_j

    where the rows of a and of b are weights: not negative, of sum 1 [1]_. Archetypes v
    are barycenters of few measures, and measures are near barycenters of archetypes.

    Parameters
    ----------
    embedder : WassersteinEmbedder
        A fitted one is used as it is, an unfitted one is cloned and fitted to the same
        measures. Searches and cross-validation clone, too, and forget fits: wrap a
        fitted one in :class:`sklearn.frozen.FrozenEstimator` to keep it. A private axis
        is left out.
    n_archetypes : int, default=4
        How many.
    max_iter : int, default=50
        Sweeps over shares and archetypes, at most.
    tol : float, default=1e-4
        The last sweep is the first that lowers the loss by less than this share.
    random_state : int, RandomState instance or None, default=None
        Draws the measures to start with, as k-means++ does.

    Attributes
    ----------
    embedder_ : WassersteinEmbedder
        The fitted embedder.
    archetypes_ : ndarray of shape (n_archetypes, n_columns)
        Embeddings of archetypes.
    weights_ : ndarray of shape (n_archetypes, n_samples)
        Of which measures they are barycenters: most are 0.
    loss_ : float
        The sum of squares, in units of W2^2.
    explained_variance_ratio_ : float
        The share of the sum of squared distances to the mean that it explains.
    n_iter_ : int
        Sweeps.
    n_features_in_ : int
        Of the embedder.
    feature_names_in_ : ndarray of str
        Of the embedder, if it has any.

    See Also
    --------
    PrincipalGeodesics : Directions in place of extremes.
    WassersteinKMeans : Centers in place of extremes.

    Notes
    -----
    Each half of a sweep is a least-squares problem with constraints, solved exactly by
    `scipy.optimize.nnls`, so the loss falls with every sweep, to a local minimum. A
    sweep costs one small problem per measure and one of n_samples unknowns per
    archetype.

    References
    ----------
    .. [1] Cutler, Breiman (1994). Archetypal analysis. Technometrics 36(4).

    Examples
    --------
    >>> from skwass import LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.geometry import WassersteinArchetypes
    >>> clouds, W = make_gaussian_clouds(40, random_state=0)
    >>> archetypes = WassersteinArchetypes(
    ...     LinearOTEmbedder(random_state=0), n_archetypes=3, random_state=0
    ... ).fit(clouds)
    >>> archetypes.transform(clouds).sum(axis=1).round(6)[:3]
    array([1., 1., 1.])
    """

    _parameter_constraints = {
        "embedder": EMBEDDER_CONSTRAINT,
        "n_archetypes": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self, embedder, n_archetypes=4, *, max_iter=50, tol=1e-4, random_state=None
    ):
        self.embedder = embedder
        self.n_archetypes = n_archetypes
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find archetypes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures, as the embedder takes them; at least `n_archetypes`.
        y : None
            Ignored.

        Returns
        -------
        self : WassersteinArchetypes

        Raises
        ------
        ValueError
            If there are fewer measures than archetypes, or the embedder is none of
            measures.
        """
        from sklearn.cluster import kmeans_plusplus

        self._validate_params()
        Z = self._fit_columns(X)
        if self.n_archetypes > len(Z):
            raise ValueError(
                f"Got n_archetypes={self.n_archetypes} and X with n_samples={len(Z)}, "
                "expected as many measures or more. Lower it."
            )
        # About the mean and at one scale, whatever the unit.
        self._mean = center = Z.mean(axis=0)
        spread = np.square(Z - center).sum()
        unit = np.sqrt(spread / len(Z)) or 1.0
        rows = (Z - center) / unit
        rng = fresh_random_state(self.random_state)
        _, first = kmeans_plusplus(rows, self.n_archetypes, random_state=rng)
        weights, loss, self.n_iter_ = _factorise(rows, first, self.max_iter, self.tol)
        self.weights_, self.archetypes_ = weights, weights @ Z
        self.loss_ = float(loss * unit**2)
        self.explained_variance_ratio_ = 1 - self.loss_ / spread if spread > 0 else 0.0
        return self

    def transform(self, X):
        """Return the share of each archetype in measures.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_archetypes)
            Not negative, of sum 1: those of the barycenter of archetypes that is
            nearest in the embedding.
        """
        check_is_fitted(self)
        return _shares(self._columns(X), self.archetypes_)

    def score(self, X, y=None):
        """Return the share of the squared distances to the mean that shares explain.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures, unseen ones for an honest answer.
        y : None
            Ignored.

        Returns
        -------
        share : float
            Of embeddings, a private axis left out; 1 is best. The mean is that of
            the measures of `fit`.
        """
        check_is_fitted(self)
        Z = self._columns(X)
        found = _shares(Z, self.archetypes_) @ self.archetypes_
        return share_explained(Z - self._mean, found - self._mean)

    def inverse_transform(self, X):
        """Decode shares into barycenters of archetypes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_archetypes)
            Shares; the unit matrix gives the archetypes.

        Returns
        -------
        measures : ndarray, or list of tuple
            What `inverse_transform` of the embedder gives.
        """
        shares = self._check_rows(X, len(self.archetypes_), "X")
        return self._decode(shares @ self.archetypes_)

    @property
    def _n_features_out(self):
        return len(self.archetypes_)


def _factorise(Z, first, max_iter, tol):
    """Return weights of archetypes, the loss, and how many sweeps it took."""
    weights = np.zeros((len(first), len(Z)))
    weights[np.arange(len(first)), first] = 1
    archetypes = Z[first]
    shares = _shares(Z, archetypes)
    loss = np.square(Z - shares @ archetypes).sum()
    n_iter, is_falling = 0, True
    while is_falling and n_iter < max_iter:
        n_iter += 1
        for k, share in enumerate(shares.T):
            size = share @ share
            if size <= _LEAST:  # nothing is made of it
                continue
            # What it would have to be, with the others as they are.
            rest = Z - shares @ archetypes + np.outer(share, archetypes[k])
            (weights[k],) = _shares((share @ rest / size)[None], Z)
            archetypes[k] = weights[k] @ Z
        shares = _shares(Z, archetypes)
        before, loss = loss, np.square(Z - shares @ archetypes).sum()
        is_falling = before - loss > tol * before
    return weights, loss, n_iter


def _shares(Z, corners):
    """Return weights of the point nearest to each row in the hull of corners."""
    origin = corners.mean(axis=0)
    unit = max(np.abs(corners - origin).max(), np.abs(Z - origin).max()) or 1.0
    one = np.full((1, len(corners)), _WEIGHT_OF_SUM)
    system = np.vstack([(corners - origin).T / unit, one])
    shares = np.empty((len(Z), len(corners)))
    for i, z in enumerate((Z - origin) / unit):
        shares[i], _ = nnls(system, np.append(z, _WEIGHT_OF_SUM))
    shares[shares < _LEAST] = 0
    return shares / shares.sum(axis=1, keepdims=True)
