"""From the certified optimum to the best embedding in few dimensions."""

import warnings

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from ._dual import with_fixed_signs
from ._placement import place
from .nearest_edm import squared_distances

# Corrections that L-BFGS keeps.
MEMORY = 10
# A single point is moved for a relative gain of the stress of so many times `tol`, or
# of the second number, which rounding cannot feign.
WORTHWHILE = 10, 1e-12
MAX_ROUNDS = 20
MAX_ITER = 2_000


def in_dimension(points, D, n_components, tol):
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

    Returns
    -------
    Z : ndarray of shape (n, n_components)

    Warns
    -----
    ConvergenceWarning
        If the descent did not stop by itself.
    """
    rank = points.shape[1]
    k = max(rank, 1) if n_components is None else n_components
    if k >= rank:
        return np.pad(points, ((0, 0), (0, k - rank)))
    unit = D.max()
    Z, converged = reduce_dimension(points / np.sqrt(unit), D / unit, k, tol, MAX_ITER)
    if not converged:
        warnings.warn(
            f"The descent in n_components={k} dimensions stopped after {MAX_ITER} "
            f"steps or {MAX_ROUNDS} rounds; the embedding is kept. Raise tol, or take "
            "another number of components.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return np.sqrt(unit) * Z


def reduce_dimension(points, D, n_components, tol, max_iter):
    """Return an embedding in few dimensions whose stress is locally least.

    Truncates points in principal axes and descends on
    `sum_ij (|z_i - z_j|^2 - D_ij)^2`, which is not convex. Points that :func:`place`
    would put elsewhere, however far, are put there, and the descent goes on until there
    are none.

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

    Returns
    -------
    Z : ndarray of shape (n, n_components)
        Centred, in principal axes.
    converged : bool
        Whether it stopped by itself.
    """
    Z = points[:, :n_components]
    worthwhile = max(WORTHWHILE[0] * tol, WORTHWHILE[1])
    for _ in range(MAX_ROUNDS):
        Z, descended = _descend(Z, D, tol, max_iter)
        Z, has_moved = _move_single_points(Z, D, worthwhile)
        if not has_moved:
            break
    Z = Z - Z.mean(axis=0)
    U, stretch, _ = np.linalg.svd(Z, full_matrices=False)
    return with_fixed_signs(U * stretch), descended and not has_moved


def _descend(Z, D, tol, max_iter):
    """Minimise the stress from Z by L-BFGS, each axis in units of its width."""
    # The curvature along an axis goes as the square of its width (Gauss-Newton).
    width = np.linalg.norm(Z, axis=0)
    unit = 1 / np.where(width > 0, width, 1.0)

    def stress(z):
        Y = z.reshape(Z.shape) * unit
        R = squared_distances(Y)
        R -= D
        gradient = 8 * (R.sum(axis=1)[:, None] * Y - R @ Y)
        return np.vdot(R, R), (gradient * unit).ravel()

    options = {"maxiter": max_iter, "maxfun": 2 * max_iter, "maxcor": MEMORY}
    answer = minimize(
        stress,
        (Z / unit).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={**options, "ftol": tol, "gtol": 0.0},
    )
    return answer.x.reshape(Z.shape) * unit, answer.status != 1


def _move_single_points(Z, D, worthwhile):
    """Move each point, in turn, that has a better place given all others."""
    stress = _row_stress(Z, Z, D)
    gains = stress - _row_stress(place(Z, D), Z, D)
    moved, Z = False, Z.copy()
    for i in np.flatnonzero(gains > worthwhile * stress.sum()):
        others = np.arange(len(Z)) != i
        rest, d_sq = Z[others], D[i : i + 1, others]
        z = place(rest, d_sq)
        # Earlier moves may have made this one useless.
        if _row_stress(Z[i : i + 1], rest, d_sq) - _row_stress(z, rest, d_sq) > 0:
            Z[i], moved = z[0], True
    return Z, moved


def _row_stress(Z, landmarks, d_sq):
    """Return `sum_j (|z_i - landmarks_j|^2 - d_sq_ij)^2` for each row."""
    E = np.square(Z).sum(axis=1)[:, None] + np.square(landmarks).sum(axis=1)
    E -= 2 * Z @ landmarks.T
    return np.square(E - d_sq).sum(axis=1)
