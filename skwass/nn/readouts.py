"""From embeddings to distances: of given pairs, and of all of them chunk by chunk.

An embedding is a row of blocks, and distance is the sum of the Euclidean distances of
its blocks. With one block that is Euclidean distance; with several, the weighted sum
over feature maps of [KENN], whose weights `BlockWeights` has put into the rows. A
private axis may follow, as the height of [VIV]. Whatever a network has learned, the
distance is symmetric, zero for equal rows and within the triangle inequality.

References: [KENN] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein
Metric Learning. [VIV] Dabek, Cox, Kaashoek, Morris (2004). Vivaldi: A Decentralized
Network Coordinate System. SIGCOMM. Section 5.4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

# Side of a square block of distances: 8 MB in float64, which caches hold.
BLOCK = 1024
# Softplus of this is 1.
_UNIT = math.log(math.e - 1)
# How many times as fast as other numbers weights are learned: they have far to go, and
# a step of Adam is the learning rate. Layers that hinder would stay, at 1.
RATE = 10.0
# What is left, at least, of the weight that a map starts with.
_LEAST = 1e-12
# What varies less, relative to its size, is rounding.
ROUNDING = 1e-5
# Squared distances of blocks below this have no gradient.
_TINY = 1e-24
# Softplus of this is 0.1.
_SHORT = -2.25
# What private axes reach at least, for rounding must not part them, and how much more
# at the start. On MNIST, where neighbours are at 0.3, the error is the same with less;
# of niches that share cells, the recall of neighbours falls to half.
_LEAST_REACH, _REACH = 0.03, 0.1
# Where the exponent of a kernel is larger, shapes share nothing that float64 sees.
_APART = 40.0
# Share of pairs from which it is faster to ask all of them.
_DENSE = 0.05


@dataclass(frozen=True)
class Readout:
    """How the distance of two embeddings is read off their columns.

    With blocks z_k, the shape y (all blocks but exact columns) and the last column
    r = sqrt(s), if there is a private axis::

        d^2 = (sum_k |z_k - z'_k|)^2 + s + s' - 2 r r' exp(-|y - y'|^2 / (2 reach^2))

    Every measure has a direction of its own, of length r. The directions of different
    shapes are as good as orthogonal; those of equal ones are the same, so that equal
    measures are at 0 and translates at their true distance, and a small change of a
    measure is a small change of distances. The Gaussian is a positive definite kernel,
    so d is the distance of points of a Hilbert space, if there is one block, and always
    a metric.

    Parameters
    ----------
    blocks : tuple of int
        Sizes of the blocks whose Euclidean distances add up.
    n_exact : int
        How many columns of the last block, at its end, are no part of the shape.
    reach : float or None
        Distance of shapes within which they share private directions; None without a
        private axis.
    """

    blocks: tuple[int, ...]
    n_exact: int = 0
    reach: float | Tensor | None = None

    @property
    def has_private(self) -> bool:
        """Whether the last column is a private coordinate."""
        return self.reach is not None

    @property
    def n_common(self) -> int:
        """Number of columns, a private one not counted."""
        return sum(self.blocks)

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self.n_common + self.has_private

    def in_unit(self, unit: float) -> "Readout":
        """Return the same for embeddings multiplied by a number."""
        if self.reach is None:
            return self
        return replace(self, reach=float(torch.as_tensor(self.reach).detach()) * unit)


class PrivateAxis(nn.Module):
    """Lengths of private axes, and how far they reach, in units of the scale.

    A column that a network makes of a measure becomes a length.
    """

    def __init__(self) -> None:
        super().__init__()
        self.raw_reach = nn.Parameter(torch.empty(()))

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Start with short axes, that the fit may decide; nothing is drawn."""
        self.raw_reach.zero_()

    @torch.no_grad()
    def start_at(self, reach: float) -> None:
        """Let private axes be shared within this distance, or little more."""
        excess = max(reach - _LEAST_REACH, _LEAST_REACH / 10)
        self.raw_reach.fill_(math.log(excess / _REACH) / RATE)

    @property
    def reach(self) -> Tensor:
        """Distance of shapes within which private axes are shared."""
        return _LEAST_REACH + _REACH * torch.exp(RATE * self.raw_reach)

    def forward(self, column: Tensor) -> Tensor:
        return softplus(column + _SHORT)


def lengths_to_columns(lengths: Tensor) -> Tensor:
    """Return the columns of which `PrivateAxis` makes these positive lengths."""
    # The inverse of softplus, log(exp(x) - 1), without overflow.
    return lengths + torch.log(-torch.expm1(-lengths)) - _SHORT


class BlockWeights(nn.Module):
    """Scale feature maps by positive learned weights, and concatenate them.

    The distance of two rows of the result is that of [KENN]: with "l1", the sum over k
    of `quadrature[k] * weight[k] * |phi_k - phi_k'|`; with "l2", the root of the sum of
    `quadrature[k] * weight[k] * |phi_k - phi_k'|^2`, which is Euclidean as a whole.

    Parameters
    ----------
    sizes : sequence of int
        Dimensions of the feature maps.
    quadrature : sequence of float
        Fixed positive weights, of sum 1 for each integral.
    aggregation : {"l1", "l2"}
        How the distances of feature maps add up.
    """

    initial: Tensor  # [K] quadrature times the weights to start from

    def __init__(
        self, sizes: Sequence[int], quadrature: Sequence[float], aggregation: str
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.quadrature = tuple(quadrature)
        self.aggregation = aggregation
        self.raw = nn.Parameter(torch.empty(len(self.sizes)))
        self.register_buffer("initial", torch.empty(len(self.sizes)))

    @property
    def power(self) -> int:
        """Power of distances that adds up over feature maps: 1 with "l1", else 2."""
        return 1 if self.aggregation == "l1" else 2

    @property
    def blocks(self) -> tuple[int, ...]:
        """Sizes of the blocks whose Euclidean distances add up."""
        return self.sizes if self.aggregation == "l1" else (sum(self.sizes),)

    @property
    def values(self) -> Tensor:
        """The learned weights: [K], positive."""
        return self._factors() / self.raw.new_tensor(self.quadrature)

    def _factors(self) -> Tensor:
        change = softplus(RATE * self.raw + _UNIT)  # 1 at the start
        return self.initial * change.clamp_min(_LEAST)

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Let all weights be 1; nothing is drawn."""
        self.raw.zero_()
        self.initial.copy_(torch.tensor(self.quadrature, dtype=torch.float64))

    @torch.no_grad()
    def calibrate(self, features: Sequence[Tensor], size: float = 1.0) -> None:
        """Choose initial weights: [B, size] each, of B measures.

        Each map contributes its share of the quadrature, and distances have mean
        `size`, or its square in the mean square with "l2". Maps that hardly vary are
        left as they are.
        """
        total = sum(self.quadrature)
        for k, phi in enumerate(features):
            spread = float(torch.pdist(phi.double()).pow(self.power).mean())
            floor = (ROUNDING * float(phi.double().norm(dim=1).max())) ** self.power
            if spread > floor:
                share = self.quadrature[k] / total
                self.initial[k] = share * size**self.power / spread

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return rows of blocks: [B, size] each -> [B, sum of sizes]."""
        factors = self._factors()
        if self.aggregation == "l2":
            factors = factors.sqrt()
        scaled = [f * phi for f, phi in zip(factors, features, strict=True)]
        return torch.cat(scaled, dim=1)


def paired_distances(
    z_a: Tensor, z_b: Tensor, readout: Readout, squared: bool = False
) -> Tensor:
    """Return distances row by row, or their squares: [B, k], [B, k] -> [B].

    The gradient of a distance of zero is zero.
    """
    if not readout.has_private:
        return _block_distances(z_a - z_b, readout.blocks, squared)
    difference, root_a, root_b = _split_private(z_a, z_b)
    total = _block_distances(difference, readout.blocks, True)
    total = total + _private_squares(difference, root_a, root_b, readout)
    return total if squared else _root(total)


def paired_squares(z_a: Tensor, z_b: Tensor, readout: Readout) -> Tensor:
    """Return squared distances row by row; second derivatives at 0 are finite."""
    if not readout.has_private:
        return _smooth_squares(z_a - z_b, readout.blocks)
    difference, root_a, root_b = _split_private(z_a, z_b)
    total = _smooth_squares(difference, readout.blocks)
    return total + _private_squares(difference, root_a, root_b, readout)


def _split_private(z_a: Tensor, z_b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return differences of common columns, and private ones."""
    return z_a[:, :-1] - z_b[:, :-1], z_a[:, -1], z_b[:, -1]


def _block_distances(
    difference: Tensor, blocks: Sequence[int], squared: bool
) -> Tensor:
    """Return sums over blocks of norms: [B, k] -> [B], or their squares."""
    if squared and len(blocks) == 1:
        return difference.square().sum(dim=1)
    parts = difference.split(tuple(blocks), dim=1)
    norms = [torch.linalg.vector_norm(part, dim=1) for part in parts]
    total = torch.stack(norms).sum(dim=0)
    return total.square() if squared else total


def _smooth_squares(difference: Tensor, blocks: Sequence[int]) -> Tensor:
    """Return the same squares, with finite second derivatives at 0."""
    if len(blocks) == 1:
        return difference.square().sum(dim=1)
    parts = difference.split(tuple(blocks), dim=1)
    squares = [part.square().sum(dim=1).clamp_min(_TINY) for part in parts]
    return torch.stack(squares).sqrt().sum(dim=0).square()


def _private_squares(
    difference: Tensor, root_a: Tensor, root_b: Tensor, readout: Readout
) -> Tensor:
    """Return what private axes add to squared distances: [B, k], [B], [B] -> [B]."""
    shape = difference[:, : readout.n_common - readout.n_exact]
    exponent = shape.square().sum(dim=1) / (2 * readout.reach**2)  # type: ignore[operator]
    # s + s' - 2 r r' rho, without cancellation where rho is nearly 1.
    apart = -torch.expm1(-exponent)
    return (root_a - root_b).square() + 2 * root_a * root_b * apart


def _root(squares: Tensor) -> Tensor:
    """Return square roots, with a gradient of 0 at 0."""
    positive = squares > 0
    return torch.where(positive, squares, 1).sqrt() * positive


class _Side(NamedTuple):
    """The rows, or the columns, of a matrix of distances, in float64."""

    blocks: list[tuple[Tensor, Tensor]]  # each [n, size], and its squared norms [n]
    exact: tuple[Tensor, Tensor] | None  # exact columns, where they are kept apart
    root: Tensor | None  # private coordinates [n]


def pairwise_distances(
    z_a: Tensor, z_b: Tensor | None, readout: Readout, squared: bool
) -> Tensor:
    """Return distances of all pairs: [n, k], [m, k] -> float32 [n, m].

    Products are in float64 and embeddings centred, so that distances much smaller than
    the embeddings keep their digits. Beyond the result, memory is a few square blocks.

    Parameters
    ----------
    z_a : Tensor [n, k]
        Embeddings.
    z_b : Tensor [m, k] or None
        Others. With None, the result is exactly symmetric with a zero diagonal, and
        half of it is computed.
    readout : Readout
        Of k columns.
    squared : bool
        Whether to return squares.

    Returns
    -------
    distances : Tensor [n, m], float32
    """
    center = z_a.double().mean(dim=0)
    if readout.has_private:
        center[-1] = 0
    a = _side(z_a.double() - center, readout)
    b = a if z_b is None else _side(z_b.double() - center, readout)
    n, m = len(z_a), len(z_a if z_b is None else z_b)
    out = torch.empty(n, m, dtype=torch.float32, device=z_a.device)
    for i in range(0, n, BLOCK):
        rows = slice(i, i + BLOCK)
        for j in range(i if z_b is None else 0, m, BLOCK):
            columns = slice(j, j + BLOCK)
            block = _square_block(a, b, rows, columns, readout, squared)
            out[rows, columns] = block
            if z_b is None and j > i:
                out[columns, rows] = block.T
    if z_b is None:
        _mirror_diagonal_blocks(out)
    return out


def _side(z: Tensor, readout: Readout) -> _Side:
    """Return columns in memory of their own, with their norms."""
    blocks, exact, root = list(readout.blocks), None, None
    if readout.has_private:
        z, root = z[:, :-1], z[:, -1].contiguous()
        if readout.n_exact:
            blocks[-1] -= readout.n_exact
            z, exact = z.split([sum(blocks), readout.n_exact], dim=1)
    parts = [_with_norms(part) for part in z.split(blocks, dim=1)]
    return _Side(parts, None if exact is None else _with_norms(exact), root)


def _with_norms(part: Tensor) -> tuple[Tensor, Tensor]:
    part = part.contiguous()
    return part, part.square().sum(dim=1)


def _square_block(
    a: _Side, b: _Side, rows: slice, columns: slice, readout: Readout, squared: bool
) -> Tensor:
    """Return the distances of some rows to some columns."""
    squares = (
        _squares(part_a, part_b, rows, columns)
        for part_a, part_b in zip(a.blocks, b.blocks, strict=True)
    )
    if readout.has_private:
        total = _private_block(list(squares), a, b, rows, columns, readout)
        return total if squared else total.sqrt_()
    total = next(squares)
    if squared and len(a.blocks) == 1:
        return total
    total.sqrt_()
    for block in squares:
        total.add_(block.sqrt_())
    return total.square_() if squared else total


def _squares(
    part_a: tuple[Tensor, Tensor],
    part_b: tuple[Tensor, Tensor],
    rows: slice,
    columns: slice,
) -> Tensor:
    """Return squared Euclidean distances of some rows to some columns."""
    (z_a, norms_a), (z_b, norms_b) = part_a, part_b
    products = torch.addmm(norms_b[columns], z_a[rows], z_b[columns].T, alpha=-2)
    return products.add_(norms_a[rows, None]).clamp_min_(0)


def _private_block(
    blocks: list[Tensor],
    a: _Side,
    b: _Side,
    rows: slice,
    columns: slice,
    readout: Readout,
) -> Tensor:
    """Return squared distances with private axes, from those of blocks."""
    shape = blocks[0] if len(blocks) == 1 else torch.stack(blocks).sum(dim=0)
    root_a, root_b = a.root[rows], b.root[columns]  # type: ignore[index]
    unit = 2 * readout.reach**2  # type: ignore[operator]
    near = torch.nonzero(shape < _APART * unit, as_tuple=True)
    is_dense = len(near[0]) > _DENSE * shape.numel()
    if is_dense:
        shared = (shape / -unit).exp_().mul_(2 * root_a[:, None]).mul_(root_b)
    else:  # few shapes are so near that they share anything
        i, j = near
        shared = torch.exp(shape[i, j] / -unit).mul_(2 * root_a[i] * root_b[j])
    total = shape
    if len(blocks) > 1:
        total = torch.stack([block.sqrt() for block in blocks]).sum(dim=0).square_()
    if a.exact is not None and b.exact is not None:
        total.add_(_squares(a.exact, b.exact, rows, columns))
    total.add_(root_a.square()[:, None]).add_(root_b.square())
    if is_dense:
        total.sub_(shared)
    else:
        total.index_put_(near, -shared, accumulate=True)
    return total.clamp_min_(0)


def _mirror_diagonal_blocks(out: Tensor) -> None:
    """Copy the upper triangle of the blocks on the diagonal to the lower one."""
    for i in range(0, len(out), BLOCK):
        block = out[i : i + BLOCK, i : i + BLOCK]
        upper = block.triu(1)
        block.copy_(upper + upper.T)
