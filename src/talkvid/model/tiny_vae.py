"""Small decoders for previews: TAESD's files and diffusers' AutoencoderTiny."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from talkvid.model.vae import ImageAutoencoder
from talkvid.model.weights import KeyAdapter, State, load_state, read_state

_WEIGHT_FILES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin")
_DECODER_PART = KeyAdapter(renames=((r"^decoder\.", ""),), keeps=r"^decoder\.")
# The sizes of TAESD, which its files do not tell.
_TAESD_BLOCKS = (3, 3, 3, 1)


class TinyDecoder(nn.Module):
    """Adapter over the decoder of diffusers' AutoencoderTiny; needs the `diffusers` package."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        from diffusers import AutoencoderTiny

        network = AutoencoderTiny.from_config(dict(config))
        self.network: nn.Module = network.decoder
        self.factor = int(network.config.upsampling_scaling_factor) ** (
            len(network.config.num_decoder_blocks) - 1
        )
        self.channels = int(network.config.latent_channels)
        self._scale = float(network.config.scaling_factor)
        self._shift = float(network.config.shift_factor)

    def decode(self, latents: Tensor) -> Tensor:
        """Return images (B 3 H W) in [0, 1] of scaled latents (B C h w)."""
        pictures = self.network(latents / self._scale + self._shift)
        return torch.clamp(pictures / 2 + 0.5, 0, 1)


class PreviewAutoencoder(nn.Module):
    """An image autoencoder that encodes as the model's own does and decodes by a small decoder."""

    def __init__(self, own: nn.Module, decoder: TinyDecoder) -> None:
        super().__init__()
        self.own = own
        self.decoder = decoder

    @property
    def factor(self) -> int:
        """Return how much smaller latents are in height and width."""
        return cast(ImageAutoencoder, self.own).factor

    @property
    def channels(self) -> int:
        """Return the number of latent channels."""
        return cast(ImageAutoencoder, self.own).channels

    def encode(self, images: Tensor) -> Tensor:
        """Return scaled latents (B C h w) of images (B 3 H W) in [-1, 1]: the model's own."""
        return cast(ImageAutoencoder, self.own).encode(images)

    def decode(self, latents: Tensor) -> Tensor:
        """Return previews (B 3 H W) in [0, 1] of scaled latents (B C h w)."""
        return self.decoder.decode(latents)


def with_preview(own: nn.Module, decoder: TinyDecoder, *, source: str | Path) -> PreviewAutoencoder:
    """Return the autoencoder with its decoder replaced; ValueError where the decoder is for other latents."""
    model = cast(ImageAutoencoder, own)
    if (decoder.channels, decoder.factor) != (model.channels, model.factor):
        raise ValueError(
            f"preview_vae {source} decodes {decoder.channels} channels {decoder.factor} times enlarged, the "
            f"model's latents have {model.channels} and are enlarged {model.factor} times: give the small "
            f"autoencoder made for them (TAESD for Stable Diffusion 1.5)"
        )
    return PreviewAutoencoder(own, decoder)


def find_tiny_weights(path: str | Path) -> Path:
    """Return the file of weights at `path`: itself, or that in a folder of diffusers' layout."""
    path = Path(path)
    files = [path] if not path.is_dir() else [path / name for name in _WEIGHT_FILES]
    for file in files:
        if file.is_file():
            return file
    what = f"none of {', '.join(_WEIGHT_FILES)} is there" if path.is_dir() else "it does not exist"
    raise FileNotFoundError(f"preview_vae {path}: {what}")


def load_tiny_decoder(path: str | Path) -> TinyDecoder:
    """Return the small decoder at `path`, loaded strictly.

    A folder in diffusers' layout whose config names AutoencoderTiny, or TAESD's own file of the decoder
    (`taesd_decoder.pth` or `.safetensors`). FileNotFoundError for what is absent, ValueError for other files.
    """
    path, weights = Path(path), find_tiny_weights(path)
    if path.is_dir():
        config, state = _read_config(path), _DECODER_PART.apply(read_state(weights))
    else:
        config, state = _taesd(read_state(weights), weights)
    decoder = TinyDecoder(config)
    load_state(decoder.network, state, source=str(weights))
    return decoder


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    if not file.is_file():
        raise FileNotFoundError(f"preview_vae {folder}: config.json is missing")
    try:
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: not valid JSON ({error})") from error
    kind = values.get("_class_name")
    if kind != "AutoencoderTiny":
        raise ValueError(f"{file}: preview_vae must be an AutoencoderTiny, this is {kind!r}")
    unused = "block_out_channels"  # diffusers writes it and then warns of it
    return {name: value for name, value in values.items() if not name.startswith("_") and name != unused}


def _taesd(state: State, file: Path) -> tuple[dict[str, Any], State]:
    """Return the config and the tensors under diffusers' names, which leave the clamp at the front out."""
    first = state.get("1.weight")
    if first is None or first.ndim != 4 or not all(re.match(r"\d+\.", key) for key in state):
        raise ValueError(f"{file}: not a decoder of TAESD; give its file, or a folder in diffusers' layout")
    renamed = {}
    for key, tensor in state.items():
        place, _, rest = key.partition(".")
        renamed[f"layers.{int(place) - 1}.{rest}"] = tensor
    config = {
        "latent_channels": first.shape[1],
        "num_decoder_blocks": _TAESD_BLOCKS,
        "decoder_block_out_channels": [first.shape[0]] * len(_TAESD_BLOCKS),
    }
    return config, renamed
