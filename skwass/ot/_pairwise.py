"""Distances of many pairs: the public function."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import (
    Interval,
    validate_params,
)

from .. import _clock
from ._labels import PairLabels
from .engine import CHUNK_SIZE, label_chunks, warn_unconverged
from .ground_truths import GROUND_TRUTH_CONSTRAINT, as_ground_truth
from .inputs import read_measures
from .ledger import Ledger, identify
from .plans import plan_of

# Seconds between two lines of progress.
_PERIOD = 5.0


@validate_params(
    {
        "n_jobs": [Integral, None],
        "ground_truth": GROUND_TRUTH_CONSTRAINT,
        "tolerance": [Interval(Real, 0, None, closed="neither"), None],
        "return_gradients": ["boolean"],
        "chunk_size": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def pairwise_wasserstein(
    X,
    Y=None,
    *,
    pairs=None,
    p=2,
    ground_truth="exact",
    tolerance=None,
    grid_shape=None,
    support=None,
    return_gradients=False,
    n_jobs=None,
    out=None,
    chunk_size=CHUNK_SIZE,
    verbose=0,
):
    """Wasserstein distances between measures, in W units (not squared).

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_x, n_bins), or n_x point clouds
        Measures, as in :func:`skwass.measures.as_measures`.
    Y : like X, default=None
        Other measures in the same space; `X` itself if None.
    pairs : array-like of int of shape (n_pairs, 2), default=None
        Rows `(i, j)` ask for the distance of `X[i]` and `Y[j]`. All pairs if None.
    p : float, default=2
        Order of the distance, at least 1, where `ground_truth` is `"exact"` or
        `"sinkhorn"`.
    ground_truth : {"exact", "sinkhorn", "gromov"} or object, default="exact"
        The distance. The names stand for `ExactWasserstein(p=p)`,
        `SinkhornDivergence(p=p)` and `GromovWasserstein()`. Pass such an object for
        other settings, e.g. `SinkhornDivergence(reg=0.001)`; or any object with
        `solve(measure, measure)`, where a measure is a tuple of points and masses, and
        the answer `(w, converged)`.
    tolerance : float, default=None
        How far off each W may be, in units of the data, where `ground_truth` is
        `"exact"`: big clouds are thinned as far as that is certain to allow.
        `ExactWasserstein(tolerance=...)` is the same for embedders.
    grid_shape : tuple of int, default=None
        Histograms only: the grid that the bins form, e.g. `(28, 28)`; W is then in
        pixels.
    support : array-like of shape (n_bins, d), default=None
        Histograms only: positions of the bins.
    return_gradients : bool, default=False
        Whether to return the derivatives of W^p as well. Needs `pairs`.
    n_jobs : int, default=None
        Workers: threads, unless :func:`joblib.parallel_config` says otherwise. None
        means 1, or all of that context.
    out : path-like, default=None
        A `.npy` file to write the distances to. Finished chunks are noted in a ledger
        next to it, at `out` + `".ledger"`: the same call after a crash does only what
        is missing, and a finished file is returned at once. A ledger of other data or
        parameters is refused, and one of a ground truth or metric of yours whose code
        was another; the code of other packages, and lists and dicts outside
        functions, are not looked at.
    chunk_size : int, default=256
        Pairs per task, at most. A chunk is what a crash can lose for each worker, and
        what a task keeps in memory.
    verbose : int, default=0
        Whether to print progress, every five seconds.

    Returns
    -------
    w : ndarray
        Of shape (n_pairs,) if `pairs` are given; else (n_x, n_x), symmetric with a zero
        diagonal and each pair solved once; or (n_x, n_y). A memory map for
        reading if `out` is given.
    gradients : tuple of two
        Only if `return_gradients`: derivatives in the first and second measure of each
        pair. Histograms: potentials on all bins, shape (n_pairs, n_bins), each row up
        to a constant. Clouds: a list of arrays of shape (n_i, d), the derivative in the
        points.

    Raises
    ------
    ValueError
        For bad measures (the message names the row), pairs out of range, spaces of
        different dimension, or a file at `out` that this call did not begin.

    Warns
    -----
    ConvergenceWarning
        If the solver stopped before it met its criterion for some pairs; says how many.

    See Also
    --------
    wasserstein_interval : What W is certain to be in, by thinned clouds.
    skwass.ot.bounds.lower_bound : What W is at least, for a hundredth of the time.

    Notes
    -----
    Images need `grid_shape`: rows without it are histograms on a line, and an array of
    shape (n, H, W) is n clouds of H points in R^W. Samples on a line are columns
    `x[:, None]`; a list of plain 1-D arrays is read as histograms.

    Memory beyond the input and the result is that of the chunks in progress. All pairs
    are cut into square tiles, so a chunk touches few measures. Without `Y` the diagonal
    is not solved but 0 by convention, also for :class:`EntropicWasserstein`, which is
    not 0 there.

    Under `joblib.parallel_config(backend="dask")` chunks go to the workers of a
    cluster, and the measures once. Threads start at once and share memory, but take
    turns for the half of an exact solve that is not the simplex: of 28 x 28 images, on
    16 cores, two threads solved 1.4 times as many pairs as one, four 1.8 times and
    sixteen 1.6 times. For hours of work on many cores use processes: `backend="loky"`.

    Examples
    --------
    >>> from skwass.ot import pairwise_wasserstein
    >>> images = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    >>> pairwise_wasserstein(images, grid_shape=(2, 2)).round(3)
    array([[0.   , 1.   , 1.414],
           [1.   , 0.   , 1.   ],
           [1.414, 1.   , 0.   ]])
    """
    if p != 2 and (not isinstance(ground_truth, str) or ground_truth == "gromov"):
        raise ValueError(
            f"Got p={p} with ground_truth={ground_truth}, expected one of the two. Set "
            "the order on the ground truth, if it has one."
        )
    if tolerance is not None:
        if not isinstance(ground_truth, str) or ground_truth != "exact":
            raise ValueError(
                f"Got tolerance={tolerance} with ground_truth={ground_truth}, expected "
                "'exact'. Leave it out, or pass ExactWasserstein(tolerance=...)."
            )
        if return_gradients:
            raise ValueError(
                f"Got tolerance={tolerance} with return_gradients=True, expected one "
                "of the two. Leave the tolerance out."
            )
    ground_truth = as_ground_truth(ground_truth, p=p, tolerance=tolerance)
    if return_gradients and (pairs is None or out is not None):
        raise ValueError(
            f"Got return_gradients=True with pairs={pairs} and out={out}, expected "
            "listed pairs and no file. Pass pairs=..."
        )
    mu, nu = read_measures(X, Y, grid_shape=grid_shape, support=support)
    plan = plan_of(mu, nu, pairs, Y is None, int(chunk_size))
    ledger = None
    if out is not None:
        identity = identify(mu, nu, ground_truth, plan, chunk_size)
        ledger = Ledger(out, plan, identity)
    pending = None if ledger is None else ledger.pending()
    progress = _Progress(plan, pending, verbose)
    results = label_chunks(
        mu,
        nu,
        plan,
        ground_truth,
        numbers=pending,
        gradients=return_gradients,
        n_jobs=n_jobs,
        in_order=return_gradients,
    )
    if return_gradients:
        return _with_gradients(results, plan, ground_truth, progress)
    w = _room_for(plan) if ledger is None else ledger.w
    n_unconverged = 0
    for number, labels in results:
        if ledger is None:
            plan.store(w, number, labels.w)
            n_unconverged += labels.n_unconverged
        else:
            ledger.record(number, labels)
        progress.advance(len(labels))
    if ledger is not None:
        n_unconverged = ledger.n_unconverged()
        w = ledger.close()
    warn_unconverged(n_unconverged, plan.n_pairs, ground_truth)
    return w


def _room_for(plan):
    try:
        return np.zeros(plan.shape)
    except MemoryError as error:
        raise MemoryError(
            f"Got {plan.n_pairs:,} pairs, whose distances take "
            f"{8 * np.prod(plan.shape, dtype=float) / 1e9:,.0f} GB, expected fewer. "
            "Pass pairs=..., or out=... for a file."
        ) from error


def _with_gradients(results, plan, ground_truth, progress):
    parts = []
    for _, labels in results:
        parts.append(labels)
        progress.advance(len(labels))
    labels = PairLabels.concatenate(parts)
    warn_unconverged(labels.n_unconverged, plan.n_pairs, ground_truth)
    return labels.w, (labels.grad_mu, labels.grad_nu)


class _Progress:
    """Prints how far a call is, if asked to."""

    def __init__(self, plan, pending, verbose):
        self.n_pairs, self.verbose = plan.n_pairs, verbose
        self.n_before = 0
        if verbose and pending is not None:
            self.n_before = plan.n_pairs - sum(len(plan.chunk(k)) for k in pending)
        self.n_done, self.start = self.n_before, _clock.now()
        self.last = self.start

    def advance(self, n_pairs):
        """Count pairs, and print a line where the last is some seconds old."""
        if not self.verbose or not n_pairs:
            return
        self.n_done += n_pairs
        now = _clock.now()
        if self.n_done == self.n_pairs or now - self.last > _PERIOD:
            self.last = now
            rate = (self.n_done - self.n_before) / max(now - self.start, 1e-9)
            print(
                f"[pairwise_wasserstein] {self.n_done:,} of {self.n_pairs:,} pairs, "
                f"{rate:,.0f} per second",
                flush=True,
            )
