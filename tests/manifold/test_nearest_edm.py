"""The nearest Euclidean distance matrix: optimality, certificates, bad input."""

import cvxpy as cp
import numpy as np
import pytest
from matrices import ZOO, euclidean, noisy
from scipy.linalg import helmert
from sklearn.exceptions import ConvergenceWarning

from skwass.manifold import _sdp, nearest_edm
from skwass.manifold._dual import Problem
from skwass.manifold._newton import _jacobian


def centred(A):
    """Return J A J by its definition."""
    J = np.eye(len(A)) - 1 / len(A)
    return J @ A @ J


def positive_part(A):
    values, vectors = np.linalg.eigh(A)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def feasible_matrix(D, s):
    """Return E(s) and rho(s) as the module defines them, by dense algebra."""
    M = positive_part(centred(D + np.diag(s)))
    rho = np.diag(M) - s
    return D + np.diag(s) - M + (rho[:, None] + rho) / 2, rho


@pytest.mark.parametrize("name", ZOO)
def test_newton_is_certified_and_feasible(name):
    D = ZOO[name]
    result = nearest_edm(D)
    assert result.converged
    assert 0 <= result.duality_gap <= 1e-8 * result.stress
    E = result.matrix
    np.testing.assert_array_equal(E, E.T)
    assert (np.diag(E) == 0).all()
    assert (E >= 0).all()
    F = np.linalg.eigvalsh(-centred(E / E.max()))
    assert F.min() >= -1e-9 * F.max()
    unit = D.max()
    stress = np.square((E - D) / unit).sum() * unit**2
    rounding = 1e-14 * np.square(D / unit).sum() * unit**2
    assert result.stress == pytest.approx(stress, rel=1e-9, abs=rounding)


@pytest.mark.parametrize("name", ["noisy", "uniform", "squares", "digits", "circle"])
def test_optimality_conditions(name):
    """The optimum obeys what the problem demands of it, checked without the solver.

    D - E + Diag(s) is positive semidefinite, orthogonal to the Gram matrix of E, has
    zero row sums, and s is not negative.
    """
    D = ZOO[name]
    result = nearest_edm(D, tol=1e-13)
    E, s = result.matrix, result.slack
    scale = D.max()
    residual = (D - E + np.diag(s)) / scale
    assert s.min() >= 0
    np.testing.assert_allclose(residual.sum(axis=1), 0, atol=1e-5)
    assert np.linalg.eigvalsh(residual).min() >= -1e-5
    Z = result.embedding / np.sqrt(scale)
    np.testing.assert_allclose(residual @ Z, 0, atol=1e-4)
    np.testing.assert_allclose(s, (E - D).sum(axis=1), atol=1e-5 * scale)


@pytest.mark.parametrize("seed", range(5))
def test_every_dual_point_is_a_bound_and_a_matrix(seed):
    """The gap is the difference of a true stress and a true lower bound."""
    rng = np.random.default_rng(seed)
    D = noisy(30, seed)
    problem = Problem(D)
    best = nearest_edm(D)
    s = rng.uniform(-0.2, 1, size=30)
    point = problem.at(s)
    E, rho = feasible_matrix(problem.D, s)
    np.testing.assert_allclose(point.rho, rho, atol=1e-12)
    np.testing.assert_allclose(np.diag(E), 0, atol=1e-12)
    assert np.linalg.eigvalsh(-centred(E)).min() >= -1e-12
    assert point.stress == pytest.approx(np.square(E - problem.D).sum(), rel=1e-12)
    assert point.dual_value * problem.unit**2 <= best.stress * (1 + 1e-12)
    assert best.stress <= point.stress * problem.unit**2 * (1 + 1e-12)


def test_gradient_of_the_dual():
    problem = Problem(noisy(12))
    rng = np.random.default_rng(0)
    s, h, eps = rng.uniform(size=12), rng.normal(size=12), 1e-5
    rise = problem.at(s + eps * h).dual_value - problem.at(s - eps * h).dual_value
    assert rise / (2 * eps) == pytest.approx(2 * problem.at(s).rho @ h, rel=1e-7)


@pytest.mark.parametrize("shift", [0.0, 0.3, 2.0])
def test_jacobian_of_the_gradient(shift):
    """Few or many positive eigenvalues: either way it is the derivative of -rho."""
    problem = Problem(noisy(15))
    s = shift * np.linspace(0.5, 1, 15)
    product, diagonal = _jacobian(problem.at(s))
    eps = 1e-6
    columns = []
    for unit in np.eye(15):
        change = problem.at(s - eps * unit).rho - problem.at(s + eps * unit).rho
        columns.append(change / (2 * eps))
    V = np.array(columns)
    np.testing.assert_allclose(np.array([product(u) for u in np.eye(15)]), V, atol=1e-5)
    np.testing.assert_allclose(diagonal, np.diag(V), atol=1e-5)
    np.testing.assert_allclose(V, V.T, atol=1e-6)
    assert np.linalg.eigvalsh(V).min() >= -1e-6


def test_recentring_is_the_best_shift():
    problem = Problem(noisy(25))
    point = problem.at(np.linspace(0, 1, 25))
    best = point.recentred()
    assert best.rho.sum() == pytest.approx(0, abs=1e-12)
    c = best.s[0] - point.s[0]
    again = problem.at(point.s + c)
    assert again.dual_value == pytest.approx(best.dual_value, rel=1e-12)
    for other in (c - 0.01, c + 0.01):
        assert problem.at(point.s + other).dual_value < best.dual_value


@pytest.mark.parametrize(
    ("name", "n"), [("noisy", 60), ("uniform", 40), ("digits", 60), ("squares", 40)]
)
def test_newton_equals_the_semidefinite_program(name, n):
    D = ZOO[name][-n:, -n:]
    newton, sdp = nearest_edm(D), nearest_edm(D, solver="sdp")
    assert sdp.converged
    assert newton.stress == pytest.approx(sdp.stress, rel=1e-6)
    np.testing.assert_allclose(newton.matrix, sdp.matrix, atol=1e-3 * D.max())


def test_newton_equals_a_program_written_by_the_book():
    """No code is shared: constraints C1 and C2 of the paper, in Clarabel."""
    D = noisy(12)
    E = cp.Variable((12, 12), symmetric=True)
    V = helmert(12)
    constraints = [cp.diag(E) == 0, -V @ E @ V.T >> 0]
    program = cp.Problem(cp.Minimize(cp.sum_squares(E - D)), constraints)
    program.solve(solver=cp.CLARABEL)
    result = nearest_edm(D)
    assert result.stress == pytest.approx(program.value, rel=1e-6)
    np.testing.assert_allclose(result.matrix, E.value, atol=1e-4)


@pytest.mark.parametrize("n", [20, 100, 256])
def test_newton_equals_projected_gradients(n):
    D = noisy(n, seed=n)
    newton, pgd = nearest_edm(D), nearest_edm(D, solver="pgd", tol=1e-7)
    assert newton.stress == pytest.approx(pgd.stress, rel=1e-6)
    assert newton.n_iter * 5 < pgd.n_iter


def test_projected_gradients_are_dykstras_algorithm():
    """Sweep by sweep the same as alternating projections of matrices."""
    D = noisy(20)
    problem = Problem(D)
    A, correction = -problem.D, np.zeros_like(D)
    s = np.zeros(20)
    for _ in range(15):
        shifted = A + correction
        np.testing.assert_allclose(-shifted, problem.D + np.diag(s), atol=1e-12)
        # The projection on matrices that are semidefinite on the centred space.
        projected = shifted + positive_part(-centred(shifted))
        correction = shifted - projected
        A = projected - np.diag(np.diag(projected))
        s = problem.at(s).diagonal


@pytest.mark.parametrize("solver", ["newton", "pgd"])
def test_euclidean_input_is_its_own_answer(solver):
    D = euclidean(30)
    result = nearest_edm(D, solver=solver)
    np.testing.assert_allclose(result.matrix, D, atol=1e-13 * D.max())
    assert result.converged
    assert result.embedding.shape == (30, 4)
    assert result.stress <= 1e-24 * np.square(D).sum()
    assert result.eigenvalues[3] > 1 > 1e-9 > abs(result.eigenvalues[4:]).max()


def test_the_semidefinite_program_finds_euclidean_input_as_well_as_scs_can():
    D = euclidean(12)
    with pytest.warns(ConvergenceWarning, match="sdp stopped"):
        result = nearest_edm(D, solver="sdp")
    np.testing.assert_allclose(result.matrix, D, atol=1e-6 * D.max())


def test_equal_points():
    result = nearest_edm(np.zeros((5, 5)))
    assert result.embedding.shape == (5, 0)
    assert (result.matrix == 0).all()
    assert result.stress == result.duality_gap == 0
    assert result.converged


@pytest.mark.parametrize("decimals", [7, 8, 9, 10, 11, 12, 14])
@pytest.mark.parametrize("seed", range(6))
def test_nearly_euclidean_input(decimals, seed):
    """Distances that were rounded: solved in few steps, without a warning."""
    points = np.random.default_rng(seed).normal(size=(30, 2))
    W = np.round(np.linalg.norm(points[:, None] - points, axis=-1), decimals)
    result = nearest_edm(W**2)
    assert result.converged
    assert result.n_iter <= 15


def test_two_points():
    np.testing.assert_allclose(nearest_edm([[0, 4], [4, 0]]).matrix, [[0, 4], [4, 0]])


@pytest.mark.parametrize("unit", [1e-150, 1e-75, 1e75, 1e149])
def test_scale_does_not_matter(unit):
    D = noisy(20) / noisy(20).max()
    plain, scaled = nearest_edm(D), nearest_edm(unit * D)
    np.testing.assert_allclose(scaled.matrix, unit * plain.matrix, rtol=1e-9)
    # As two factors: the square of the unit alone may be no float64.
    assert scaled.stress / unit / unit == pytest.approx(plain.stress, rel=1e-9)
    assert scaled.duality_gap <= 1e-8 * scaled.stress


def test_order_does_not_matter():
    D = ZOO["digits"]
    order = np.random.default_rng(0).permutation(len(D))
    plain, shuffled = nearest_edm(D), nearest_edm(D[np.ix_(order, order)])
    assert shuffled.stress == pytest.approx(plain.stress, rel=1e-8)
    expected = plain.matrix[np.ix_(order, order)]
    np.testing.assert_allclose(shuffled.matrix, expected, atol=1e-5 * D.max())


def test_same_bytes():
    first, second = nearest_edm(ZOO["noisy"]), nearest_edm(ZOO["noisy"])
    assert first.matrix.tobytes() == second.matrix.tobytes()


def test_trajectory():
    trajectory = nearest_edm(ZOO["squares"]).trajectory
    dual, stress = trajectory.T
    assert (np.diff(dual) > 0).all()
    assert (dual <= stress).all()
    assert len(trajectory) > 2


def test_embedding_is_in_principal_axes():
    Z = nearest_edm(ZOO["digits"]).embedding
    np.testing.assert_allclose(Z.mean(axis=0), 0, atol=1e-12)
    covariance = Z.T @ Z
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-10)
    assert (np.diff(np.diag(covariance)) <= 0).all()
    assert (Z[np.abs(Z).argmax(axis=0), np.arange(Z.shape[1])] > 0).all()


@pytest.mark.parametrize("solver", ["newton", "pgd"])
def test_too_few_iterations_are_said(solver):
    D = ZOO["squares"]
    with pytest.warns(ConvergenceWarning, match=f"{solver} stopped at a relative"):
        result = nearest_edm(D, solver=solver, max_iter=1)
    assert not result.converged
    best = nearest_edm(D).stress
    assert result.dual_value <= best <= result.stress
    stress = np.square(result.matrix - D).sum()
    assert result.stress == pytest.approx(stress, rel=1e-9)


def test_large_semidefinite_programs_are_warned_of(monkeypatch):
    monkeypatch.setattr(_sdp, "LARGE", 5)
    with pytest.warns(UserWarning, match="n=9 with solver='sdp'"):
        nearest_edm(noisy(9), solver="sdp")


def broken(**changes):
    """Return distances with some entries changed: `at_i_j=value`."""
    D = euclidean(5)
    for place, value in changes.items():
        _, i, j = place.split("_")
        D[int(i), int(j)] = value
    return D


@pytest.mark.parametrize(
    ("D", "message"),
    [
        (broken(at_1_2=-1.0, at_2_1=-1.0), r"got D\[1, 2\]=-1, expected distances"),
        (broken(at_1_2=9.0), r"Got D with D\[1, 2\]=9 and D\[2, 1\]="),
        (broken(at_3_3=0.5), r"D\[3, 3\]=0.5, expected a zero diagonal"),
        (broken(at_0_1=np.nan, at_1_0=np.nan), "Input D contains NaN"),
        (broken(at_0_1=np.inf, at_1_0=np.inf), "Input D contains infinity"),
        (broken()[:3], r"Got D of shape \(3, 5\), expected a square matrix"),
        (np.zeros((1, 1)), "minimum of 2 is required"),
        (1e151 * broken(), "entries up to 1.*e.152, expected them between"),
        (1e-160 * broken(), "Measure in another unit"),
        (np.zeros((4, 2, 2)), "Got D=a collection of point clouds"),
        ([["a", "b"], ["c", "d"]], "could not convert"),
    ],
)
def test_what_are_no_distances_is_refused(D, message):
    with pytest.raises(ValueError, match=message):
        nearest_edm(D)


def test_rounding_is_forgiven():
    D = noisy(10)
    lopsided = D.astype(np.float32).astype(float)
    lopsided[0, 1] *= 1 + 1e-8
    lopsided[2, 2] = 1e-9
    result = nearest_edm(lopsided)
    assert result.stress == pytest.approx(nearest_edm(D).stress, rel=1e-5)


def test_bad_parameters_are_refused():
    with pytest.raises(ValueError, match="'solver' parameter of nearest_edm"):
        nearest_edm(euclidean(3), solver="simplex")
    with pytest.raises(ValueError, match="'tol' parameter"):
        nearest_edm(euclidean(3), tol=-1)
