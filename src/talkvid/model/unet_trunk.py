"""The U-Net that the reference net and the denoiser have in common."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from talkvid.model.conditions import Conditions, InnerFeatures
from talkvid.model.layers import TimeEmbedding, timestep_features
from talkvid.model.transformer import TransformerBlock
from talkvid.model.unet_blocks import DownBlock, Level, MidBlock, UpBlock
from talkvid.model.unet_config import UNetConfig


class UNetTrunk(nn.Module):
    """Convolution in, levels down, middle, levels up; key names are those of Stable Diffusion 1.5."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        width, num_levels = config.block_out_channels[0], len(config.block_out_channels)
        self.conv_in = nn.Conv2d(config.in_channels, width, 3, padding=1)
        self.time_embedding = TimeEmbedding(width, config.time_embedding_dim)
        # Registered in order of execution, which `block_names` relies on.
        self.down_blocks = nn.ModuleList(DownBlock(config, level) for level in range(num_levels))
        self.mid_block = MidBlock(config)
        self.up_blocks = nn.ModuleList(UpBlock(config, index) for index in range(num_levels))
        for name, module in self.named_modules():
            if isinstance(module, TransformerBlock):
                module.name = name

    @property
    def block_names(self) -> tuple[str, ...]:
        """Return the names of all transformer blocks in order of execution."""
        return tuple(module.name for module in self.modules() if isinstance(module, TransformerBlock))

    @property
    def dtype(self) -> torch.dtype:
        """Return the number type of the weights."""
        return self.conv_in.weight.dtype

    def set_gradient_checkpointing(self, enabled: bool) -> None:
        """Recompute each layer in backward instead of keeping its activations; gradients are the same."""
        for module in self.modules():
            if isinstance(module, Level):
                module.gradient_checkpointing = enabled

    def embed_time(self, timesteps: Tensor) -> Tensor:
        """Return the activated time embedding: (B,) -> (B E)."""
        features = timestep_features(
            timesteps,
            self.config.block_out_channels[0],
            flip_sin_to_cos=self.config.flip_sin_to_cos,
            freq_shift=self.config.freq_shift,
        )
        return F.silu(self.time_embedding(features.to(self.dtype)))

    def run_levels(
        self,
        hidden: Tensor,
        embedding: Tensor,
        conditions: Conditions,
        inner: InnerFeatures | None = None,
    ) -> Tensor:
        """Return the outermost feature maps, or whatever is there once all wanted features are collected.

        hidden (rows C h w) comes from `conv_in`; any height and width will do. Where `inner` holds features
        they stand for all but the outermost layers, else it is filled.
        """
        if inner is not None and inner.kept is not None:
            return self._run_outer(hidden, embedding, conditions, inner)
        skips = [hidden]
        for block in self.down_blocks:
            hidden, new_skips = block(hidden, embedding, conditions)
            skips.extend(new_skips)
        hidden = self.mid_block(hidden, embedding, conditions)
        for block in self.up_blocks:
            if conditions.is_complete:
                break
            fill = inner if block is self.up_blocks[-1] else None
            hidden = block(hidden, embedding, conditions, skips=skips, inner=fill)
        return hidden

    def _run_outer(
        self, hidden: Tensor, embedding: Tensor, conditions: Conditions, inner: InnerFeatures
    ) -> Tensor:
        """Return the outermost feature maps from kept inner ones."""
        entrance, exit_block = cast(DownBlock, self.down_blocks[0]), cast(UpBlock, self.up_blocks[-1])
        skips = [hidden, *entrance.run_layers(hidden, embedding, conditions, count=inner.num_outer - 1)]
        first = len(exit_block.resnets) - inner.num_outer
        assert inner.kept is not None
        result: Tensor = exit_block(inner.kept, embedding, conditions, skips=skips, first_layer=first)
        return result
