"""The quadratic form of the correction: optimality, an oracle, recovery."""

import cvxpy as cp
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from skwass.formulas import correction
from skwass.formulas.correction import (
    FeatureMap,
    fit_correction,
    fit_quadratic_form,
    fit_scale,
    gaps_squared,
    n_corrected,
    root,
)


def problem(n_pairs=300, k=3, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(2, k))  # of rank 2: the cone is felt
    x, rest = rng.normal(size=(n_pairs, k)) * [1, 3, 0.2], rng.uniform(size=n_pairs)
    target = np.square(x @ A.T).sum(axis=1) + 0.7 * rest
    target *= 1 + noise * rng.normal(size=n_pairs)
    return x, rest, np.abs(target), A.T @ A


def test_it_is_the_optimum_of_the_convex_problem():
    x, rest, target, _ = problem()
    w = np.sqrt(target)
    M, f = fit_quadratic_form(x, rest, target, w, 0.8)
    unit, rest_unit = np.sqrt(np.mean(x**2, axis=0)), np.sqrt(np.mean(rest**2))
    design = [np.outer(a, a) / w_k for a, w_k in zip(x / unit, w, strict=True)]
    rows = np.column_stack([rest / rest_unit / w])
    form, factor = cp.Variable((3, 3), PSD=True), cp.Variable(nonneg=True)
    residuals = (
        np.array([D.ravel() for D in design]) @ cp.vec(form, order="C")
        + rows[:, 0] * factor
        - target / w
    )
    curvature = sum(np.square(D).sum() for D in design) + np.square(rows).sum()
    # The trace in the space of symmetric matrices: off-diagonal entries count once.
    curvature /= len(w) * 7
    ridge = correction._RIDGE * curvature
    start = 0.8 * np.diag(unit**2)
    loss = cp.sum_squares(residuals) / len(w) + ridge * (
        cp.sum_squares(form - start) + cp.square(factor - 0.8 * rest_unit)
    )
    cp.Problem(cp.Minimize(loss)).solve(solver=cp.CLARABEL)
    assert_allclose(M * np.outer(unit, unit), form.value, atol=1e-4)
    assert f * rest_unit == pytest.approx(float(factor.value), abs=1e-4)
    assert np.linalg.eigvalsh(M).min() > -1e-12


def test_without_noise_and_ridge_the_form_is_recovered(monkeypatch):
    monkeypatch.setattr(correction, "_RIDGE", 1e-9)
    monkeypatch.setattr(correction, "_MAX_ITER", 20_000)
    monkeypatch.setattr(correction, "_TOL", 1e-12)
    x, rest, target, expected = problem(noise=0)
    M, f = fit_quadratic_form(x, rest, target, np.sqrt(target), 1.0)
    assert_allclose(M, expected, atol=1e-4)
    assert f == pytest.approx(0.7, abs=1e-4)


def test_root():
    A = np.random.default_rng(0).normal(size=(2, 4))
    R = root(A.T @ A)
    assert_allclose(R @ R, A.T @ A, atol=1e-10)
    assert_allclose(R, R.T)


def test_how_many_components():
    assert n_corrected(20_000, 3_000) == 64
    assert n_corrected(400, 3_000) == 10
    assert n_corrected(20_000, 300) == 30
    assert n_corrected(1, 3) == 1


def test_fit_scale():
    rng = np.random.default_rng(0)
    d, known = rng.uniform(1, 2, 50), rng.uniform(size=50)
    w = np.sqrt(known + 0.49 * d**2)
    assert fit_scale(d**2, w, known) == pytest.approx(0.7)
    assert fit_scale(np.zeros(3), np.zeros(3)) == 1.0
    assert fit_scale(1e-28 * d, d, known) == 1.0  # rounding, beside translates
    assert fit_scale(1e-28 * d**2, d) == pytest.approx(1e14)  # another unit
    with pytest.warns(UserWarning, match="Fitted a scale of 0"):
        assert fit_scale(d**2, 0.1 * np.sqrt(known), known) == 0


def test_one_tiny_label_does_not_decide_the_scale():
    d, w = np.ones(501), np.ones(501)
    d[0], w[0] = 1e-6, 1e-9
    assert fit_scale(d, w) == pytest.approx(1)


def test_features_of_lower_rank_than_components():
    """Null components are left alone, whatever rounding they hold."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 40)) + 5
    ends = rng.integers(300, size=(4_000, 2))
    w = 0.8 * np.sqrt(gaps_squared(Z, ends))
    found = fit_correction(Z, ends, w, 0.0, 1.0)
    assert found.axes.shape == (40, 3)
    assert_allclose(found.factor, 0.8 * np.eye(3), atol=0.05)
    mapped = found.apply(Z)
    assert_allclose(np.sqrt(gaps_squared(mapped, ends)), w, rtol=0.05)
    assert_allclose(found.invert(mapped), Z, atol=1e-6)


def test_feature_map():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 2)))[0]
    A = rng.normal(size=(2, 2))
    one = FeatureMap(rng.normal(size=6), axes, root(A @ A.T), 0.7)
    Z = rng.normal(size=(5, 6))
    whole = one.axes @ one.factor @ axes.T + 0.7 * (np.eye(6) - axes @ axes.T)
    assert_allclose(one.apply(Z), (Z - one.offset) @ whole, atol=1e-12)
    assert_allclose(one.invert(one.apply(Z)), Z, atol=1e-10)
    assert_allclose(FeatureMap.scaling(6, 2.0).apply(Z), 2 * Z)


def test_a_correction_that_does_not_settle_says_so(monkeypatch):
    monkeypatch.setattr(correction, "_MAX_ITER", 2)
    x, rest, target, _ = problem()
    with pytest.warns(ConvergenceWarning, match="The correction still moved by"):
        fit_quadratic_form(x, rest, target, np.sqrt(target), 3.0)
