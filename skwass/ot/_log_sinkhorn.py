"""Entropic transport of many pairs at once, in the log domain.

OT_eps(a, b) = min_P <P, C> + eps KL(P | a x b) = max_{f, g} <a, f> + <b, g> at the
fixed point f = softmin_b(g), g = softmin_a(f), with

    softmin_b(g)_i = -eps log sum_j b_j exp((g_j - C_ij) / eps).

B pairs, n and m points; padding is points that weigh nothing (log weight -inf). A loop
gets the cost as an object that knows its softmin (Feydy et al. 2019, sections 2 and 3).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Potentials = tuple[Tensor, ...]
# Sums of a stabilised kernel are kept above this: a log step repairs what it touches.
_TINY = {torch.float64: 1e-280, torch.float32: 1e-30}
# exp(-x) keeps all its digits beside other terms up to about this x.
_SAFE_EXPONENT = {torch.float64: 500.0, torch.float32: 60.0}
# Each step of annealing divides eps by this.
_ANNEALING = 4.0
# Averaged steps before the first sweep.
_AVERAGED = 5
# Sweeps between two looks at the error.
_SWEEPS = 10


class DenseCost:
    """Costs of all pairs of points.

    Parameters
    ----------
    C : Tensor of shape (B, n, m)
        Costs, of the order of 1.
    """

    def __init__(self, C: Tensor) -> None:
        self.C = C

    def __getitem__(self, rows: Tensor) -> "DenseCost":
        return DenseCost(self.C[rows])

    def to_a(self, h: Tensor, eps: float) -> Tensor:
        """Return `-eps log sum_j exp(h_j - C_ij / eps)`, shape (B, n)."""
        return -eps * torch.logsumexp(h[:, None, :] - self.C / eps, dim=2)

    def to_b(self, h: Tensor, eps: float) -> Tensor:
        """Return `-eps log sum_i exp(h_i - C_ij / eps)`, shape (B, m)."""
        return -eps * torch.logsumexp(h[:, :, None] - self.C / eps, dim=1)

    def sweep(
        self, f: Tensor, g: Tensor, a: Tensor, b: Tensor, eps: float
    ) -> Potentials:
        """Return potentials after some iterations, by matrix products.

        The kernel is taken relative to potentials that are nearly right, so that its
        sums are near 1 and its scalings stay in range.
        """
        tiny = _TINY[f.dtype]
        # Where nothing weighs on either side potentials may exceed the cost by far.
        K = torch.exp((f[:, :, None] + g[:, None, :] - self.C) / eps)  # [B, n, m]
        K = K.clamp_max(1 / tiny)
        v = torch.ones_like(b)
        for _ in range(_SWEEPS):
            sums = torch.bmm(K, (b * v)[:, :, None])[:, :, 0]
            u = 1 / sums.clamp(tiny, 1 / tiny)
            sums = torch.bmm((a * u)[:, None, :], K)[:, 0, :]
            v = 1 / sums.clamp(tiny, 1 / tiny)
        return f + eps * torch.log(u), g + eps * torch.log(v)


class GridCost:
    """Costs that are sums over the axes of a grid: a softmin an axis.

    An iteration costs two products with a small matrix, `O(H W (H + W))`, where the
    dense cost has `(H W)^2` entries.

    Parameters
    ----------
    axes : list of Tensor of shape (n_k, n_k)
        Cost along each axis.
    """

    def __init__(self, axes: list[Tensor]) -> None:
        self.axes = axes

    def __getitem__(self, rows: Tensor) -> "GridCost":
        return self

    def to_a(self, h: Tensor, eps: float) -> Tensor:
        """Return `-eps log sum_j exp(h_j - C_ij / eps)`, shape (B, n_bins)."""
        limit = _SAFE_EXPONENT[h.dtype]
        x = h.reshape(len(h), *map(len, self.axes))
        for k, cost in enumerate(self.axes):
            x = x.movedim(k + 1, -1)  # [B, ..., n_k]
            if float(cost.max()) / eps < limit:
                peak = x.amax(dim=-1, keepdim=True)
                peak = torch.where(peak.isfinite(), peak, 0)  # a line without mass
                x = torch.log(torch.exp(x - peak) @ torch.exp(-cost / eps)) + peak
            else:
                x = torch.logsumexp(x[..., None, :] - cost / eps, dim=-1)
            x = x.movedim(-1, k + 1)
        return -eps * x.reshape(h.shape)

    to_b = to_a

    def sweep(
        self, f: Tensor, g: Tensor, a: Tensor, b: Tensor, eps: float
    ) -> Potentials:
        """Return potentials after some iterations."""
        log_a, log_b = torch.log(a), torch.log(b)
        for _ in range(_SWEEPS):
            f = self.to_a(log_b + g / eps, eps)
            g = self.to_b(log_a + f / eps, eps)
        return f, g


Cost = DenseCost | GridCost


def cross_potentials(
    cost: Cost, a: Tensor, b: Tensor, eps: float, max_iter: int, tol: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve the dual for pairs of measures.

    Parameters
    ----------
    cost : DenseCost or GridCost
        Costs.
    a, b : Tensor of shape (B, n) and (B, m)
        Masses, rows with sum 1; zeros are allowed.
    eps : float
        Regularisation.
    max_iter : int
        Iterations, in all.
    tol : float
        A pair has converged when its plan misses the first marginal by less than this
        in total variation (times two). It is then frozen: its answer does not depend on
        the rest of the batch.

    Returns
    -------
    f, g : Tensor of shape (B, n) and (B, m)
        Potentials, also where nothing weighs. The second marginal is exact.
    converged : Tensor of bool of shape (B,)
    """

    def step(
        cost: Cost, a: Tensor, b: Tensor, potentials: Potentials, eps: float
    ) -> tuple[Potentials, Tensor]:
        f, g = potentials
        moved = cost.to_a(torch.log(b) + g / eps, eps)
        error = _marginal_error(a, f, moved, eps)
        return (moved, cost.to_b(torch.log(a) + moved / eps, eps)), error

    def sweep(
        cost: Cost, a: Tensor, b: Tensor, potentials: Potentials, eps: float
    ) -> Potentials:
        f, g = potentials
        return cost.sweep(f, g, a, b, eps)

    def average(potentials: Potentials, eps: float) -> Potentials:
        f, g = potentials
        moved_f = cost.to_a(torch.log(b) + g / eps, eps)
        moved_g = cost.to_b(torch.log(a) + f / eps, eps)
        return (f + moved_f) / 2, (g + moved_g) / 2

    # Steps of both sides at once keep f = g for equal measures: what f gains and g
    # loses, steps in turn take thousands of iterations to undo.
    f, _ = _anneal(average, (torch.zeros_like(a), torch.zeros_like(b)), eps)
    start = f, cost.to_b(torch.log(a) + f / eps, eps)
    (f, g), converged = _iterate(
        step, sweep, cost, a, b, start, eps, max_iter, tol, _SWEEPS + 1
    )
    return f, g, converged


def own_potential(
    cost: Cost, a: Tensor, eps: float, max_iter: int, tol: float
) -> tuple[Tensor, Tensor]:
    """Solve the dual for measures with themselves, by averaged symmetric steps.

    Parameters
    ----------
    cost, a, eps, max_iter, tol : as :func:`cross_potentials`

    Returns
    -------
    f : Tensor of shape (B, n)
        The potential of both sides, also where nothing weighs.
    converged : Tensor of bool of shape (B,)
    """

    def step(
        cost: Cost, a: Tensor, b: Tensor, potentials: Potentials, eps: float
    ) -> tuple[Potentials, Tensor]:
        (f,) = potentials
        moved = cost.to_a(torch.log(a) + f / eps, eps)
        return ((f + moved) / 2,), _marginal_error(a, f, moved, eps)

    def sweep(
        cost: Cost, a: Tensor, b: Tensor, potentials: Potentials, eps: float
    ) -> Potentials:
        return potentials

    def average(potentials: Potentials, eps: float) -> Potentials:
        return step(cost, a, a, potentials, eps)[0]

    start = _anneal(average, (torch.zeros_like(a),), eps)
    (f,), converged = _iterate(step, sweep, cost, a, a, start, eps, max_iter, tol, 1)
    # No error tells how far averages have come where nothing weighs.
    return torch.where(a > 0, f, cost.to_a(torch.log(a) + f / eps, eps)), converged


def _marginal_error(a: Tensor, f: Tensor, moved: Tensor, eps: float) -> Tensor:
    """Return how far the plan of potential f is from its marginal, shape (B,)."""
    # Its row sums are a exp((f - moved) / eps).
    return (a * torch.expm1(((f - moved) / eps).clamp_max(50.0)).abs()).sum(dim=1)


def _anneal(
    average: Callable[[Potentials, float], Potentials],
    potentials: Potentials,
    eps: float,
) -> Potentials:
    """Return potentials to start from: those of falling regularisation."""
    n_stages = max(0, math.ceil(math.log(1 / eps, _ANNEALING)))
    for stage in range(n_stages, 0, -1):
        potentials = average(potentials, eps * _ANNEALING**stage)
    for _ in range(_AVERAGED):
        potentials = average(potentials, eps)
    return potentials


def _iterate(
    step: Callable[..., tuple[Potentials, Tensor]],
    sweep: Callable[..., Potentials],
    cost: Cost,
    a: Tensor,
    b: Tensor,
    potentials: Potentials,
    eps: float,
    max_iter: int,
    tol: float,
    n_each: int,
) -> tuple[Potentials, Tensor]:
    """Iterate until each pair has converged; the loop of all duals."""
    answers = [potential.clone() for potential in potentials]
    converged = torch.zeros(len(a), dtype=torch.bool, device=a.device)
    rows = torch.arange(len(a), device=a.device)  # the pairs still in the batch
    n_done = 0
    while len(rows) and n_done < max_iter:
        potentials, error = step(cost, a, b, potentials, eps)
        n_done += n_each
        fresh = ~converged[rows]
        for answer, potential in zip(answers, potentials, strict=True):
            answer[rows[fresh]] = potential[fresh]
        converged[rows] |= error <= tol
        left = ~converged[rows]
        # Copies are worth it when they halve the batch.
        if 2 * int(left.sum()) <= len(rows):
            cost, rows, a, b = cost[left], rows[left], a[left], b[left]
            potentials = tuple(potential[left] for potential in potentials)
        if len(rows):
            potentials = sweep(cost, a, b, potentials, eps)
    return tuple(answers), converged


def sinkhorn_divergence(
    x: Tensor,
    a: Tensor,
    y: Tensor,
    b: Tensor,
    *,
    reg: float = 0.01,
    scale: float = 1.0,
    p: float = 2,
    debias: bool = True,
    max_iter: int = 2_000,
    tol: float = 1e-6,
) -> tuple[Tensor, Tensor]:
    """Return the Sinkhorn divergence of batches of point clouds, differentiable.

    Parameters
    ----------
    x, y : Tensor of shape (B, n, d) and (B, m, d)
        Points; those that weigh nothing are padding.
    a, b : Tensor of shape (B, n) and (B, m)
        Masses, rows with sum 1.
    reg : float, default=0.01
        Regularisation, in units of `scale^p`.
    scale : float, default=1.0
        Length that costs are measured in: about the diameter of the data.
    p : float, default=2
        Power of the Euclidean distance.
    debias : bool, default=True
        Whether to subtract half of both self terms.
    max_iter : int, default=2_000
        Iterations.
    tol : float, default=1e-6
        Error of the marginals at which a pair is done.

    Returns
    -------
    value : Tensor of shape (B,)
        In units of length^p, so W^p and not W. Gradients are those of the optimum
        (envelope theorem): first derivatives only.
    converged : Tensor of bool of shape (B,)

    See Also
    --------
    SinkhornDivergence : Its root, as a ground truth.

    References
    ----------
    .. [1] Feydy et al. (2019). Interpolating between optimal transport and MMD using
       Sinkhorn divergences. AISTATS, equations 3 and 8.
    """
    value, converged = _cross_value(x, a, y, b, reg, scale, p, max_iter, tol)
    if debias:
        for points, masses in ((x, a), (y, b)):
            own, own_converged = _own_value(
                points, masses, reg, scale, p, max_iter, tol
            )
            value, converged = value - own / 2, converged & own_converged
    return value * scale**p, converged


def scaled_cost(x: Tensor, y: Tensor, scale: float, p: float) -> Tensor:
    """Return `(|x_i - y_j| / scale)^p`, shape (B, n, m), finite in any precision."""
    distance = torch.cdist(
        x / scale, y / scale, compute_mode="donot_use_mm_for_euclid_dist"
    )
    return distance.clamp_max(1e24 ** (1 / p)) ** p


def _cross_value(
    x: Tensor,
    a: Tensor,
    y: Tensor,
    b: Tensor,
    reg: float,
    scale: float,
    p: float,
    max_iter: int,
    tol: float,
) -> tuple[Tensor, Tensor]:
    C = scaled_cost(x, y, scale, p)
    with torch.no_grad():
        f, g, converged = cross_potentials(DenseCost(C), a, b, reg, max_iter, tol)
        plan = _plan(C, a, b, f, g, reg)
    return (a * f).sum(dim=1) + (b * g).sum(dim=1) + _slope(plan, C), converged


def _own_value(
    x: Tensor,
    a: Tensor,
    reg: float,
    scale: float,
    p: float,
    max_iter: int,
    tol: float,
) -> tuple[Tensor, Tensor]:
    C = scaled_cost(x, x, scale, p)
    with torch.no_grad():
        f, converged = own_potential(DenseCost(C), a, reg, max_iter, tol)
        plan = _plan(C, a, a, f, f, reg)
    return 2 * (a * f).sum(dim=1) + _slope(plan, C), converged


def _plan(C: Tensor, a: Tensor, b: Tensor, f: Tensor, g: Tensor, eps: float) -> Tensor:
    """Return the plan of potentials, shape (B, n, m)."""
    exponent = (f[:, :, None] + g[:, None, :] - C) / eps
    return a[:, :, None] * b[:, None, :] * torch.exp(exponent.clamp_max(50.0))


def _slope(plan: Tensor, C: Tensor) -> Tensor:
    """Return zeros, shape (B,), whose derivative in C is the plan."""
    moved = (plan * C).sum(dim=(1, 2))
    return moved - moved.detach()
