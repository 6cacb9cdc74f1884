"""From embeddings to all pairwise distances, chunk by chunk."""

import torch
from torch import Tensor

# Side of a square block of distances: 8 MB in float64, which caches hold.
BLOCK = 1024


def euclidean_distances(z_a: Tensor, z_b: Tensor | None, squared: bool) -> Tensor:
    """Return |z_a_i - z_b_j| for all pairs: [n, k], [m, k] -> float32 [n, m].

    Products are in float64 and embeddings centred, so that distances much smaller than
    the embeddings keep their digits. Beyond the result, memory is one block.

    Parameters
    ----------
    z_a : Tensor [n, k]
        Embeddings.
    z_b : Tensor [m, k] or None
        Others. With None, the result is exactly symmetric with a zero diagonal, and
        half of it is computed.
    squared : bool
        Whether to return squares.

    Returns
    -------
    distances : Tensor [n, m], float32
    """
    center = z_a.double().mean(dim=0)
    a = z_a.double() - center
    b = a if z_b is None else z_b.double() - center
    norms_a, norms_b = a.square().sum(dim=1), b.square().sum(dim=1)
    out = torch.empty(len(a), len(b), dtype=torch.float32, device=a.device)
    for i in range(0, len(a), BLOCK):
        rows = slice(i, i + BLOCK)
        for j in range(i if z_b is None else 0, len(b), BLOCK):
            columns = slice(j, j + BLOCK)
            block = torch.addmm(norms_b[columns], a[rows], b[columns].T, alpha=-2)
            block.add_(norms_a[rows, None]).clamp_min_(0)
            if not squared:
                block.sqrt_()
            out[rows, columns] = block
            if z_b is None and j > i:
                out[columns, rows] = block.T
    if z_b is None:
        _mirror_diagonal_blocks(out)
    return out


def _mirror_diagonal_blocks(out: Tensor) -> None:
    """Copy the upper triangle of the blocks on the diagonal to the lower one."""
    for i in range(0, len(out), BLOCK):
        block = out[i : i + BLOCK, i : i + BLOCK]
        upper = block.triu(1)
        block.copy_(upper + upper.T)
