"""The rule: what comes in is answered right, or refused in one clear sentence."""

import warnings

import numpy as np

from skwass.measures import PointClouds, as_measures
from skwass.ot import pairwise_wasserstein

MOST = 400
# As ours begin; and as scikit-learn's do, which its users know.
BEGINNINGS = (
    "Got ",
    "The ",
    "Found ",
    "Negative values in data",
    "Complex data not supported",
)


class Broken(AssertionError):
    """The rule is broken."""


def outcome(call):
    """Return what a call gave, or None where it was clear about why not.

    Returns
    -------
    kind : str
        `"answered"` or `"clear"`.
    value : object
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "answered", call()
        except (ValueError, TypeError) as error:
            text = str(error)
            if len(text) > MOST or not text.startswith(BEGINNINGS):
                raise Broken(f"foreign {type(error).__name__}: {text[:300]}") from error
            return "clear", None
        except Exception as error:
            message = f"foreign {type(error).__name__}: {str(error)[:300]}"
            raise Broken(message) from error


def check_read(X):
    """Check that measures are probabilities, and the points those of the user."""
    kind, measures = outcome(lambda: as_measures(X))
    if kind == "clear":
        return None
    for i in range(len(measures)):
        points, weights = measures.measure(i)
        if not (
            np.isfinite(points).all()
            and (weights > 0).all()
            and abs(weights.sum() - 1) < 1e-9
            and len(points) == len(weights)
        ):
            raise Broken(f"wrong: measure {i} is no probability")
    return measures


def exact_w2(mu, nu):
    """Return W2 by POT, in a unit in which costs are about 1."""
    import ot

    (x, a), (y, b) = mu, nu
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    unit = max(np.abs(x).max(), np.abs(y).max()) or 1.0
    cost = ot.dist(x / unit, y / unit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return unit * np.sqrt(max(ot.emd2(a / a.sum(), b / b.sum(), cost), 0.0)), unit


def check_distances(X, measures):
    """Check a few distances against POT."""
    kind, W = outcome(lambda: pairwise_wasserstein(X))
    if kind == "clear":
        raise Broken("wrong: read, but no distances")
    n = len(measures)
    for i, j in {(0, n - 1), (0, n // 2)}:
        expected, unit = exact_w2(measures.measure(i), measures.measure(j))
        # The square root of rounding.
        if not abs(W[i, j] - expected) <= 1e-7 * max(expected, unit):
            raise Broken(f"wrong: W[{i}, {j}]={W[i, j]}, not {expected}")


def check_embedder(make, X, measures):
    """Check that an embedder is fitted to what can be read, or says why not.

    Embeddings are finite, of one row per measure, and do not depend on other rows.
    """
    kind, embedder = outcome(lambda: make().fit(X))
    if kind == "clear":
        return "clear"
    if measures is None:
        raise Broken("wrong: fitted to what is no measure")
    kind, Z = outcome(lambda: embedder.transform(X))
    if kind == "clear":
        raise Broken("wrong: fitted, but not transformed")
    if Z.shape[0] != len(measures) or not np.isfinite(Z).all():
        raise Broken(f"wrong: embeddings of shape {Z.shape}, or not finite")
    one = measures[[0]] if isinstance(measures, PointClouds) else measures[:1]
    alone = embedder.transform(one)
    # Of measures that are equal, embeddings are rounding alone.
    reach = max(float(np.abs(measures.measure(i)[0]).max()) for i in range(len(Z)))
    slack = 1e-5 * max(float(np.abs(Z).max()), reach)
    if not np.allclose(alone[0], Z[0], rtol=1e-4, atol=slack):
        raise Broken("wrong: a row depends on others")
    return "right"
