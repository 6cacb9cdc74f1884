"""How near to the best barycenters are, and what they cost."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import validate_params

from .. import _clock
from ..measures import Histograms, PointClouds, as_measures
from ..ot import pairwise_wasserstein
from ._tables import printed

_FORMATS = {
    "mean_w2_sq": ".5g",
    "ratio": ".4f",
    "time": ".4f",
    "effective_size": ".1f",
}


@dataclass(frozen=True, eq=False, repr=False)
class VariationalReport:
    """What barycenters are worth and cost, by method.

    Prints as a table; `pandas.DataFrame(report.table, index=report.names)` is one.

    Parameters
    ----------
    names : list of str
        Of the methods.
    table : dict of ndarray of shape (n_methods,)
        `mean_w2_sq`, the weighted mean of exact W2^2 to the measures, which a
        barycenter minimises, averaged over barycenters if there are several; `ratio`,
        that over the least value: of the reference, or known (NaN over 0); `time` in
        seconds per
        barycenter, NaN where it was given; `effective_size`, exp(entropy of the
        masses), averaged: the number of bins or points, if masses were even. Sharp
        images have few.
    n_measures : int
        Measures that distances were computed to.

    See Also
    --------
    variational_report : Makes it.
    """

    names: list
    table: dict
    n_measures: int

    def __repr__(self):
        return printed(self.names, self.table, _FORMATS)


@validate_params(
    {
        "methods": [dict],
        "weights": ["array-like", None],
        "reference": [str, None],
        "grid_shape": "no_validation",
        "support": "no_validation",
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def variational_report(
    methods,
    X,
    *,
    weights=None,
    reference=None,
    grid_shape=None,
    support=None,
    n_jobs=None,
):
    """Compare barycenters, or points of geodesics, by what they minimise.

    Parameters
    ----------
    methods : dict
        By name, either a function that is called with `X` and timed, such as
        `functools.partial(barycenter, embedder, method="exact")`, or what such a
        function gave: one barycenter, or a list or array of one per row of `weights`.
        Masses of bins, points, or tuples `(points, weights)`.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), or point clouds
        The measures.
    weights : array-like of shape (n_samples,) or (n_barycenters, n_samples), \
default=None
        Not negative, with positive sums; equal if None. For a geodesic the rows are
        (1 - t, t).
    reference : str, default=None
        The method that the others are held against. If None: of two measures what is
        known, t (1 - t) W2^2 on a geodesic; of more the best method there is.
    grid_shape : tuple of int, default=None
        Histograms only: the grid that the bins form.
    support : array-like of shape (n_bins, d), default=None
        Histograms only: positions of the bins.
    n_jobs : int, default=None
        Workers for true distances.

    Returns
    -------
    report : VariationalReport
        A row per method, in their order.

    Raises
    ------
    ValueError
        If there is no method, `reference` is none of them, weights do not fit, or a
        method gives no measures, or another number of them than there are rows of
        weights.

    See Also
    --------
    skwass.geometry.barycenter : Barycenters by several methods.
    skwass.geometry.geodesic : Points between two measures.
    embedding_report : The same for embedders.

    Notes
    -----
    One exact solve per method, barycenter and measure. On bins no barycenter reaches
    the least value of free points: that of two images is `t (1 - t) W2^2` between
    bins.

    Examples
    --------
    >>> from functools import partial
    >>> from skwass import LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.geometry import barycenter
    >>> from skwass.metrics import variational_report
    >>> clouds, W = make_gaussian_clouds(30, random_state=0)
    >>> embedder = LinearOTEmbedder(random_state=0).fit(clouds)
    >>> methods = {
    ...     name: partial(barycenter, embedder, method=name)
    ...     for name in ("linear_ot", "exact", "euclidean")
    ... }
    >>> report = variational_report(methods, clouds, reference="exact")
    >>> bool(report.table["ratio"][0] < report.table["ratio"][2])
    True
    """
    if not methods:
        raise ValueError(
            "Got methods without any, expected one or more. Pass "
            "{'exact': partial(barycenter, embedder, method='exact')}."
        )
    if reference is not None and reference not in methods:
        raise ValueError(
            f"Got reference={reference!r}, expected one of {list(methods)}. Leave it "
            "out for the best of them."
        )
    measures = as_measures(X, grid_shape=grid_shape, support=support)
    weights = _check_rows_of_weights(weights, len(measures))
    table = {name: np.empty(len(methods)) for name in _FORMATS}
    values = np.empty((len(methods), len(weights)))
    for k, (name, method) in enumerate(methods.items()):
        start = _clock.now()
        found = method(X) if callable(method) else method
        seconds = _clock.now() - start
        table["time"][k] = seconds / len(weights) if callable(method) else np.nan
        clouds = _read_barycenters(name, found, measures, len(weights))
        W = pairwise_wasserstein(clouds, measures.to_clouds(), n_jobs=n_jobs)
        values[k] = np.einsum("bn,bn->b", weights, np.square(W))
        entropies = [-(a * np.log(a)).sum() for a in clouds.masses]
        table["effective_size"][k] = np.mean(np.exp(entropies))
    table["mean_w2_sq"] = values.mean(axis=1)
    best = _least(values, measures, weights, list(methods), reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["ratio"] = table["mean_w2_sq"] / best
    return VariationalReport(list(methods), table, len(measures))


def _check_rows_of_weights(weights, n):
    """Return weights as rows of sum 1."""
    rows = np.ones((1, n)) if weights is None else np.asarray(weights, float)
    rows = np.atleast_2d(rows)
    if rows.ndim != 2 or rows.shape[1] != n or not np.isfinite(rows).all():
        raise ValueError(
            f"Got weights of shape {np.shape(weights)}, expected ({n},) or a row of "
            f"{n} finite numbers per barycenter. Leave them out for equal weights."
        )
    if rows.min() < 0 or rows.sum(axis=1).min() == 0:
        raise ValueError(
            f"Got weights from {rows.min():g} to {rows.max():g}, expected weights >= 0 "
            "with positive sums: with negative ones there need not be a least value. "
            "Leave them out for equal weights."
        )
    return rows / rows.sum(axis=1, keepdims=True)


def _read_barycenters(name, found, measures, n):
    """Return what a method gave as clouds."""
    is_one = isinstance(found, tuple)
    if not isinstance(found, tuple | list):
        found = np.asarray(found)
        if not found.ndim or found.dtype.kind not in "fiu":
            raise ValueError(
                f"Got {found!r} of {name!r}, expected masses of bins, points, or "
                "tuples (points, weights). Check the method."
            )
        # Masses of one, or of several, or points of one, or of several.
        is_rows = isinstance(measures, Histograms) and found.shape[-1:] == (
            measures.n_features,
        )
        is_one = found.ndim == 1 or (found.ndim == 2 and not is_rows)
    several = [found] if is_one else list(found)
    if len(several) != n:
        raise ValueError(
            f"Got {len(several)} barycenters of {name!r}, expected {n}, one per row of "
            "weights. Check the method, or pass weights."
        )
    clouds = [_as_cloud(one, measures) for one in several]
    return PointClouds([x for x, _ in clouds], [a for _, a in clouds])


def _as_cloud(one, measures):
    """Return points and masses, which are positive and of sum 1."""
    if isinstance(one, tuple):
        points, masses = (np.asarray(part, dtype=np.float64) for part in one)
    elif np.ndim(one) == 2:
        points, masses = np.asarray(one, dtype=np.float64), np.ones(len(one))
    else:
        points, masses = measures.support, np.asarray(one, dtype=np.float64)
    return as_measures([(points, masses)]).measure(0)


def _least(values, measures, weights, names, reference):
    """Return the value that methods are held against."""
    if reference is not None:
        return values[names.index(reference)].mean()
    if len(measures) == 2:
        clouds = measures.to_clouds()
        w2 = pairwise_wasserstein(clouds[:1], clouds[1:])[0, 0]
        return np.mean(weights[:, 0] * weights[:, 1]) * w2**2
    return values.mean(axis=1).min()
