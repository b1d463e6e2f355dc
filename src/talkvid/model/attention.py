"""Multi-head attention and the gated feed-forward, shared by spatial and temporal layers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from talkvid.model.linear import Linear, gated_linear, parallel_linears, predicts_on_cpu
from talkvid.model.narrow_attention import attention

_ROWS = 4096
"""Tokens that pass the feed-forward at once on a CPU: its inner numbers, 12 for each given, are many."""


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
        self.to_q = Linear(dim, dim, bias=False)
        self.to_k = Linear(context_dim, dim, bias=False)
        self.to_v = Linear(context_dim, dim, bias=False)
        self.to_out = nn.ModuleList([Linear(dim, dim)])
        self._fused: Tensor | None = None

    @property
    def constant(self) -> Tensor:
        """Return what attention to zero tokens gives for every query: (D,)."""
        bias: Tensor = self.to_out[0].bias  # type: ignore[assignment]
        return bias

    def fuse(self) -> None:
        """Put the weights that read the same input into one tensor, of which the layers become views.

        Names and numbers stay; moving the module fuses again, copying or loading it leaves the layers plain.
        """
        if self._fused is not None:
            return
        layers = [self.to_q, self.to_k, self.to_v]
        if self.to_q.in_features != self.to_k.in_features:
            layers = layers[1:]
        fused = torch.stack([layer.weight.detach() for layer in layers])
        for layer, weight in zip(layers, fused, strict=True):
            layer.weight.data = weight
        self._fused = fused

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Attention":
        was_fused, self._fused = self._fused is not None, None
        super()._apply(fn, recurse)
        if was_fused:
            self.fuse()
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._fused = None
        super()._load_from_state_dict(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fused": None}

    def project(self, context: Tensor) -> KeyValue:
        """Return keys and values of `context` (R L D)."""
        if self._fused is None:
            parts: tuple[Tensor, ...] = (self.to_k(context), self.to_v(context))
        else:
            parts = parallel_linears(context, self._fused[-2:])
        return KeyValue(*(self._split(part) for part in parts))

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
        mixed = attention(queries, context.keys, context.values)
        mixed = rearrange(mixed, "r heads (m n) d -> (r m) n (heads d)", n=num_tokens)
        result: Tensor = self.to_out[0](mixed)
        return result

    def forward(self, query: Tensor, context: Tensor | None = None) -> Tensor:
        """Return attention of `query` (M N D) to `context` (R L D), or to itself: (M N D)."""
        if context is not None:
            if self._is_short(query, context):
                return self._attend_short(query, context)
            return self.attend(query, self.project(context))
        queries, keys, values = (self._split(part) for part in self.project_self(query))
        mixed = attention(queries, keys, values)
        result: Tensor = self.to_out[0](rearrange(mixed, "m heads n d -> m n (heads d)"))
        return result

    def project_self(self, hidden: Tensor) -> tuple[Tensor, ...]:
        """Return queries, keys and values of self-attention: (... D) -> three of (... D)."""
        if self._fused is None:
            return self.to_q(hidden), self.to_k(hidden), self.to_v(hidden)
        return parallel_linears(hidden, self._fused)

    def _split(self, projected: Tensor) -> Tensor:
        return rearrange(projected, "r l (heads d) -> r heads l d", heads=self.num_heads)

    def _is_short(self, query: Tensor, context: Tensor) -> bool:
        """Return whether a fused layer does better to project the tokens than the queries.

        Not in half precision, where the products below would round the scores, which the usual way does not.
        """
        if self._fused is None or query.dtype != torch.float32 or query.shape[0] != context.shape[0]:
            return False
        return 2 * self.num_heads * context.shape[1] <= query.shape[-1]

    def _attend_short(self, query: Tensor, context: Tensor) -> Tensor:
        """Return the same attention by another bracketing: x (Wq k) for (x Wq) k, and a (v Wo) for (a v) Wo.

        query (M N D), context (M T Dc): the weights meet T tokens instead of N queries, so a query costs
        2 heads T D multiplications instead of 2 D D.
        """
        keys, values = self.project(context)  # M heads T d
        split = {"heads": self.num_heads}
        to_query = rearrange(self.to_q.weight, "(heads d) c -> heads d c", **split)
        to_out = rearrange(self.to_out[0].weight, "c (heads d) -> heads d c", **split)  # type: ignore[arg-type]
        asked = rearrange(torch.einsum("mhtd,hdc->mhtc", keys, to_query), "m h t c -> m c (h t)")
        told = rearrange(torch.einsum("mhtd,hdc->mhtc", values, to_out), "m h t c -> m (h t) c")
        scores = torch.bmm(query, asked * keys.shape[-1] ** -0.5)
        shares = scores.unflatten(-1, (self.num_heads, -1)).softmax(-1).flatten(-2)
        return torch.baddbmm(self.constant, shares, told)


def fuse_attention(network: nn.Module) -> None:
    """Fuse the projections of every attention in the network, in place; for a network that only predicts."""
    for module in network.modules():
        if isinstance(module, Attention):
            module.fuse()


class GatedLinear(nn.Module):
    """Linear layer whose output is gated by the GELU of its second half (arXiv 2002.05202)."""

    def __init__(self, dim: int, inner_dim: int) -> None:
        super().__init__()
        self.proj = Linear(dim, 2 * inner_dim)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the gated projection: (... D) -> (... inner)."""
        return gated_linear(hidden, self.proj.weight, self.proj.bias)


class FeedForward(nn.Module):
    """Gated feed-forward of inner width `multiplier` x dim."""

    def __init__(self, dim: int, *, multiplier: int = 4) -> None:
        super().__init__()
        # Index 1 holds the dropout of published checkpoints, which has no weights and a rate of 0.
        self.net = nn.ModuleList(
            [GatedLinear(dim, multiplier * dim), nn.Identity(), Linear(multiplier * dim, dim)]
        )

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the transformed tokens: (... D) -> (... D)."""
        rows = hidden.reshape(-1, hidden.shape[-1])
        if len(rows) <= _ROWS or not predicts_on_cpu(hidden, hidden):
            return self._transformed(hidden)
        return torch.cat([self._transformed(piece) for piece in rows.split(_ROWS)]).view(hidden.shape)

    def _transformed(self, hidden: Tensor) -> Tensor:
        for layer in self.net:
            hidden = layer(hidden)
        return hidden
