"""The reference measure of linear optimal transport, and what solves its maps."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ..measures import Histograms, as_measures
from ..measures.subsets import evenly, merge_coincident, support_of
from ..ot import EntropicWasserstein, ExactWasserstein, SinkhornDivergence
from ..ot.assignment import MAX_POINTS
from ..ot.ground_metric import is_euclidean
from ..ot.ground_truths import as_ground_truth
from ..ot.maps import transport_maps

# Measures and points that k-means gets, and measures and rounds of the barycenter. With
# 40 measures the MSE on MNIST is 0.19 to 0.26, by seed; with 100 or 200, 0.17 to 0.23.
_N_POOLED, _N_POINTS, _N_AVERAGED, _N_ROUNDS = 300, 30_000, 100, 3
_N_REFERENCE = 128
# Masses that differ by less than this share are one mass, but for rounding.
_EVEN = 1e-9
# Measures that a ground truth takes its scale from.
_N_SCALE = 64


def check_maps(ground_truth):
    """Return the ground truth as an object, if its plans are maps: a W2."""
    truth = as_ground_truth(ground_truth)
    if not (
        isinstance(truth, ExactWasserstein | SinkhornDivergence | EntropicWasserstein)
        and truth.p == 2
        and is_euclidean(truth.ground_metric)
    ):
        raise ValueError(
            f"Got ground_truth={ground_truth}, expected 'exact', 'sinkhorn' or an "
            "object of skwass.ot with p=2 and the Euclidean metric, whose plans are "
            "maps. Use another embedder for other distances."
        )
    return truth


def settle_solver(ground_truth, measures):
    """Return what solves maps, with its scale, if it has one, settled on measures."""
    truth = check_maps(ground_truth)
    if isinstance(truth, ExactWasserstein):
        # Where points go is wanted, of all of them: a tolerance is for distances.
        truth = clone(truth).set_params(tolerance=None)
    some = measures[evenly(len(measures), _N_SCALE)].to_clouds()
    return truth._prepare(some, some)[2]


def default_size(measures, are_projected):
    """Return how many points a reference has, if the user does not say.

    Where few columns are kept, a finer reference than the clouds adds little.

    Parameters
    ----------
    measures : Histograms or PointClouds
        Training data.
    are_projected : bool
        Whether few columns are kept of the maps.
    """
    if isinstance(measures, Histograms) or not are_projected:
        return _N_REFERENCE
    if measures.sizes.max() > 2 * MAX_POINTS:
        return _N_REFERENCE
    some = [measures.measure(i) for i in evenly(len(measures), _N_SCALE)]
    # Points in two halves are one point.
    merged = (merge_coincident(*cloud) for cloud in some)
    return _common_size(some) or _common_size(list(merged)) or _N_REFERENCE


def _common_size(clouds):
    """Return how many points clouds have, if as many in all and of one mass."""
    sizes = {len(a) for _, a in clouds}
    are_even = all(np.ptp(a) <= _EVEN * a.max() for _, a in clouds)
    is_one = len(sizes) == 1 and max(sizes) <= MAX_POINTS
    return sizes.pop() if is_one and are_even else None


def make_reference(reference, n_points, measures, solver, rng, n_jobs):
    """Return the points and weights of a reference, and how many solves it took.

    Parameters
    ----------
    reference : {"barycenter", "kmeans"}, array-like or tuple
        Given by the user.
    n_points : int
        Wanted points, where it is a name.
    measures : Histograms or PointClouds
        Training data.
    solver : GroundTruth
        Solves maps.
    rng : numpy.random.RandomState
        Draws.
    n_jobs : int or None
        Workers.
    """
    if not isinstance(reference, str):
        return *_check_reference(reference, measures.dim), 0
    some = measures[np.sort(rng.permutation(len(measures))[:_N_POOLED])]
    points, weights = _centers(some.to_clouds(), n_points, rng)
    if reference == "kmeans":
        return points, weights, 0
    some = some[evenly(len(some), _N_AVERAGED)]
    weights = np.full(len(points), 1 / len(points))
    for _ in range(_N_ROUNDS):
        # Each point goes to the mean of where the maps send it.
        moves = transport_maps(points, weights, some, solver, n_jobs)
        points = points + moves.mean(axis=0)
    return points, weights, _N_ROUNDS * len(some)


def _check_reference(reference, dim):
    if isinstance(reference, tuple) and np.ndim(reference[0]) != 2:
        reference = np.asarray(reference)  # points, and no (points, weights)
    measure = as_measures([reference], input_name="reference")
    if measure.dim != dim:
        raise ValueError(
            f"Got reference of dimension {measure.dim}, expected {dim} as of X. Give "
            "points of the space of X; for images their rows and columns, in pixels."
        )
    points, weights = measure.measure(0)
    return points.astype(np.float64), weights


def _centers(clouds, n_points, rng):
    """Return centers of the points of centred clouds, about the mean of all."""
    points, masses = support_of(clouds)
    means = np.array([a @ x for x, a in map(clouds.measure, range(len(clouds)))])
    center = means.mean(axis=0)
    points = points - np.repeat(means - center, clouds.sizes, axis=0)
    # Sorted and merged: neither order nor points in two halves change the reference.
    points, weights = merge_coincident(points, masses)
    if len(points) > _N_POINTS:
        kept = rng.choice(len(points), _N_POINTS, replace=False, p=weights)
        points, weights = points[kept], np.ones(_N_POINTS)
    if len(points) > n_points:
        from sklearn.cluster import KMeans

        clusters = KMeans(n_points, random_state=rng.randint(2**31 - 1))
        with warnings.catch_warnings():  # of points that differ only by rounding
            warnings.simplefilter("ignore", ConvergenceWarning)
            clusters.fit(points, sample_weight=weights)
        weights = np.bincount(clusters.labels_, weights, minlength=n_points)
        points = clusters.cluster_centers_
    occupied = weights > 0
    return points[occupied], weights[occupied] / weights.sum()
