"""Entropic Gromov-Wasserstein distances of many pairs at once.

GW_eps(a, b) = min_P sum_ijkl |C_ik - D_jl|^2 P_ij P_kl + eps KL(P | a x b) over the
plans P between a and b. With c_i = sum_k C_ik^2 a_k and d_j = sum_l D_jl^2 b_l the loss
is

    L(P) = <a, c> + <b, d> - 2 <C P D, P>,    grad L(P) = 2 (c_i + d_j - 2 (C P D)_ij),

and P is replaced by the entropic plan of the cost grad L(P) until it stays (Peyre,
Cuturi, Solomon 2016, equation 8, with the factor 2 that proposition 2 there leaves
out). Where -<C P D, P> is concave in plans, as for Euclidean distances, each
step lowers the value: it minimises OT_eps(grad L(Q)) - L(Q), which is above GW_eps and
touches it at Q = P (compare Rioux, Goldfeld, Kato 2024, for squared distances).

B pairs, n and m points; padding weighs nothing and repeats points that do weigh.
"""

import torch
from torch import Tensor

from ._log_sinkhorn import DenseCost, cross_potentials

# Sinkhorn iterations of a linear step (the next one goes on from there), and how much
# finer than the outer loop it is solved.
_MAX_SWEEPS = 300
_FINER = 0.1


def gromov_gradient(C: Tensor, D: Tensor, a: Tensor, b: Tensor, plan: Tensor) -> Tensor:
    """Return the derivative of the loss in a plan with marginals a and b.

    Parameters
    ----------
    C, D : Tensor of shape (B, n, n) and (B, m, m)
        Distances inside the measures, symmetric.
    a, b : Tensor of shape (B, n) and (B, m)
        Masses.
    plan : Tensor of shape (B, n, m)
        Where.

    Returns
    -------
    M : Tensor of shape (B, n, m)
        `2 sum_kl |C_ik - D_jl|^2 P_kl`, so the loss is half of `<M, P>`.
    """
    c = torch.bmm(C**2, a[:, :, None])  # [B, n, 1]
    d = torch.bmm(b[:, None, :], D**2)  # [B, 1, m]
    return 2 * (c + d) - 4 * torch.bmm(torch.bmm(C, plan), D)


def entropic_gromov(
    C: Tensor,
    D: Tensor,
    a: Tensor,
    b: Tensor,
    eps: float,
    max_iter: int = 100,
    tol: float = 1e-6,
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve pairs of measures from the product plan.

    Parameters
    ----------
    C, D : Tensor of shape (B, n, n) and (B, m, m)
        Distances inside the measures, symmetric, of the order of 1.
    a, b : Tensor of shape (B, n) and (B, m)
        Masses, rows with sum 1; zeros only where a point repeats one that weighs.
    eps : float
        Regularisation.
    max_iter : int, default=100
        Linear steps, each a Sinkhorn solve that starts from the last one's potentials.
    tol : float, default=1e-6
        A pair has converged when a step moves less mass than this, in sum over its
        plan. It is then frozen: its answer does not depend on the rest of the batch.

    Returns
    -------
    value : Tensor of shape (B,)
        `GW_eps` at the local optimum found; its error is about `tol^2`.
    plan : Tensor of shape (B, n, m)
    converged : Tensor of bool of shape (B,)
    """
    plan = a[:, :, None] * b[:, None, :]
    f, g = torch.zeros_like(a), torch.zeros_like(b)
    answers = torch.zeros_like(a[:, 0]), torch.zeros_like(plan)
    converged = torch.zeros(len(a), dtype=torch.bool, device=a.device)
    rows = torch.arange(len(a), device=a.device)  # the pairs that still move
    for _ in range(max_iter):
        M = gromov_gradient(C, D, a, b, plan)
        f, g, moved, is_solved = _linear_step(M, a, b, f, g, eps, tol)
        # The majorant at the old plan: right to second order in its error.
        value = (a * f).sum(dim=1) + (b * g).sum(dim=1)
        value = value - (M * plan).sum(dim=(1, 2)) / 2
        change = (moved - plan).abs().sum(dim=(1, 2))
        plan = moved
        answers[0][rows], answers[1][rows] = value, plan
        converged[rows] = is_solved & (change <= tol)
        left = ~converged[rows]
        if not left.all():
            rows, plan, f, g = rows[left], plan[left], f[left], g[left]
            C, D, a, b = C[left], D[left], a[left], b[left]
        if not len(rows):
            break
    return *answers, converged


def _linear_step(
    M: Tensor, a: Tensor, b: Tensor, f: Tensor, g: Tensor, eps: float, tol: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return potentials and plan of cost M, and whether they are right."""
    # Relative to potentials that are nearly right, and in units of eps, the solver
    # needs no annealing: this is its warm start.
    start = DenseCost((M - f[:, :, None] - g[:, None, :]) / eps)
    df, dg, is_solved = cross_potentials(start, a, b, 1.0, _MAX_SWEEPS, _FINER * tol)
    exponent = df[:, :, None] + dg[:, None, :] - start.C
    plan = a[:, :, None] * b[:, None, :] * torch.exp(exponent)
    return f + eps * df, g + eps * dg, plan, is_solved
