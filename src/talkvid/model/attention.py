"""Multi-head attention and the gated feed-forward, shared by spatial and temporal layers."""

from typing import NamedTuple

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class KeyValue(NamedTuple):
    """Projected keys and values of one attention layer: each (R heads L D/heads)."""

    keys: Tensor
    values: Tensor


class Attention(nn.Module):
    """Scaled dot-product attention; `to_q`, `to_k` and `to_v` carry no bias, `to_out` does.

    Without a bias, attention to zero tokens gives exactly the bias of `to_out`: see `constant`.
    """

    def __init__(self, dim: int, *, num_heads: int, context_dim: int | None = None) -> None:
        super().__init__()
        self.num_heads = num_heads
        context_dim = dim if context_dim is None else context_dim
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(context_dim, dim, bias=False)
        self.to_v = nn.Linear(context_dim, dim, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])

    @property
    def constant(self) -> Tensor:
        """Return what attention to zero tokens gives for every query: (D,)."""
        bias: Tensor = self.to_out[0].bias  # type: ignore[assignment]
        return bias

    def project(self, context: Tensor) -> KeyValue:
        """Return keys and values of `context` (R L D)."""
        split = "r l (heads d) -> r heads l d"
        return KeyValue(
            rearrange(self.to_k(context), split, heads=self.num_heads),
            rearrange(self.to_v(context), split, heads=self.num_heads),
        )

    def attend(self, query: Tensor, context: KeyValue) -> Tensor:
        """Return attention of `query` (M N D) to projected `context` of R rows: (M N D).

        M is a multiple of R; consecutive M/R query rows share one context row without copying it.
        """
        num_rows, num_tokens = query.shape[:2]
        num_contexts = context.keys.shape[0]
        if num_rows % num_contexts:
            raise ValueError(f"{num_rows} query rows cannot share {num_contexts} context rows evenly")
        queries = rearrange(
            self.to_q(query), "(r m) n (heads d) -> r heads (m n) d", r=num_contexts, heads=self.num_heads
        )
        mixed = F.scaled_dot_product_attention(queries, context.keys, context.values)
        mixed = rearrange(mixed, "r heads (m n) d -> (r m) n (heads d)", n=num_tokens)
        result: Tensor = self.to_out[0](mixed)
        return result

    def forward(self, query: Tensor, context: Tensor | None = None) -> Tensor:
        """Return attention of `query` (M N D) to `context` (R L D), or to itself: (M N D)."""
        return self.attend(query, self.project(query if context is None else context))


class GatedLinear(nn.Module):
    """Linear layer whose output is gated by the GELU of its second half (arXiv 2002.05202)."""

    def __init__(self, dim: int, inner_dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, 2 * inner_dim)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the gated projection: (... D) -> (... inner)."""
        value, gate = self.proj(hidden).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """Gated feed-forward of inner width `multiplier` x dim."""

    def __init__(self, dim: int, *, multiplier: int = 4) -> None:
        super().__init__()
        # Index 1 holds the dropout of published checkpoints, which has no weights and a rate of 0.
        self.net = nn.ModuleList(
            [GatedLinear(dim, multiplier * dim), nn.Identity(), nn.Linear(multiplier * dim, dim)]
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the transformed tokens: (... D) -> (... D)."""
        for layer in self.net:
            hidden = layer(hidden)
        return hidden
