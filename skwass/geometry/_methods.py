"""Barycenters without a decoder: exact, regularised, moved and superposed ones.

Each function takes measures and rows of weights, and returns one `(points, masses)` per
row, or masses of bins where it works on bins.
"""

import warnings
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..measures import Histograms
from ..measures.subsets import support_of
from ..ot import EntropicWasserstein, ExactWasserstein
from ..ot.maps import transport_maps
from ._bins import without_dust
from ._fixed_point import moved, pooled, refined, sample_by_weights

# Mass of an optimal plan below this is rounding.
_LEAST_MASS = 1e-12
# Variables, bins^2 times measures, that the linear program of fixed bins takes: 120,000
# take seconds.
_MOST = 1_000_000
# Iterations of scalings of bins, the fast ones first; what stops them; and how much
# mass may be lost, which is next to nothing or nearly all.
_SCALINGS = {"sinkhorn": 10_000, "sinkhorn_log": 1_000}
_SCALING_TOL, _MOST_LOST = 1e-4, 1e-2
# Steps of the fixed-point iteration with entropic plans, and what stops these: a step
# need not be exact, the next corrects it.
_N_ENTROPIC_STEPS, _ENTROPIC_ITER, _ENTROPIC_TOL = 10, 500, 1e-4


def exact(measures, bins, weights, n_measures, n_jobs):
    """Return barycenters by exact plans.

    On bins that are neither a grid nor on a line by a linear program; of two measures
    along their optimal plan; of more by the fixed-point iteration. Measures of weight
    0 do not count, and one alone is its own barycenter.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Measures.
    bins : Bins or None
        Those of histograms, between which there is interpolation.
    weights : ndarray of shape (n_barycenters, n_measures)
        Rows of sum 1.
    n_measures : int or None
        How many plans go to.
    n_jobs : int or None
        Workers.

    Returns
    -------
    barycenters : list of tuple of (points, masses), or of masses of bins
    """
    if isinstance(measures, Histograms) and bins is None:
        return [_programmed(measures, row, n_measures) for row in weights]
    if len(measures) == 2:
        return displaced(measures, weights[:, 1])
    found = []
    for row in weights:
        rows = np.flatnonzero(row)
        if len(rows) == 1:
            found.append(measures[rows].measure(0))
        elif len(rows) == 2:
            found += displaced(measures[rows], row[rows[1:]])
        else:
            kept, own = sample_by_weights(row, n_measures)
            points, masses = pooled(measures[kept], own)
            points = refined(points, masses, measures, row, None, n_measures, n_jobs)
            found.append((points, masses))
    return found


def displaced(measures, times):
    """Return measures on the geodesic of two: mass moves straight along their plan."""
    import ot

    (x, a), (y, b) = measures.measure(0), measures.measure(1)
    x, y = x.astype(np.float64), y.astype(np.float64)
    plan = ot.emd(a, b, ot.dist(x, y), numItermax=1_000_000)
    i, j = np.nonzero(plan > _LEAST_MASS)
    masses = plan[i, j] / plan[i, j].sum()
    # The ends as they are: in pieces, their masses would be rounded.
    ends = {0.0: (x, a), 1.0: (y, b)}
    return [ends.get(t, ((1 - t) * x[i] + t * y[j], masses)) for t in times.tolist()]


def _programmed(measures, weights, n_measures):
    """Return a barycenter on the bins of histograms: a linear program."""
    import ot

    if weights.min() < 0:
        raise ValueError(
            f"Got a weight of {weights.min():g} with method='exact' on bins that form "
            "no grid, expected none below 0. Take times in [0, 1]."
        )
    rows, weights = sample_by_weights(weights, n_measures)
    if measures.n_features**2 * len(rows) > _MOST:
        raise ValueError(
            f"Got {len(rows)} measures on {measures.n_features} bins that form no grid "
            f"with method='exact', expected bins^2 times measures below {_MOST:,}: a "
            "linear program finds it. Lower n_measures, or use method='regularized'."
        )
    masses = measures[rows].dense_masses()
    cost = ot.dist(measures.support, measures.support)
    found = ot.lp.barycenter(masses.T, cost, weights).clip(min=0)
    return found / found.sum()


def superposed(measures, weights):
    """Return all measures laid over each other: barycenters of the Euclidean kind."""
    if isinstance(measures, Histograms):
        return list(weights @ measures.masses)
    owners = np.repeat(np.arange(len(measures)), measures.sizes)
    points, masses = support_of(measures)
    return [(points[row[owners] > 0], _kept(row[owners] * masses)) for row in weights]


def _kept(masses):
    """Return positive masses, of sum 1."""
    masses = masses[masses > 0]
    return masses / masses.sum()


def by_linear_ot(embedder, measures, weights, n_jobs):
    """Return one reference moved by the mean of its maps: linear optimal transport.

    The reference of the embedder, if it has one; otherwise the measures themselves,
    laid over each other about one mean.

    Parameters
    ----------
    embedder : WassersteinEmbedder
        Whose reference is wanted.
    measures : Histograms or PointClouds
        Measures.
    weights : ndarray of shape (n_barycenters, n_measures)
        Rows of sum 1, of any sign.
    n_jobs : int or None
        Workers.

    Returns
    -------
    barycenters : list of tuple of (points, masses)
    """
    points = getattr(embedder, "reference_points_", None)
    if points is None:
        even = np.full(len(measures), 1 / len(measures))
        points, masses = pooled(measures, even)
    else:
        points, masses = points.astype(np.float64), embedder.reference_weights_
    moves = transport_maps(points, masses, measures, ExactWasserstein(), n_jobs)
    return [(points + np.tensordot(row, moves, axes=1), masses) for row in weights]


def regularized(measures, weights, n_measures, reg):
    """Return entropic barycenters, which are blurred.

    By POT on a plane grid by convolutions [1]_, on other bins by matrix scaling [2]_;
    of clouds by the fixed-point iteration with entropic plans.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Measures.
    weights : ndarray of shape (n_barycenters, n_measures)
        Rows of sum 1, not negative.
    n_measures : int or None
        How many are taken.
    reg : float
        In units of the squared side of the grid, or diameter of the points.

    Returns
    -------
    barycenters : list of ndarray or tuple of (points, masses)

    References
    ----------
    .. [1] Solomon et al. (2015). Convolutional Wasserstein distances. ACM Trans. Graph.
       34(4).
    .. [2] Benamou, Carlier, Cuturi, Nenna, Peyre (2015). Iterative Bregman projections
       for regularized transportation problems. SIAM J. Sci. Comput. 37(2).
    """
    import ot

    found = []
    for row in weights:
        rows, own = sample_by_weights(row, n_measures)
        some = measures[rows]
        if not isinstance(some, Histograms):
            found.append(_regularized_cloud(some, own, reg))
            continue
        masses = some.dense_masses()
        shape = measures.grid_shape
        if shape is not None and len(shape) == 2 and min(shape) > 1:
            images = masses.reshape(-1, *shape)
            solve = partial(ot.bregman.convolutional_barycenter2d, images, reg, own)
        else:
            cost = ot.dist(measures.support, measures.support)
            cost /= cost.max() or 1.0  # of a single bin
            solve = partial(ot.bregman.barycenter, masses.T, cost, reg, own)
        center = _scaled(solve, reg).ravel()
        found.append(without_dust(center / center.sum()))
    return found


def _scaled(solve, reg):
    """Return what scaling finds, in the log domain where it must be.

    Kernels of small reg underflow between far bins, and then mass is lost. Logarithms
    take a hundred times as long.
    """
    for method, max_iter in _SCALINGS.items():
        with np.errstate(all="ignore"):
            center, log = solve(
                method=method,
                numItermax=max_iter,
                stopThr=_SCALING_TOL,
                log=True,
                warn=False,
            )
        if abs(center.sum() - 1) < _MOST_LOST:  # False for NaN
            break
    else:
        raise ValueError(
            f"Got reg={reg:g}, expected a greater one: masses of barycenters are lost "
            "by rounding. Raise it."
        )
    if log["err"] and log["err"][-1] > _SCALING_TOL:
        warnings.warn(
            f"With reg={reg:g} the regularized barycenter did not converge in "
            f"{max_iter} iterations. Raise reg, or filter this warning.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return center


def _regularized_cloud(clouds, weights, reg):
    """Return an entropic barycenter on as many points as clouds have."""
    points, masses = pooled(clouds, weights)
    places, _ = support_of(clouds)
    diameter = float(np.linalg.norm(np.ptp(places, axis=0))) or 1.0
    truth = EntropicWasserstein(
        reg=reg, scale=diameter, max_iter=_ENTROPIC_ITER, tol=_ENTROPIC_TOL
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(_N_ENTROPIC_STEPS):
            points, _ = moved(points, masses, clouds, weights, None, truth)
    return points, masses
