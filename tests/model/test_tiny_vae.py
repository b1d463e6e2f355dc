"""The small decoders for previews, with random weights, in both layouts of files."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from torch import nn

from talkvid.model.autoencoder import AutoencoderConfig, SmallAutoencoder
from talkvid.model.tiny_vae import PreviewAutoencoder, load_tiny_decoder, with_preview
from talkvid.model.vae import ImageAutoencoder
from talkvid.model.weights import save_state


@pytest.fixture
def tiny() -> Any:
    torch.manual_seed(0)
    small = [8, 8, 8, 8]
    model: Any = AutoencoderTiny(encoder_block_out_channels=small, decoder_block_out_channels=small)
    return model.eval().requires_grad_(False)


def taesd_file(tiny: Any, path: Path) -> Path:
    """Write the decoder as TAESD does: a sequence that begins with a clamp, at place 0."""
    state = {}
    for key, tensor in tiny.decoder.state_dict().items():
        _, place, rest = key.split(".", 2)
        state[f"{int(place) + 1}.{rest}"] = tensor
    save_state(state, path)
    return path


@pytest.mark.parametrize("layout", ["diffusers", "taesd.safetensors", "taesd.pth"])
def test_both_layouts_decode_as_diffusers_does(tiny: Any, tmp_path: Path, layout: str) -> None:
    if layout == "diffusers":
        path = tmp_path / "tiny"
        tiny.save_pretrained(path)  # type: ignore[attr-defined]
    else:
        path = taesd_file(tiny, tmp_path / layout)
    decoder = load_tiny_decoder(path)
    assert (decoder.channels, decoder.factor) == (4, 8)
    latents = torch.randn(2, 4, 3, 5)
    with torch.no_grad():
        pictures = decoder.decode(latents)
        expected = (tiny.decode(latents).sample / 2 + 0.5).clamp(0, 1)
    assert pictures.shape == (2, 3, 24, 40)
    assert torch.equal(pictures, expected) and expected.std() > 0


def test_a_file_of_other_weights_is_refused_by_name(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"preview_vae.*nowhere"):
        load_tiny_decoder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"diffusion_pytorch_model\.safetensors"):
        load_tiny_decoder(tmp_path / "empty")
    save_state({"conv.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="not a decoder of TAESD"):
        load_tiny_decoder(tmp_path / "other.safetensors")
    lacking = {f"{number}.weight": torch.zeros(8, 4, 3, 3) for number in (1, 3)}
    save_state(lacking, tmp_path / "lacking.safetensors")
    with pytest.raises(ValueError, match="missing keys"):
        load_tiny_decoder(tmp_path / "lacking.safetensors")
    tiny.save_pretrained(tmp_path / "tiny")
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())
    (tmp_path / "tiny" / "config.json").write_text(json.dumps({**config, "_class_name": "AutoencoderKL"}))
    with pytest.raises(ValueError, match="must be an AutoencoderTiny"):
        load_tiny_decoder(tmp_path / "tiny")


class Plain(nn.Module):
    """An autoencoder of Stable Diffusion's shape that only encodes."""

    factor = 8
    channels = 4

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=1, keepdim=True)[:, :, ::8, ::8].repeat(1, 4, 1, 1)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        raise AssertionError("previews are not decoded by the model's own autoencoder")


def test_the_model_s_own_encoder_stays(tiny: Any, tmp_path: Path) -> None:
    decoder = load_tiny_decoder(taesd_file(tiny, tmp_path / "taesd_decoder.pth"))
    own = Plain()
    preview = with_preview(own, decoder, source="x")
    assert isinstance(preview, PreviewAutoencoder) and isinstance(preview, ImageAutoencoder)
    images = torch.rand(1, 3, 16, 16)
    assert torch.equal(preview.encode(images), own.encode(images))
    latents = torch.randn(1, 4, 2, 2)
    assert torch.equal(preview.decode(latents), decoder.decode(latents))


def test_a_decoder_for_other_latents_is_refused(tiny: Any, tmp_path: Path) -> None:
    decoder = load_tiny_decoder(taesd_file(tiny, tmp_path / "taesd_decoder.pth"))
    small = AutoencoderConfig(8, [4, 4, 8], [4, 4, 8], 1, 1)
    with pytest.raises(ValueError, match=r"4 channels .* model's latents have 8"):
        with_preview(SmallAutoencoder(small), decoder, source="taesd_decoder.pth")


def test_the_decoder_of_another_latent_space_is_refused(shared: Path, tmp_path: Path) -> None:
    """taef2 has the same kind of names, 32 channels and other blocks."""
    with pytest.raises(ValueError, match=r"taef2_decoder\.pth: .*unexpected key"):
        load_tiny_decoder(shared / "weights" / "taef2_decoder.pth")
    kl = AutoencoderKL(block_out_channels=(8,), norm_num_groups=2)
    kl.save_pretrained(tmp_path / "kl")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="AutoencoderKL"):
        load_tiny_decoder(tmp_path / "kl")
