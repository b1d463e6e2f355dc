"""Temporal layers: every position of the picture attends to itself in the other frames of its window."""

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from talkvid.model.attention import Attention, FeedForward
from talkvid.model.unet_config import MotionConfig

_NORM_EPS = 1e-6


def sinusoidal_positions(length: int, dim: int) -> Tensor:
    """Return the position table of "Attention is all you need" (arXiv 1706.03762): (1 length dim)."""
    position = torch.arange(length)[:, None]
    frequency = torch.exp(torch.arange(0, dim, 2) * (-math.log(10000.0) / dim))
    table = torch.zeros(1, length, dim)
    table[0, :, 0::2] = torch.sin(position * frequency)
    table[0, :, 1::2] = torch.cos(position * frequency)
    return table


class FramePositions(nn.Module):
    """Adds the position of each frame; the table travels with the checkpoint as `pe`."""

    pe: Tensor

    def __init__(self, dim: int, *, max_frames: int) -> None:
        super().__init__()
        self.register_buffer("pe", sinusoidal_positions(max_frames, dim))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (M F C) plus the table's first F rows; the denoiser has checked that F is not longer."""
        return hidden + self.pe[:, : hidden.shape[1]].to(hidden.dtype)


class TemporalAttention(Attention):
    """Self-attention over frames with positions added to its input (not to the residual)."""

    def __init__(self, dim: int, *, num_heads: int, max_frames: int) -> None:
        super().__init__(dim, num_heads=num_heads)
        self.pos_encoder = FramePositions(dim, max_frames=max_frames)

    def forward(self, query: Tensor, context: Tensor | None = None) -> Tensor:
        """Return attention of each position to itself in all frames: (M F C) -> (M F C)."""
        assert context is None, "temporal attention is self-attention"
        return super().forward(self.pos_encoder(query))


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
        """Return the transformed sequences: (M F C) -> (M F C)."""
        for attention, norm in zip(self.attention_blocks, self.norms, strict=True):
            hidden = hidden + attention(norm(hidden))
        return hidden + self.ff(self.ff_norm(hidden))


class TemporalTransformer(nn.Module):
    """Group norm per frame, projection in, temporal blocks, zero-initialised projection out, residual."""

    def __init__(self, channels: int, config: MotionConfig) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(config.norm_groups, channels, eps=_NORM_EPS)
        self.proj_in = nn.Linear(channels, channels)
        self.transformer_blocks = nn.ModuleList(
            TemporalBlock(channels, config) for _ in range(config.num_blocks)
        )
        self.proj_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.proj_out.weight)  # a new temporal layer starts as the identity
        nn.init.zeros_(self.proj_out.bias)

    def forward(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Return the feature maps of each (video, frame) row: (B*F C h w) -> (B*F C h w)."""
        height, width = hidden.shape[-2:]
        sequences = rearrange(self.norm(hidden), "(b f) c h w -> (b h w) f c", f=num_frames)
        sequences = self.proj_in(sequences)
        for block in self.transformer_blocks:
            sequences = block(sequences)
        update = self.proj_out(sequences)
        return hidden + rearrange(update, "(b h w) f c -> (b f) c h w", h=height, w=width)


class MotionModule(nn.Module):
    """One temporal transformer under the name published checkpoints give it."""

    def __init__(self, channels: int, config: MotionConfig) -> None:
        super().__init__()
        self.temporal_transformer = TemporalTransformer(channels, config)

    def forward(self, hidden: Tensor, num_frames: int) -> Tensor:
        """Return the feature maps after temporal attention: (B*F C h w) -> (B*F C h w)."""
        result: Tensor = self.temporal_transformer(hidden, num_frames)
        return result
