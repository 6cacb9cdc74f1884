"""Gromov-Wasserstein distances: measures compared only by their inner distances."""

from numbers import Integral, Real

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, StrOptions

from ..measures import Histograms
from ..measures.subsets import evenly
from ._base import GroundTruth
from ._batches import by_size, pad_costs, pad_masses
from ._inner import keep_latest, local_quantiles, look_up_inner
from ._labels import PairLabels
from ._log_gromov import entropic_gromov
from .ground_metric import METRIC_CONSTRAINT, ground_distances, settle_metric

# Pivots of a linear step: enough for thousands of points.
_MAX_PIVOTS = 10_000_000
# What the scale is found from: bins, or clouds and points of each.
_N_SCALE_BINS = 1_024
_N_SCALE_CLOUDS = _N_SCALE_POINTS = 64


def _refuse_gradients(ground_truth):
    raise ValueError(
        f"Got gradients=True with {type(ground_truth).__name__}, expected a distance "
        "with known derivatives. Leave gradients out, or use SinkhornDivergence."
    )


def _local_plan(Q_a, a, Q_b, b):
    """Return the plan that Memoli's third lower bound (definition 6.3) is made of."""
    from ot import emd

    C = cdist(Q_a, Q_b, "sqeuclidean")
    return emd(a, b, C / (C.max() or 1.0), numItermax=_MAX_PIVOTS)


def _solve(D_a, a, D_b, b, start, max_iter, tol):
    """Return the loss of a pair and whether conditional gradients converged.

    They start from a plan, the product of the masses if `start` is None.
    """
    from ot.gromov import gromov_wasserstein

    plan, log = gromov_wasserstein(
        D_a,
        D_b,
        a,
        b,
        "square_loss",
        symmetric=True,
        G0=start,
        log=True,
        max_iter=max_iter,
        tol_rel=tol,
        tol_abs=tol,
        numItermaxEmd=_MAX_PIVOTS,
    )
    before, loss = log["loss"][-2:]
    converged = abs(loss - before) < tol * max(abs(loss), 1) and not log["warning"]
    i, j = plan.nonzero()
    if len(i) <= 4 * sum(plan.shape):
        # POT's loss is a difference of sums near 1: below 1e-16 it is noise, and its
        # root, w, below 1e-8.
        loss = plan[i, j] @ (D_a[i[:, None], i] - D_b[j[:, None], j]) ** 2 @ plan[i, j]
    return max(float(loss), 0.0), bool(converged)


class GromovWasserstein(GroundTruth):
    """Gromov-Wasserstein distance: how far two measures are from being isometric.

    `GW = (min_P sum_ijkl |D_ik - D'_jl|^2 P_ij P_kl)^(1/2)` over the plans P between
    the masses (no 1/2), D and D' the ground distances inside each measure. It is in the
    unit of the ground distance, and does not change when a measure is moved, turned or
    mirrored.

    The problem is not convex: the answer is a local optimum, reached by conditional
    gradients (POT), so an upper bound of GW. Use :class:`ExactWasserstein` where
    positions matter.

    Parameters
    ----------
    ground_metric : str, callable or array-like, default="euclidean"
        The distance inside a measure, symmetric, as in :class:`ExactWasserstein`.
    max_iter : int, default=1_000
        Conditional gradient steps, each an exact transport problem.
    tol : float, default=1e-9
        A pair has converged when a step changes its loss by less than this, relative to
        the loss or to the square of the largest distance inside the two measures.
    init : {"best", "product", "local"}, default="best"
        Where steps start: from the product of the masses, from the plan that matches
        points by the distances that they see, or from both, and the lower value is
        kept, for twice the time. Local optima are a noise of labels: of 128 points of
        furniture, drawn twice, values from the product correlated at 0.95, the best of
        both at 0.994.

    See Also
    --------
    EntropicGromovWasserstein : Smoothed.
    ExactWasserstein : For measures in one space.

    Notes
    -----
    A step for n and m points takes `O(n m (n + m))` time, and `O(n^2 + m^2)` memory.
    :class:`EntropicGromovWasserstein` runs on GPUs.

    Pairs are solved in units of their largest inner distance, so any unit of length
    works. As a distance between isometry classes the optimum obeys the triangle
    inequality; a local optimum need not, nor need it be 0 between isometric measures.

    Both collections must have one dimension, though the distance would not need it.
    Gradients are not known: `label(..., gradients=True)` is a ValueError.

    References
    ----------
    .. [1] Memoli (2011). Gromov-Wasserstein distances and the metric approach to object
       matching. Foundations of Computational Mathematics 11(4). Its distance is half of
       this one.
    .. [2] Peyre, Cuturi, Solomon (2016). Gromov-Wasserstein averaging of kernel and
       distance matrices. ICML, equation 6.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.ot import GromovWasserstein
    >>> half = np.array([0.5, 0.5])
    >>> mu = np.array([[0.0, 0.0], [0.0, 1.0]]), half
    >>> nu = np.array([[5.0, 0.0], [6.0, 0.0]]), half
    >>> GromovWasserstein().solve(mu, nu)
    (0.0, True)
    """

    _parameter_constraints = {
        "ground_metric": METRIC_CONSTRAINT,
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "init": [StrOptions({"best", "product", "local"})],
    }

    def __init__(
        self, ground_metric="euclidean", max_iter=1_000, tol=1e-9, init="best"
    ):
        self.ground_metric = ground_metric
        self.max_iter = max_iter
        self.tol = tol
        self.init = init

    def _prepare(self, mu, nu):
        mu, nu, ground_metric = settle_metric(self.ground_metric, mu, nu)
        return mu, nu, clone(self).set_params(ground_metric=ground_metric)

    def _label(self, mu, nu, pairs, *, gradients):
        if gradients:
            _refuse_gradients(self)
        left, right = (look_up_inner(side, self.ground_metric) for side in (mu, nu))
        left_quantiles, right_quantiles = (
            keep_latest(lambda i, side=side: local_quantiles(*side(i)))
            for side in (left, right)
        )
        w, converged = np.zeros(len(pairs)), np.ones(len(pairs), dtype=bool)
        for k, (i, j) in enumerate(pairs.tolist()):
            (D_a, a), (D_b, b) = left(i), right(j)
            unit = max(D_a.max(), D_b.max())
            if unit == 0:
                continue
            starts = [None] if self.init != "local" else []
            if self.init != "product":
                quantiles = left_quantiles(i), right_quantiles(j)
                starts.append(_local_plan(quantiles[0], a, quantiles[1], b))
            solutions = [
                _solve(D_a / unit, a, D_b / unit, b, start, self.max_iter, self.tol)
                for start in starts
            ]
            loss, converged[k] = min(solutions, key=lambda s: (s[0], not s[1]))
            w[k] = unit * loss**0.5
        return PairLabels(w, converged)


class EntropicGromovWasserstein(GroundTruth):
    """Entropic Gromov-Wasserstein distance of many pairs at once.

    `S^(1/2)` with `S(a, b) = G(a, b) - G(a, a) / 2 - G(b, b) / 2`, where `G` is the
    least loss of :class:`GromovWasserstein` (no 1/2) with
    `reg scale^2 KL(plan | a x b)` added. It is in the unit of the ground
    distance. Without `debias` it is `G^(1/2)`, which is not 0 for equal measures.

    The problem is not convex and each G is a local optimum, found from the product
    plan: S can come out below zero, and is 0 then. On a CPU :class:`GromovWasserstein`
    is faster for clouds of tens of points, often by far.

    Parameters
    ----------
    reg : float, default=0.05
        Regularisation as a share of `scale^2`. Smaller is nearer to GW and takes more
        iterations: below 0.01, plans near permutations often need a larger `max_iter`.
    debias : bool, default=True
        Whether to subtract half of both self terms.
    ground_metric : str, callable or array-like, default="euclidean"
        The distance inside a measure, symmetric, as in :class:`ExactWasserstein`.
    scale : float or "auto", default="auto"
        The length that `reg` is relative to. `"auto"` takes the largest distance inside
        a measure among at most 64 points of each of 64 measures, evenly spaced in each
        collection; for histograms, among 1,024 bins. For clouds it moves a little with
        the data, so fix it where values of several calls are compared.
    max_iter : int, default=100
        Linear steps, each an entropic transport problem. Each pair stops by itself, so
        raising it costs nothing for pairs that converge.
    tol : float, default=1e-6
        A pair has converged when a step moves less mass than this, in sum over its
        plan, and misses no marginal by more than a tenth of it. The error of S, in
        units of `scale^2`, is about its square.
    device : str, default="cpu"
        Where torch computes: `"cpu"` or `"cuda"`.

    See Also
    --------
    GromovWasserstein : Without entropy.

    Notes
    -----
    A linear step for n and m points takes `O(n m (n + m))` time, and `O(n m)` for each
    of its Sinkhorn iterations, which start from the last step's potentials. Pairs are
    batched, and each is frozen when it has converged, so no answer depends on the
    others. Self terms are solved once for each measure of a chunk.

    S is not a metric: the triangle inequality may fail. Gradients are not known:
    `label(..., gradients=True)` is a ValueError.

    References
    ----------
    .. [1] Memoli (2011). Gromov-Wasserstein distances and the metric approach to object
       matching. Foundations of Computational Mathematics 11(4).
    .. [2] Peyre, Cuturi, Solomon (2016). Gromov-Wasserstein averaging of kernel and
       distance matrices. ICML, equations 7 and 8.
    .. [3] Rioux, Goldfeld, Kato (2024). Entropic Gromov-Wasserstein distances:
       stability and algorithms. JMLR 25.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.ot import EntropicGromovWasserstein
    >>> third = np.full(3, 1 / 3)
    >>> mu = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), third
    >>> nu = np.array([[5.0, 0.0], [7.0, 0.0], [11.0, 0.0]]), third
    >>> w, converged = EntropicGromovWasserstein(reg=0.001).solve(mu, nu)
    >>> round(w, 3), converged
    (1.764, True)
    """

    _parameter_constraints = {
        "reg": [Interval(Real, 0, None, closed="neither")],
        "debias": ["boolean"],
        "ground_metric": METRIC_CONSTRAINT,
        "scale": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
    }

    def __init__(
        self,
        reg=0.05,
        debias=True,
        ground_metric="euclidean",
        scale="auto",
        max_iter=100,
        tol=1e-6,
        device="cpu",
    ):
        self.reg = reg
        self.debias = debias
        self.ground_metric = ground_metric
        self.scale = scale
        self.max_iter = max_iter
        self.tol = tol
        self.device = device

    def _prepare(self, mu, nu):
        mu, nu, metric = settle_metric(self.ground_metric, mu, nu)
        scale = self.scale
        if scale == "auto":
            scale = max(_largest_inner(side, metric) for side in (mu, nu)) or 1.0
        return mu, nu, clone(self).set_params(ground_metric=metric, scale=scale)

    def _label(self, mu, nu, pairs, *, gradients):
        if gradients:
            _refuse_gradients(self)
        left, right = (look_up_inner(side, self.ground_metric) for side in (mu, nu))
        value, converged = self._values(
            [(left, i, right, j) for i, j in pairs.tolist()]
        )
        if self.debias:
            for look_up, column in ((left, pairs[:, 0]), (right, pairs[:, 1])):
                numbers, back = np.unique(column, return_inverse=True)
                own, own_converged = self._values(
                    [(look_up, i, look_up, i) for i in numbers.tolist()]
                )
                value -= own[back] / 2
                converged &= own_converged[back]
        return PairLabels(self.scale * np.maximum(value, 0) ** 0.5, converged)

    def _values(self, problems):
        """Return G of pairs, in units of `scale^2`, and which of them converged."""
        sides = [(left(i), right(j)) for left, i, right, j in problems]
        value, converged = np.empty(len(sides)), np.empty(len(sides), dtype=bool)
        for rows in by_size(sides):
            batch = []
            for side in zip(*(sides[k] for k in rows), strict=True):
                batch.append((self._pad_inner(side), pad_masses(side, self.device)))
            (C, a), (D, b) = batch
            found, _, done = entropic_gromov(
                C, D, a, b, self.reg, self.max_iter, self.tol
            )
            value[rows], converged[rows] = found.cpu().numpy(), done.cpu().numpy()
        return value, converged

    def _pad_inner(self, measures):
        """Return distances of shape (B, n, n); padding repeats the first point."""
        n = max(len(a) for _, a in measures)
        padded = []
        for D, a in measures:
            order = np.arange(n) * (np.arange(n) < len(a))
            padded.append(D[order[:, None], order] / self.scale)
        return pad_costs(padded, self.device)


def _largest_inner(measures, ground_metric):
    """Return the largest distance inside some measures of a collection."""
    if isinstance(measures, Histograms):
        points = measures.support
        points = points[evenly(len(points), _N_SCALE_BINS)]
        return float(ground_distances(points, points, ground_metric).max())
    largest = 0.0
    for i in evenly(len(measures), _N_SCALE_CLOUDS):
        points = measures.measure(i)[0]
        points = points[evenly(len(points), _N_SCALE_POINTS)]
        D = ground_distances(points, points, ground_metric)
        largest = max(largest, float(D.max()))
    return largest
