"""Distances of many pairs, in parallel."""

import time
import warnings
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import HasMethods, StrOptions, validate_params
from sklearn.utils.validation import check_array

from ..measures import as_measures
from ._exact import ExactWasserstein
from ._labels import PairLabels

# Pairs a task: long enough to hide the cost of a task, short enough to show progress.
CHUNK_SIZE = 128


def label_pairs(
    mu, nu, pairs, ground_truth, *, n_jobs=None, deadline=None, on_chunk=None
):
    """Label pairs of checked measures; the engine under all public functions.

    Parameters
    ----------
    mu, nu : Histograms or PointClouds
        Collections that the columns of `pairs` index.
    pairs : ndarray of int of shape (n_pairs, 2)
        Which pairs.
    ground_truth : object
        Has `solve(measure, measure)`, as :class:`ExactWasserstein`.
    n_jobs : int, default=None
        Threads; POT's solver releases the interpreter lock.
    deadline : float, default=None
        Value of `time.monotonic()` after which no further chunk is awaited. At least
        one chunk is labelled. Fewer labels than pairs come back if it passes.
    on_chunk : callable, default=None
        Called after each chunk.

    Returns
    -------
    labels : PairLabels
        Of the first `len(labels)` pairs.
    """
    chunks = [pairs[k : k + CHUNK_SIZE] for k in range(0, len(pairs), CHUNK_SIZE)]
    solve = delayed(_label_chunk)
    # joblib hands out tasks a few at a time, so a deadline leaves little work behind.
    # Threads, as measures are large and the solver releases the lock.
    parallel = Parallel(n_jobs=n_jobs, require="sharedmem", return_as="generator")
    results = parallel(solve(mu, nu, chunk, ground_truth) for chunk in chunks)
    parts = []
    for part in results:
        parts.append(part)
        if on_chunk is not None:
            on_chunk()
        if deadline is not None and time.monotonic() > deadline:
            _drop(results)
            break
    labels = PairLabels.concatenate(parts)
    _warn_unconverged(labels, ground_truth)
    return labels


def _drop(results):
    """Give up what is still being computed; joblib warns of work nobody awaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        results.close()


def _label_chunk(mu, nu, pairs, ground_truth):
    w, converged = np.empty(len(pairs)), np.empty(len(pairs), dtype=bool)
    for k, (i, j) in enumerate(pairs):
        w[k], converged[k] = ground_truth.solve(mu.measure(i), nu.measure(j))
    faulty = np.flatnonzero(~(np.isfinite(w) & (w >= 0)))
    if len(faulty):
        k = faulty[0]
        raise ValueError(
            f"Got W={w[k]} from {ground_truth} for the pair {pairs[k].tolist()}, "
            "expected a finite distance >= 0. Mend its solve(measure, measure)."
        )
    return PairLabels(w, converged)


def _warn_unconverged(labels, ground_truth):
    n_unconverged = int((~labels.converged).sum())
    if n_unconverged:
        warnings.warn(
            f"{n_unconverged} of {len(labels)} pairs did not converge in "
            f"{ground_truth}; their distances are kept and not reliable. Raise "
            "its max_iter.",
            ConvergenceWarning,
            stacklevel=3,
        )


@validate_params(
    {
        "n_jobs": [Integral, None],
        "ground_truth": [StrOptions({"exact"}), HasMethods(["solve"])],
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
    grid_shape=None,
    support=None,
    n_jobs=None,
):
    """Exact Wasserstein distances between measures, in W units (not squared).

    Parameters
    ----------
    X : array-like of shape (n_x, n_bins), or a collection of n_x point clouds
        Measures, as in :func:`skwass.measures.as_measures`.
    Y : like X, default=None
        Other measures in the same space; `X` itself if None.
    pairs : array-like of int of shape (n_pairs, 2), default=None
        Rows `(i, j)` ask for the distance of `X[i]` and `Y[j]`. All pairs if None.
    p : float, default=2
        Order of the distance, at least 1, if `ground_truth` is `"exact"`. The ground
        metric is Euclidean.
    ground_truth : {"exact"} or object with `solve(measure, measure)`, default="exact"
        What solves a pair, in place of `ExactWasserstein(p=p)`: a measure is a tuple of
        points and masses, and the answer `(w, converged)`. For more pivots, pass
        `ExactWasserstein(p, max_iter=10_000_000)`.
    grid_shape : tuple of int, default=None
        Histograms only: the grid that the bins form, e.g. `(28, 28)`; W is then in
        pixels.
    support : array-like of shape (n_bins, d), default=None
        Histograms only: positions of the bins.
    n_jobs : int, default=None
        Threads. None means 1 unless in a :func:`joblib.parallel_config` context.

    Returns
    -------
    w : ndarray
        Of shape (n_pairs,) if `pairs` are given; else (n_x, n_x), symmetric with a zero
        diagonal and each pair solved once; or (n_x, n_y).

    Raises
    ------
    ValueError
        For bad measures (the message names the row), pairs out of range, or spaces of
        different dimension.

    Warns
    -----
    ConvergenceWarning
        If the solver stopped before it proved some answers optimal; says how many.

    Notes
    -----
    Images need `grid_shape`: rows without it are histograms on a line, and an array of
    shape (n, H, W) is n clouds of H points in R^W. Samples on a line are columns
    `x[:, None]`; a list of plain 1-D arrays is read as histograms.

    Bins without mass are dropped before the cost is built. On images of 28 x 28 pixels
    that makes a solve 1.5 to 1.9 times as fast as on full histograms; threads scale it
    nearly linearly.

    Examples
    --------
    >>> from skwass.ot import pairwise_wasserstein
    >>> images = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    >>> pairwise_wasserstein(images, grid_shape=(2, 2)).round(3)
    array([[0.   , 1.   , 1.414],
           [1.   , 0.   , 1.   ],
           [1.414, 1.   , 0.   ]])
    """
    if p != 2 and not isinstance(ground_truth, str):
        raise ValueError(
            f"Got p={p} with ground_truth={ground_truth}, expected one of the two. Set "
            "the order on the ground truth."
        )
    ground_truth = as_ground_truth(ground_truth, p=p)
    mu = as_measures(X, grid_shape=grid_shape, support=support)
    nu = mu
    if Y is not None:
        nu = as_measures(Y, grid_shape=grid_shape, support=support, input_name="Y")
    if mu.dim != nu.dim or (
        isinstance(mu, type(nu)) and mu.n_features != nu.n_features
    ):
        raise ValueError(
            f"Got X and Y with {mu.n_features} and {nu.n_features} features in spaces "
            f"of dimension {mu.dim} and {nu.dim}, expected one space. "
            "Pass as_measures(X, grid_shape=...) if only X has a grid."
        )
    if pairs is not None:
        pairs = check_pairs(pairs, len(mu), len(nu))
        return label_pairs(mu, nu, pairs, ground_truth, n_jobs=n_jobs).w
    if Y is None:
        return _all_pairs(mu, ground_truth, n_jobs)
    pairs = np.indices((len(mu), len(nu))).reshape(2, -1).T
    labels = label_pairs(mu, nu, pairs, ground_truth, n_jobs=n_jobs)
    return labels.w.reshape(len(mu), len(nu))


def as_ground_truth(ground_truth, **parameters):
    """Return the object that solves pairs, its parameters checked.

    Parameters
    ----------
    ground_truth : {"exact"} or object with `solve(measure, measure)`
        Given by the user.
    **parameters : dict
        Of what a name stands for.
    """
    if isinstance(ground_truth, type):
        raise TypeError(
            f"Got ground_truth={ground_truth.__name__}, a class, expected an object. "
            f"Pass {ground_truth.__name__}()."
        )
    if isinstance(ground_truth, str):
        ground_truth = ExactWasserstein(**parameters)
    if hasattr(ground_truth, "_validate_params"):
        ground_truth._validate_params()
    return ground_truth


def _all_pairs(mu, ground_truth, n_jobs):
    """Return the symmetric matrix, each pair solved once."""
    w = np.zeros((len(mu), len(mu)))
    i, j = np.triu_indices(len(mu), k=1)
    if len(i):
        pairs = np.column_stack([i, j])
        w[i, j] = w[j, i] = label_pairs(mu, mu, pairs, ground_truth, n_jobs=n_jobs).w
    return w


def check_pairs(pairs, n_left, n_right):
    """Check pairs given by a user.

    Parameters
    ----------
    pairs : array-like of int of shape (n_pairs, 2)
        Row numbers.
    n_left, n_right : int
        Number of measures that each column indexes.

    Returns
    -------
    pairs : ndarray of int64 of shape (n_pairs, 2)

    Raises
    ------
    ValueError
        If the shape, the type or an index is wrong.
    """
    pairs = check_array(pairs, dtype=None, input_name="pairs")
    if pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise ValueError(
            f"Got pairs of shape {pairs.shape} and dtype {pairs.dtype}, expected "
            "integers of shape (n_pairs, 2). Use np.column_stack([i, j])."
        )
    pairs = pairs.astype(np.int64)
    faulty = ((pairs < 0) | (pairs >= [n_left, n_right])).any(axis=1)
    if faulty.any():
        row = int(np.flatnonzero(faulty)[0])
        raise ValueError(
            f"Got pairs[{row}]={pairs[row].tolist()}, expected row numbers below "
            f"({n_left}, {n_right}) and >= 0. Count from zero."
        )
    return pairs
