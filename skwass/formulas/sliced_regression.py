"""Regression of W2^2 on bounds that lines give, below and above.

No estimator. Reference: [RG] Nguyen, Nguyen, Ho (2026). Fast estimation of Wasserstein
distances via regression on sliced Wasserstein distances.
arXiv:2509.20508.
"""

import warnings

import numpy as np

from ..ot.slicing import SlicedCosts
from .correction import has_signal, label_units

# Bounds by name, a lower and an upper one each: means over lines, means with weights,
# and the best line.
PREDICTORS = {
    "mean": ("SW", "PW"),
    "energy": ("EBSW", "EST"),
    "best": ("Max-SW", "Min-SWGG"),
}
# Singular values below this share of the largest are rounding.
_RCOND = 1e-9
# Labels of W2^2 may be beyond bounds by this share, where they are rounded.
_SLACK = 0.01


def kinds_of(predictors):
    """Return the kinds of predictors, in our order, that a name or names stand for."""
    wanted = list(PREDICTORS) if predictors == "all" else predictors
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    if not wanted or not set(wanted) <= set(PREDICTORS):
        raise ValueError(
            f"Got predictors={predictors!r}, expected 'all', or some of "
            f"{list(PREDICTORS)}. Leave it out to have all."
        )
    return tuple(kind for kind in PREDICTORS if kind in wanted)


def names_of_bounds(kinds):
    """Return the names of lower bounds, then those of upper ones."""
    return [PREDICTORS[kind][side] for side in range(2) for kind in kinds]


def join(parts):
    """Return the costs of some pairs after those of others."""
    return SlicedCosts(*map(np.concatenate, zip(*parts, strict=True)))


def predict_from(costs, directions, kinds, energies):
    """Return the bounds of W2^2 that are asked for.

    Parameters
    ----------
    costs : SlicedCosts
        Of n_pairs pairs along L lines.
    directions : ndarray of shape (d, L)
        Unit vectors.
    kinds : sequence of str
        Keys of `PREDICTORS`.
    energies : tuple of float
        Units of what weights are exponentials of, on lines and lifted.

    Returns
    -------
    features : ndarray of shape (n_pairs, 2 * n_kinds)
        Lower bounds, then upper bounds.
    """
    on_lines = costs.on_lines + np.square(costs.gaps @ directions)
    lifted = costs.lifted + np.square(costs.gaps).sum(axis=1, keepdims=True)
    lower = {
        "mean": lambda: on_lines.mean(axis=1),
        "energy": lambda: _weighted(on_lines, on_lines, energies[0]),
        "best": lambda: on_lines.max(axis=1),
    }
    upper = {
        "mean": lambda: lifted.mean(axis=1),
        "energy": lambda: _weighted(lifted, -lifted, energies[1]),
        "best": lambda: lifted.min(axis=1),
    }
    sides = [side[kind]() for side in (lower, upper) for kind in kinds]
    return np.column_stack(sides)


def energies_of(costs, directions):
    """Return how much bounds differ between lines, on lines and lifted, on average."""
    on_lines = costs.on_lines + np.square(costs.gaps @ directions)
    return tuple(float(side.std(axis=1).mean()) for side in (on_lines, costs.lifted))


def certain_bounds(costs, dim):
    """Return what W2^2 is not below and not above.

    Orthogonal lines share nothing, so that along each basis the distances of measures
    less their means add up to a lower bound, beside those of the means. Every plan is
    an upper bound.
    """
    shift_sq = np.square(costs.gaps).sum(axis=1)
    starts = np.arange(0, costs.on_lines.shape[1], dim)
    along_bases = np.add.reduceat(costs.on_lines, starts, axis=1)
    lower = shift_sq + along_bases.max(axis=1)
    return lower, shift_sq + costs.lifted.min(axis=1)


def are_within_bounds(costs, dim, w):
    """Whether labels are W2, so far as bounds tell: in another unit most are beyond."""
    lower, upper = certain_bounds(costs, dim)
    slack = 1 + _SLACK
    return bool(np.mean((w**2 * slack >= lower) & (w**2 <= upper * slack)) > 0.5)


def fit_regression(features, w, constrained):
    """Return coefficients for which `features @ coefficients` is nearest to `w^2`.

    Without intercept, and to first order in W: errors of W^2 are divided by W. Where
    labels say nothing, the prediction is the middle between lower and upper bounds.

    Parameters
    ----------
    features : ndarray of shape (n_pairs, 2 * n_kinds)
        Lower bounds, then upper bounds.
    w : ndarray of shape (n_pairs,)
        True distances.
    constrained : bool
        Whether each upper bound and its lower one are averaged, with weights from 0 to
        1, and then the kinds.

    Returns
    -------
    coefficients : ndarray of shape (2 * n_kinds,)
    """
    from scipy.optimize import lsq_linear

    n_kinds = features.shape[1] // 2
    if not has_signal(features[:, n_kinds], w):
        if features.any():
            warnings.warn(
                "Got labels that are all 0, expected some W > 0: distances are halfway "
                "between bounds. Pass true distances, or fit on measures that differ.",
                UserWarning,
                stacklevel=6,
            )
        return np.full(2 * n_kinds, 0.5 / n_kinds)
    unit = label_units(w)
    X, y = features / unit[:, None], w**2 / unit
    if not constrained:
        size = np.linalg.norm(X, axis=0)
        size[size == 0] = 1
        return np.linalg.lstsq(X / size, y, rcond=_RCOND)[0] / size
    lower, upper = X[:, :n_kinds] / n_kinds, X[:, n_kinds:] / n_kinds
    gap = y - lower.sum(axis=1)
    share = lsq_linear(upper - lower, gap, bounds=(0, 1)).x
    return np.concatenate([1 - share, share]) / n_kinds


def _weighted(values, logits, unit):
    """Return means over lines, weighted by the exponentials of logits in a unit."""
    if unit > 0:
        logits = logits / unit
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (weights * values).sum(axis=1) / weights.sum(axis=1)
