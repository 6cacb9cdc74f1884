"""The nearest Euclidean distance matrix: the public function and its answer."""

import warnings
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ._bounds import StressBounds, bounds_at
from ._dual import Problem
from ._newton import newton
from ._sdp import sdp
from .checks import check_distances


def pgd(problem, origin, tol, max_iter):
    """Project on hollow matrices and on the cone in turn, with Dykstra's correction.

    The correction of the hollow matrices, a subspace, drops out, and that of the cone
    is `M(s)_+`; what is left of a sweep is `s <- diag M(s)_+`, a step of length one
    along the gradient of the dual. The matrices need not be formed.

    Parameters and yields as :func:`newton`.
    """
    point = origin
    yield point
    for _ in range(max_iter):
        if problem.is_solved(point, tol):
            return
        point = problem.at(point.diagonal)
        yield point


# Each solver, and its default for max_iter.
SOLVERS = {"newton": (newton, 100), "pgd": (pgd, 10_000), "sdp": (sdp, 100_000)}

SOLVER_CONSTRAINTS = {
    "solver": [StrOptions(set(SOLVERS))],
    "tol": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left"), None],
}


@dataclass(frozen=True, eq=False, repr=False)
class NearestEDM:
    """The nearest Euclidean distance matrix and what proves it.

    Parameters
    ----------
    embedding : ndarray of shape (n, rank)
        Points whose squared distances are `matrix`: centred, in principal axes, the
        widest first.
    stress : float
        `sum_ij (matrix_ij - D_ij)^2`, over ordered pairs.
    dual_value : float
        A lower bound of the stress of *any* Euclidean matrix.
    duality_gap : float
        `stress - dual_value`, computed without that difference.
    slack : ndarray of shape (n,)
        The dual solution: `sum_j (matrix_ij - D_ij)` at the optimum, never negative
        there.
    eigenvalues : ndarray of shape (n - 1,)
        Of `-JDJ` on the centred space, the largest first. All are >= 0 exactly where
        `D` is Euclidean.
    trajectory : ndarray of shape (n_points, 2)
        Dual value and stress, point by point.
    n_iter : int
        Number of eigendecompositions, which is what a solve costs; iterations of SCS
        for the semidefinite program.
    converged : bool
        Whether the gap came down to `tol` times the stress, or to rounding.
    bounds : StressBounds
        What was known before the first step.

    See Also
    --------
    nearest_edm : Makes it.
    """

    embedding: np.ndarray
    stress: float
    dual_value: float
    duality_gap: float
    slack: np.ndarray
    eigenvalues: np.ndarray
    trajectory: np.ndarray
    n_iter: int
    converged: bool
    bounds: StressBounds

    def __repr__(self):
        n, rank = self.embedding.shape
        return (
            f"NearestEDM(n={n}, rank={rank}, stress={self.stress:.6g}, "
            f"duality_gap={self.duality_gap:.2g})"
        )

    @cached_property
    def matrix(self):
        """Squared distances of the embedding, of shape (n, n): symmetric, hollow."""
        return squared_distances(self.embedding)


@validate_params(
    {"D": ["array-like"], **SOLVER_CONSTRAINTS}, prefer_skip_nested_validation=True
)
def nearest_edm(D, *, solver="newton", tol=1e-8, max_iter=None):
    """Nearest matrix of squared Euclidean distances, to the global optimum.

    Minimises the stress `sum_ij (E_ij - D_ij)^2` over all `E` that are squared
    distances of points in some Euclidean space. The problem is convex; the answer
    carries a dual bound that proves how near it is.

    Parameters
    ----------
    D : array-like of shape (n, n)
        *Squared* distances, e.g. W2^2; symmetric, not negative, with a zero diagonal.
        They need not obey the triangle inequality.
    solver : {"newton", "pgd", "sdp"}, default="newton"
        Semismooth Newton on the dual [1]_; projected gradients, i.e. alternating
        projections with Dykstra's correction [2]_; or a semidefinite program by cvxpy
        and SCS, the reference for small n.
    tol : float, default=1e-8
        Duality gap relative to the stress at which to stop.
    max_iter : int, default=None
        Iterations at most; None for 100, 10,000 and 100,000 by solver.

    Returns
    -------
    result : NearestEDM
        Matrix, embedding, stress, dual value, gap and trajectory.

    Raises
    ------
    ValueError
        For what are no squared distances: asymmetric, negative, NaN, a diagonal that is
        not zero, fewer than two points, or entries whose squares overflow.

    Warns
    -----
    ConvergenceWarning
        If the gap is above `tol` after `max_iter` iterations. What is returned is
        feasible all the same, and its gap is honest.

    See Also
    --------
    stress_bounds : Bounds of the optimum from one eigendecomposition.

    Notes
    -----
    `"newton"` takes four to eight eigendecompositions for Wasserstein distances, many
    more where entries have heavy tails, and little else: half a second for n = 1,000,
    four to six seconds for 2,000 on two cores. `"pgd"` takes more of them the larger n
    is, hundreds for 1,000; `"sdp"` most of a minute for 500. Memory is a few matrices
    of the size of `D`.
    A duality gap below the rounding of float64 counts as zero, so Euclidean input is
    its own answer.

    References
    ----------
    .. [1] Qi (2013). A semismooth Newton method for the nearest Euclidean distance
       matrix problem. SIAM J. Matrix Anal. Appl. 34(1).
    .. [2] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole, section 5. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skwass.manifold import nearest_edm
    >>> D = np.array([[0, 1, 9], [1, 0, 1], [9, 1, 0]])  # 1 + 1 < 3: no triangle
    >>> nearest_edm(D).matrix.round(3)
    array([[0.   , 2.111, 8.444],
           [2.111, 0.   , 2.111],
           [8.444, 2.111, 0.   ]])
    """
    problem = Problem(check_distances(D, "D", squared=True))
    solve, default_max_iter = SOLVERS[solver]
    origin = problem.at(np.zeros(len(problem.D)))
    trajectory = []
    for point in solve(problem, origin, tol, max_iter or default_max_iter):
        trajectory.append([point.dual_value, point.stress])
    scale = problem.unit**2
    result = NearestEDM(
        embedding=np.sqrt(problem.unit) * point.embedding(),
        stress=scale * point.stress,
        dual_value=scale * point.dual_value,
        duality_gap=scale * point.gap,
        slack=problem.unit * point.s,
        eigenvalues=-problem.unit * origin.eigenvalues,
        trajectory=scale * np.array(trajectory),
        n_iter=problem.n_iter,
        converged=bool(problem.is_solved(point, tol)),
        bounds=bounds_at(problem, origin),
    )
    if not result.converged:
        other = "" if solver == "newton" else ", or use solver='newton'"
        warnings.warn(
            f"{solver} stopped at a relative duality gap of "
            f"{point.gap / point.stress:.2g}, above tol={tol:g}; the matrix is "
            f"Euclidean and its gap is right. Raise tol or max_iter{other}.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return result


def negative_share(eigenvalues):
    """Return the share of negative numbers in the sum of absolute values."""
    sizes = np.abs(eigenvalues)
    return float(sizes[eigenvalues < 0].sum() / (sizes.sum() or 1.0))


def squared_distances(Z):
    """Return squared Euclidean distances of points: symmetric to the last bit."""
    G = Z @ Z.T
    norms = np.diag(G)
    E = np.maximum(norms[:, None] + norms - (G + G.T), 0)
    np.fill_diagonal(E, 0)
    return E
