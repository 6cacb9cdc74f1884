"""What one eigendecomposition says about the best Euclidean embedding."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils._param_validation import validate_params

from ._dual import Problem
from .checks import check_distances


@dataclass(frozen=True)
class StressBounds:
    """Bounds of the optimal stress, in units of `D` squared.

    `lower <= shifted_lower <= optimum <= scaled_cmds <= cmds`, always.

    Parameters
    ----------
    lower : float
        Sum of squares of the negative eigenvalues of `-JDJ`.
    shifted_lower : float
        The same for the best additive constant:
        `max_c sum_i (c - l_i)_+^2 - n c^2` over the n - 1 eigenvalues l of `-JDJ` on
        the centred space.
    scaled_cmds : float
        Stress of the best multiple of the classical solution.
    cmds : float
        Stress of classical multidimensional scaling with all positive eigenvalues,
        `sum_ij (g_i + g_j)^2 / 4 + lower`, with `g_i` the sum of negative `l_j v_ij^2`.
    published_upper : float
        `sum_ij (g_i - g_j)^2 + lower`, published as an upper bound. It is not one: it
        can be smaller than the optimum.
    published_column : float
        `sum_ij (g_i + g_j)^2 / 4`, which the published table shows in its place.

    See Also
    --------
    stress_bounds : Makes it.
    """

    lower: float
    shifted_lower: float
    scaled_cmds: float
    cmds: float
    published_upper: float
    published_column: float


@validate_params({"D": ["array-like"]}, prefer_skip_nested_validation=True)
def stress_bounds(D):
    """Bound the stress of the best Euclidean embedding, without finding it.

    Parameters
    ----------
    D : array-like of shape (n, n)
        *Squared* distances; symmetric, not negative, with a zero diagonal.

    Returns
    -------
    bounds : StressBounds
        Stresses `sum_ij (E_ij - D_ij)^2` over ordered pairs; valid lower and upper
        bounds, and the published expressions by name.

    Raises
    ------
    ValueError
        For what are no squared distances.

    See Also
    --------
    nearest_edm : The optimum itself.

    Notes
    -----
    One eigendecomposition, `O(n^3)`. The upper bound of section 5 of [1]_ does not hold
    in general. For squared distances of 128 Gaussian points in R^5 plus symmetric noise
    the optimum can be above it; the tests and the user guide show such a matrix.

    References
    ----------
    .. [1] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole. ICML.

    Examples
    --------
    >>> from skwass.manifold import stress_bounds
    >>> bounds = stress_bounds([[0, 1, 9], [1, 0, 1], [9, 1, 0]])
    >>> round(bounds.lower, 3), round(bounds.cmds, 3)
    (2.778, 6.25)
    """
    problem = Problem(check_distances(D, "D", squared=True))
    return bounds_at(problem, problem.at(np.zeros(len(problem.D))))


def bounds_at(problem, origin):
    """Return the bounds, given the dual point at zero."""
    g, D = origin.diagonal, problem.D
    n, total = len(g), g.sum()
    values, _ = origin.positive
    # C = D + e is the classical solution, e = (g 1' + 1 g') / 2 - M(0)_+, and M(0)_+ is
    # orthogonal to 1. The best multiple of C leaves |e|^2 - <e, C>^2 / |C|^2.
    error = origin.stress
    error_along_D = g @ D.sum(axis=1) - values @ values
    size = np.vdot(D, D) + 2 * error_along_D + error
    scaled = error - (error_along_D + error) ** 2 / (size or 1.0)
    spread = 2 * (n * (g @ g) - total**2)
    unit_sq = problem.unit**2
    return StressBounds(
        lower=unit_sq * origin.dual_value,
        shifted_lower=unit_sq * origin.recentred().dual_value,
        scaled_cmds=float(unit_sq * scaled),
        cmds=unit_sq * origin.stress,
        published_upper=float(unit_sq * (max(spread, 0.0) + origin.dual_value)),
        published_column=unit_sq * origin.gap,
    )
