"""From embeddings to distances: of given pairs, and of all of them chunk by chunk.

An embedding is a row of blocks, and distance is the sum of the Euclidean distances of
its blocks. With one block that is Euclidean distance; with several, the weighted sum
over feature maps of [KENN], whose weights `BlockWeights` has put into the rows. Either
is symmetric, zero for equal rows and keeps the triangle inequality, whatever a network
has learned.

References: [KENN] He (2026). Deep Kuratowski Embedding Neural Networks for Wasserstein
Metric Learning.
"""

import math
from collections.abc import Sequence

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
    z_a: Tensor, z_b: Tensor, blocks: Sequence[int], squared: bool = False
) -> Tensor:
    """Return distances row by row, or their squares: [B, k], [B, k] -> [B].

    The gradient of a distance of zero is zero.
    """
    difference = z_a - z_b
    if squared and len(blocks) == 1:
        return difference.square().sum(dim=1)
    parts = difference.split(tuple(blocks), dim=1)
    norms = [torch.linalg.vector_norm(part, dim=1) for part in parts]
    total = torch.stack(norms).sum(dim=0)
    return total.square() if squared else total


def pairwise_distances(
    z_a: Tensor, z_b: Tensor | None, blocks: Sequence[int], squared: bool
) -> Tensor:
    """Return distances of all pairs: [n, k], [m, k] -> float32 [n, m].

    Products are in float64 and embeddings centred, so that distances much smaller than
    the embeddings keep their digits. Beyond the result, memory is two square blocks.

    Parameters
    ----------
    z_a : Tensor [n, k]
        Embeddings.
    z_b : Tensor [m, k] or None
        Others. With None, the result is exactly symmetric with a zero diagonal, and
        half of it is computed.
    blocks : sequence of int
        Sizes of the blocks whose Euclidean distances add up; of sum k.
    squared : bool
        Whether to return squares.

    Returns
    -------
    distances : Tensor [n, m], float32
    """
    center = z_a.double().mean(dim=0)
    a = _split(z_a.double() - center, blocks)
    b = a if z_b is None else _split(z_b.double() - center, blocks)
    n, m = len(z_a), len(z_a if z_b is None else z_b)
    out = torch.empty(n, m, dtype=torch.float32, device=z_a.device)
    for i in range(0, n, BLOCK):
        rows = slice(i, i + BLOCK)
        for j in range(i if z_b is None else 0, m, BLOCK):
            columns = slice(j, j + BLOCK)
            block = _square_block(a, b, rows, columns, squared)
            out[rows, columns] = block
            if z_b is None and j > i:
                out[columns, rows] = block.T
    if z_b is None:
        _mirror_diagonal_blocks(out)
    return out


def _split(z: Tensor, blocks: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Return each block [n, size], in memory of its own, with its squared norms [n]."""
    parts = [part.contiguous() for part in z.split(tuple(blocks), dim=1)]
    return [(part, part.square().sum(dim=1)) for part in parts]


def _square_block(
    a: list[tuple[Tensor, Tensor]],
    b: list[tuple[Tensor, Tensor]],
    rows: slice,
    columns: slice,
    squared: bool,
) -> Tensor:
    """Return the distances of some rows to some columns."""
    squares = (
        torch.addmm(norms_b[columns], part_a[rows], part_b[columns].T, alpha=-2)
        .add_(norms_a[rows, None])
        .clamp_min_(0)
        for (part_a, norms_a), (part_b, norms_b) in zip(a, b, strict=True)
    )
    total = next(squares)
    if squared and len(a) == 1:
        return total
    total.sqrt_()
    for block in squares:
        total.add_(block.sqrt_())
    return total.square_() if squared else total


def _mirror_diagonal_blocks(out: Tensor) -> None:
    """Copy the upper triangle of the blocks on the diagonal to the lower one."""
    for i in range(0, len(out), BLOCK):
        block = out[i : i + BLOCK, i : i + BLOCK]
        upper = block.triu(1)
        block.copy_(upper + upper.T)
