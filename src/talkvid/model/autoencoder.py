"""A small image autoencoder of our own: eight times smaller in height and width, eight channels."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

# B batch  C latent channels  H W picture height and width  h w latent height and width (H / 8)


@dataclass(frozen=True)
class AutoencoderConfig:
    """Sizes of a `SmallAutoencoder`; channels are listed from half resolution to an eighth."""

    latent_channels: int = 8
    encoder_channels: list[int] = field(default_factory=lambda: [24, 48, 96])
    decoder_channels: list[int] = field(default_factory=lambda: [40, 72, 144])
    encoder_blocks: int = 2
    decoder_blocks: int = 3

    def __post_init__(self) -> None:
        if len(self.encoder_channels) != 3 or len(self.decoder_channels) != 3:
            raise ValueError("autoencoder: encoder_channels and decoder_channels each name three widths")


class _Block(nn.Module):
    """Two convolutions around a skip; no normalisation, so that local brightness survives."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, last = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        # Starts as the identity: deep stacks then train without normalisation.
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        self.inner = nn.Sequential(first, nn.SiLU(inplace=True), last)

    def forward(self, features: Tensor) -> Tensor:
        return features + self.inner(nn.functional.silu(features))


class SmallAutoencoder(nn.Module):
    """Turns pictures into latents of unit size and back; height and width must be divisible by 8."""

    factor = 8

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or AutoencoderConfig()
        self.encoder = _build_encoder(self.config)
        self.decoder = _build_decoder(self.config)
        # Measured after training, so that latents have mean 0 and deviation 1 in every channel.
        self.latent_mean: Tensor
        self.latent_std: Tensor
        self.register_buffer("latent_mean", torch.zeros(self.config.latent_channels))
        self.register_buffer("latent_std", torch.ones(self.config.latent_channels))

    @property
    def channels(self) -> int:
        """Return the number of latent channels."""
        return self.config.latent_channels

    def work_in(self, dtype: torch.dtype) -> None:
        """Have both networks compute in `dtype`; pictures and latents keep the precision they come in."""
        self.encoder.to(dtype)
        self.decoder.to(dtype)

    def encode(self, images: Tensor) -> Tensor:
        """Return the scaled latents (B C H/8 W/8) of `images` (B 3 H W) in [-1, 1]."""
        height, width = images.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ValueError(f"autoencoder: picture size {width}x{height} is no multiple of {self.factor}")
        raw = _computed(self.encoder, images)
        return (raw - self.latent_mean[:, None, None]) / self.latent_std[:, None, None]

    def decode(self, latents: Tensor) -> Tensor:
        """Return the pictures (B 3 H W) in [0, 1] of scaled `latents` (B C H/8 W/8)."""
        return (self.decode_signed(latents) * 0.5 + 0.5).clamp(0, 1)

    def decode_signed(self, latents: Tensor) -> Tensor:
        """Return the pictures (B 3 H W) around [-1, 1], not clamped, so that a loss keeps its gradient."""
        raw = latents * self.latent_std[:, None, None] + self.latent_mean[:, None, None]
        return _computed(self.decoder, raw)

    def to_config(self) -> dict[str, Any]:
        """Return the sizes as plain values for `config.json`."""
        return asdict(self.config)


def _computed(network: nn.Module, values: Tensor) -> Tensor:
    """Return what the network makes of the values, computed in its weights' precision, in theirs."""
    result: Tensor = network(values.to(next(network.parameters()).dtype))
    return result.to(values.dtype)


def _build_encoder(config: AutoencoderConfig) -> nn.Sequential:
    half, quarter, eighth = config.encoder_channels
    layers: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, half, 3, padding=1), _Block(half)]
    layers += [nn.Conv2d(half, quarter, 3, stride=2, padding=1)]
    layers += [_Block(quarter) for _ in range(config.encoder_blocks)]
    layers += [nn.Conv2d(quarter, eighth, 3, stride=2, padding=1)]
    layers += [_Block(eighth) for _ in range(config.encoder_blocks)]
    layers += [nn.SiLU(), nn.Conv2d(eighth, config.latent_channels, 3, padding=1)]
    return nn.Sequential(*layers)


def _build_decoder(config: AutoencoderConfig) -> nn.Sequential:
    half, quarter, eighth = config.decoder_channels
    layers: list[nn.Module] = [nn.Conv2d(config.latent_channels, eighth, 3, padding=1)]
    layers += [_Block(eighth) for _ in range(config.decoder_blocks)]
    layers += [nn.Conv2d(eighth, 4 * quarter, 1), nn.PixelShuffle(2)]
    layers += [_Block(quarter) for _ in range(config.decoder_blocks)]
    layers += [nn.Conv2d(quarter, 4 * half, 1), nn.PixelShuffle(2)]
    layers += [_Block(half) for _ in range(2)]
    layers += [nn.SiLU(), nn.Conv2d(half, 12, 3, padding=1), nn.PixelShuffle(2)]
    return nn.Sequential(*layers)
