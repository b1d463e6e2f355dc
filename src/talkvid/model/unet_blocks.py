"""The levels of a U-Net: residual blocks with their optional transformers and temporal layers."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from talkvid.model.conditions import Conditions, InnerFeatures
from talkvid.model.layers import Downsample, ResidualBlock, Upsample
from talkvid.model.motion import MotionModule
from talkvid.model.transformer import SpatialTransformer
from talkvid.model.unet_config import UNetConfig


class Level(nn.Module):
    """Parts that down, mid and up blocks share.

    `gradient_checkpointing` recomputes layers in backward; `skips_motion` leaves the temporal layers out.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        self.skips_motion = False
        self.resnets = nn.ModuleList()
        self.attentions: nn.ModuleList | None = None
        self.motion_modules: nn.ModuleList | None = None

    def _add_resnet(self, in_channels: int, out_channels: int) -> None:
        config = self.config
        self.resnets.append(
            ResidualBlock(
                in_channels,
                out_channels,
                embedding_dim=config.time_embedding_dim,
                norm_groups=config.norm_num_groups,
                norm_eps=config.norm_eps,
            )
        )

    def _add_attentions(self, channels: int, num_heads: int, count: int) -> None:
        config = self.config
        self.attentions = nn.ModuleList(
            SpatialTransformer(
                channels,
                num_heads=num_heads,
                token_dim=config.cross_attention_dim,
                norm_groups=config.norm_num_groups,
                reference_attention=config.reference_attention,
            )
            for _ in range(count)
        )

    def _add_motion(self, channels: int, count: int) -> None:
        motion = self.config.motion
        if motion is not None:
            self.motion_modules = nn.ModuleList(MotionModule(channels, motion) for _ in range(count))

    def _layer(self, index: int, hidden: Tensor, embedding: Tensor, conditions: Conditions) -> Tensor:
        """Residual block, transformer and temporal layer number `index`: (rows C h w) -> (rows C' h w)."""
        hidden = self.resnets[index](hidden, embedding)
        return self._attend(index, hidden, conditions)

    def _attend(self, index: int, hidden: Tensor, conditions: Conditions) -> Tensor:
        if self.attentions is not None:
            hidden = self.attentions[index](hidden, conditions)
        if self.motion_modules is not None and not self.skips_motion:
            hidden = self.motion_modules[index](hidden, conditions.num_frames)
        return hidden

    def _run_layer(self, index: int, hidden: Tensor, embedding: Tensor, conditions: Conditions) -> Tensor:
        if not self.gradient_checkpointing:
            return self._layer(index, hidden, embedding, conditions)
        # The non re-entrant form keeps gradients of weights even when no input needs one.
        result = checkpoint(self._layer, index, hidden, embedding, conditions, use_reentrant=False)
        return cast(Tensor, result)


class DownBlock(Level):
    """Layers of one level on the way in, then a halving unless it is the innermost."""

    def __init__(self, config: UNetConfig, level: int) -> None:
        super().__init__(config)
        channels = config.block_out_channels[level]
        in_channels = config.block_out_channels[max(level - 1, 0)]
        for index in range(config.layers_per_block):
            self._add_resnet(in_channels if index == 0 else channels, channels)
        if config.down_has_attention(level):
            self._add_attentions(channels, config.heads_per_level[level], config.layers_per_block)
        self._add_motion(channels, config.layers_per_block)
        is_last = level == len(config.block_out_channels) - 1
        self.downsamplers = None if is_last else nn.ModuleList([Downsample(channels)])

    def forward(
        self, hidden: Tensor, embedding: Tensor, conditions: Conditions
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the output (rows C h' w') and what the way out will read: one map per layer and halving."""
        skips = self.run_layers(hidden, embedding, conditions, count=len(self.resnets))
        hidden = skips[-1]
        if self.downsamplers is not None:
            hidden = self.downsamplers[0](hidden)
            skips.append(hidden)
        return hidden, skips

    def run_layers(
        self, hidden: Tensor, embedding: Tensor, conditions: Conditions, *, count: int
    ) -> list[Tensor]:
        """Return the maps of the first `count` layers."""
        maps: list[Tensor] = []
        for index in range(count):
            hidden = self._run_layer(index, hidden, embedding, conditions)
            maps.append(hidden)
        return maps


class MidBlock(Level):
    """Residual block, transformer, temporal layer, residual block at the lowest resolution."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        channels = config.block_out_channels[-1]
        self._add_resnet(channels, channels)
        self._add_resnet(channels, channels)
        self._add_attentions(channels, config.heads_per_level[-1], 1)
        if config.motion is not None and config.motion.mid_block:
            self._add_motion(channels, 1)

    def _layer(self, index: int, hidden: Tensor, embedding: Tensor, conditions: Conditions) -> Tensor:
        hidden = self.resnets[0](hidden, embedding)
        hidden = self._attend(0, hidden, conditions)
        result: Tensor = self.resnets[1](hidden, embedding)
        return result

    def forward(self, hidden: Tensor, embedding: Tensor, conditions: Conditions) -> Tensor:
        """Return the feature maps of the lowest level: (rows C h w) -> (rows C h w)."""
        return self._run_layer(0, hidden, embedding, conditions)


class UpBlock(Level):
    """Layers of one level on the way out, each reading a skip, then a doubling unless it is the outermost."""

    def __init__(self, config: UNetConfig, index: int) -> None:
        super().__init__(config)
        widths = config.block_out_channels[::-1]
        channels, inner = widths[index], widths[max(index - 1, 0)]
        outer = widths[min(index + 1, len(widths) - 1)]
        num_layers = config.layers_per_block + 1
        for layer in range(num_layers):
            skip = outer if layer == num_layers - 1 else channels
            self._add_resnet((inner if layer == 0 else channels) + skip, channels)
        if config.up_has_attention(index):
            self._add_attentions(channels, config.heads_per_level[::-1][index], num_layers)
        self._add_motion(channels, num_layers)
        self.upsamplers = None if index == len(widths) - 1 else nn.ModuleList([Upsample(channels)])

    def forward(
        self,
        hidden: Tensor,
        embedding: Tensor,
        conditions: Conditions,
        *,
        skips: list[Tensor],
        inner: InnerFeatures | None = None,
        first_layer: int = 0,
    ) -> Tensor:
        """Return maps (rows C' h' w') of hidden (rows C h w); takes its skips from the end of the list.

        From `first_layer` on; what the outer layers read is put into `inner` when it is asked for.
        """
        for index in range(first_layer, len(self.resnets)):
            if inner is not None and index == len(self.resnets) - inner.num_outer:
                inner.kept = hidden
            hidden = self._run_layer(index, torch.cat([hidden, skips.pop()], dim=1), embedding, conditions)
        if self.upsamplers is not None:
            hidden = self.upsamplers[0](hidden, tuple(skips[-1].shape[-2:]))
        return hidden
