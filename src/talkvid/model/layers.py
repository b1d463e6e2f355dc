"""Convolutional parts of the U-Nets: time embedding, residual block, resampling by two."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from talkvid.model.winograd import Convolution

_MAX_PERIOD = 10000.0


def timestep_features(timesteps: Tensor, dim: int, *, flip_sin_to_cos: bool, freq_shift: float) -> Tensor:
    """Return sinusoidal features of the time steps (arXiv 2006.11239): (B,) -> (B dim) float32."""
    half = dim // 2
    exponent = -math.log(_MAX_PERIOD) * torch.arange(half, dtype=torch.float32, device=timesteps.device)
    angles = timesteps[:, None].float() * torch.exp(exponent / (half - freq_shift))[None]
    first, second = torch.sin(angles), torch.cos(angles)
    features = torch.cat([second, first] if flip_sin_to_cos else [first, second], dim=-1)
    return F.pad(features, (0, dim - 2 * half))


class TimeEmbedding(nn.Module):
    """Two linear layers between the sinusoidal features and the residual blocks."""

    def __init__(self, dim: int, embedding_dim: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(dim, embedding_dim)
        self.linear_2 = nn.Linear(embedding_dim, embedding_dim)

    def forward(self, features: Tensor) -> Tensor:
        """Return the embedding of each time step: (B dim) -> (B embedding_dim)."""
        result: Tensor = self.linear_2(F.silu(self.linear_1(features)))
        return result


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with group norm per frame; the time embedding is added between them."""

    def __init__(
        self, in_channels: int, out_channels: int, *, embedding_dim: int, norm_groups: int, norm_eps: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(norm_groups, in_channels, eps=norm_eps)
        self.conv1 = Convolution(in_channels, out_channels)
        self.time_emb_proj = nn.Linear(embedding_dim, out_channels)
        self.norm2 = nn.GroupNorm(norm_groups, out_channels, eps=norm_eps)
        self.conv2 = Convolution(out_channels, out_channels)
        self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None

    def forward(self, hidden: Tensor, embedding: Tensor) -> Tensor:
        """Return the new feature maps.

        hidden (B*F C h w); embedding (B E): the activated time embedding, shared by the F frames of a video.
        """
        shift = self.time_emb_proj(embedding).repeat_interleave(hidden.shape[0] // embedding.shape[0], dim=0)
        update = self.conv1(F.silu(self.norm1(hidden))) + shift[:, :, None, None]
        update = self.conv2(F.silu(self.norm2(update)))
        shortcut = hidden if self.conv_shortcut is None else self.conv_shortcut(hidden)
        return shortcut + update


class Downsample(nn.Module):
    """Halve height and width (rounded up) by a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return feature maps of half the size: (rows C h w) -> (rows C ceil(h/2) ceil(w/2))."""
        result: Tensor = self.conv(hidden)
        return result


class Upsample(nn.Module):
    """Nearest-neighbour enlargement to a given size, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, channels)

    def forward(self, hidden: Tensor, size: tuple[int, int]) -> Tensor:
        """Return maps of `size` = (height, width), which may be odd: (rows C h w) -> (rows C *size)."""
        result: Tensor = self.conv(F.interpolate(hidden, size=size, mode="nearest"))
        return result
