"""The networks of the embedded model's generator: the full model's classes at small sizes."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from talkvid.model.audio_projection import AudioProjection
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.kps_guider import VKpsGuider
from talkvid.model.reference_net import ReferenceNet
from talkvid.model.unet_config import UNetConfig


@dataclass(frozen=True)
class GeneratorModel:
    """Sizes of the generator's networks, which are the full model's classes."""

    channels: list[int] = field(default_factory=lambda: [64, 96, 160])
    layers_per_block: int = 1
    num_heads: int = 4
    token_dim: int = 96
    num_tokens: int = 5
    guider_channels: list[int] = field(default_factory=lambda: [8, 16, 32, 64])
    audio_depth: int = 2
    num_pad_audio_frames: int = 2
    latent_channels: int = 8

    def unet(self) -> UNetConfig:
        """Return the sizes of denoiser and reference net."""
        levels = len(self.channels)
        down = ("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",)
        return UNetConfig(
            in_channels=self.latent_channels,
            out_channels=self.latent_channels,
            block_out_channels=tuple(self.channels),
            layers_per_block=self.layers_per_block,
            down_block_types=down,
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1),
            attention_head_dim=self.num_heads,
            cross_attention_dim=self.token_dim,
            motion=None,
        )

    def audio(self) -> dict[str, int]:
        """Return the sizes of the audio projection."""
        return {
            "dim": self.token_dim,
            "depth": self.audio_depth,
            "dim_head": 32,
            "heads": 4,
            "num_queries": self.num_tokens,
            "embedding_dim": 80,
            "output_dim": self.token_dim,
            "max_seq_len": 2 * (2 * self.num_pad_audio_frames + 1),
        }


class Generator(nn.Module):
    """The trained networks together: latents of the warped portrait -> what to add to them."""

    def __init__(self, model: GeneratorModel) -> None:
        super().__init__()
        self.reference_net = ReferenceNet(model.unet())
        self.denoising_unet = DenoisingUNet(model.unet())
        self.v_kps_guider = VKpsGuider(model.channels[0], block_channels=model.guider_channels)
        self.audio_projection = AudioProjection(**model.audio())
        for parameter in self.denoising_unet.conv_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, base: Tensor, reference: Tensor, drawing: Tensor, audio: Tensor | None) -> Tensor:
        """Return the residual (B C F h w) for base latents (B C F h w) and reference latents (B C h w).

        drawing (B 3 F H W) in [0, 1]; audio (B F W D) feature windows, None hears nothing.
        """
        residual: Tensor = self.denoising_unet(
            base,
            torch.zeros(base.shape[0], device=base.device),
            audio_tokens=None if audio is None else self.audio_projection(audio),
            kps_features=self.v_kps_guider(drawing),
            reference=self.reference_net.features(reference),
        )
        return residual
