"""The same problem as a semidefinite program, for reference."""

import warnings

import numpy as np
from scipy.sparse import csr_array

# Size from which a solve takes a minute.
LARGE = 500


def sdp(problem, origin, tol, max_iter):
    """Solve by cvxpy and SCS, over Gram matrices with the first point at the origin.

    Parameters
    ----------
    problem : Problem
        What to solve.
    origin : DualPoint
        Not used: SCS starts by itself.
    tol : float
        Gap to reach; SCS is asked for that accuracy of its own residuals.
    max_iter : int
        Iterations of SCS at most.

    Yields
    ------
    point : DualPoint
        The answer E, as the dual point `(E - D) 1`.
    """
    import cvxpy as cp  # takes a second

    D = problem.D
    n = len(D)
    if n > LARGE:
        warnings.warn(
            f"Got n={n} with solver='sdp', which takes a minute from n={LARGE} and "
            "eight times as long for twice as many. Use solver='newton', which gives "
            "the same answer in less than a hundredth of the time.",
            UserWarning,
            stacklevel=4,
        )
    i, j = np.triu_indices(n, k=1)
    gram = cp.Variable((n - 1, n - 1), PSD=True)
    distances = _squared_distance_map(i, j, n) @ cp.vec(gram, order="F")
    stress = cp.sum_squares(distances - D[i, j])
    program = cp.Problem(cp.Minimize(stress))
    accuracy = float(np.clip(tol, 1e-12, 1e-4))
    with warnings.catch_warnings():
        # Whether it is accurate, the certificate will say.
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        program.solve(
            solver=cp.SCS, eps_abs=accuracy, eps_rel=accuracy, max_iters=max_iter
        )
    problem.n_iter = program.solver_stats.num_iters
    E = np.zeros((n, n))
    E[i, j] = E[j, i] = distances.value
    yield problem.at((E - D).sum(axis=1))


def _squared_distance_map(i, j, n):
    """Return the matrix from vec(G) to `G_ii + G_jj - 2 G_ij`; point 0 is at zero."""
    pair = np.arange(len(i))
    inner = i > 0
    rows = np.concatenate([pair, pair[inner], pair[inner]])
    columns = np.concatenate(
        [(j - 1) * n, (i[inner] - 1) * n, (i[inner] - 1) + (j[inner] - 1) * (n - 1)]
    )
    values = np.repeat([1.0, 1.0, -2.0], [len(pair), inner.sum(), inner.sum()])
    return csr_array((values, (rows, columns)), shape=(len(pair), (n - 1) ** 2))
