"""WassersteinMDS: the best Euclidean embedding of distances, with its certificate."""

import warnings
from dataclasses import astuple
from numbers import Integral

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ..files import FileMixin
from ..measures import MeasureReaderMixin
from ..measures.layout import check_embeddings, refuse_square
from ..measures.packing import as_arrays, from_arrays
from ..ot import pairwise_wasserstein
from ..ot.ground_truths import GROUND_TRUTHS
from ._bounds import StressBounds
from ._placement import place, place_private
from .checks import (
    check_distances,
    check_rectangle,
    warn_of_distances,
)
from .descent import SAME, in_dimension, squares_among
from .nearest_edm import (
    SOLVER_CONSTRAINTS,
    nearest_edm,
    negative_share,
)

# The descent in few dimensions stops at gains this much smaller than the duality gap.
FINER = 1e-2
# Rows nearer than this share of the largest distance, squared, are equal.
_EQUAL = 1e-24


class WassersteinMDS(
    FileMixin,
    MeasureReaderMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Multidimensional scaling to the global optimum, with a certificate.

    Minimises the stress `sum_ij (|z_i - z_j|^2 - W_ij^2)^2`, over ordered pairs and
    without a factor 1/2, in units of W^4. With `n_components=None` the answer is the
    best that any Euclidean embedding of these measures can do, and a duality gap proves
    it. No network can have a smaller error on the same measures.

    It needs all pairwise distances and `O(n^3)` time: a few thousand measures. Beyond
    that, fit it to a sample and `transform` the rest, at one distance a new measure and
    training measure; or learn an embedding, and see here how good it could be.

    Parameters
    ----------
    n_components : int, default=None
        Dimension of the embedding. None keeps all that the optimum has, up to
        n_samples - 1. With fewer, the optimum is truncated and improved by descent on
        the stress: a local optimum. Columns beyond the rank of the optimum are zero.
    private_axis : bool or "auto", default="auto"
        Whether the embedding has one more column, the last: the length sqrt(s) of an
        axis that each measure has to itself. Squared distances of different measures
        are then `|z - z'|^2 + s + s'`, and stress is minimised over z and s, as in
        factor analysis with its uniquenesses. `"auto"`: with `n_components`. On 256
        images of MNIST the stress is a fifth of that without it in 2 dimensions, a
        third in 10, two thirds in 20. For a picture, leave the last column out.
    ground_truth : {"precomputed", "exact", "sinkhorn", "gromov"} or object, \
            default="precomputed"
        `"precomputed"` if `X` holds distances W, not squared. Otherwise `X` holds
        measures, and this is their distance, by name or as an object such as
        :class:`skwass.ot.ExactWasserstein`.
    grid_shape : tuple of int, default=None
        Histograms only: the grid that the bins form, e.g. `(28, 28)`; W is then in
        pixels. With neither this nor `support`, bins are on a line.
    support : array-like of shape (n_bins, d), default=None
        Histograms only: positions of the bins.
    solver : {"newton", "pgd", "sdp"}, default="newton"
        As in :func:`nearest_edm`.
    tol : float, default=1e-8
        Duality gap relative to the stress at which to stop.
    max_iter : int, default=None
        Iterations of the solver at most; None for its default.
    n_jobs : int, default=None
        Workers that compute distances.
    verbose : int, default=0
        Whether to print progress of the distances.

    Attributes
    ----------
    embedding_ : ndarray of shape (n_samples, n_components), or one column more
        Centred points in principal axes, the widest first, and lengths of private axes.
    distance_matrix_ : ndarray of shape (n_samples, n_samples)
        Distances between them, in W units, not squared.
    dissimilarity_matrix_ : ndarray of shape (n_samples, n_samples)
        The distances W that were embedded, not squared.
    stress_ : float
        Stress of the embedding.
    optimal_stress_ : float
        The least stress in any dimension, which `stress_` is unless `n_components`
        asks for fewer.
    duality_gap_ : float
        `optimal_stress_` is above the true optimum by no more than this.
    lower_bound_ : float
        Sum of squares of the negative eigenvalues, a lower bound of `optimal_stress_`.
    upper_bound_ : float
        Stress of the best multiple of classical scaling, an upper bound of
        `optimal_stress_`; `stress_` in few dimensions may be above it.
    bounds_ : StressBounds
        These and others, see :func:`stress_bounds`.
    eigenvalues_ : ndarray of shape (n_samples - 1,)
        Of `-J W^2 J`, the largest first. Negative ones say that W is not Euclidean.
    negative_mass_ : float
        Share of the negative ones in the sum of absolute values.
    n_iter_ : int
        Eigendecompositions that the optimum took (iterations of SCS for `"sdp"`).
    measures_ : Histograms, PointClouds or None
        Training measures; None if `fit` was given distances.
    n_features_in_ : int
        Number of features seen in `fit`; for precomputed distances n_samples.

    Raises
    ------
    ValueError
        For what are no distances (asymmetric, negative, NaN, a diagonal that is not
        zero, one measure, a size that overflows), or bad measures.

    Warns
    -----
    ConvergenceWarning
        If the gap is above `tol` after `max_iter` iterations.

    See Also
    --------
    skwass.manifold.nearest_edm : The optimum as a function of squared distances.
    skwass.metrics.stress_certificate : How far an embedder is from the optimum.

    Notes
    -----
    Four to eight eigendecompositions of an n x n matrix: less than a second for n =
    1,000 on two cores. The descent in k dimensions adds a hundred steps of `O(n^2 k)`.

    A new point is placed where its distances to all training points fit best, globally
    [2]_, over z and, with private axes, s >= 0. At the optimum that is where training
    points are themselves, so `transform` of training distances is `embedding_`. With
    private axes, distances jump from 0 to `sqrt(s + s')` where measures cease to be
    equal, and one within a millionth of the largest distance of a training measure is
    placed on it. On MNIST (`benchmarks/nearest_edm.py`), 200 training images place
    unseen ones so well that the mean squared error of W2^2 *between* unseen ones is
    0.03 pixels^4, where the optimum itself has 0.02.

    References
    ----------
    .. [1] Qi (2013). A semismooth Newton method for the nearest Euclidean distance
       matrix problem. SIAM J. Matrix Anal. Appl. 34(1).
    .. [2] Beck, Stoica, Li (2008). Exact and approximate solutions of source
       localization problems. IEEE Trans. Signal Process. 56(5).
    .. [3] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole, section 5. ICML.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skwass import WassersteinMDS
    >>> X = load_digits().data[:90]
    >>> mds = WassersteinMDS(ground_truth="exact", grid_shape=(8, 8)).fit(X)
    >>> mds.lower_bound_ < mds.stress_ < mds.upper_bound_
    True
    >>> mds.transform(X[:5]).shape == (5, mds.embedding_.shape[1])
    True
    """

    _reads_other_bins = True
    _saved = (
        "n_features_in_",
        "feature_names_in_",
        "grid_shape_",
        "support_",
        "embedding_",
        "dissimilarity_matrix_",
        "stress_",
        "optimal_stress_",
        "duality_gap_",
        "eigenvalues_",
        "n_iter_",
        "_solved_by",
        "_has_private",
    )
    _packs = ("_measures_", "_bounds")
    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "private_axis": ["boolean", StrOptions({"auto"})],
        "ground_truth": [
            StrOptions({"precomputed", *GROUND_TRUTHS}),
            HasMethods(["solve"]),
        ],
        "grid_shape": ["array-like", Integral, None],
        "support": ["array-like", None],
        **SOLVER_CONSTRAINTS,
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=None,
        *,
        private_axis="auto",
        ground_truth="precomputed",
        grid_shape=None,
        support=None,
        solver="newton",
        tol=1e-8,
        max_iter=None,
        n_jobs=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.private_axis = private_axis
        self.ground_truth = ground_truth
        self.grid_shape = grid_shape
        self.support = support
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the best embedding of distances, or of measures.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_samples), or measures
            Distances W, not squared, if `ground_truth="precomputed"`; else measures as
            in :func:`skwass.measures.as_measures`. At least two.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        way_out = "Pass them as X, with ground_truth='precomputed'."
        refuse_square(y, X, way_out)
        W, measures = self._training_distances(X)
        D = np.square(W)
        best = nearest_edm(D, solver=self.solver, tol=self.tol, max_iter=self.max_iter)
        private_axis = self.private_axis
        if isinstance(private_axis, str):  # "auto"
            private_axis = self.n_components is not None
        how = D, self.n_components, FINER * self.tol, private_axis
        embedding = in_dimension(best.embedding, *how)
        # Only now, so that a fit that fails or is interrupted changes nothing.
        if measures is None:
            validate_data(self, X, reset=True, skip_check_array=True)
        else:
            self._remember(X, measures)
        self.measures_, self._solved_by = measures, self.ground_truth
        self.embedding_, self._has_private = embedding, bool(private_axis)
        self.dissimilarity_matrix_ = W
        E = squares_among(embedding, D, self._has_private)
        self.distance_matrix_ = np.sqrt(E)
        self.optimal_stress_, self.duality_gap_ = best.stress, best.duality_gap
        is_optimal = self._common.shape[1] >= best.embedding.shape[1]
        self.stress_ = best.stress if is_optimal else float(np.square(E - D).sum())
        self.eigenvalues_ = best.eigenvalues
        self._keep_bounds(best.bounds)
        self.n_iter_ = best.n_iter
        return self

    def fit_transform(self, X, y=None):
        """Fit, and return the embedding of the training measures.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_samples), or measures
            As in `fit`.
        y : None
            Ignored.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components), or one column more
            `embedding_`.
        """
        return self.fit(X, y).embedding_

    def transform(self, X):
        """Place measures among the training ones.

        Minimises `sum_j (|z - z_j|^2 - W_j^2)^2` for each row, globally, over `z` in
        the span of the embedding: columns that are zero there stay zero. With private
        axes, `sum_j (|z - z_j|^2 + s + s_j - W_j^2)^2` over `z` and `s >= 0`.

        Parameters
        ----------
        X : array-like of shape (n_new, n_samples), or measures
            Distances W to the training measures, not squared, if
            `ground_truth="precomputed"`; else measures of the kind that `fit` saw.

        Returns
        -------
        Z : ndarray of shape (n_new, n_components), or one column more
            A row depends on no other row. With private axes, their lengths are in the
            last column.

        Raises
        ------
        ValueError
            For bad distances or measures, or others than `fit` saw.
        """
        check_is_fitted(self)
        return self._place(self._distances_to_training(X))

    def pairwise_distances(self, X, Y=None, *, squared=False):
        """Distances between embeddings.

        Parameters
        ----------
        X : array-like of shape (n_x, n_samples), or measures
            As in `transform`.
        Y : like X, of n_y rows, default=None
            Others; `X` if None.
        squared : bool, default=False
            Whether to return squared distances.

        Returns
        -------
        W : ndarray of shape (n_x, n_y)
            Distances between rows of `transform`.
        """
        Z = self.transform(X)
        E = self._distances_sq(Z, Z if Y is None else self.transform(Y))
        return E if squared else np.sqrt(E)

    def embedded_distances(self, Z, Z_new=None, *, squared=False):
        """Return distances of stored embeddings; their measures are not needed.

        Parameters
        ----------
        Z : array-like of shape (n, n_features_out)
            Rows of `transform`.
        Z_new : array-like of shape (m, n_features_out), default=None
            Others; `Z` if None.
        squared : bool, default=False
            Whether to return squared distances.

        Returns
        -------
        W : ndarray of shape (n, n) or (n, m)
            Euclidean distances of rows; with private axes the roots of
            `|z - z'|^2 + s + s'`, and 0 of equal rows.

        Raises
        ------
        ValueError
            For another number of columns, NaN and infinity.
        """
        check_is_fitted(self)
        Z = check_embeddings(Z, self._n_features_out, "Z")
        if Z_new is not None:
            Z_new = check_embeddings(Z_new, self._n_features_out, "Z_new")
        E = self._distances_sq(Z, Z if Z_new is None else Z_new)
        return E if squared else np.sqrt(E)

    def get_feature_names_out(self, input_features=None):
        """Return names of the columns of `transform`.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str
            `"wassersteinmds0"` and so on; a private axis is called that.
        """
        names = super().get_feature_names_out(input_features)
        if self._has_private:
            names[-1] = "wassersteinmds_private"
        return names

    def score(self, X, y=None):
        """Return R2 of the distances to training measures.

        Parameters
        ----------
        X : array-like of shape (n_new, n_samples), or measures
            As in `transform`.
        y : None
            Ignored.

        Returns
        -------
        r2 : float
            1 is best. Of the distances to `embedding_` against W, over all i and j.
        """
        from sklearn.metrics import r2_score

        check_is_fitted(self)
        W = self._distances_to_training(X)
        E = self._distances_sq(self._place(W), self.embedding_)
        return float(r2_score(W.ravel(), np.sqrt(E).ravel()))

    @property
    def metric(self):
        """Where scikit-learn looks whether `X` holds distances."""
        return "precomputed" if self._is_precomputed() else None

    def _try_out(self):
        if self._is_precomputed():
            self._place(np.zeros((1, len(self.embedding_))))
        else:
            with warnings.catch_warnings():  # an atom has no names of features
                warnings.simplefilter("ignore")
                self.transform(self._atom())

    def _packed(self):
        measures = as_arrays(self.measures_).items()
        packed = {f"_measures_{name}": array for name, array in measures}
        return {**packed, "_bounds": np.array(astuple(self.bounds_))}

    def _reopen(self):
        names = [name for name in vars(self) if name.startswith("_measures_")]
        arrays = {name.removeprefix("_measures_"): self._take(name) for name in names}
        bins = getattr(self, "support_", None), getattr(self, "grid_shape_", None)
        self.measures_ = from_arrays(arrays, *bins)
        self._keep_bounds(StressBounds(*self._take("_bounds").tolist()))
        D = np.square(self.dissimilarity_matrix_)
        E = squares_among(self.embedding_, D, self._has_private)
        self.distance_matrix_ = np.sqrt(E)

    def _take(self, name):
        """Return an attribute that there is no more use for."""
        value = getattr(self, name)
        delattr(self, name)
        return value

    def _keep_bounds(self, bounds):
        self.bounds_ = bounds
        self.lower_bound_, self.upper_bound_ = bounds.lower, bounds.scaled_cmds
        self.negative_mass_ = negative_share(self.eigenvalues_)

    def _training_distances(self, X):
        """Return W of all pairs, given or computed, and the measures, if any."""
        if self._is_precomputed():
            return check_distances(X, "X"), None
        measures = self._read(X)
        if len(measures) < 2:
            raise ValueError(
                "Got X with n_samples=1, expected at least two measures: one alone has "
                "no distances. Add measures."
            )
        warn_of_distances(measures, self.ground_truth)
        W = self._wasserstein(measures, None, self.ground_truth)
        return check_distances(W, "X"), measures

    def _distances_to_training(self, X):
        """Return W from each row of X to each training measure."""
        if self.measures_ is not None:
            return self._wasserstein(
                self._as_measures(X), self.measures_, self._solved_by
            )
        W = check_rectangle(X, "X")
        named = X if hasattr(X, "columns") else W
        validate_data(self, named, reset=False, skip_check_array=True)
        return W

    def _wasserstein(self, X, Y, ground_truth):
        settings = {"n_jobs": self.n_jobs, "verbose": self.verbose}
        return pairwise_wasserstein(X, Y, ground_truth=ground_truth, **settings)

    def _is_precomputed(self):
        return isinstance(self.ground_truth, str) and self.ground_truth == "precomputed"

    def _place(self, W):
        # A column of zeros has no extent to place anything along.
        columns = np.flatnonzero(self._common.any(axis=0))
        landmarks, d_sq = self._common[:, columns], np.square(W)
        Z = np.zeros((len(W), self._n_features_out))
        if not self._has_private:
            Z[:, columns] = place(landmarks, d_sq)
            return Z
        s = np.square(self.embedding_[:, -1])
        Z[:, columns], own = place_private(landmarks, s, d_sq)
        Z[:, -1] = np.sqrt(own)
        # A measure that was in `fit` is where it was.
        known = d_sq.min(axis=1) <= SAME * np.square(self.dissimilarity_matrix_.max())
        Z[known] = self.embedding_[W[known].argmin(axis=1)]
        return Z

    @property
    def _common(self):
        """Columns of the embedding but for private ones."""
        return self.embedding_[:, : self._n_features_out - self._has_private]

    def _distances_sq(self, Y, Z):
        """Return squared distances between rows of `transform`; of equal ones 0."""
        if not self._has_private:
            return cdist(Y, Z, "sqeuclidean")
        E = cdist(Y[:, :-1], Z[:, :-1], "sqeuclidean")
        r_y, r_z = Y[:, -1], Z[:, -1]
        # Equal rows are of the same measure, whatever rounding did.
        gaps_sq = E + np.square(np.subtract.outer(r_y, r_z))
        is_same = gaps_sq <= _EQUAL * np.square(self.distance_matrix_.max())
        return np.where(is_same, 0, E + np.add.outer(r_y**2, r_z**2))

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.pairwise = self._is_precomputed()
        tags.input_tags.sparse = not self._is_precomputed()
        tags.transformer_tags.preserves_dtype = []
        return tags
