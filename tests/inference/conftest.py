"""A tiny checkpoint with random weights, a drawn portrait, a tone and a detector with planted faces."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from talkvid.media.image import save_image
from talkvid.model.bundle import build_bundle, save_bundle
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.records import Array, Face

SMALL_UNET = {
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": 2,
    "cross_attention_dim": 16,
    "norm_num_groups": 4,
    "motion": {"num_heads": 2, "norm_groups": 4, "max_frames": 8},
}
TINY_CONFIG = BundleConfig(
    name="tiny",
    license="MIT",
    commercial_use=True,
    fps=25.0,
    width=64,
    height=64,
    latent_channels=8,
    speech_encoder="log-mel",
    num_inference_steps=2,
    guidance_scale=2.0,
    context_frames=6,
    context_overlap=2,
    modules={
        "reference_net": ModuleSpec("reference_net", SMALL_UNET),
        "denoising_unet": ModuleSpec("denoising_unet", SMALL_UNET),
        "v_kps_guider": ModuleSpec("v_kps_guider", {"out_channels": 8, "block_channels": [4, 4, 4, 4]}),
        "audio_projection": ModuleSpec(
            "audio_projection",
            {"dim": 16, "depth": 1, "dim_head": 8, "heads": 2, "embedding_dim": 80, "output_dim": 16},
        ),
        "vae": ModuleSpec(
            "small_autoencoder",
            {
                "encoder_channels": [4, 4, 8],
                "decoder_channels": [4, 4, 8],
                "encoder_blocks": 1,
                "decoder_blocks": 1,
            },
        ),
    },
)


class PlantedDetector:
    """Says that there are faces of this width in the middle of every picture."""

    name = "planted"

    def __init__(self, *widths: float) -> None:
        self.widths = widths

    def detect(self, image: Array) -> list[Face]:
        height, width = image.shape[:2]
        centre = np.array([width / 2, height / 2])
        shape = np.array([[-0.2, -0.15], [0.2, -0.15], [0, 0.05], [-0.15, 0.25], [0.15, 0.25]])
        return [
            Face(
                box=np.array([*(centre - size / 2), *(centre + size / 2)], np.float32),
                points=(centre + shape * size).astype(np.float32),
                score=0.9,
            )
            for size in self.widths
        ]


def write_sound(path: Path, seconds: float, rate: int = 16000) -> Path:
    times = np.arange(round(seconds * rate)) / rate
    samples = (0.3 * np.sin(2 * np.pi * 220 * times) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    save_bundle(build_bundle(TINY_CONFIG), folder)
    return folder


@pytest.fixture(scope="session")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("portrait") / "anna.png"
    ramp = np.linspace(0, 255, 160).astype(np.uint8)
    save_image(
        path,
        np.stack(
            [np.tile(ramp, (120, 1)), np.full((120, 160), 90, np.uint8), np.zeros((120, 160), np.uint8)], -1
        ),
    )
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Callable[[float], Path]:
    return lambda seconds: write_sound(tmp_path / f"speech_{seconds:g}.wav", seconds)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector(60.0))
