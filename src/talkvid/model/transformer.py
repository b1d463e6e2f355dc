"""The spatial transformer of both U-Nets: self, reference and audio (or text) attention per frame."""

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn

from talkvid.model.attention import Attention, FeedForward
from talkvid.model.conditions import Conditions

_NORM_EPS = 1e-6  # of the transformers' group norm in Stable Diffusion 1.5; the residual blocks use 1e-5


class TransformerBlock(nn.Module):
    """attn1 (self), attn1_5 (reference, optional), attn2 (tokens, optional), feed-forward; pre-norm."""

    def __init__(self, dim: int, *, num_heads: int, token_dim: int | None, reference_attention: bool) -> None:
        super().__init__()
        self.name = ""  # path inside the U-Net, set by it: the key of features and reference entries
        self.norm1 = nn.LayerNorm(dim)
        self.attn1 = Attention(dim, num_heads=num_heads)
        self.norm1_5 = nn.LayerNorm(dim) if reference_attention else None
        self.attn1_5 = Attention(dim, num_heads=num_heads) if reference_attention else None
        self.norm2 = nn.LayerNorm(dim)
        self.attn2 = Attention(dim, num_heads=num_heads, context_dim=token_dim) if token_dim else None
        self.norm3 = nn.LayerNorm(dim)
        self.ff = FeedForward(dim)

    def forward(self, hidden: Tensor, conditions: Conditions) -> Tensor:
        """Return the transformed tokens of each (video, frame) row: (rows N C) -> (rows N C)."""
        hidden = hidden + self.attn1(self.norm1(hidden))
        hidden = self._add_reference(hidden, conditions)
        if conditions.features is not None:
            conditions.features[self.name] = self.norm2(hidden)
            if self.name == conditions.last_feature:
                return hidden
        hidden = self._add_tokens(hidden, conditions)
        return hidden + self.ff(self.norm3(hidden))

    def _add_reference(self, hidden: Tensor, conditions: Conditions) -> Tensor:
        attention, norm, reference = self.attn1_5, self.norm1_5, conditions.reference
        if attention is None or norm is None:
            return hidden
        weight = conditions.reference_weight
        if reference is None:
            return hidden + weight * attention.constant
        dropped = conditions.dropped.get(self.name)

        def attend(rows: Tensor) -> Tensor:
            query = norm(rows)
            if reference == "self":
                return attention(query)
            result = attention.attend(query, reference[self.name])
            if dropped is None:
                return result
            return torch.where(dropped[:, None, None], attention.constant, result)

        return _add_to_conditional(hidden, attend, attention.constant, weight, conditions.num_plain_rows)

    def _add_tokens(self, hidden: Tensor, conditions: Conditions) -> Tensor:
        attention, tokens, weight = self.attn2, conditions.tokens, conditions.audio_weight
        if attention is None:
            return hidden
        if tokens is None:
            return hidden + weight * attention.constant

        def attend(rows: Tensor) -> Tensor:
            return attention(self.norm2(rows), tokens)

        return _add_to_conditional(hidden, attend, attention.constant, weight, conditions.num_plain_rows)


def _add_to_conditional(
    hidden: Tensor, attend: Callable[[Tensor], Tensor], constant: Tensor, weight: float, num_plain_rows: int
) -> Tensor:
    """Add `weight` x attention to the conditional rows and `weight` x its constant to the plain ones."""
    if num_plain_rows == 0:
        return hidden + weight * attend(hidden)
    plain, conditional = hidden[:num_plain_rows], hidden[num_plain_rows:]
    return torch.cat([plain + weight * constant, conditional + weight * attend(conditional)])


class SpatialTransformer(nn.Module):
    """Group norm, 1x1 projection in, transformer block, projection out, residual; each frame alone."""

    def __init__(
        self,
        channels: int,
        *,
        num_heads: int,
        token_dim: int | None,
        norm_groups: int,
        reference_attention: bool,
    ) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(norm_groups, channels, eps=_NORM_EPS)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        block = TransformerBlock(
            channels, num_heads=num_heads, token_dim=token_dim, reference_attention=reference_attention
        )
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, hidden: Tensor, conditions: Conditions) -> Tensor:
        """Return the transformed feature maps: (rows C h w) -> (rows C h w)."""
        height, width = hidden.shape[-2:]
        tokens = rearrange(self.proj_in(self.norm(hidden)), "r c h w -> r (h w) c")
        for block in self.transformer_blocks:
            tokens = block(tokens, conditions)
            if block.name == conditions.last_feature:
                return hidden
        return hidden + self.proj_out(rearrange(tokens, "r (h w) c -> r c h w", h=height, w=width))
