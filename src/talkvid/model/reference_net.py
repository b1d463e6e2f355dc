"""The reference net: Stable Diffusion's 2D U-Net, read for its features of the portrait."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from talkvid.model.conditions import Conditions
from talkvid.model.unet_config import UNetConfig
from talkvid.model.unet_trunk import UNetTrunk


class ReferenceNet(UNetTrunk):
    """U-Net without the norm before its output; what the denoiser uses are its features."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(replace(config, motion=None, reference_attention=False))
        self.conv_out = nn.Conv2d(config.block_out_channels[0], config.out_channels, 3, padding=1)

    def features(self, latents: Tensor) -> dict[str, Tensor]:
        """Return block name -> (B h*w C): every block's normed state between attn1 and attn2.

        latents (B C h w) is the clean portrait. Time step 0 and one zero token, which attn2 turns into
        the bias of its output; whatever comes after the last feature is not computed.
        """
        names = self.block_names
        collected: dict[str, Tensor] = {}
        conditions = Conditions(features=collected, last_feature=names[-1])
        timesteps = torch.zeros(latents.shape[0], device=latents.device)
        self.run_levels(self.conv_in(latents), self.embed_time(timesteps), conditions)
        return {name: collected[name] for name in names}

    def forward(
        self, latents: Tensor, timesteps: Tensor | None = None, *, encoder_tokens: Tensor | None = None
    ) -> Tensor:
        """Return the prediction of the plain U-Net: (B C h w) -> (B C' h w).

        timesteps (B,), default 0; encoder_tokens (B N D), default one zero token.
        """
        if timesteps is None:
            timesteps = torch.zeros(latents.shape[0], device=latents.device)
        conditions = Conditions(tokens=encoder_tokens)
        hidden = self.run_levels(self.conv_in(latents), self.embed_time(timesteps), conditions)
        result: Tensor = self.conv_out(hidden)
        return result
