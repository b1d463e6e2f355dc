"""Temporal layers: every position of the picture attends to itself in the other frames of its window."""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from talkvid.model.attention import Attention, FeedForward
from talkvid.model.linear import Linear
from talkvid.model.narrow_attention import frame_attention
from talkvid.model.unet_config import MotionConfig

_NORM_EPS = 1e-6
_MOST_HEADS = 65_528
"""Heads of one attention; CUDA's kernels take 65,535 (a picture of 64 x 64 latents has 8 x 4096)."""


def sinusoidal_positions(length: int, dim: int) -> Tensor:
    """Return the position table of "Attention is all you need" (arXiv 1706.03762): (1 length dim)."""
    # Counted on the CPU even where networks are built without memory: there torch would load its compiler.
    position = torch.arange(length, device="cpu")[:, None]
    frequency = torch.exp(torch.arange(0, dim, 2, device="cpu") * (-math.log(10000.0) / dim))
    table = torch.zeros(1, length, dim, device="cpu")
    table[0, :, 0::2] = torch.sin(position * frequency)
    table[0, :, 1::2] = torch.cos(position * frequency)
    return table


class FramePositions(nn.Module):
    """Adds the position of each frame; the table travels with the checkpoint as `pe`."""

    pe: Tensor

    def __init__(self, dim: int, *, max_frames: int) -> None:
        super().__init__()
        table = sinusoidal_positions(max_frames, dim)
        self.register_buffer("pe", table.to(torch.get_default_device()))  # without memory where the rest is

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B F P C) plus the table's first F rows; the denoiser has checked that F is not longer."""
        return hidden + self.pe[:, : hidden.shape[1], None].to(hidden.dtype)


class TemporalAttention(Attention):
    """Self-attention over frames with positions added to its input (not to the residual)."""

    def __init__(self, dim: int, *, num_heads: int, max_frames: int) -> None:
        super().__init__(dim, num_heads=num_heads)
        self.pos_encoder = FramePositions(dim, max_frames=max_frames)

    def forward(self, query: Tensor, context: Tensor | None = None) -> Tensor:
        """Return attention of each of P positions to itself in all frames: (B F P C) -> (B F P C).

        Positions and heads count as the heads of one attention over frames, so nothing is transposed.
        """
        assert context is None, "temporal attention is self-attention"
        split = "b f p (heads d) -> b f (p heads) d"
        parts = self.project_self(self.pos_encoder(query))
        queries, keys, values = (rearrange(part, split, heads=self.num_heads) for part in parts)
        pieces = [
            frame_attention(*piece)
            for piece in zip(
                *(part.split(_MOST_HEADS, dim=2) for part in (queries, keys, values)), strict=True
            )
        ]
        mixed = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)
        result: Tensor = self.to_out[0](
            rearrange(mixed, "b f (p heads) d -> b f p (heads d)", heads=self.num_heads)
        )
        return result


class TemporalBlock(nn.Module):
    """Temporal self-attentions, each with its own norm, then a feed-forward; pre-norm, residual."""

    def __init__(self, dim: int, config: MotionConfig) -> None:
        super().__init__()
        self.attention_blocks = nn.ModuleList(
            TemporalAttention(dim, num_heads=config.num_heads, max_frames=config.max_frames)
            for _ in range(config.attentions_per_block)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(config.attentions_per_block))
        self.ff = FeedForward(dim)
        self.ff_norm = nn.LayerNorm(dim)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the transformed sequences of P positions: (B F P C) -> (B F P C)."""
        for attention, norm in zip(self.attention_blocks, self.norms, strict=True):
            hidden = hidden + attention(norm(hidden))
        return hidden + self.ff(self.ff_norm(hidden))


class TemporalTransformer(nn.Module):
    """Group norm per frame, projection in, temporal blocks, zero-initialised projection out, residual."""

    def __init__(self, channels: int, config: MotionConfig) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(config.norm_groups, channels, eps=_NORM_EPS)
        self.proj_in = Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList(
            TemporalBlock(channels, config) for _ in range(config.num_blocks)
        )
        self.proj_out = Linear(channels, channels)
        nn.init.zeros_(self.proj_out.weight)  # a new temporal layer starts as the identity
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Return the feature maps of each (video, frame) row: (B*F C h w) -> (B*F C h w)."""
        height, width = hidden.shape[-2:]
        # With channels last in memory neither arrangement moves a number.
        tokens = rearrange(self.norm(hidden), "(b f) c h w -> b f (h w) c", f=num_frames)
        tokens = self.proj_in(tokens)
        for block in self.transformer_blocks:
            tokens = block(tokens)
        update = self.proj_out(tokens)
        return hidden + rearrange(update, "b f (h w) c -> (b f) c h w", h=height, w=width)


class MotionModule(nn.Module):
    """One temporal transformer under the name published checkpoints give it."""

    def __init__(self, channels: int, config: MotionConfig) -> None:
        super().__init__()
        self.temporal_transformer = TemporalTransformer(channels, config)

    def forward(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Return the feature maps after temporal attention: (B*F C h w) -> (B*F C h w)."""
        result: Tensor = self.temporal_transformer(hidden, num_frames)
        return result
