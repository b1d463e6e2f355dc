"""The denoiser: Stable Diffusion's U-Net with reference attention, audio attention and temporal layers."""

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from talkvid.model.attention import Attention
from talkvid.model.conditions import Conditions, InnerFeatures, ReferenceCache
from talkvid.model.transformer import TransformerBlock
from talkvid.model.unet_blocks import Level
from talkvid.model.unet_config import UNetConfig
from talkvid.model.unet_trunk import UNetTrunk


class DenoisingUNet(UNetTrunk):
    """Predicts the velocity (or whatever it is trained for) of a window of latent frames."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        width = config.block_out_channels[0]
        self.conv_norm_out = nn.GroupNorm(config.norm_num_groups, width, eps=config.norm_eps)
        self.conv_out = nn.Conv2d(width, config.out_channels, 3, padding=1)

    def project_reference(self, features: Mapping[str, Tensor]) -> ReferenceCache:
        """Return keys and values of the reference features (block name -> (R L C)), once per image.

        R is 1 (one portrait for all videos) or the number of conditional videos of the later calls.
        ValueError when a block's features are missing.
        """
        layers = self._reference_layers()
        missing = [name for name in layers if name not in features]
        if missing:
            raise ValueError(
                f"reference features lack {len(missing)} of {len(layers)} blocks (first: {missing[0]})"
            )
        return ReferenceCache({name: layer.project(features[name]) for name, layer in layers.items()})

    def set_skips_motion(self, skips: bool) -> None:
        """Leave out the temporal layers; exact while their output projections are zero, as in stage 1."""
        for module in self.modules():
            if isinstance(module, Level):
                module.skips_motion = skips

    def forward(
        self,
        latents: Tensor,
        timesteps: Tensor,
        *,
        audio_tokens: Tensor | None = None,
        kps_features: Tensor | None = None,
        reference: ReferenceCache | Mapping[str, Tensor] | Literal["self"] | None = None,
        reference_weight: float = 1.0,
        audio_weight: float = 1.0,
        reference_drop: Tensor | None = None,
        num_unconditional: int = 0,
        inner: InnerFeatures | None = None,
    ) -> Tensor:
        """Return the prediction: latents (B C F h w), timesteps (B,) -> (B C' F h w).

        The first U = `num_unconditional` videos get no condition; the conditions below are those of the
        other K = B - U. A condition that is None is a zero condition, whose attention is a constant.

        audio_tokens (K F N D); kps_features (K C0 F h w), added after the first convolution;
        reference: features of the reference net (projected here), a ReferenceCache, or "self", which lets
        attn1_5 attend to its own frame; the weights scale the whole output of their attention;
        reference_drop (blocks K F) bool, blocks as in `block_names`: true hides the reference from a frame;
        inner: features of an earlier call on the same videos, which are reused, or room for this one's.
        """
        num_videos, num_frames = latents.shape[0], latents.shape[2]
        self._check_window(num_frames)
        if not isinstance(reference, ReferenceCache | str) and reference is not None:
            reference = self.project_reference(reference)
        conditions = Conditions(
            num_frames=num_frames,
            num_unconditional=num_unconditional,
            tokens=None if audio_tokens is None else rearrange(audio_tokens, "b f n d -> (b f) n d"),
            reference=reference,
            reference_weight=reference_weight,
            audio_weight=audio_weight,
            dropped=self._dropped_rows(reference_drop),
        )
        hidden = self.conv_in(rearrange(latents, "b c f h w -> (b f) c h w"))
        if kps_features is not None:
            added = rearrange(kps_features, "b c f h w -> (b f) c h w")
            plain, conditional = hidden[: conditions.num_plain_rows], hidden[conditions.num_plain_rows :]
            hidden = torch.cat([plain, conditional + added]) if len(plain) else conditional + added
        hidden = self.run_levels(hidden, self.embed_time(timesteps.expand(num_videos)), conditions, inner)
        prediction = self.conv_out(F.silu(self.conv_norm_out(hidden)))
        return rearrange(prediction, "(b f) c h w -> b c f h w", f=num_frames)

    def _reference_layers(self) -> dict[str, Attention]:
        blocks = (module for module in self.modules() if isinstance(module, TransformerBlock))
        return {block.name: block.attn1_5 for block in blocks if block.attn1_5 is not None}

    def _dropped_rows(self, reference_drop: Tensor | None) -> dict[str, Tensor]:
        if reference_drop is None:
            return {}
        return dict(zip(self.block_names, reference_drop.flatten(1), strict=True))

    def _check_window(self, num_frames: int) -> None:
        motion = self.config.motion
        if motion is not None and num_frames > motion.max_frames and not self.mid_block.skips_motion:
            raise ValueError(
                f"a window of {num_frames} frames exceeds the {motion.max_frames} positions of the motion "
                f"modules: set context_frames to {motion.max_frames} or less"
            )
