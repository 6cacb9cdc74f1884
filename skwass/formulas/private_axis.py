"""Private axes of formulas: how much of what columns cannot hold adds up.

No estimator. See :class:`skwass.nn.readouts.Readout` for the distance.
"""

from typing import NamedTuple

import numpy as np

from .correction import fit_parts, gaps_squared

# The largest reach is taken whose error is at most this many times the least: few of
# the labelled pairs are near duplicates, whose axes are to be shared.
_NEAR_LEAST = 1.01
# Parts of a typical distance of columns within which private axes may be shared. With
# more, all pairs would share, and what labels say of the reach is little.
_REACHES = 0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5


class PrivateFit(NamedTuple):
    """What :func:`fit_private` found."""

    stretch: float  # of the columns
    coefficients: np.ndarray  # [m], of what measures have alone
    reach: float  # distance of stretched columns within which axes are shared


def fit_private(columns, own, ends, w, known_sq=0.0, apart_sq=0.0):
    """Fit squared distances that are those of columns and of private axes.

    What columns cannot hold is orthogonal in two measures, or nearly so, and adds up in
    their squared distance, unless they are near each other, as samples that overlap
    are. With squared distances g^2 of columns and numbers u of what each has alone, W^2
    is about, with coefficients not below 0::

        known + a g^2 + sum_k b_k (u_k + u_k' - 2 (u_k u_k')^1/2 exp(-g^2 / 2 h^2))

    Parameters
    ----------
    columns : ndarray of shape (n, n_columns)
        Of measures that pairs join; without a part that is exact.
    own : ndarray of shape (n, m)
        What each has alone, in units of squared distances.
    ends : ndarray of int of shape (n_pairs, 2)
        Rows whose distances are known; none without labels: then `a` is 1 and so is the
        first coefficient, all others are 0.
    w, known_sq : ndarray of shape (n_pairs,)
        True distances, and a part of their squares that is exact.
    apart_sq : ndarray of shape (n_pairs,)
        What parts private axes beside columns, as these do: squared distances.

    Returns
    -------
    fit : PrivateFit
    """
    spread = 2 * columns.var(axis=0).sum() + np.mean(apart_sq)
    typical = np.sqrt(spread) or 1.0
    if not len(ends):
        return PrivateFit(1.0, np.eye(1, own.shape[1])[0], _REACHES[0] * typical)
    gaps_sq, errors, fits = gaps_squared(columns, ends), [], []
    left, right = own[ends[:, 0]], own[ends[:, 1]]
    for share in _REACHES:
        reach = share * typical
        shared = np.exp(-(gaps_sq + apart_sq) / (2 * reach**2))[:, None]
        private = left + right - 2 * np.sqrt(left * right) * shared
        parts = np.column_stack([gaps_sq, private])
        coefficients, error = fit_parts(parts, w, known_sq)
        stretch = coefficients[0] ** 0.5
        errors.append(error)
        fits.append(PrivateFit(stretch, coefficients[1:], stretch * reach))
    return fits[np.flatnonzero(np.array(errors) <= _NEAR_LEAST * min(errors))[-1]]
