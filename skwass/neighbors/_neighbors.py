"""Nearest neighbours in Wasserstein distance: the estimator."""

from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._random import fresh_random_state
from ..measures import MeasureReaderMixin
from ..measures.units import in_unit, unit_exponent
from ..ot.duals import has_duals, looked_up, on_bins
from ..ot.engine import warn_unconverged
from ..ot.ground_truths import (
    GROUND_TRUTH_CONSTRAINT,
    as_ground_truth,
    scales_with_points,
)
from ._bounds import Summaries, bounds_for
from ._candidates import by_embedding, by_label, nearest
from ._checks import check_count, check_radius, graph_of, refuse_uncertain
from ._files import NeighborsFileMixin
from ._index import INDEXES, Index
from ._proposer import bins_of, fitted_to, rows_of
from ._recall import calibrate
from ._record import NeighborSearch, as_table, from_table, ragged
from ._resume import search_table
from ._targets import Targets
from ._work import Work, search_blocks

_LEAST_CANDIDATES = 30


@contextmanager
def _unchanged_if_it_fails(estimator):
    """Take back all that was set, if anything raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class WassersteinNeighbors(NeighborsFileMixin, MeasureReaderMixin, BaseEstimator):
    """Nearest neighbours in Wasserstein distance, with a proof, for few exact solves.

    An embedder proposes neighbours, lower bounds rule out other measures, and exact
    solves decide. The answer of `mode="certified"` is that of a search through all
    exact distances: each measure that is not solved exactly is certain to be further
    away.

    Parameters
    ----------
    embedder : object, default=None
        An embedder of skwass, of which a clone is fitted to the measures. One that is
        fitted already stays as it is in :class:`sklearn.frozen.FrozenEstimator`. A
        better one means fewer solves; the answer is the same. None stands for
        :class:`skwass.LinearOTEmbedder`, with 64 components where there are as many.
    n_neighbors : int, default=10
        Neighbours that methods return unless they are told otherwise, at least 1.
    mode : {"certified", "refined", "embedded"}, default="certified"
        `"certified"`: the nearest of all, with a proof. `"refined"`: the nearest of
        `n_candidates` that the embedding finds nearest, by exact distances.
        `"embedded"`: by the distances that the embedding predicts.
    n_candidates : int, default=None
        Candidates of `"refined"`, at least `n_neighbors`. None: 30, or three times as
        many as neighbours, if that is more.
    max_solves : int, default=None
        Exact solves for one query in each shard, at most; None for no limit.
        `"certified"` then returns the nearest that it has solved, and `search` says
        what is proved.
    radius : float, default=1.0
        W within which `radius_neighbors` returns neighbours unless told otherwise.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        The distance. Only :class:`skwass.ot.ExactWasserstein`, of any order and ground
        metric and without a tolerance, can be certified.
    index : {"brute", "sklearn", "faiss", "pynndescent"}, default="brute"
        What searches the embeddings. The last two need packages of their names and are
        approximate, which costs a few solves more or some recall of other modes.
    n_shards : int, default=1
        Parts that the stored measures are searched in, each by tasks of its own: what
        a worker of a cluster has to hold. More parts take more solves; the answer is
        the same.
    n_calibration : int, default=20
        Stored measures whose neighbours are searched for in `fit`, beyond their
        candidates too, to estimate the recall of `"refined"`; 0 for no estimate.
    grid_shape : tuple of int, default=None
        For images: the grid that the bins form. None: as the embedder has it.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid. None: as the embedder has.
    n_jobs : int, default=None
        Threads, or workers of the backend that :func:`joblib.parallel_config` sets.
    random_state : int, RandomState instance or None, default=None
        Of the default embedder, of lines to project on, and of calibration.

    Attributes
    ----------
    embedder_ : object
        Fitted embedder.
    embedding_ : ndarray of shape (`n_samples_fit_`, n_features_out), float32
        Embeddings of stored measures.
    ground_truth_ : object
        The distance.
    n_samples_fit_ : int
        Stored measures.
    expected_recall_ : float
        Of `"refined"` alone: the share of the true neighbours that is expected among
        those returned. None in other modes.
    n_solves_ : ndarray of int of shape (n_queries,)
        Exact solves for each query of the last `kneighbors` or `radius_neighbors`.
    proved_ : ndarray of bool of shape (n_queries,)
        Whether its answer is proved.
    gaps_ : ndarray of shape (n_queries,)
        How much nearer than the last neighbour another measure could be; 0 if proved.
    n_features_in_ : int
        Dimension of the points of clouds; number of bins of histograms.
    support_ : ndarray of shape (`n_features_in_`, d) or None
        Positions of the bins of histograms.
    grid_shape_ : tuple of int or None
        The grid that they form, if any.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if `X` has any.

    See Also
    --------
    WassersteinNeighborsTransformer : The graph of neighbours, in a pipeline.
    WassersteinNeighborsClassifier : Classes of neighbours.
    skwass.LinearOTEmbedder : The default embedder.
    skwass.ot.pairwise_wasserstein : All distances.

    Notes
    -----
    W^p is at least `sum_i a_i f_i + sum_j b_j g_j` for potentials with
    `f_i + g_j <= d(x_i, y_j)^p` [1]_. With f from a solve of the query and any measure,
    and g its c-transform, that bounds the distance to all others, by one product with
    their masses. Most measures are ruled out before, by their means, Gaussians and
    projections; a few by potentials of their own, from some entropic sweeps, which take
    an eighth of the time of an exact solve and reach 98 % of W2^2.

    Rounding is subtracted from bounds, and one counts only where it exceeds the last
    neighbour by a billionth of W^p, which is how well W is known. Distances that are
    equal to that precision may be in another order than in a search through all;
    otherwise equal ones are in the order of `X`. Coordinates are safe down to 1e-150 of
    the largest.

    In many dimensions distances concentrate, and bounds rule out little: set
    `max_solves`, or use `"refined"`. On a line, pairs are solved by sorting, and in
    collections of clouds of ten points an exact solve is about as fast as a bound.

    Memory: masses and points of the measures once, their embeddings, and some hundred
    numbers per measure for bounds.

    `fit` raises ValueError for measures that the embedder refuses, and for
    `mode="certified"` with a distance that has no certificate. A ConvergenceWarning
    says if exact solves did not converge; such queries are not proved.

    References
    ----------
    .. [1] Peyre, Cuturi (2019). Computational optimal transport, section 2.5.
    .. [2] Kusner, Sun, Kolkin, Weinberger (2015). From word embeddings to document
       distances. ICML. Centroids and nearest points as bounds of W1.
    .. [3] Gelbrich (1990). On a formula for the L2 Wasserstein metric between measures
       on Euclidean and Hilbert spaces. Math. Nachr. 147.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skwass.neighbors import WassersteinNeighbors
    >>> X, _ = load_digits(return_X_y=True)
    >>> digits = WassersteinNeighbors(n_neighbors=3, grid_shape=(8, 8), random_state=0)
    >>> distances, indices = digits.fit(X[:300]).kneighbors(X[300:305])
    >>> distances.shape
    (5, 3)
    >>> digits.proved_
    array([ True,  True,  True,  True,  True])
    >>> bool(digits.n_solves_.max() < 50)
    True
    """

    _summaries: Any
    _parameter_constraints = {
        "embedder": [HasMethods(["fit", "transform"]), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "mode": [StrOptions({"certified", "refined", "embedded"})],
        "n_candidates": [Interval(Integral, 1, None, closed="left"), None],
        "max_solves": [Interval(Integral, 1, None, closed="left"), None],
        "radius": [Interval(Real, 0, None, closed="left")],
        "ground_truth": GROUND_TRUTH_CONSTRAINT,
        "index": [StrOptions(set(INDEXES))],
        "n_shards": [Interval(Integral, 1, None, closed="left")],
        "n_calibration": [Interval(Integral, 0, None, closed="left")],
        "grid_shape": ["array-like", Integral, None],
        "support": ["array-like", None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        embedder=None,
        n_neighbors=10,
        *,
        mode="certified",
        n_candidates=None,
        max_solves=None,
        radius=1.0,
        ground_truth="exact",
        index="brute",
        n_shards=1,
        n_calibration=20,
        grid_shape=None,
        support=None,
        n_jobs=None,
        random_state=None,
    ):
        self.embedder = embedder
        self.n_neighbors = n_neighbors
        self.mode = mode
        self.n_candidates = n_candidates
        self.max_solves = max_solves
        self.radius = radius
        self.ground_truth = ground_truth
        self.index = index
        self.n_shards = n_shards
        self.n_calibration = n_calibration
        self.grid_shape = grid_shape
        self.support = support
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Store measures, and what bounds their distances.

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
        with _unchanged_if_it_fails(self):
            self._fit(X)
        return self

    def _fit(self, X):
        measures = self._read(X)
        if len(measures) < 2:
            raise ValueError(
                "Got X with n_samples=1, expected at least two measures: one alone has "
                "no neighbours. Add measures."
            )
        truth = as_ground_truth(self.ground_truth)
        refuse_uncertain(self.mode, truth)
        self._seed = int(fresh_random_state(self.random_state).randint(2**31 - 1))
        embedder = fitted_to(self.embedder, measures, self._seed)
        rows = rows_of(embedder, measures)
        self._remember(X, measures)
        self.embedder_, self.embedding_ = embedder, rows
        self._unit = unit_exponent(measures) if scales_with_points(truth) else 0
        self._store(self._targets_of(measures, truth), truth)
        self.expected_recall_ = None
        if self.mode == "refined" and self.n_calibration:
            n_candidates = self._n_candidates(self.mode, None)
            self.expected_recall_ = calibrate(self, n_candidates)

    def partial_fit(self, X, y=None):
        """Store more measures, behind those that are there.

        The embedder stays as it is, and so does `expected_recall_`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or clouds
            Measures; at least two in the first call, which is a fit.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        if not hasattr(self, "embedder_"):
            return self.fit(X)
        measures = self._as_measures(X)
        rows = rows_of(self.embedder_, measures)
        targets = self._targets_of(measures, self.ground_truth_)
        joined = self._targets.joined(targets, self.support_ is not None)
        with _unchanged_if_it_fails(self):
            self.embedding_ = np.concatenate([self.embedding_, rows])
            self._store(joined, self.ground_truth_, targets)
        return self

    def kneighbors(self, X=None, n_neighbors=None, return_distance=True, *, out=None):
        """Find the nearest stored measures of some measures.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            Measures. None: the stored ones, none of which is its own neighbour.
        n_neighbors : int, default=None
            How many; that of the constructor if None.
        return_distance : bool, default=True
            Whether to return distances too.
        out : path-like, default=None
            A file to keep finished queries in, as of
            :func:`skwass.ot.pairwise_wasserstein`: the same call after a crash does
            only what is missing. Not for `mode="embedded"`.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            W, ascending; only if `return_distance`. What the embedding predicts in
            `mode="embedded"`.
        indices : ndarray of int of shape (n_queries, n_neighbors)
            Rows of the stored measures.

        Raises
        ------
        ValueError
            For bad measures, or more neighbours than there are measures.
        """
        found = self.search(X, n_neighbors, out=out)
        self._note(found)
        return (found.distances, found.indices) if return_distance else found.indices

    def radius_neighbors(
        self, X=None, radius=None, return_distance=True, sort_results=False
    ):
        """Find all stored measures within a distance of some measures.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            Measures, as for `kneighbors`.
        radius : float, default=None
            Largest W of a neighbour; that of the constructor if None.
        return_distance : bool, default=True
            Whether to return distances too.
        sort_results : bool, default=False
            Ignored: results are always in ascending order.

        Returns
        -------
        distances : ndarray of shape (n_queries,), of arrays
            W, ascending; only if `return_distance`.
        indices : ndarray of shape (n_queries,), of arrays of int
            Rows of the stored measures. Of the candidates alone in `mode="refined"`.
        """
        radius = self.radius if radius is None else radius
        found = self.search(X, radius=radius)
        self._note(found)
        return (found.distances, found.indices) if return_distance else found.indices

    def kneighbors_graph(self, X=None, n_neighbors=None, mode="connectivity"):
        """Return the graph of neighbours.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            Measures, as for `kneighbors`.
        n_neighbors : int, default=None
            How many; that of the constructor if None.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether edges are ones or W.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, `n_samples_fit_`)
            Row i has the neighbours of query i, the nearest first.
        """
        distances, indices = self.kneighbors(X, n_neighbors)
        return self._graph(list(distances), list(indices), mode)

    def radius_neighbors_graph(
        self, X=None, radius=None, mode="connectivity", sort_results=False
    ):
        """Return the graph of neighbours within a distance.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            Measures, as for `kneighbors`.
        radius : float, default=None
            Largest W of a neighbour; that of the constructor if None.
        mode : {"connectivity", "distance"}, default="connectivity"
            Whether edges are ones or W.
        sort_results : bool, default=False
            Ignored: rows are always in ascending order of W.

        Returns
        -------
        graph : csr_matrix of shape (n_queries, `n_samples_fit_`)
        """
        distances, indices = self.radius_neighbors(X, radius)
        return self._graph(distances, indices, mode)

    def search(self, X=None, n_neighbors=None, *, radius=None, out=None):
        """Find neighbours, and say what is proved. Changes nothing in the estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features), default=None
            Measures, as for `kneighbors`.
        n_neighbors : int, default=None
            How many; that of the constructor if None.
        radius : float, default=None
            Find all within this W instead.
        out : path-like, default=None
            A file to keep finished queries in, as for `kneighbors`; not with `radius`.

        Returns
        -------
        found : NeighborSearch
            Neighbours, distances, proofs and counts.

        Raises
        ------
        ValueError
            As for `kneighbors`; for a negative radius; for `mode="certified"`, set
            after `fit`, with a distance that has no certificate.
        """
        check_is_fitted(self)
        refuse_uncertain(self.mode, self.ground_truth_)
        if radius is not None:
            check_radius(radius, out)
        exclude = None
        if X is None:
            queries, Z = self._targets, self.embedding_
            exclude = np.arange(len(queries))
        else:
            measures = self._as_measures(X)
            Z = rows_of(self.embedder_, measures)
            queries = self._targets_of(measures, self.ground_truth_)
        k = None
        if radius is None:
            k = self.n_neighbors if n_neighbors is None else n_neighbors
            limit = self.max_solves if self.mode == "certified" else None
            check_count(k, self.n_samples_fit_ - (exclude is not None), limit)
        return self._search(queries, Z, exclude, k, radius, out)

    def _search(self, queries, Z, exclude, k, radius, out=None):
        """Search for checked measures by the mode."""
        n_candidates = self._n_candidates(self.mode, k)
        likely = self._index.nearest(Z, n_candidates, exclude)
        if self.mode == "embedded" or not has_duals(self.ground_truth_):
            if out is not None:
                raise ValueError(
                    f"Got out={str(out)!r} with mode={self.mode!r} and ground_truth="
                    f"{self.ground_truth_}, expected an exact distance to solve. Leave "
                    "it out."
                )
            return self._among(likely, queries, Z, k, radius)
        work = self._work(queries, likely, exclude, k, radius)
        if self.mode == "certified":
            summaries = self._all_summaries()
            work = replace(work, summaries=summaries, max_solves=self.max_solves)
        return self._run(work, n_candidates, out)

    def _work(self, queries, likely, exclude, k, radius=None):
        """Return a search among likely neighbours."""
        radius = np.inf if radius is None else radius * np.ldexp(1.0, -self._unit)
        return Work(
            truth=self._solving_truth(),
            targets=self._targets,
            summaries=None,
            rows=None,
            queries=queries,
            likely=likely,
            exclude=exclude,
            n_neighbors=k,
            radius=radius,
            max_solves=None,
        )

    def _run(self, work, n_candidates=0, out=None):
        """Return the record of a search, in the unit of the data."""
        works, n = [work], self.n_samples_fit_
        is_certified = work.summaries is not None
        if is_certified and self.n_shards > 1:
            parts = np.array_split(np.arange(n), self.n_shards)
            works = [work.shard(rows) for rows in parts if len(rows)]
        is_complete, unit = is_certified or n_candidates >= n, np.ldexp(1.0, self._unit)
        if work.n_neighbors is None:
            blocks = search_blocks(works, range(work.n_blocks), self.n_jobs)
            found = [one for _, block in blocks for one in block]
            n_unconverged = sum(one.n_unconverged for one in found)
            record = ragged(found, unit, is_complete)
        else:
            k = work.n_neighbors
            table = search_table(works, k, self.n_jobs, out)
            n_unconverged = int(table[:, 2 * k + 4].sum())
            record = from_table(table, k, unit, is_complete)
        n_solves = int(record.n_solves.sum())
        warn_unconverged(n_unconverged, n_solves, self.ground_truth_)
        return record

    def _search_both(self, rows, k, max_solves):
        """Search for stored measures among candidates, and among all with a proof."""
        queries, Z = self._targets.only(rows)[0], self.embedding_[rows]
        likely = self._index.nearest(Z, self._n_candidates("refined", k), rows)
        work = self._work(queries, likely, rows, k)
        summaries = self._all_summaries()
        proof = replace(work, summaries=summaries, max_solves=max_solves)
        return self._run(work), self._run(proof)

    def _all_summaries(self):
        """Return what bounds distances; made here if `fit` was for another mode."""
        if self._summaries is not None:
            return self._summaries
        bounds = bounds_for(self.ground_truth_, self._targets, self._seed)
        summaries = Summaries.of(bounds, self._targets)
        if self.mode == "certified":
            self._summaries = summaries
        return summaries

    def _solving_truth(self):
        """Return the ground truth of measures in the form that they are stored in."""
        truth = self.ground_truth_
        return looked_up(truth) if has_duals(truth) else truth

    def _among(self, likely, queries, Z, k, radius):
        """Search among candidates, by the embedding or by any ground truth."""
        unit = 1.0
        if self.mode == "embedded":
            found = by_embedding(self.embedder_, Z, self.embedding_, likely)
        else:
            mu, nu = self._collection(queries), self._collection(self._targets)
            found = by_label(self.ground_truth_, mu, nu, likely, self.n_jobs)
            unit = np.ldexp(1.0, self._unit)
        limit = np.inf if radius is None else radius / unit
        found = nearest(found, k, limit)
        if k is None:
            return ragged(found, unit, False)
        return from_table(as_table(found, k), k, unit, False)

    def _collection(self, targets):
        is_rows = self.support_ is not None
        return targets.collected(self.grid_shape_, is_rows)

    def _n_candidates(self, mode, k):
        """Return how many neighbours in the embedding are looked at."""
        n = self.n_samples_fit_
        if mode == "certified":
            return 0 if k is None else min(k, n)
        if mode == "embedded":
            return n if k is None else min(k, n)
        wanted = self.n_candidates
        if wanted is None:
            wanted = max(_LEAST_CANDIDATES, 3 * (k or self.n_neighbors))
        if k is not None and wanted < k:
            raise ValueError(
                f"Got n_candidates={wanted} with n_neighbors={k}, expected at least as "
                "many candidates. Raise n_candidates."
            )
        return min(wanted, n)

    def _store(self, targets, truth, added=None):
        """Set what depends on the stored measures, all or some more of them."""
        self._targets, self.ground_truth_ = targets, truth
        self.n_samples_fit_ = len(targets)
        kept, self._summaries = self._summaries if added is not None else None, None
        if self.mode == "certified" and kept is not None:
            self._summaries = kept.joined(Summaries.of(kept.bounds, added))
        elif self.mode == "certified":
            self._all_summaries()
        self._index = Index(self.embedder_, self.embedding_, self.index, self._seed)

    def _reopen(self, targets):
        """Make anew what is not in a file: bounds, and the index."""
        self._store(targets, as_ground_truth(self.ground_truth))

    def _targets_of(self, measures, truth):
        """Return measures in the own unit and on the bins of a ground metric."""
        measures = in_unit(measures, self._unit)
        if has_duals(truth):
            measures = on_bins(truth, measures)
        return Targets.of(measures)

    def _note(self, found: NeighborSearch):
        self.n_solves_, self.proved_ = found.n_solves, found.is_proved
        self.gaps_ = found.gaps

    def _graph(self, distances, indices, mode):
        return graph_of(distances, indices, self.n_samples_fit_, mode)

    def _bins(self):
        """Return where the bins of rows are: as the embedder has it, by default."""
        own = super()._bins()
        if all(value is None for value in own.values()) and self.embedder is not None:
            return bins_of(self.embedder)
        return own

    def __sklearn_is_fitted__(self):
        return hasattr(self, "embedder_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        return tags
