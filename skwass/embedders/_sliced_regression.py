"""Regression of W2 on sliced distances and on what their plans cost in space."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from ..formulas.correction import fit_parts, gaps_squared
from ..formulas.sliced_regression import (
    are_within_bounds,
    certain_bounds,
    energies_of,
    fit_regression,
    join,
    kinds_of,
    names_of_bounds,
    predict_from,
)
from ..measures.subsets import center_of, evenly
from ..ot.ground_truths import is_w2
from ..ot.plans import ListedPairs, Rectangle, Triangle
from ..ot.quantiles import draw_directions
from ..ot.slicing import lifted_cells, pairs_at_a_time, slice_measures, sliced_costs
from ._training_free import ScaledEmbedder

# Columns of `transform`, those of the mean not counted: 128 KB a measure.
_MAX_COLUMNS = 2**15
# Pairs, at most, that its two factors are fitted to.
_N_STRETCH_PAIRS = 500


class SlicedRegressionEmbedder(ScaledEmbedder):
    """Predict W2 from sliced distances, by a linear regression on few labels.

    The estimator of [1]_, called RG there: a baseline that is hard to beat with few
    labels. The plan that sorts two measures along a line is optimal on the line, where
    its cost is a lower bound of W2^2, and in the whole space, lifted, its cost is an
    upper bound. Over many lines, both are summarised in three ways::

        W2^2 = b_1 SW^2 + b_2 EBSW^2 + b_3 Max-SW^2
             + b_4 PW^2 + b_5 EST^2 + b_6 Min-SWGG^2

    that is by their means; by means that favour the lines with the largest cost, or the
    least if lifted; by the largest cost on a line, and the least lifted cost. A few
    coefficients are fitted without intercept, to first order in W as everywhere here.
    Predictions are brought between two bounds that always hold: the distance of means
    with those of the centred measures along orthogonal lines, and the least lifted
    cost. So the distance is exact on a line and for translates.

    Predictions are of pairs: `pairwise_distances` and `score` are what this class is
    about. It is no faster than exact W2 between clouds of up to 30 points, nor up to
    100 where sizes or weights differ; between 1,000 points in three dimensions it is
    6 to 70 times as fast. It is no metric. `transform` is an *approximation* by
    Euclidean distances.

    Parameters
    ----------
    n_projections : int, default=64
        Lines, at least 1, of random orthonormal bases, of which the last may be
        incomplete. On a line one is taken. More make bounds tighter, and cost time in
        proportion.
    predictors : {"all", "mean", "energy", "best"} or list of str, default="all"
        Which pairs of a lower and an upper bound: `"mean"`, SW and PW; `"energy"`, EBSW
        and EST; `"best"`, Max-SW and Min-SWGG. With less than a hundred labels `"best"`
        alone is safer than all.
    constrained : bool, default=False
        Whether each lower bound and its upper one are averaged, with a weight from 0 to
        1, and then the pairs: half as many numbers, and less accurate.
    n_quantiles : int, default=16
        Cells of the plans in `transform`, at least 1, which keeps only means. Nothing
        else depends on it.
    n_pairs : int, default=500
        Pairs whose distances are solved in `fit`.
    grid_shape : tuple of int, default=None
        For images: the grid that the bins form, e.g. (28, 28); W is then in pixels. If
        None and `support` too, rows are histograms on a line.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid, such as vectors of words.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        What `fit` and `score` label pairs by; a distance of :mod:`skwass.ot`. Unless it
        is a W2 with the Euclidean metric, predictions are kept above 0 alone.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps labels, if `random_state` is an integer.
    n_jobs : int, default=None
        Threads that label pairs.
    random_state : int, RandomState instance or None, default=None
        Directions and pairs.

    Attributes
    ----------
    directions_ : ndarray of shape (d, n_directions)
        Unit vectors.
    coef_ : ndarray of shape (n_predictors,)
        Coefficients of squared bounds, in the order of `predictors_`.
    predictors_ : list of str
        Their names: lower bounds, then upper ones.
    n_pairs_ : int
        Pairs that coefficients were fitted to.
    n_solves_ : int
        Solves of `fit` that were not in `memory`.
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
    skwass.PseudobulkEmbedder : The other baseline: means alone.
    skwass.SlicedWassersteinEmbedder : Lower bounds alone, a Euclidean embedding.
    skwass.LinearOTEmbedder : One exact solve per measure, none per pair.

    Notes
    -----
    Weights of EBSW and EST are exponentials of costs over their standard deviation
    between lines, averaged over labelled pairs: in [1]_ they are not divided, and
    change with the unit of the data. Directions are orthogonal, not independent, which
    makes the lower bound d times that of a line where measures differ everywhere.

    `transform` keeps the points of a centred measure, sorted along lines and averaged
    over cells of equal mass, and its mean in the end. Two fitted factors, along lines
    and across, make squared distances those of means plus `a SW^2 + b PW^2` of such
    cells, with a and b not below 0. As many lines are taken as fit into 32,768 columns
    of `n_quantiles * d` each.

    `O(n_directions n (d + log n))` time per measure of n points. A pair takes
    `O(n^2 d + n_directions n)` time between clouds of equal sizes and weights, or
    `O(n_directions n d)` where that is less; others two to five times as long, since
    masses are merged along each line. Memory per measure is `20 n_directions n` bytes.

    References
    ----------
    .. [1] Nguyen, Nguyen, Ho (2026). Fast estimation of Wasserstein distances via
       regression on sliced Wasserstein distances. arXiv:2509.20508.

    Examples
    --------
    >>> from skwass import SlicedRegressionEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> clouds, W = make_gaussian_clouds(40, n_points=30, random_state=0)
    >>> embedder = SlicedRegressionEmbedder(n_pairs=50, random_state=0).fit(clouds)
    >>> embedder.pairwise_distances(clouds).shape
    (40, 40)
    >>> embedder.score(clouds) > 0.95
    True
    """

    _parameter_constraints = {
        # Without `scale`: there is always something to fit.
        **{
            name: constraint
            for name, constraint in ScaledEmbedder._parameter_constraints.items()
            if name != "scale"
        },
        "n_projections": [Interval(Integral, 1, None, closed="left")],
        "predictors": [StrOptions({"all", "mean", "energy", "best"}), list, tuple],
        "constrained": ["boolean"],
        "n_quantiles": [Interval(Integral, 1, None, closed="left")],
    }
    _reads_other_bins = True
    _saved = (
        *ScaledEmbedder._saved,
        "directions_",
        "coef_",
        "predictors_",
        "_kinds",
        "_energies",
        "_stretch",
        "_origin",
        "_n_cells",
        "_is_bounded",
    )

    def __init__(
        self,
        n_projections=64,
        *,
        predictors="all",
        constrained=False,
        n_quantiles=16,
        n_pairs=500,
        grid_shape=None,
        support=None,
        ground_truth="exact",
        n_score_pairs=1_000,
        memory=None,
        n_jobs=None,
        random_state=None,
    ):
        self.n_projections = n_projections
        self.predictors = predictors
        self.constrained = constrained
        self.n_quantiles = n_quantiles
        self.n_pairs = n_pairs
        self.grid_shape = grid_shape
        self.support = support
        self.ground_truth = ground_truth
        self.n_score_pairs = n_score_pairs
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _needs_labels(self):
        return True

    def _fit(self, measures, given, rng):
        kinds = kinds_of(self.predictors)
        directions = draw_directions(measures.dim, self.n_projections, rng)
        pairs, w, n_solves = self._label(measures, given, rng, self.n_pairs)
        rows, ends = np.unique(pairs, return_inverse=True)
        ends, origin = ends.reshape(-1, 2), center_of(measures)
        sliced = slice_measures(measures[rows], directions, origin)
        costs = join(list(_costs_of(sliced, ends)))
        energies = energies_of(costs, directions)
        features = predict_from(costs, directions, kinds, energies)
        coefficients = fit_regression(features, w, self.constrained)
        n_cells = self.n_quantiles
        n_lines = _n_lines(directions, n_cells)
        return {
            "directions_": directions,
            "coef_": coefficients,
            "predictors_": names_of_bounds(kinds),
            "n_pairs_": len(pairs),
            "n_solves_": n_solves,
            "_kinds": list(kinds),
            "_energies": np.array(energies),
            "_stretch": _fit_stretch(sliced, directions, n_lines, n_cells, ends, w),
            "_origin": origin,
            "_n_cells": n_cells,
            "_is_bounded": (
                is_w2(self.ground_truth)
                and are_within_bounds(costs, len(directions), w)
            ),
            "_n_features_out": (n_lines * n_cells + 1) * measures.dim,
        }

    def _represent(self, measures):
        return _Sliced(slice_measures(measures, self.directions_, self._origin))

    def _embed(self, measures):
        n_lines = _n_lines(self.directions_, self._n_cells)
        rows = np.empty((len(measures), self._n_features_out), dtype=np.float32)
        for k in range(len(measures)):
            (one,) = slice_measures(measures[[k]], self.directions_, self._origin)
            cells = lifted_cells(one, n_lines, self._n_cells)
            along, across = self._stretch
            rows[k] = _stretched(cells, self.directions_, along, across, one.mean)
        return rows

    def _all_distances(self, r_x, r_y, squared):
        x, y = r_x.sliced, (r_x if r_y is None else r_y).sliced
        size = min(pairs_at_a_time(x), pairs_at_a_time(y))
        is_whole = r_y is None
        tiles = Triangle(len(x), size) if is_whole else Rectangle(len(x), len(y), size)
        W = np.zeros(tiles.shape, dtype=np.float32)
        for number in range(tiles.n_chunks):
            pairs = tiles.chunk(number)
            if len(pairs):
                w_sq = self._squares(sliced_costs(x, y, pairs))
                tiles.store(W, number, w_sq if squared else np.sqrt(w_sq))
        return W

    def _paired_distances(self, r, pairs):
        parts = [self._squares(costs) for costs in _costs_of(r.sliced, pairs)]
        return np.sqrt(np.concatenate(parts))

    def _squares(self, costs):
        """Return predictions of W2^2."""
        bounds = self.directions_, self._kinds, self._energies
        w_sq = predict_from(costs, *bounds) @ self.coef_
        if not self._is_bounded:
            return np.maximum(w_sq, 0)
        return np.clip(w_sq, *certain_bounds(costs, len(self.directions_)))


class _Sliced:
    """Sorted measures, and the extremes of their coordinates."""

    def __init__(self, sliced):
        self.sliced = sliced

    def max(self):
        """Return the largest coordinate."""
        return max(float((one.points + one.mean).max()) for one in self.sliced)

    def min(self):
        """Return the smallest coordinate."""
        return min(float((one.points + one.mean).min()) for one in self.sliced)


def _costs_of(sliced, pairs):
    """Yield costs of pairs, some at a time."""
    plan = ListedPairs(pairs, pairs_at_a_time(sliced))
    for number in range(plan.n_chunks):
        yield sliced_costs(sliced, sliced, plan.chunk(number))


def _n_lines(directions, n_cells):
    """Return how many lines `transform` keeps."""
    dim, n_lines = directions.shape
    return min(n_lines, max(1, _MAX_COLUMNS // (n_cells * dim)))


def _fit_stretch(sliced, directions, n_lines, n_cells, ends, w):
    """Return factors along lines and across for which rows are as far apart as W."""
    some = evenly(len(ends), _N_STRETCH_PAIRS)
    rows, ends = np.unique(ends[some], return_inverse=True)
    ends = ends.reshape(-1, 2)
    along_sq, whole_sq = np.zeros(len(ends)), np.zeros(len(ends))
    U = directions[:, :n_lines].T[:, None]  # [L, 1, d]
    cells = [lifted_cells(sliced[k], n_lines, n_cells) for k in rows]
    for k, (i, j) in enumerate(ends):
        gaps = cells[i] - cells[j]
        whole_sq[k] = np.square(gaps).sum() / (n_lines * n_cells)
        along_sq[k] = np.square((gaps * U).sum(axis=2)).mean()
    means = np.array([sliced[k].mean.numpy() for k in rows])
    known_sq = gaps_squared(means, ends)
    (b, a), _ = fit_parts(np.column_stack([whole_sq, along_sq]), w[some], known_sq)
    return np.sqrt([a + b, b])


def _stretched(cells, directions, along, across, mean):
    """Return a row of `transform`: [L, Q, d] and [d] -> [L Q d + d]."""
    U = directions[:, : len(cells)].T[:, None]
    on_lines = (cells * U).sum(axis=2, keepdims=True)
    cells = across * cells + (along - across) * on_lines * U
    return np.concatenate([cells.ravel() / np.sqrt(cells[..., 0].size), mean.numpy()])
