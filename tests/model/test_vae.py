"""The adapter over diffusers' autoencoder, against the reference's latents and pictures."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from talkvid.model.vae import DiffusersVae, ImageAutoencoder
from tests import parity


@pytest.fixture(scope="module")
def vae() -> DiffusersVae:
    return parity.network("vae")


@torch.no_grad()
def test_latents_equal_the_reference(vae: DiffusersVae) -> None:
    golden = parity.fixture("pipeline")
    images = golden["mid.reference_image_uint8"].permute(2, 0, 1)[None].float() / 127.5 - 1
    assert (vae.encode(images) - golden["mid.reference_latents"]).abs().max() < 2e-5


@torch.no_grad()
def test_decoding_in_a_batch_equals_decoding_one_by_one(vae: DiffusersVae) -> None:
    """The reference decodes one frame a call."""
    latents = parity.fixture("pipeline")["cfg/latents_after_step_3"][0].transpose(0, 1)[:3]
    together = vae.decode(latents)
    one_by_one = torch.cat([vae.decode(latent[None]) for latent in latents])
    assert torch.allclose(together, one_by_one, atol=1e-5)
    assert together.min() >= 0 and together.max() <= 1


@torch.no_grad()
def test_noise_makes_a_sample_and_none_the_mean(vae: DiffusersVae) -> None:
    images, noise = torch.rand(1, 3, 16, 16) * 2 - 1, torch.randn(1, 4, 2, 2)
    mean, deviation = vae.moments(images)
    assert torch.equal(vae.encode(images), mean)
    assert torch.allclose(vae.encode(images, noise=noise), mean + deviation * noise)


def test_it_is_an_image_autoencoder(vae: DiffusersVae) -> None:
    assert isinstance(vae, ImageAutoencoder)
    assert (vae.factor, vae.channels, vae.scale) == (8, 4, 0.18215)


def test_folders_of_early_diffusers_load(vae: DiffusersVae, tmp_path: Path) -> None:
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    state = {}
    for key, tensor in parity.state("vae").items():
        for new_name, old_name in old.items():
            key = key.replace(f"attentions.0.{new_name}.", f"attentions.0.{old_name}.")
        state[key] = tensor
    assert any(".proj_attn." in key for key in state)
    save_file(state, tmp_path / "diffusion_pytorch_model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKL", **vae.config}))
    loaded = DiffusersVae(DiffusersVae.read_config(tmp_path))
    loaded.load_folder(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), vae.parameters(), strict=True))


def test_missing_files_are_named(vae: DiffusersVae, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"config.json is missing"):
        DiffusersVae.read_config(tmp_path)
    with pytest.raises(FileNotFoundError, match="none of diffusion_pytorch_model"):
        vae.load_folder(tmp_path)
