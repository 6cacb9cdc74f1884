"""PrincipalGeodesics: the directions in which measures vary most."""

from numbers import Integral

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from ._shared import EMBEDDER_CONSTRAINT, OnEmbeddings, share_explained

# Products of maps below this share of the largest are rounding.
_ROUNDING = 1e-9


class PrincipalGeodesics(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, OnEmbeddings
):
    """Principal component analysis in Wasserstein space, about the barycenter.

    The principal axes of embeddings, whose distances are Wasserstein distances [1]_:
    the k directions through the mean of embeddings that leave least of the mean squared
    distance to it. What they mean is seen by decoding points along them. With
    :class:`~skwass.LinearOTEmbedder` this is log-PCA at the reference [2]_.

    It is of little use where the barycenter says little, as over several classes: apply
    it to one class at a time.

    Parameters
    ----------
    embedder : WassersteinEmbedder
        A fitted one is used as it is, an unfitted one is cloned and fitted to the same
        measures. Searches and cross-validation clone, too, and forget fits: wrap a
        fitted one in :class:`sklearn.frozen.FrozenEstimator` to keep it. A private axis
        is left out. `inverse_transform` and `path` need an embedder that decodes.
    n_components : int, default=None
        How many directions; if None as many as there are, which is the least of
        n_samples - 1 and the number of columns.

    Attributes
    ----------
    embedder_ : WassersteinEmbedder
        The fitted embedder.
    mean_ : ndarray of shape (n_columns,)
        The mean of embeddings, which decodes to the barycenter.
    components_ : ndarray of shape (n_components, n_columns)
        Directions, of length 1, the one of most variation first.
    explained_variance_ : ndarray of shape (n_components,)
        Variance of embeddings along each, in units of W2^2.
    explained_variance_ratio_ : ndarray of shape (n_components,)
        The same as a share of the variance of all columns. A private axis, which holds
        what no direction does, is not counted.
    limits_ : ndarray of shape (n_components, 2)
        From where to where `t` of `path` may go so that it stays a generalised
        geodesic; infinite for embedders without a reference, which know no maps.
    n_features_in_ : int
        Of the embedder.
    feature_names_in_ : ndarray of str
        Of the embedder, if it has any.

    See Also
    --------
    barycenter : Where directions meet.
    WassersteinArchetypes : Extremes in place of directions.
    skwass.inspection.PrincipalGeodesicsDisplay : Modes, drawn.

    Notes
    -----
    A straight line of embeddings is a geodesic as far as what is decoded along it has
    these embeddings: at most until maps cross. For a reference r, maps T and T' of
    optimal plans from it, and the line T_t between or beyond them, `T_t` of r is a
    generalised geodesic [3]_ while T_t is optimal, for which it must be monotone::

        <T_t(x) - T_t(y), x - y> >= 0  for all points x, y of the reference

    `limits_` are the largest t for which that holds, which is necessary, and in one
    dimension sufficient. Between data the line is always one, for the optimal maps
    from one reference form a convex set; an axis through the mean may leave it. All
    pairs of points of the reference are looked at, for each direction.

    The geodesic PCA of [2]_ in addition bends directions so that scores of data stay
    within limits (their velocity fields are optimal by constraint); the log-PCA here
    does not, and says where it stops.

    References
    ----------
    .. [1] Courty, Flamary, Ducoffe (2018). Learning Wasserstein Embeddings. ICLR,
       section 3.2.
    .. [2] Seguy, Cuturi (2015). Principal geodesic analysis for probability measures
       under the optimal transport metric. NeurIPS.
    .. [3] Ambrosio, Gigli, Savare (2008). Gradient flows, section 9.2.

    Examples
    --------
    >>> from skwass import LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.geometry import PrincipalGeodesics
    >>> clouds, W = make_gaussian_clouds(40, random_state=0)
    >>> modes = PrincipalGeodesics(LinearOTEmbedder(random_state=0), 2).fit(clouds)
    >>> modes.transform(clouds).shape
    (40, 2)
    >>> modes.path(0, [-1, 0, 1]).shape
    (3, 128, 2)
    """

    _parameter_constraints = {
        "embedder": EMBEDDER_CONSTRAINT,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(self, embedder, n_components=None):
        self.embedder = embedder
        self.n_components = n_components

    def fit(self, X, y=None):
        """Find directions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures, as the embedder takes them; at least two.
        y : None
            Ignored.

        Returns
        -------
        self : PrincipalGeodesics

        Raises
        ------
        ValueError
            If there is one measure only, `n_components` is more than there are, or the
            embedder is none of measures.
        """
        from sklearn.decomposition import PCA

        self._validate_params()
        Z = self._fit_columns(X)
        if len(Z) < 2:
            raise ValueError(
                "Got X with n_samples=1, expected at least two measures: one alone "
                "does not vary. Add measures."
            )
        most = min(len(Z) - 1, Z.shape[1])
        if self.n_components is not None and self.n_components > most:
            raise ValueError(
                f"Got n_components={self.n_components}, expected at most {most}: "
                f"{len(Z)} measures in {Z.shape[1]} columns vary in no more "
                "directions. Lower it."
            )
        pca = PCA(self.n_components or most, svd_solver="full")
        with np.errstate(invalid="ignore"):  # shares of no variance
            pca.fit(Z)
        self.mean_, self.components_ = pca.mean_, pca.components_
        self.explained_variance_ = pca.explained_variance_
        self.explained_variance_ratio_ = np.nan_to_num(pca.explained_variance_ratio_)
        self.limits_ = self._find_limits()
        return self

    def transform(self, X):
        """Return scores of measures.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_components)
            Along the directions, in units of W2.
        """
        check_is_fitted(self)
        return (self._columns(X) - self.mean_) @ self.components_.T

    def inverse_transform(self, X):
        """Decode scores into measures.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Scores.

        Returns
        -------
        measures : ndarray, or list of tuple
            What `inverse_transform` of the embedder gives.
        """
        scores = self._check_rows(X, len(self.components_), "X")
        return self._decode(self.mean_ + scores @ self.components_)

    def score(self, X, y=None):
        """Return the share of the squared distances to the mean that scores explain.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures, unseen ones for an honest answer.
        y : None
            Ignored.

        Returns
        -------
        share : float
            Of embeddings, a private axis left out; 1 is best.
        """
        check_is_fitted(self)
        moves = self._columns(X) - self.mean_
        return share_explained(moves, moves @ self.components_.T @ self.components_)

    def path(self, component=0, t=(-2, -1, 0, 1, 2), *, limited=True):
        """Decode points along one direction, through the barycenter.

        Parameters
        ----------
        component : int, default=0
            Which direction.
        t : array-like of shape (n_times,), default=(-2, -1, 0, 1, 2)
            Where, in standard deviations of the data along it.
        limited : bool, default=True
            Whether what is beyond `limits_` is taken at them.

        Returns
        -------
        measures : ndarray, or list of tuple
            One per t; what `inverse_transform` of the embedder gives.

        Raises
        ------
        ValueError
            If there is no such component, or t is no list of finite numbers.
        AttributeError
            If the embedder has no decoder.
        """
        check_is_fitted(self)
        n = len(self.components_)
        if not isinstance(component, Integral) or not 0 <= int(component) < n:
            raise ValueError(
                f"Got component={component!r}, expected an integer from 0 to {n - 1}. "
                "Raise n_components before a new fit for more."
            )
        t = np.asarray(t, dtype=np.float64)
        if t.ndim != 1 or not len(t) or not np.isfinite(t).all():
            raise ValueError(
                f"Got t={t}, expected a list of finite numbers. Pass [0] for the "
                "barycenter."
            )
        if limited:
            t = t.clip(*self.limits_[component])
        length = np.sqrt(self.explained_variance_[component])
        moves = np.outer(length * t, self.components_[component])
        return self._decode(self.mean_ + moves)

    def _find_limits(self):
        """Return between which multiples of its deviation each line is monotone."""
        limits = np.tile([-np.inf, np.inf], (len(self.components_), 1))
        points = getattr(self.embedder_, "reference_points_", None)
        if points is None:
            return limits
        lengths = np.sqrt(self.explained_variance_)[:, None]
        ends = self.mean_ + np.vstack([0 * self.mean_, lengths * self.components_])
        maps = self._decode(ends)
        center, *tips = (x[0] if isinstance(x, tuple) else x for x in maps)
        at_center = _products(center, points)
        for k, tip in enumerate(tips):
            limits[k] = _monotone(at_center, _products(tip - center, points))
        return limits

    @property
    def _n_features_out(self):
        return len(self.components_)


def _products(moved, points):
    """Return <T(x) - T(y), x - y> of all pairs of points: [n_pairs]."""
    i, j = np.triu_indices(len(points), 1)
    return np.einsum("pd,pd->p", moved[i] - moved[j], points[i] - points[j])


def _monotone(at_center, slopes):
    """Return from where to where `at_center + t * slopes` is nowhere below 0."""
    # Maps of the barycenter itself may cross by rounding, or by a projection.
    room = at_center.clip(min=0)
    steep = np.abs(slopes).max(initial=0) * _ROUNDING
    with np.errstate(all="ignore"):
        high = np.min(room / -slopes, where=slopes < -steep, initial=np.inf)
        low = np.max(-room / slopes, where=slopes > steep, initial=-np.inf)
    return low, high
