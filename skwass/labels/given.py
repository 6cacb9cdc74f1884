"""Labels that a user gives: their layout, and whether they are what they should be."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array

from .. import _clock, _ranks
from ..measures.layout import refuse_asymmetric, refuse_masked
from ..measures.subsets import evenly
from ..ot.engine import label_pairs
from ..ot.ground_truths import as_ground_truth, is_gromov
from ..ot.inputs import check_pairs

# Given pairs that are solved and compared, the fewest that say something, and seconds
# that all of them may take.
_N_COMPARED, _MIN_COMPARED, _SECONDS = 12, 3, 1.0
# Points of one measure times points of the other that one solve of some tenths of a
# second is for, as of two images of 28 x 28 pixels: beyond, nothing is compared.
_MAX_ARCS, _MAX_GROMOV_ARCS = 784**2, 10_000
# A quarter of the labels may be off by more than the first of these shares. A relation
# must explain labels to the second; and a mere factor to the third, to be told from an
# approximation, if it is off by more than the fourth.
_TOLERANCE, _SPREAD, _EXACT, _FACTOR = 0.1, 0.05, 1e-3, 0.01
# Labels are smaller than coordinates, or larger, by less than this.
_LEAST_LABEL = 1e-15
# Powers of W that go by other names.
_POWERS = {2: "squares", 0.5: "roots"}


def check_labels(pairs, distances, n_measures):
    """Check labels given by a user.

    Parameters
    ----------
    pairs : array-like of int of shape (n_pairs, 2), or None
        Measure numbers; all pairs of a matrix of distances if None.
    distances : array-like of shape (n_pairs,) or (n_measures, n_measures)
        W, not squared.
    n_measures : int
        Number of measures.

    Returns
    -------
    pairs : ndarray of int of shape (n_pairs, 2)
    w : ndarray of shape (n_pairs,)
    """
    if distances is None:
        raise ValueError(
            "Got pairs without distances, expected both. Leave both out to have pairs "
            "drawn and labelled."
        )
    refuse_masked(distances, "distances")
    w = check_array(
        distances, dtype=np.float64, ensure_2d=False, input_name="distances"
    )
    if pairs is None:
        if w.shape != (n_measures, n_measures):
            raise ValueError(
                f"Got distances of shape {w.shape} without pairs, expected "
                f"({n_measures}, {n_measures}). Pass the pairs that they belong to."
            )
        refuse_asymmetric(w, "distances")
        pairs = np.column_stack(np.triu_indices(n_measures, k=1))
        w = w[pairs[:, 0], pairs[:, 1]]
    pairs = check_pairs(pairs, n_measures, n_measures)
    if w.shape != (len(pairs),):
        raise ValueError(
            f"Got distances of shape {w.shape}, expected ({len(pairs)},), one per "
            "pair. Give them in the order of pairs."
        )
    if w.min() < 0:
        raise ValueError(
            f"Got distances[{int(w.argmin())}]={w.min():g}, expected W >= 0. Clip "
            "rounding errors with np.maximum(distances, 0)."
        )
    own = np.flatnonzero((pairs[:, 0] == pairs[:, 1]) & (w > 0))
    if len(own):
        raise ValueError(
            f"Got pairs[{own[0]}]={pairs[own[0]].tolist()} with a distance of "
            f"{w[own[0]]:g}, expected 0 between a measure and itself. Drop such pairs."
        )
    return pairs, w


def warn_of_other_labels(ground_truth, measures, pairs, w, max_time=None):
    """Solve a few pairs whose labels are given, and warn if they are of another kind.

    No further pair is solved after a second; a single solve takes as long as it takes.

    Parameters
    ----------
    ground_truth : str or object
        What they should be of.
    measures : Histograms or PointClouds
        Training data.
    pairs : ndarray of int of shape (n_pairs, 2)
        Checked.
    w : ndarray of shape (n_pairs,)
        Given distances.
    max_time : float, default=None
        Seconds of the whole fit, a tenth of which this may take.
    """
    if not w.any():  # there are other warnings of that
        return
    given, solved = _solve_some(ground_truth, measures, pairs, w, max_time or np.inf)
    given, solved = given[solved > 0], solved[solved > 0]
    if len(solved) < _MIN_COMPARED:
        return
    ratio = given / solved
    factor = np.median(ratio)
    is_factor = factor > 0 and np.abs(ratio / factor - 1).max() <= _EXACT
    is_near = np.mean(np.abs(ratio - 1) > _TOLERANCE) <= 0.25
    if is_factor:
        is_near = abs(factor - 1) <= _FACTOR
    if is_near and not _power_of(solved, given):
        return
    warnings.warn(
        f"Got distances that {_relation(given, solved)}, going by {len(solved)} pairs "
        f"that were solved; expected W by ground_truth={ground_truth}, not "
        "squared, in the unit of X and in the order of pairs. They are used as they "
        "are, and score compares with the ground truth.",
        UserWarning,
        stacklevel=6,
    )


def refuse_other_unit(w):
    """Raise for labels that float32 cannot hold together with coordinates."""
    largest = w.max(initial=0.0)
    if largest > 0 and not _LEAST_LABEL < largest < 1 / _LEAST_LABEL:
        raise ValueError(
            f"Got distances up to {largest:.1g} times the coordinates of X, expected "
            "some in their unit. Check the units of both."
        )


@_ranks.alone()  # how many pairs there is time for is not the same in all processes
def _solve_some(ground_truth, measures, pairs, w, max_time):
    """Return given and solved distances of some pairs, as many as a second allows."""
    truth = as_ground_truth(ground_truth)
    limit = _MAX_GROMOV_ARCS if is_gromov(truth) else _MAX_ARCS
    deadline = _clock.now() + min(_SECONDS, max_time / 10)
    differ = np.flatnonzero(pairs[:, 0] != pairs[:, 1])
    given, solved = [], []
    for row in differ[evenly(len(differ), _N_COMPARED)] if len(differ) else []:
        i, j = pairs[row]
        if len(measures.measure(i)[1]) * len(measures.measure(j)[1]) > limit:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            try:
                labels = label_pairs(measures, measures, pairs[row : row + 1], truth)
            except Exception:  # whoever gives labels need not be able to solve
                break
        given.append(w[row])
        solved.append(labels.w[0])
        if _clock.now() > deadline:
            break
    return np.array(given), np.array(solved)


def _relation(given, solved):
    """Say how given distances go with solved ones."""
    if power := _power_of(solved, given):
        return f"are {_POWERS[power]} of W"
    for power, name in {1: "W", **{p: f"{n} of W" for p, n in _POWERS.items()}}.items():
        ratio = given / solved**power
        factor = np.median(ratio)
        if factor > 0 and np.abs(ratio / factor - 1).max() <= _SPREAD:
            return f"are {factor:.4g} times {name}"
    low, high = (given / solved).min(), (given / solved).max()
    return f"are {low:.3g} to {high:.3g} times W, by no common factor"


def _power_of(solved, given):
    """Return 2 or 0.5 if that power of W explains labels, and W does not; or None."""
    errors = {p: np.abs(given / solved**p - 1).max() for p in (1, *_POWERS)}
    best = min(errors, key=errors.__getitem__)
    return best if best != 1 and errors[best] <= _SPREAD / 5 else None
