"""WassersteinKMeans: clusters whose centers are barycenters."""

from numbers import Integral

import numpy as np
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._random import fresh_random_state
from ..measures import as_measures
from ..measures.subsets import rows_of
from ..ot import pairwise_wasserstein
from ._barycenters import barycenter
from ._shared import (
    EMBEDDER_CONSTRAINT,
    OnEmbeddings,
    refuse_other_distance,
)


class WassersteinKMeans(
    ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, OnEmbeddings
):
    """Cluster measures by k-means in Wasserstein space.

    :class:`sklearn.cluster.KMeans` on embeddings, whose squared distances are W2^2: it
    minimises the sum of W2^2 between measures and the barycenter of their cluster, as
    exactly as embeddings have these distances. A private axis is the same for all
    clusters and left out.

    Parameters
    ----------
    embedder : WassersteinEmbedder
        A fitted one is used as it is, an unfitted one is cloned and fitted to the same
        measures. Searches and cross-validation clone, too, and forget fits: wrap a
        fitted one in :class:`sklearn.frozen.FrozenEstimator` to keep it.
    n_clusters : int, default=8
        How many.
    n_init : int or "auto", default="auto"
        Starts, of which the best is kept.
    max_iter : int, default=300
        Iterations of a start, at most.
    random_state : int, RandomState instance or None, default=None
        Draws starts.

    Attributes
    ----------
    embedder_ : WassersteinEmbedder
        The fitted embedder.
    cluster_centers_ : ndarray of shape (n_clusters, n_columns)
        Means of embeddings.
    labels_ : ndarray of int of shape (n_samples,)
        The cluster of each measure.
    inertia_ : float
        Sum of squared distances of embeddings to their center.
    n_iter_ : int
        Iterations of the best start.
    n_features_in_ : int
        Of the embedder.
    feature_names_in_ : ndarray of str
        Of the embedder, if it has any.

    See Also
    --------
    WassersteinArchetypes : Extremes in place of centers.
    barycenter : What centers are.

    Notes
    -----
    `centers` gives the measures that clusters are about, and `exact_inertia` what they
    are worth in W2^2, by one solve per measure.

    Examples
    --------
    >>> from skwass import LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.geometry import WassersteinKMeans
    >>> clouds, W = make_gaussian_clouds(40, random_state=0)
    >>> kmeans = WassersteinKMeans(
    ...     LinearOTEmbedder(random_state=0), n_clusters=3, random_state=0
    ... ).fit(clouds)
    >>> kmeans.predict(clouds).shape
    (40,)
    >>> len(kmeans.centers(clouds))
    3
    """

    _parameter_constraints = {
        "embedder": EMBEDDER_CONSTRAINT,
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        embedder,
        n_clusters=8,
        *,
        n_init="auto",
        max_iter=300,
        random_state=None,
    ):
        self.embedder = embedder
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find clusters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures, as the embedder takes them; at least `n_clusters`.
        y : None
            Ignored.

        Returns
        -------
        self : WassersteinKMeans
        """
        from sklearn.cluster import KMeans

        self._validate_params()
        Z = self._fit_columns(X)
        self._kmeans = KMeans(
            self.n_clusters,
            n_init=self.n_init,
            max_iter=self.max_iter,
            random_state=fresh_random_state(self.random_state),
        ).fit(Z)
        self.cluster_centers_ = self._kmeans.cluster_centers_
        self.labels_, self.inertia_ = self._kmeans.labels_, self._kmeans.inertia_
        self.n_iter_ = self._kmeans.n_iter_
        return self

    def predict(self, X):
        """Return the cluster of each measure.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures.

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
        """
        check_is_fitted(self)
        return self._kmeans.predict(self._columns(X))

    def transform(self, X):
        """Return distances to all centers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures.

        Returns
        -------
        distances : ndarray of shape (n_samples, n_clusters)
            Of embeddings, about W2.
        """
        check_is_fitted(self)
        return self._kmeans.transform(self._columns(X))

    def score(self, X, y=None):
        """Return minus the sum of squared distances of embeddings to centers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures.
        y : None
            Ignored.

        Returns
        -------
        score : float
            As that of :class:`sklearn.cluster.KMeans`.
        """
        check_is_fitted(self)
        return self._kmeans.score(self._columns(X))

    def centers(self, X, **options):
        """Return the barycenter of each cluster as a measure.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures that clusters are of, such as those of `fit`.
        **options : dict
            Of :func:`barycenter`, such as `method="exact"`.

        Returns
        -------
        centers : list of n_clusters measures
            As :func:`barycenter` gives them; None for a cluster that no measure is in.

        Raises
        ------
        AttributeError
            If the embedder has no decoder, unless `method="exact"` or another is given.
        """
        labels = self.predict(X)
        centers = []
        for k in range(len(self.cluster_centers_)):
            rows = np.flatnonzero(labels == k)
            members = rows_of(X, rows)
            centers.append(
                barycenter(self.embedder_, members, **options) if len(rows) else None
            )
        return centers

    def exact_inertia(self, X, *, n_jobs=None, **options):
        """Return the sum of exact W2^2 of measures to the center of their cluster.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Measures.
        n_jobs : int, default=None
            Workers that solve plans.
        **options : dict
            Of :func:`barycenter`.

        Returns
        -------
        inertia : float
            In units of W2^2, one solve per measure.

        Raises
        ------
        ValueError
            If the embedder is about another distance than W2.
        AttributeError
            If it has no decoder, unless `method="exact"` or another is given.
        """
        labels = self.predict(X)
        refuse_other_distance(self.embedder_, "exact_inertia", "Use inertia_.")
        centers = self.centers(X, n_jobs=n_jobs, **options)
        support = self.embedder_.support_
        total = 0.0
        for k in np.unique(labels):
            members = rows_of(X, np.flatnonzero(labels == k))
            center = centers[k]
            if support is not None:
                members = as_measures(members, support=support).to_clouds()
                if not isinstance(center, tuple) and center.ndim == 1:
                    center = support[center > 0], center[center > 0]
            (row,) = pairwise_wasserstein([center], members, n_jobs=n_jobs)
            total += float(np.square(row).sum())
        return total

    @property
    def _n_features_out(self):
        return len(self.cluster_centers_)
