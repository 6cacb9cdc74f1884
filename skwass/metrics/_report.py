"""One table for any number of embedders."""

from collections import Counter
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import _num_samples, check_is_fitted

from .. import _clock
from ..embedders import PseudobulkEmbedder, SlicedRegressionEmbedder
from ..manifold.checks import check_distances
from ..measures.subsets import evenly, rows_of
from ._tables import printed
from .certificate import certify, distance_of, true_distances

# All pairs of this many measures are timed.
_N_TIMED = 2_000
# Neighbours whose recall is reported.
_N_NEIGHBORS = 10
# Columns of the table, and how they are printed.
_FORMATS = {
    "correlation": ".5f",
    "r2": ".4f",
    "recall_at_10": ".3f",
    "relative_error": ".4f",
    "mse": ".4g",
    "distortion": ".2f",
    "stress_ratio": ".3g",
    "n_pairs": ",.0f",
    "n_solves": ",.0f",
    "fit_time": ",.1f",
    "transform_rate": ",.0f",
    "pair_rate": ",.0f",
    "n_columns": ",.0f",
}


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddingReport:
    """What embedders cost, and how near their distances are to W.

    Prints as a table; `pandas.DataFrame(report.table, index=report.names)` is one.

    Parameters
    ----------
    names : list of str
        Of the embedders.
    table : dict of ndarray of shape (n_embedders,)
        `correlation` of distances d with W, which ignores their unit; `r2`, the share
        of the variance of W that they explain as they are, below 0 where the mean would
        do better; `recall_at_10`, the share of the ten nearest measures by W, fewer if
        there are fewer, that are among the ten nearest by d; `relative_error`, the mean
        of `|d - W| / W`; `mse` of d^2 against W^2, in units of W^4; `distortion`, the
        largest d / W over the smallest; `stress_ratio`, stress over the certified
        optimum, infinite where few measures embed exactly (see
        :func:`stress_certificate`); `n_pairs`, labelled pairs that `fit` used, and
        `n_solves`, transport problems that it solved, 0 or NaN if it counts none;
        `fit_time` in seconds, NaN if it was fitted before; `transform_rate`, measures a
        second; `pair_rate`, pairs per second, all of at most 2,000 measures, which are
        embedded too; `n_columns` of the embedding.
    ratios : list of ndarray of shape (n_pairs,)
        d / W of each pair of different measures.
    n_measures : int
        Measures, all pairs of which were looked at.

    See Also
    --------
    embedding_report : Makes it.
    """

    names: list
    table: dict
    ratios: list
    n_measures: int

    def __repr__(self):
        return printed(self.names, self.table, _FORMATS)


@validate_params(
    {
        "embedders": [dict, list],
        "n_measures": [Interval(Integral, 2, None, closed="left")],
        "baselines": ["boolean"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def embedding_report(
    embedders,
    X,
    *,
    X_train=None,
    distances=None,
    n_measures=200,
    baselines=False,
    n_jobs=None,
):
    """Compare embedders on the same measures.

    Parameters
    ----------
    embedders : list or dict of embedders
        With `transform` and `pairwise_distances`; the keys of a dict are their names.
        Those that are not fitted are cloned, fitted to `X_train`, and timed.
    X : array-like of shape (n, n_features), or a collection of n clouds
        Measures to judge by, unseen ones for an honest answer.
    X_train : like X, default=None
        Measures to fit to; needed if an embedder is not fitted.
    distances : array-like of shape (n, n), default=None
        True distances W of `X`, not squared. If None those of `n_measures` are
        computed, by the ground truth of the first embedder.
    n_measures : int, default=200
        Of `X`, evenly spaced; all pairs of them are compared with W, if `distances`
        are not given.
    baselines : bool, default=False
        Whether to add two rows for what an embedder should beat, fitted to `X_train`
        with the ground truth and the bins of the first embedder:
        :class:`~skwass.PseudobulkEmbedder`, means alone, and
        :class:`~skwass.SlicedRegressionEmbedder`, a regression on sliced distances,
        both from 500 labels.
    n_jobs : int, default=None
        Workers for true distances.

    Returns
    -------
    report : EmbeddingReport
        A row an embedder, in their order, then the baselines.

    Raises
    ------
    ValueError
        If an embedder is not fitted and there is no `X_train`, `distances` are not
        those of `X`, embedders are about different distances and none are given, or all
        measures are equal.

    See Also
    --------
    skwass.inspection.EmbeddingReportDisplay : The report, drawn.
    stress_certificate : How far an embedding is from the best there is.

    Notes
    -----
    `n_measures^2 / 2` solves, and one certified optimum, for all embedders together.
    Times are those of one call each.

    Examples
    --------
    >>> from skwass import GaussianEmbedder, LinearOTEmbedder
    >>> from skwass.datasets import make_gaussian_clouds
    >>> from skwass.metrics import embedding_report
    >>> clouds, W = make_gaussian_clouds(60, random_state=0)
    >>> report = embedding_report(
    ...     [GaussianEmbedder(), LinearOTEmbedder(random_state=0)],
    ...     clouds[:20],
    ...     X_train=clouds[20:],
    ... )
    >>> report.names
    ['GaussianEmbedder', 'LinearOTEmbedder']
    >>> bool((report.table["correlation"] > 0.99).all())
    True
    """
    named = _named(embedders)
    if baselines:
        named |= _baselines(next(iter(named.values())), n_jobs)
    fitted = {name: _fitted(name, one, X_train) for name, one in named.items()}
    _refuse_different(fitted, distances)
    first = next(iter(fitted.values()))[0]
    n = _num_samples(X)
    if distances is None:
        rows = evenly(n, n_measures)
        sample = rows_of(X, rows)
        distances = true_distances(first, sample, n_jobs)
    else:
        rows, sample = np.arange(n), X
    W = check_distances(distances, "distances")
    if len(W) != len(rows):
        raise ValueError(
            f"Got distances of shape {W.shape} for {len(rows)} measures, expected one "
            "row per measure of X. Leave them out to have some computed."
        )
    if not W.any():
        raise ValueError(
            "Got X whose measures are all equal, expected some that differ: there are "
            "no distances to compare. Pass other measures."
        )
    judged = [_judge(one, X, sample, W) for one, _ in fitted.values()]
    certificates = certify([found for found, _, _ in judged], W)
    table = {name: np.empty(len(fitted)) for name in _FORMATS}
    for k, ((one, seconds), (_, row, _), best) in enumerate(
        zip(fitted.values(), judged, certificates, strict=True)
    ):
        row |= {"mse": best.mse, "stress_ratio": best.ratio, "fit_time": seconds}
        row["n_pairs"] = getattr(one, "n_pairs_", 0)
        row["n_solves"] = getattr(one, "n_solves_", np.nan)
        for name, value in row.items():
            table[name][k] = value
    return EmbeddingReport(list(named), table, [r for _, _, r in judged], len(W))


def _named(embedders):
    """Return embedders by name; classes that occur twice are numbered."""
    if isinstance(embedders, dict):
        named = {str(name): one for name, one in embedders.items()}
    else:
        names = [type(one).__name__ for one in embedders]
        counts, named = Counter(names), {}
        seen: Counter[str] = Counter()
        for name, one in zip(names, embedders, strict=True):
            seen[name] += 1
            named[f"{name} {seen[name]}" if counts[name] > 1 else name] = one
    if not named:
        raise ValueError(
            "Got embedders without any, expected one or more. Pass [embedder]."
        )
    for name, one in named.items():
        if not hasattr(one, "pairwise_distances"):
            raise TypeError(
                f"Got {name} of type {type(one).__name__}, which has no "
                "pairwise_distances, expected an embedder, as an object. Of a pipeline "
                "pass its embedder."
            )
    return named


def _baselines(first, n_jobs):
    """Return what embedders should beat, by name, as an embedder sees measures."""
    space = {"grid_shape", "support", "ground_truth"} & first.get_params().keys()
    options = {name: getattr(first, name) for name in space}
    options |= {"n_jobs": n_jobs, "random_state": 0}
    return {
        "baseline: pseudobulk": PseudobulkEmbedder(scale=True, **options),
        "baseline: sliced regression": SlicedRegressionEmbedder(**options),
    }


def _refuse_different(fitted, distances):
    """Raise unless all embedders are about one distance in one space."""
    if distances is not None:
        return
    kinds = {
        name: f"{distance_of(one)} on {one.grid_shape_ or 'points'}"
        for name, (one, _) in fitted.items()
    }
    supports = [one.support_ for one, _ in fitted.values()]
    is_one_space = all(np.array_equal(supports[0], other) for other in supports)
    if len(set(kinds.values())) > 1 or not is_one_space:
        raise ValueError(
            f"Got embedders of different distances or on different bins, {kinds}, "
            "expected one to compare with. Pass distances, or compare those of a kind."
        )


def _fitted(name, embedder, X_train):
    """Return a fitted embedder, and the seconds that took."""
    try:
        check_is_fitted(embedder)
    except NotFittedError as error:
        if X_train is None:
            raise ValueError(
                f"Got {name} not fitted and X_train=None, expected one or the other. "
                "Pass X_train, or a fitted embedder."
            ) from error
        start = _clock.now()
        return clone(embedder).fit(X_train), _clock.now() - start
    return embedder, np.nan


def _judge(embedder, X, sample, W):
    """Return distances, a row of the table, and ratios of distances to W."""
    start = _clock.now()
    Z = embedder.transform(X)
    middle = _clock.now()
    n_timed = min(len(Z), _N_TIMED)
    timed = rows_of(X, np.arange(n_timed))
    embedder.pairwise_distances(timed)
    end = _clock.now()
    found = np.asarray(embedder.pairwise_distances(sample), dtype=np.float64)
    i, j = np.nonzero(np.triu(W, 1))
    d, w = found[i, j], W[i, j]
    with np.errstate(all="ignore"):
        ratios = d / w
        row = {
            "correlation": np.corrcoef(d, w)[0, 1] if len(w) > 1 else np.nan,
            "r2": 1 - np.square(d - w).sum() / np.square(w - w.mean()).sum(),
            "recall_at_10": _recall(found, W),
            "relative_error": np.abs(ratios - 1).mean(),
            "distortion": ratios.max(initial=0) / ratios.min(initial=np.inf),
            "transform_rate": len(Z) / (middle - start),
            "pair_rate": n_timed * (n_timed - 1) / 2 / (end - middle),
            "n_columns": np.shape(Z)[1],
        }
    return found, row, ratios


def _recall(found, W):
    """Return which part of the nearest measures by W are nearest by distances found."""
    n = len(W)
    k = min(_N_NEIGHBORS, n - 1)
    near = []
    for distances in (found, W):
        others = np.where(np.eye(n, dtype=bool), np.inf, distances)
        near.append(np.argsort(others, axis=1, kind="stable")[:, :k])
    hits = (near[0][:, :, None] == near[1][:, None]).any(axis=1)
    return hits.mean()
