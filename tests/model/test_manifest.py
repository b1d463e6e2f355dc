"""At full size every network has exactly the keys and shapes of published checkpoints."""

import pytest
import torch
from torch import nn

from talkvid.model.audio_projection import AudioProjection
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.kps_guider import VKpsGuider
from talkvid.model.reference_net import ReferenceNet
from talkvid.model.unet_config import UNetConfig
from talkvid.model.weights import MOORE_PRETRAINED, MOTION_MODULE, OLD_ATTENTION
from tests import parity

SD15 = parity.manifest("sd15_unet")


def full(name: str) -> nn.Module:
    with torch.device("meta"):
        config = UNetConfig.from_dict(SD15)
        if name == "reference_net":
            return ReferenceNet(config)
        if name == "denoising_unet":
            return DenoisingUNet(config)
        return VKpsGuider() if name == "v_kps_guider" else AudioProjection()


@pytest.mark.parametrize("name", ["reference_net", "denoising_unet", "v_kps_guider", "audio_projection"])
def test_keys_and_shapes_are_those_of_published_checkpoints(name: str) -> None:
    wanted = {key: tuple(shape) for key, shape in parity.manifest(name).items()}
    assert {key: tuple(value.shape) for key, value in full(name).state_dict().items()} == wanted


def test_the_denoiser_can_be_built_without_temporal_layers() -> None:
    with torch.device("meta"):
        keys = set(DenoisingUNet(UNetConfig.from_dict(SD15, motion=None)).state_dict())
    assert keys == set(parity.manifest("denoising_unet_without_motion"))


def test_the_motion_adapter_takes_exactly_the_temporal_layers() -> None:
    keys = full("denoising_unet").state_dict()
    assert set(MOTION_MODULE.apply(keys)) == set(parity.manifest("motion_module"))
    published = {f"module.{key}": value for key, value in MOTION_MODULE.apply(keys).items()}
    assert set(MOTION_MODULE.apply(published)) == set(parity.manifest("motion_module"))


def test_the_default_config_is_stable_diffusion() -> None:
    assert UNetConfig() == UNetConfig.from_dict(SD15)


def test_converting_moore_checkpoints_follows_the_table() -> None:
    """The substring test of the reference made 44 keys that no network has; ours makes the 112 it uses."""
    table = parity.manifest("convert_moore_pretrained")
    wanted = full("denoising_unet").state_dict()
    source = {
        key: torch.tensor(float(index))
        for index, key in enumerate(wanted)
        if "1_5" not in key and "motion" not in key
    }
    converted = MOORE_PRETRAINED.apply(source)
    assert {key for key in converted if key not in source} == set(table)
    assert all(converted[new] == source[old] for new, old in table.items())
    assert len(table) == 112


def test_converting_old_audio_attention_follows_the_table() -> None:
    table = parity.manifest("convert_old_attn_one_block")
    sources = dict.fromkeys(table.values())
    source = {key: torch.tensor(float(index)) for index, key in enumerate(sources)}
    replaced = {new: torch.tensor(-1.0) for new in table if ".attn2." in new}
    converted = OLD_ATTENTION.apply({**replaced, **source})
    assert all(converted[new] == source[old] for new, old in table.items())
    assert not any("processor" in key for key in converted)
