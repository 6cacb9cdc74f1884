"""From the certified optimum to the best embedding in few dimensions."""

import warnings

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from ._dual import with_fixed_signs
from ._placement import place, place_private
from .nearest_edm import squared_distances

# Corrections that L-BFGS keeps.
MEMORY = 10
# A single point is moved for a relative gain of the stress of this many times `tol`, or
# of the second number, which rounding cannot feign.
WORTHWHILE = 10, 1e-12
MAX_ROUNDS = 20
MAX_ITER = 2_000
# Measures nearer than this share of the largest distance, squared, are the same.
SAME = 1e-12
# Where different measures would come to the same place, to this number of digits, each
# is moved along the last axis by its number times this share of the largest distance.
_NUDGE, _DIGITS = 1e-9, 10


def in_dimension(points, D, n_components, tol, private_axis=False):
    """Bring the optimum to the dimension that was asked for.

    Parameters
    ----------
    points : ndarray of shape (n, rank)
        The optimum, in principal axes, the widest first.
    D : ndarray of shape (n, n)
        Squared distances.
    n_components : int or None
        Dimension; `rank`, but at least 1, if None. More than `rank` pads with zeros.
    tol : float
        Relative gain of the stress at which the descent stops.
    private_axis : bool, default=False
        Whether each point has a direction of its own besides.

    Returns
    -------
    Z : ndarray of shape (n, n_components), or (n, n_components + 1)
        With private axes, their lengths are in the last column.

    Warns
    -----
    ConvergenceWarning
        If the descent did not stop by itself.
    """
    rank = points.shape[1]
    k = max(rank, 1) if n_components is None else n_components
    if k >= rank:
        return np.pad(points, ((0, 0), (0, k - rank + private_axis)))
    unit = D.max()
    points, D = points / np.sqrt(unit), D / unit
    Z, converged = reduce_dimension(points, D, k, tol, MAX_ITER, private_axis)
    if not converged:
        warnings.warn(
            f"The descent in n_components={k} dimensions stopped after {MAX_ITER} "
            f"steps or {MAX_ROUNDS} rounds; the embedding is kept. Raise tol, or take "
            "another number of components.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return np.sqrt(unit) * Z


def squares_among(rows, D, private_axis):
    """Return squared distances between rows of an embedding: hollow and symmetric.

    Parameters
    ----------
    rows : ndarray of shape (n, n_columns)
        Of :func:`in_dimension`.
    D : ndarray of shape (n, n)
        Squared distances that were embedded: they tell which measures are the same.
    private_axis : bool
        Whether lengths of private axes are in the last column.
    """
    if not private_axis:
        return squared_distances(rows)
    s = np.square(rows[:, -1])
    return squared_distances(rows[:, :-1]) + _private(s, are_same(D))


def are_same(D):
    """Return which pairs are of one and the same measure: [n, n], the diagonal too."""
    return D <= SAME * D.max()


def _private(s, same):
    """Return what private axes add to squared distances: nothing within a measure."""
    return np.where(same, 0, s[:, None] + s)


def reduce_dimension(points, D, n_components, tol, max_iter, private_axis=False):
    """Return an embedding in few dimensions whose stress is locally least.

    Truncates points in principal axes and descends on
    `sum_ij (|z_i - z_j|^2 - D_ij)^2`, which is not convex, or with private axes on
    `sum_ij (|z_i - z_j|^2 + s_i + s_j - D_ij)^2` over different points and `s >= 0`,
    from what truncation drops. Points that :func:`place` would put elsewhere, however
    far, are put there, and the descent goes on until there are none.

    Parameters
    ----------
    points : ndarray of shape (n, rank)
        In principal axes, the widest first.
    D : ndarray of shape (n, n)
        Squared distances, with entries up to about 1.
    n_components : int
        Dimension, below `rank`.
    tol : float
        Relative gain of the stress in one step at which L-BFGS stops.
    max_iter : int
        Steps of L-BFGS at most, a round.
    private_axis : bool, default=False
        Whether points have private axes.

    Returns
    -------
    Z : ndarray of shape (n, n_components), or (n, n_components + 1)
        Centred, in principal axes; lengths of private axes in the last column.
    converged : bool
        Whether it stopped by itself.
    """
    Z, s, same = points[:, :n_components], np.zeros(len(points)), are_same(D)
    if private_axis:
        s = np.square(points[:, n_components:]).sum(axis=1)
    worthwhile = max(WORTHWHILE[0] * tol, WORTHWHILE[1])
    for _ in range(MAX_ROUNDS):
        Z, s, descended = _descend(Z, s, D, same, private_axis, tol, max_iter)
        Z, s, has_moved = _move_single_points(Z, s, D, same, private_axis, worthwhile)
        if not has_moved:
            break
    Z = Z - Z.mean(axis=0)
    U, stretch, _ = np.linalg.svd(Z, full_matrices=False)
    Z = with_fixed_signs(U * stretch)
    if private_axis:
        Z = _told_apart(np.column_stack([Z, np.sqrt(s)]), same, np.sqrt(D.max()))
    return Z, descended and not has_moved


def _told_apart(rows, same, unit):
    """Return rows that are equal where measures are the same, and only there."""
    first = same.argmax(axis=1)
    rows = rows[first]
    places = np.unique(np.round(rows / unit, _DIGITS), axis=0)
    if len(places) < len(np.unique(first)):
        rows[:, -2] += _NUDGE * unit * (first - first.mean())
    return rows


def _descend(Z, s, D, same, private_axis, tol, max_iter):
    """Minimise the stress from Z and s by L-BFGS, each axis in units of its width."""
    # The curvature along an axis goes as the square of its width (Gauss-Newton), which
    # makes it 16 for these; that along s, with zeros elsewhere, is 4 n.
    width = np.linalg.norm(Z, axis=0)
    unit = 1 / np.where(width > 0, width, 1.0)
    n_shared, unit_s = Z.size, 2 / np.sqrt(len(Z))

    def stress(v):
        Y = v[:n_shared].reshape(Z.shape) * unit
        R = squared_distances(Y)
        if private_axis:
            R += _private(unit_s * v[n_shared:], same)
        R -= D
        sums = R.sum(axis=1)
        gradient = (8 * (sums[:, None] * Y - R @ Y) * unit).ravel()
        if private_axis:
            sums = np.where(same, 0, R).sum(axis=1)
            gradient = np.concatenate([gradient, 4 * unit_s * sums])
        return np.vdot(R, R), gradient

    start, bounds = (Z / unit).ravel(), None
    if private_axis:
        start = np.concatenate([start, s / unit_s])
        bounds = [(None, None)] * n_shared + [(0, None)] * len(Z)
    options = {"maxiter": max_iter, "maxfun": 2 * max_iter, "maxcor": MEMORY}
    answer = minimize(
        stress,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={**options, "ftol": tol, "gtol": 0.0},
    )
    Z = answer.x[:n_shared].reshape(Z.shape) * unit
    if private_axis:
        s = unit_s * answer.x[n_shared:]
    return Z, s, answer.status != 1


def _move_single_points(Z, s, D, same, private_axis, worthwhile):
    """Move each point, in turn, that has a better place given all others."""
    # A measure is at no distance from itself and its copies, which have no say.
    D = D + np.where(same, s[:, None] + s, 0)
    find = place_private if private_axis else _place_shared
    stress = _row_stress(Z, s, Z, s, D)
    z, t = find(Z, s, D)
    gains = stress - _row_stress(z, t, Z, s, D)
    moved, Z, s = False, Z.copy(), s.copy()
    for i in np.flatnonzero(gains > worthwhile * stress.sum()):
        others, own = np.arange(len(Z)) != i, slice(i, i + 1)
        rest = Z[others], s[others], D[own, others]
        z, t = find(*rest)
        # Earlier moves may have made this one useless.
        if _row_stress(Z[own], s[own], *rest) - _row_stress(z, t, *rest) > 0:
            Z[i], s[i], moved = z[0], t[0], True
    return Z, s, moved


def _place_shared(landmarks, s, d_sq):
    """Return where rows of distances put points, and zeros: nothing is their own."""
    return place(landmarks, d_sq), np.zeros(len(d_sq))


def _row_stress(Z, t, landmarks, s, d_sq):
    """Return `sum_j (|z_i - landmarks_j|^2 + t_i + s_j - d_sq_ij)^2` for each row."""
    E = np.square(Z).sum(axis=1)[:, None] + np.square(landmarks).sum(axis=1)
    E -= 2 * Z @ landmarks.T
    E += t[:, None] + s
    return np.square(E - d_sq).sum(axis=1)
