"""The small image autoencoder: shapes, ranges, scaling."""

import pytest
import torch

from talkvid.model.autoencoder import AutoencoderConfig, SmallAutoencoder
from talkvid.model.bundle_config import ModuleSpec
from talkvid.model.registry import build_module
from talkvid.model.vae import ImageAutoencoder

TINY = AutoencoderConfig(
    latent_channels=4,
    encoder_channels=[8, 8, 8],
    decoder_channels=[8, 8, 8],
    encoder_blocks=1,
    decoder_blocks=1,
)


def test_latents_are_an_eighth_and_pictures_come_back_in_their_size() -> None:
    model = SmallAutoencoder(TINY).eval()
    images = torch.rand(2, 3, 48, 32) * 2 - 1
    latents = model.encode(images)
    assert latents.shape == (2, 4, 6, 4)
    pictures = model.decode(latents)
    assert pictures.shape == images.shape
    assert float(pictures.min()) >= 0 and float(pictures.max()) <= 1


def test_it_is_an_image_autoencoder_of_the_registry() -> None:
    model = build_module("vae", ModuleSpec("small_autoencoder", SmallAutoencoder(TINY).to_config()))
    assert isinstance(model, ImageAutoencoder)
    assert (model.factor, model.channels) == (8, 4)


def test_scaling_is_undone_by_decoding() -> None:
    torch.manual_seed(0)
    model = SmallAutoencoder(TINY).eval()
    images = torch.rand(1, 3, 16, 16) * 2 - 1
    before = model.decode(model.encode(images))
    model.latent_mean.fill_(0.3)
    model.latent_std.fill_(2.0)
    torch.testing.assert_close(model.decode(model.encode(images)), before, atol=1e-5, rtol=1e-5)


def test_a_size_that_is_no_multiple_of_eight_is_refused() -> None:
    with pytest.raises(ValueError, match="30x16 is no multiple of 8"):
        SmallAutoencoder(TINY).encode(torch.zeros(1, 3, 16, 30))


@torch.no_grad()
def test_in_bf16_inside_pictures_and_latents_keep_their_precision_and_nearly_their_values() -> None:
    torch.manual_seed(3)
    model = SmallAutoencoder()
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    latents = model.encode(pictures)
    decoded = model.decode(latents)
    model.work_in(torch.bfloat16)
    half = model.encode(pictures)
    assert next(model.encoder.parameters()).dtype == torch.bfloat16
    assert half.dtype == model.decode(latents).dtype == torch.float32
    assert not torch.equal(half, latents)
    assert (half - latents).abs().max() < 0.02 * latents.abs().max()
    assert (model.decode(latents) - decoded).abs().max() < 1 / 255
