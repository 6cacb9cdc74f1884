"""Networks over weighted sets of points, and back: attention that reads a measure.

Attention of a query over a measure sum_j a_j delta(x_j) weighs point j by
`a_j exp(q . k_j)`: the logits plus `log a_j`. Points that weigh nothing are masked
exactly, and a point in two halves counts as one. All stages keep the order of points,
and the mean over the measure that ends them forgets it.

References: [WW] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024).
Wasserstein Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.
[ST] Lee et al. (2019). Set Transformer. ICML.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

EXPANSION = 4  # width of the hidden layer of a block over its own


class Norm(nn.Module):
    """Layer normalisation with learned gain and bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.empty(width))
        self.bias = nn.Parameter(torch.empty(width))

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Start as plain normalisation; nothing is drawn."""
        self.gain.fill_(1)
        self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.layer_norm(x, x.shape[-1:], self.gain, self.bias)


class FeedForward(nn.Module):
    """A residual layer on each point: [B, n, width] -> same."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Norm(width),
            nn.Linear(width, EXPANSION * width),
            nn.SiLU(),
            nn.Linear(EXPANSION * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Attention(nn.Module):
    """A residual layer in which points read a measure: [B, n, width] -> same.

    Parameters
    ----------
    width : int
        Features of a point, a multiple of `n_heads`.
    n_heads : int
        Heads.
    dropout : float
        Share of the answer that is dropped in training.
    """

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm, self.source_norm = Norm(width), Norm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, source: Tensor, log_masses: Tensor | None) -> Tensor:
        """Let points [B, n, width] read `source` [B, m, width], weighed by [B, m]."""
        query = self._split(self.query(self.norm(x)))  # [B, h, n, width / h]
        key, value = self.key_value(self.source_norm(source)).chunk(2, dim=-1)
        mask = None if log_masses is None else log_masses[:, None, None]  # [B, 1, 1, m]
        answer = scaled_dot_product_attention(
            query, self._split(key), self._split(value), attn_mask=mask
        )
        return x + self.dropout(self.out(answer.transpose(1, 2).flatten(2)))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


class PointLayer(nn.Module):
    """A layer of deep sets: each point for itself."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.feed = FeedForward(width, dropout)

    def forward(self, x: Tensor, log_masses: Tensor) -> Tensor:
        return self.feed(x)


class SelfAttentionLayer(nn.Module):
    """Each point reads the whole cloud: time and memory are quadratic in its size.

    Points weigh the same where masses are None.
    """

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, n_heads, dropout)
        self.feed = FeedForward(width, dropout)

    def forward(self, x: Tensor, log_masses: Tensor | None) -> Tensor:
        return self.feed(self.attention(x, x, log_masses))


class InducedAttentionLayer(nn.Module):
    """Learned points read the cloud, and the cloud reads them: [ST], equation 10."""

    def __init__(
        self, width: int, n_heads: int, dropout: float, n_inducing: int
    ) -> None:
        super().__init__()
        self.inducing = nn.Parameter(torch.empty(n_inducing, width))
        self.read = Attention(width, n_heads, dropout)
        self.summary = FeedForward(width, dropout)
        self.answer = Attention(width, n_heads, dropout)
        self.feed = FeedForward(width, dropout)

    @torch.no_grad()
    def initialize(self, generator: torch.Generator) -> None:
        """Draw the learned points."""
        self.inducing.normal_(generator=generator)

    def forward(self, x: Tensor, log_masses: Tensor) -> Tensor:
        queries = self.inducing.expand(len(x), -1, -1)
        summary = self.summary(self.read(queries, x, log_masses))  # [B, I, width]
        return self.feed(self.answer(x, summary, None))


class SetEncoder(nn.Module):
    """Learned features of a measure: points [B, n, n_in], masses -> [B, width].

    Parameters
    ----------
    n_in : int
        Features of a point.
    layers : sequence of nn.Module
        Each [B, n, width], log-masses [B, n] -> [B, n, width].
    width : int
        Features of a point in them.
    max_points : int or None
        Of a cloud that they see in training, drawn anew at each step.
    """

    def __init__(
        self,
        n_in: int,
        layers: Sequence[nn.Module],
        width: int,
        max_points: int | None = None,
    ) -> None:
        super().__init__()
        self.width = width
        self.max_points = max_points
        self.lift = nn.Linear(n_in, width)
        self.layers = nn.ModuleList(layers)
        self.norm = Norm(width)

    def forward(self, tokens: Tensor, masses: Tensor) -> Tensor:
        x = self.lift(tokens)  # [B, n, width]
        log_masses = torch.log(masses)
        for layer in self.layers:
            x = layer(x, log_masses)
        return torch.bmm(masses[:, None], self.norm(x))[:, 0]


class PointMaker(nn.Module):
    """Embedding [B, k] -> points [B, m, d] in a box: the decoder of [WW].

    A dense layer makes m tokens, attention lets them agree, and each becomes a point.

    Parameters
    ----------
    n_components : int
        Dimension of the embedding.
    n_points, dim : int
        m and d.
    n_layers, width, n_heads, dropout
        Of the attention.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self,
        n_components: int,
        n_points: int,
        dim: int,
        n_layers: int,
        width: int,
        n_heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.n_points = n_points
        self.hidden = nn.Linear(n_components, EXPANSION * width)
        self.tokens = nn.Linear(EXPANSION * width, n_points * width)
        layers = (SelfAttentionLayer(width, n_heads, dropout) for _ in range(n_layers))
        self.layers = nn.ModuleList(layers)
        self.norm = Norm(width)
        self.out = nn.Linear(width, dim)
        self.register_buffer("low", torch.empty(dim))
        self.register_buffer("high", torch.empty(dim))

    def fit(self, low: Tensor, high: Tensor) -> None:
        """Take the box that points lie in: [d] and [d]."""
        self.low.copy_(low)
        self.high.copy_(high)

    def forward(self, z: Tensor) -> Tensor:
        hidden = nn.functional.silu(self.hidden(z))
        x = self.tokens(hidden).unflatten(1, (self.n_points, -1))  # [B, m, width]
        # Dense layers start small, and tokens that are alike would stay alike.
        x = x * math.sqrt(x.shape[-1])
        for layer in self.layers:
            x = layer(x, None)
        points = self.out(self.norm(x)).sigmoid()  # [B, m, d]
        return self.low + (self.high - self.low) * points
