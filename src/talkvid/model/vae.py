"""Image autoencoders: what the rest of the program needs of one, and Stable Diffusion's behind it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from talkvid.model.weights import VAE_OLD_ATTENTION, load_weights

SD_LATENT_SCALE = 0.18215  # scaling_factor of Stable Diffusion 1.5's autoencoder, where its config has none
_WEIGHT_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")


@runtime_checkable
class ImageAutoencoder(Protocol):
    """Turns pictures into latents of about unit size and back."""

    @property
    def factor(self) -> int:
        """Return how much smaller latents are in height and width."""

    @property
    def channels(self) -> int:
        """Return the number of latent channels."""

    def encode(self, images: Tensor) -> Tensor:
        """Return scaled latents (B C h w) of images (B 3 H W) in [-1, 1], without randomness."""

    def decode(self, latents: Tensor) -> Tensor:
        """Return images (B 3 H W) in [0, 1] of scaled latents (B C h w)."""


class DiffusersVae(nn.Module):
    """Adapter over diffusers' AutoencoderKL; needs the `diffusers` package."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        from diffusers import AutoencoderKL

        self.config = {name: value for name, value in config.items() if not name.startswith("_")}
        network = AutoencoderKL.from_config(dict(self.config))
        self.network: nn.Module = network
        self.scale = float(self.config.get("scaling_factor") or SD_LATENT_SCALE)

    @classmethod
    def read_config(cls, folder: str | Path) -> dict[str, Any]:
        """Return the config of an autoencoder in diffusers' folder layout."""
        path = Path(folder) / "config.json"
        if not path.is_file():
            raise FileNotFoundError(f"autoencoder {folder}: config.json is missing")
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: not valid JSON ({error})") from error
        return {name: value for name, value in values.items() if not name.startswith("_")}

    def load_folder(self, folder: str | Path) -> None:
        """Load the weights of an autoencoder in diffusers' folder layout, strictly."""
        for name in _WEIGHT_FILES:
            path = Path(folder) / name
            if path.is_file():
                load_weights(self.network, path, adapter=VAE_OLD_ATTENTION)
                return
        raise FileNotFoundError(f"autoencoder {folder}: none of {', '.join(_WEIGHT_FILES)} is there")

    @property
    def factor(self) -> int:
        """Return how much smaller latents are in height and width."""
        return int(2 ** (len(self.config["block_out_channels"]) - 1))

    @property
    def channels(self) -> int:
        """Return the number of latent channels."""
        return int(self.config.get("latent_channels", 4))

    def moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the scaled latents, each (B C h w): images in [-1, 1]."""
        posterior = self.network.encode(images).latent_dist  # type: ignore[operator]
        return posterior.mean * self.scale, posterior.std * self.scale

    def encode(self, images: Tensor, *, noise: Tensor | None = None) -> Tensor:
        """Return scaled latents (B C h w) of images (B 3 H W) in [-1, 1].

        The mean, or with standard normal noise (B C h w) a sample, as training uses.
        """
        mean, deviation = self.moments(images)
        return mean if noise is None else mean + deviation * noise

    def decode(self, latents: Tensor) -> Tensor:
        """Return images (B 3 H W) in [0, 1] of scaled latents (B C h w), all in one batch."""
        pictures = self.network.decode(latents / self.scale).sample  # type: ignore[operator]
        return torch.clamp(pictures / 2 + 0.5, 0, 1)
