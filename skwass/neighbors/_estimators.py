"""Graphs, classes and values of neighbours, on top of scikit-learn's own estimators."""

from numbers import Integral

import numpy as np
from scipy.sparse import identity
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    RegressorMixin,
    TransformerMixin,
    _fit_context,
    is_classifier,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from ..ot.ground_truths import GROUND_TRUTH_CONSTRAINT
from ._neighbors import WassersteinNeighbors

_OF_SEARCH = {
    "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    "neighbors_mode": [StrOptions({"certified", "refined", "embedded"})],
    "n_candidates": [Interval(Integral, 1, None, closed="left"), None],
    "max_solves": [Interval(Integral, 1, None, closed="left"), None],
    "embedder": [HasMethods(["fit", "transform"]), None],
    "ground_truth": GROUND_TRUTH_CONSTRAINT,
    "grid_shape": ["array-like", Integral, None],
    "support": ["array-like", None],
    "n_jobs": [Integral, None],
    "random_state": ["random_state"],
}


class _OnNeighbors(BaseEstimator):
    """Base class of estimators that search for neighbours with the same parameters."""

    def _fit_neighbors(self, X):
        given = {name: getattr(self, name) for name in _OF_SEARCH}
        settings = {**given, "mode": given.pop("neighbors_mode"), "n_calibration": 0}
        settings.pop("neighbors_mode", None)
        neighbors = WassersteinNeighbors(**settings).fit(X)
        self.neighbors_ = neighbors
        self.n_features_in_ = neighbors.n_features_in_
        self.n_samples_fit_ = neighbors.n_samples_fit_
        names = getattr(neighbors, "feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _graph_of(self, X, n_neighbors, mode="distance"):
        """Return the graph from measures to stored ones; note nothing."""
        check_is_fitted(self)
        found = self.neighbors_.search(X, n_neighbors)
        return self.neighbors_._graph(found.distances, found.indices, mode)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        return tags


class WassersteinNeighborsTransformer(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, _OnNeighbors
):
    """Turn measures into the sparse graph of their nearest neighbours in W.

    As :class:`sklearn.neighbors.KNeighborsTransformer` does for vectors: what takes
    `metric="precomputed"` then sees Wasserstein distances, such as
    :class:`~sklearn.cluster.DBSCAN`, :class:`~sklearn.manifold.Isomap`,
    :class:`~sklearn.manifold.TSNE` and UMAP; and scanpy takes it as `transformer`.

    Parameters
    ----------
    mode : {"distance", "connectivity"}, default="distance"
        Whether edges are W, each measure then being one neighbour more of itself, or
        ones.
    n_neighbors : int, default=5
        Neighbours of each measure, at least 1.
    neighbors_mode : {"certified", "refined", "embedded"}, default="certified"
        How they are found: `mode` of :class:`WassersteinNeighbors`.
    n_candidates : int, default=None
    max_solves : int, default=None
    embedder : object, default=None
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
    grid_shape : tuple of int, default=None
    support : array-like of shape (n_features, d), default=None
    n_jobs : int, default=None
    random_state : int, RandomState instance or None, default=None
        As in :class:`WassersteinNeighbors`.

    Attributes
    ----------
    neighbors_ : WassersteinNeighbors
        Fitted.
    n_samples_fit_ : int
        Stored measures.
    n_features_in_ : int
        Dimension of the points of clouds; number of bins of histograms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if `X` has any.

    See Also
    --------
    WassersteinNeighbors : Finds the neighbours, and says what is proved.
    knn_layout : The same for openTSNE and UMAP.

    Examples
    --------
    >>> from sklearn.cluster import DBSCAN
    >>> from sklearn.pipeline import make_pipeline
    >>> from skwass.neighbors import WassersteinNeighborsTransformer
    >>> X = [[9, 1, 0, 0], [8, 2, 0, 0], [0, 0, 2, 9], [0, 0, 3, 9], [9, 0, 0, 0]]
    >>> graph = WassersteinNeighborsTransformer(n_neighbors=2)
    >>> clusters = DBSCAN(eps=0.5, min_samples=2, metric="precomputed")
    >>> make_pipeline(graph, clusters).fit_predict(X)
    array([0, 0, 1, 1, 0])
    """

    _parameter_constraints = {
        "mode": [StrOptions({"distance", "connectivity"})],
        **_OF_SEARCH,
    }

    def __init__(
        self,
        *,
        mode="distance",
        n_neighbors=5,
        neighbors_mode="certified",
        n_candidates=None,
        max_solves=None,
        embedder=None,
        ground_truth="exact",
        grid_shape=None,
        support=None,
        n_jobs=None,
        random_state=None,
    ):
        self.mode = mode
        self.n_neighbors = n_neighbors
        self.neighbors_mode = neighbors_mode
        self.n_candidates = n_candidates
        self.max_solves = max_solves
        self.embedder = embedder
        self.ground_truth = ground_truth
        self.grid_shape = grid_shape
        self.support = support
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Store measures.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or clouds
            Measures, at least two.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        self._fit_neighbors(X)
        return self

    def transform(self, X):
        """Return the graph from measures to their nearest stored ones.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), or clouds
            Measures.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, `n_samples_fit_`)
            Rows in ascending order of W.
        """
        check_is_fitted(self)
        wanted = self.n_neighbors + (self.mode == "distance")
        # Where all are wanted there is none more; to ask for more still is an error.
        most = max(self.n_neighbors, self.n_samples_fit_)
        return self._graph_of(X, min(wanted, most), self.mode)

    @property
    def _n_features_out(self):
        return self.n_samples_fit_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


class _Votes(_OnNeighbors):
    """Base class of estimators that ask neighbours for their labels."""

    _parameter_constraints = {
        **_OF_SEARCH,
        "weights": [StrOptions({"uniform", "distance"}), callable, None],
    }
    # The estimator of scikit-learn that counts votes.
    _counting: type

    def __init__(
        self,
        n_neighbors=5,
        *,
        weights="uniform",
        neighbors_mode="certified",
        n_candidates=None,
        max_solves=None,
        embedder=None,
        ground_truth="exact",
        grid_shape=None,
        support=None,
        n_jobs=None,
        random_state=None,
    ):
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.neighbors_mode = neighbors_mode
        self.n_candidates = n_candidates
        self.max_solves = max_solves
        self.embedder = embedder
        self.ground_truth = ground_truth
        self.grid_shape = grid_shape
        self.support = support
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y):
        """Store measures and their labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or clouds
            Measures, at least two.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        if y is None:
            raise ValueError(
                f"Got y=None, expected labels: {type(self).__name__} requires y to be "
                "passed, but the target y is None. Pass fit(X, y)."
            )
        self._fit_neighbors(X)
        n = self.n_samples_fit_
        check_consistent_length(np.zeros(n), y)
        votes = self._counting(
            self.n_neighbors, weights=self.weights, metric="precomputed"
        )
        # Votes are counted on graphs; that of the stored measures is not looked at.
        self.votes_ = votes.fit(identity(n, format="csr"), y)
        if is_classifier(self):
            self.classes_ = self.votes_.classes_
        return self

    def predict(self, X):
        """Predict labels of measures.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), or clouds
            Measures.

        Returns
        -------
        y : ndarray of shape (n_queries,) or (n_queries, n_outputs)
            Labels.
        """
        check_is_fitted(self)
        return self.votes_.predict(self._graph_of(X, self.n_neighbors))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class WassersteinNeighborsClassifier(ClassifierMixin, _Votes):
    """Classify measures by the classes of their nearest neighbours in W.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours that vote, at least 1.
    weights : {"uniform", "distance"}, callable or None, default="uniform"
        What a vote counts, as in :class:`sklearn.neighbors.KNeighborsClassifier`.
    neighbors_mode : {"certified", "refined", "embedded"}, default="certified"
        How neighbours are found: `mode` of :class:`WassersteinNeighbors`.
    n_candidates : int, default=None
    max_solves : int, default=None
    embedder : object, default=None
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
    grid_shape : tuple of int, default=None
    support : array-like of shape (n_features, d), default=None
    n_jobs : int, default=None
    random_state : int, RandomState instance or None, default=None
        As in :class:`WassersteinNeighbors`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes; a list of arrays for several outputs.
    neighbors_ : WassersteinNeighbors
        Fitted.
    votes_ : KNeighborsClassifier
        Counts votes on the graph of neighbours.
    n_samples_fit_ : int
        Stored measures.
    n_features_in_ : int
        Dimension of the points of clouds; number of bins of histograms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if `X` has any.

    See Also
    --------
    WassersteinNeighborsRegressor : The same for numbers.
    WassersteinNeighbors : Finds the neighbours.

    Examples
    --------
    >>> from skwass.neighbors import WassersteinNeighborsClassifier
    >>> X = [[9, 1, 0, 0], [8, 2, 0, 0], [0, 0, 2, 9], [0, 0, 3, 9]]
    >>> y = ["left", "left", "right", "right"]
    >>> classifier = WassersteinNeighborsClassifier(1).fit(X, y)
    >>> classifier.predict([[5, 5, 0, 0], [0, 0, 5, 5]])
    array(['left', 'right'], dtype='<U5')
    """

    _counting = KNeighborsClassifier

    def predict_proba(self, X):
        """Return the shares of votes for each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), or clouds
            Measures.

        Returns
        -------
        p : ndarray of shape (n_queries, n_classes)
            Shares; a list of arrays for several outputs.
        """
        check_is_fitted(self)
        return self.votes_.predict_proba(self._graph_of(X, self.n_neighbors))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class WassersteinNeighborsRegressor(RegressorMixin, _Votes):
    """Predict numbers of measures by the mean of their nearest neighbours in W.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours that count, at least 1.
    weights : {"uniform", "distance"}, callable or None, default="uniform"
        How much, as in :class:`sklearn.neighbors.KNeighborsRegressor`.
    neighbors_mode : {"certified", "refined", "embedded"}, default="certified"
        How neighbours are found: `mode` of :class:`WassersteinNeighbors`.
    n_candidates : int, default=None
    max_solves : int, default=None
    embedder : object, default=None
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
    grid_shape : tuple of int, default=None
    support : array-like of shape (n_features, d), default=None
    n_jobs : int, default=None
    random_state : int, RandomState instance or None, default=None
        As in :class:`WassersteinNeighbors`.

    Attributes
    ----------
    neighbors_ : WassersteinNeighbors
        Fitted.
    votes_ : KNeighborsRegressor
        Takes means on the graph of neighbours.
    n_samples_fit_ : int
        Stored measures.
    n_features_in_ : int
        Dimension of the points of clouds; number of bins of histograms.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if `X` has any.

    See Also
    --------
    WassersteinNeighborsClassifier : The same for classes.
    WassersteinNeighbors : Finds the neighbours.

    Examples
    --------
    >>> from skwass.neighbors import WassersteinNeighborsRegressor
    >>> X = [[9, 1, 0, 0], [8, 2, 0, 0], [0, 0, 2, 9], [0, 0, 3, 9]]
    >>> regressor = WassersteinNeighborsRegressor(2).fit(X, [0.0, 1.0, 4.0, 5.0])
    >>> regressor.predict([[5, 5, 0, 0], [0, 0, 5, 5]])
    array([0.5, 4.5])
    """

    _counting = KNeighborsRegressor
