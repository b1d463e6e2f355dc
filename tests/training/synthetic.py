"""A prepared data set of drawn faces, and a tiny model to train on it."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from talkvid.dataset.face_info import FaceInfo, save_face_info
from talkvid.media.writer import VideoWriter
from talkvid.model.autoencoder import AutoencoderConfig
from talkvid.model.bundle_config import BundleConfig, ModuleSpec
from talkvid.model.unet_config import UNetConfig
from talkvid.records import Array, SampleEntry
from talkvid.training.config import TrainConfig

Settings = Callable[..., TrainConfig]

SIZE = 64
FPS = 24.0
SPEECH_DIM = 12


def face_points(frame: int) -> tuple[Array, Array]:
    """Five points and 40 lip points of a face that sways and speaks."""
    x = 32 + 4 * np.sin(frame / 5)
    five = np.array([[x - 8, 24], [x + 9, 24], [x + 1, 32], [x - 6, 42], [x + 7, 42]])
    angles = np.pi - np.arange(20) / 20 * 2 * np.pi
    ring = np.stack([np.cos(angles), -np.sin(angles) * (0.5 + 0.3 * np.sin(frame))], axis=1)
    lips = np.concatenate([ring * 7, ring * 5]) + np.array([x, 42])
    return five.astype(np.float32), lips.astype(np.float32)


def draw_face(frame: int) -> Array:
    """A picture whose left half is redder than its right half, so that mirroring shows."""
    picture = np.full((SIZE, SIZE, 3), (90, 60, 60), np.uint8)
    picture[:, SIZE // 2 :] = (60, 60, 90)
    five, lips = face_points(frame)
    cv2.circle(picture, tuple(int(v) for v in five[2]), 20, (200, 160, 130), -1)
    for point in five[:2]:
        cv2.circle(picture, tuple(int(v) for v in point), 3, (20, 20, 40), -1)
    cv2.fillPoly(picture, [lips[:20].astype(np.int32)], (180, 30, 40))
    return picture


def make_dataset(folder: Path, *, num_clips: int = 3, num_frames: int = 14, name: str = "train") -> Path:
    """Write clips in the layout of the preprocessing and return their list."""
    entries = []
    for number in range(num_clips):
        clip = f"clip{number}"
        video = folder / "videos" / f"{clip}.mp4"
        with VideoWriter(video, SIZE, SIZE, FPS, audio=None, metadata={}) as writer:
            for frame in range(num_frames):
                writer.write(draw_face(frame + 7 * number))
        faces = [face_points(frame + 7 * number) for frame in range(num_frames)]
        values = {
            "box": np.tile(np.array([10, 10, 54, 54], np.float32), (num_frames, 1)),
            "points": np.stack([five for five, _ in faces]),
            "lips": np.stack([lips for _, lips in faces]),
            "score": np.ones(num_frames, np.float32),
        }
        info = FaceInfo(np.ones(num_frames, bool), values)
        save_face_info(folder / "face_info" / f"{clip}.safetensors", info, {})
        generator = torch.Generator().manual_seed(number)
        features = torch.randn(2 * num_frames, 1, SPEECH_DIM, generator=generator)
        (folder / "audio_embeds").mkdir(exist_ok=True)
        save_file({"global_embeds": features}, folder / "audio_embeds" / f"{clip}.safetensors")
        entry = SampleEntry(
            id=clip,
            video=f"videos/{clip}.mp4",
            face_info=f"face_info/{clip}.safetensors",
            audio_embeds=f"audio_embeds/{clip}.safetensors",
            num_frames=num_frames,
            fps=FPS,
            language="english" if number else "",
        )
        entries.append(asdict(entry))
    path = folder / f"{name}.json"
    path.write_text(json.dumps(entries))
    return path


def make_model_config(folder: Path) -> Path:
    """Write the config of a model that is small in every size and return its path."""
    unet = UNetConfig(
        block_out_channels=(32, 32, 32, 32), layers_per_block=1, norm_num_groups=8, cross_attention_dim=16
    )
    config = BundleConfig.published(unet, speech_dim=SPEECH_DIM, fps=FPS, width=SIZE, height=SIZE)
    vae = {
        "block_out_channels": [4, 4, 8, 8],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 4,
    }
    guider = ModuleSpec("v_kps_guider", {"out_channels": 32, "block_channels": [4, 4, 8, 8]})
    modules = {**config.modules, "v_kps_guider": guider, "vae": ModuleSpec("autoencoder_kl", vae)}
    path = folder / "tiny.json"
    tiny = replace(config, name="tiny", speech_encoder="log_mel", modules=modules)
    tiny.to_file(path)
    # The same with an autoencoder of ours: processes that use it need not import diffusers, which takes long.
    own = ModuleSpec("small_autoencoder", asdict(AutoencoderConfig(4, [8, 8, 8], [8, 8, 8])))
    replace(tiny, modules={**modules, "vae": own}).to_file(folder / "tiny_own.json")
    return path


def small_settings(drawn: Path, output_root: Path, *, stage: int = 1) -> list[str]:
    """Settings over a stage's YAML that make it run in a second on the drawn clips."""
    return [
        f"run.output_root={output_root}",
        "run.train=drawn",
        "run.device=cpu",
        "run.precision=fp32",
        "run.max_steps=2",
        f"model.config_path={drawn / 'tiny.json'}",
        "model.random_init=true",
        "model.unet_config_path=",
        "model.vae_path=",
        "model.reference_net_path=",
        "model.denoising_unet_path=",
        "model.motion_module_path=",
        f"data.meta_paths=[{drawn / 'train.json'}]",
        "data.width=64",
        "data.height=64",
        "data.train_bs=2",
        f"data.num_frames={1 if stage == 1 else 3}",
        "data.reference_margin=2",
        "data.num_workers=0",
        "optimizer.name=adamw",
        "optimizer.learning_rate=0.001",
    ]
