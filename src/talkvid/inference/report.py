"""What a run says: its first lines, and the content of the side-car when it is done."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from talkvid.inference.device import Placement, dtype_name
from talkvid.inference.fewer_steps import guidance_scales
from talkvid.inference.settings import FROM_CONFIG, LoadOptions, PathLike, VideoSettings
from talkvid.inference.sidecar import sha256, versions
from talkvid.model.bundle_config import BundleConfig

logger = logging.getLogger(__name__)

FILES = ("kps_path", "driving_video")
"""Settings that name a file, whose content counts."""
WITHOUT_EFFECT = (
    "device",
    "gpu_id",
    "dtype",
    "save_gpu_memory",
    "do_multi_devices_inference",
    "num_processes",
    "commercial_safe",
)
"""Options that say where a video is made and not which; device and precision are told as they were chosen."""


def announce(
    config: BundleConfig, options: LoadOptions, video: VideoSettings, placement: Placement, face_backend: str
) -> None:
    """Log what is used for a video, and every value that differs from the checkpoint's own settings."""
    logger.info("model: %s (%s)", config.name, options.checkpoint_path or "embedded")
    logger.info("face backend: %s", face_backend)
    logger.info("speech encoder: %s", speech_encoder_name(config, options))
    logger.info("device: %s, precision %s", placement.device, dtype_name(placement.dtype))
    inside = autoencoder_dtype(config, placement)
    if inside != dtype_name(placement.dtype):
        logger.info(
            "the autoencoder computes in %s, which this CPU does natively; --dtype %s has it all in one",
            inside,
            dtype_name(placement.dtype),
        )
    if video.guidance_interval is not None:
        guided = sum(scale != 1 for scale in guidance_scales(video))
        logger.info("guidance in %d of %d steps", guided, video.num_inference_steps)
    if video.reuse_features > 1:
        full = -(-video.num_inference_steps // video.reuse_features)
        logger.info("inner features computed in %d of %d steps", full, video.num_inference_steps)
    for name in sorted(FROM_CONFIG):
        chosen, usual = getattr(video, name), getattr(config, name.removeprefix("image_"))
        if chosen != usual:
            logger.info("differs from the checkpoint: %s %s instead of %s", name, chosen, usual)
    if options.preview_vae is not None:
        logger.warning("preview: the pictures are decoded by %s, not as the model means", options.preview_vae)
    if options.test_stage == "stage_1":
        logger.info("differs from the checkpoint: audio attention and motion layers are muted (stage_1)")


def autoencoder_dtype(config: BundleConfig, placement: Placement) -> str:
    """Return the precision the autoencoder computes in, which may be another than the run's."""
    vae, inside = config.modules.get("vae"), placement.autoencoder_dtype
    small = vae is not None and vae.kind == "small_autoencoder"
    return dtype_name(inside if inside is not None and small else placement.dtype)


def speech_encoder_name(config: BundleConfig, options: LoadOptions) -> str:
    """Return the name or path of the speech encoder."""
    return os.fspath(options.audio_encoder_path or config.speech_encoder)


def sidecar_content(
    *,
    config: BundleConfig,
    options: LoadOptions,
    video: VideoSettings,
    placement: Placement,
    num_frames: int,
    inputs: Mapping[str, PathLike | None],
    output: PathLike,
    weights: Sequence[Mapping[str, str]],
    timings_s: Mapping[str, float],
) -> dict[str, Any]:
    """Return everything needed to make the video again, and how long each part took."""
    return {
        "settings": asdict(video),
        "seed": video.seed,
        "num_frames": num_frames,
        "fps": video.fps,
        "model": {
            "name": config.name,
            "license": config.license,
            "checkpoint": options.checkpoint_path or "embedded",
            "weights": list(weights),
        },
        "device": str(placement.device),
        "dtype": dtype_name(placement.dtype),
        "autoencoder_dtype": autoencoder_dtype(config, placement),
        "test_stage": options.test_stage,
        "preview_vae": None if options.preview_vae is None else os.fspath(options.preview_vae),
        "face_backend": options.face_backend_name,
        "speech_encoder": speech_encoder_name(config, options),
        "inputs": {
            name: {"path": os.fspath(path), "sha256": sha256(path)}
            for name, path in inputs.items()
            if path is not None
        },
        "output_sha256": sha256(output),
        "versions": versions(),
        "timings_s": dict(timings_s),
    }


def made_from(
    *,
    config: BundleConfig,
    options: LoadOptions,
    video: VideoSettings,
    placement: Placement,
    num_frames: int,
    inputs: Mapping[str, PathLike | None],
    weights: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """Return everything the frames of a video depend on; of files their content, wherever they lie."""
    return {
        "settings": {name: value for name, value in asdict(video).items() if name not in FILES},
        "options": {
            name: value
            for name, value in asdict(options).items()
            if name not in WITHOUT_EFFECT and not name.endswith("_path")
        },
        "num_frames": num_frames,
        "inputs": {name: sha256(path) for name, path in inputs.items() if path is not None},
        "model": {"config": asdict(config), "weights": [entry["sha256"] for entry in weights]},
        "device": placement.device.type,
        "dtype": dtype_name(placement.dtype),
        "autoencoder_dtype": autoencoder_dtype(config, placement),
        "face_backend": options.face_backend_name,
        "speech_encoder": speech_encoder_name(config, options),
        "versions": versions(),
    }
