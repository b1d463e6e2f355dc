"""The golden numbers under tests/data/parity: fixtures, and the tiny networks they were made with.

Numbers of the reference implementation on tiny random networks. Two things were left out for size and come
back here: the tables of frame positions, which a formula gives, and the reference net's text projections,
which only ever see a zero token.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from talkvid.model.audio_projection import AudioProjection
from talkvid.model.denoising_unet import DenoisingUNet
from talkvid.model.kps_guider import VKpsGuider
from talkvid.model.reference_net import ReferenceNet
from talkvid.model.unet_config import UNetConfig
from talkvid.model.vae import DiffusersVae
from talkvid.model.weights import load_state

DATA = Path(__file__).parent / "data" / "parity"
CONFIGS: dict[str, Any] = json.loads((DATA / "configs.json").read_text())


def fixture(name: str) -> dict[str, Tensor]:
    """The tensors of one fixture: `in.*` are arguments, `out.*` results."""
    return load_file(DATA / f"{name}.safetensors")


def manifest(name: str) -> Any:
    """Key names and shapes at full size, or a table of key conversions."""
    return json.loads(gzip.decompress((DATA / "manifest.json.gz").read_bytes()))[name]


def build(name: str) -> nn.Module:
    """A tiny network with fresh weights."""
    if name in ("reference_net", "denoising_unet"):
        config = UNetConfig.from_dict(CONFIGS[name])
        return ReferenceNet(config) if name == "reference_net" else DenoisingUNet(config)
    if name == "v_kps_guider":
        values = CONFIGS[name]
        return VKpsGuider(
            values["conditioning_embedding_channels"], block_channels=values["block_out_channels"]
        )
    if name == "audio_projection":
        return AudioProjection(**CONFIGS[name])
    assert name == "vae"
    return DiffusersVae(CONFIGS[name])


def state(name: str) -> dict[str, Tensor]:
    """The complete weights of a tiny network, float32, under the names published checkpoints use."""
    stored = load_file(DATA / "weights" / f"{name}.safetensors")
    if name == "denoising_unet":
        stored.update(load_file(DATA / "weights" / "motion_module.safetensors"))
    result = {key: tensor.float() for key, tensor in stored.items()}
    if name in ("reference_net", "denoising_unet"):
        for key, tensor in build(name).state_dict().items():
            if key.endswith("pos_encoder.pe"):
                result[key] = tensor
            elif "attn2.to_k" in key or "attn2.to_v" in key:
                result.setdefault(key, torch.zeros_like(tensor))
    return result


def network(name: str) -> Any:
    """A tiny network with the weights the fixtures were made with."""
    module = build(name)
    target = module.network if isinstance(module, DiffusersVae) else module
    load_state(target, state(name), source=f"tests/data/parity/weights/{name}")
    return module.eval()
