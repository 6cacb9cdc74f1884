"""Semismooth Newton steps on the dual of the nearest Euclidean distance matrix.

Qi (2013), A semismooth Newton method for the nearest Euclidean distance matrix problem.
The dual is in `_dual.py`. Its gradient is not smooth but strongly semismooth, so steps
converge quadratically where the generalised Jacobian is regular.
"""

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from ._dual import EPS

# Relative accuracy of directions: two or three products with the Jacobian.
CG_RTOL, CG_MAX_ITER = 1e-2, 50
# Added to the Jacobian, which may be singular; float32 sees no less.
RIDGE = 1e-6
# Share of the predicted gain that a step must bring (Armijo).
SUFFICIENT = 1e-4
SHORTEST_STEP = 2.0**-30


def newton(problem, origin, tol, max_iter):
    """Maximise the dual by semismooth Newton steps (Qi 2013).

    Directions come from preconditioned conjugate gradients, in float32: they need no
    more. Each point is recentred, and steps are halved until the dual gains (Armijo) or
    the gap is halved.

    Parameters
    ----------
    problem : Problem
        What to solve.
    origin : DualPoint
        At `s = 0`.
    tol : float
        Relative duality gap to reach.
    max_iter : int
        Steps at most.

    Yields
    ------
    point : DualPoint
        One a step.
    """
    point = origin.recentred()
    yield point
    for _ in range(max_iter):
        if problem.is_solved(point, tol):
            return
        step = _direction(point)
        gain = 2 * (point.rho @ step)
        # How much rounding can change the dual value.
        noise = 10 * EPS * (point.dual_value + 2 * (point.s @ point.s))
        t, trial = 1.0, problem.at(point.s + step).recentred()
        # Near Euclidean input rounding of the dual hides gains; the gap has none.
        while (
            trial.dual_value < point.dual_value + SUFFICIENT * t * gain - noise
            and trial.gap > point.gap / 2
        ):
            t /= 2
            if t < SHORTEST_STEP:
                return
            trial = problem.at(point.s + t * step).recentred()
        point = trial
        yield point


def _direction(point):
    """Solve `V h = rho`, where V is a generalised Jacobian of `-rho`."""
    n = len(point.s)
    product, diagonal = _jacobian(point)
    settings = {"shape": (n, n), "dtype": np.float64}
    direction, _ = cg(
        LinearOperator(matvec=product, **settings),
        point.rho,
        rtol=CG_RTOL,
        maxiter=CG_MAX_ITER,
        M=LinearOperator(matvec=lambda h: h.ravel() / diagonal, **settings),
    )
    return direction


def _jacobian(point):
    """Return the product with V and the diagonal of V.

    `V h = h - diag Q (Omega o Q' Diag(h) Q) Q'`, where Q holds the eigenvectors of M
    and `Omega_ij = (max(l_i, 0) - max(l_j, 0)) / (l_i - l_j)`. Only rows i of one sign
    are needed, the rarer one: Omega of the other sign is the complement to 1.
    """
    n = len(point.s)
    (few, Q_few), (many, Q_many) = point.positive, point.others
    positive_is_few = len(few) <= len(many)
    if not positive_is_few:
        (few, Q_few), (many, Q_many) = (many, Q_many), (few, Q_few)
    rows = np.ascontiguousarray(Q_few.T, dtype=np.float32)  # [f, n]
    columns = np.concatenate([rows, Q_many.T], dtype=np.float32)  # [n - 1, n]
    weights = np.ones((len(few), n - 1), dtype=np.float32)
    # Off the diagonal block twice, for the transposed block. Positive eigenvalues are
    # on one side of it, so no sum is zero.
    weights[:, len(few) :] = 2 * few[:, None] / (few[:, None] + many)

    def kept(h):  # diag Q (Omega o Q' Diag(h) Q) Q', for the rarer sign
        T = (rows * h.astype(np.float32)) @ columns.T
        T *= weights
        return np.einsum("fn,fn->n", rows, T @ columns).astype(np.float64)

    def product(h):
        h = h.ravel()
        if positive_is_few:
            return h - kept(h) + RIDGE * h
        return (2 * h - h.mean()) / n + kept(h) + RIDGE * h

    squares = ((weights @ np.square(columns)) * np.square(rows)).sum(axis=0)
    diagonal = 1 - squares if positive_is_few else (2 - 1 / n) / n + squares
    return product, np.maximum(diagonal.astype(np.float64), 0) + RIDGE
