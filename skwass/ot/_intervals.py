"""Intervals that W is in, from thinned clouds: the public function."""

from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from ..measures.thinning import thin
from ._certified import Certified, Coarse
from ._exact import ExactWasserstein
from .engine import CHUNK_SIZE, label_chunks, warn_unconverged
from .inputs import read_measures
from .plans import plan_of


@validate_params(
    {
        "p": [Interval(Real, 1, None, closed="left")],
        "n_points": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def wasserstein_interval(
    X,
    Y=None,
    *,
    pairs=None,
    p=2,
    n_points=256,
    grid_shape=None,
    support=None,
    n_jobs=None,
):
    """What W is at least and at most, by a solve of thinned measures.

    For big clouds, where a tolerance is not known beforehand: the middle of an interval
    is off by no more than half its width.

    Parameters
    ----------
    X : array-like of shape (n_x, n_bins), or a collection of n_x point clouds
        Measures, as in :func:`skwass.measures.as_measures`.
    Y, pairs : array-like, default=None
        Other measures, and which pairs, as in :func:`pairwise_wasserstein`.
    p : float, default=2
        Order of the distance, at least 1.
    n_points : int, default=256
        Points that each measure is thinned to. Those that have no more are solved as
        they are, to intervals of one number.
    grid_shape, support : tuple of int, array-like, default=None
        Histograms only: where the bins are.
    n_jobs : int, default=None
        Workers, as in :func:`pairwise_wasserstein`.

    Returns
    -------
    low, high : ndarray of shape (n_pairs,), (n_x, n_x) or (n_x, n_y)
        As :func:`pairwise_wasserstein` returns W.

    Raises
    ------
    ValueError
        For bad measures, pairs or settings, or spaces of different dimension.

    See Also
    --------
    pairwise_wasserstein : W itself, also within a tolerance.
    skwass.ot.bounds.lower_bound : Lower bounds for less.
    skwass.measures.thin_clouds : The thinned measures.

    Notes
    -----
    `high` is the cost of a plan: that of the thinned measures, spread evenly over the
    points of their cells. For p = 2 its square is `W'^2 + c^2 + c'^2`, with W' the
    distance of the thinned measures and c, c' the errors of
    :func:`skwass.measures.thin_clouds`. `low` is what the potentials of the thinned
    measures come to when they are extended to all points by c-transforms, which makes
    them admissible in the dual problem; or `W' - c - c'`, or the distance of the means,
    where these are larger. Both hold up to rounding.

    The costs of all pairs of points are looked at: `O(n m d)` time per pair and
    `O(n m)` memory. For 5,000 points that is a twentieth of an exact solve or less, and
    most of the time, so that `n_points` of some hundreds are no slower than few. In
    many dimensions W is nearer to `low` than to `high`.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.ot import pairwise_wasserstein, wasserstein_interval
    >>> rng = np.random.default_rng(0)
    >>> clouds = rng.normal(size=(2, 400, 5)) + [[[0.0]], [[0.5]]]
    >>> low, high = wasserstein_interval(clouds, pairs=[[0, 1]], n_points=100)
    >>> w = pairwise_wasserstein(clouds, pairs=[[0, 1]])
    >>> bool(low[0] <= w[0] <= high[0])
    True
    """
    mu, nu = read_measures(X, Y, grid_shape=grid_shape, support=support)
    plan = plan_of(mu, nu, pairs, Y is None, CHUNK_SIZE)
    exact = ExactWasserstein(p=p)
    left, right = Coarse.both(mu, nu, partial(thin, n_points=n_points, p=p))
    low, high, n_unconverged = np.zeros(plan.shape), np.zeros(plan.shape), 0
    for number, labels in label_chunks(
        left, right, plan, Certified(exact), n_jobs=n_jobs
    ):
        plan.store(low, number, labels.low)
        plan.store(high, number, labels.w)
        n_unconverged += labels.n_unconverged
    warn_unconverged(n_unconverged, plan.n_pairs, exact)
    return low, high
