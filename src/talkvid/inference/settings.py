"""What a run can be told: how the model is loaded, and how one video is made.

None means: as the checkpoint's config says. Every value is checked here, before anything heavy is loaded.
"""

import difflib
import logging
import os
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from talkvid import plugins
from talkvid.inference.fewer_steps import check_fewer_steps, parse_interval, refuse_for_one_step
from talkvid.inference.liveliness import liveliness
from talkvid.inference.many_devices import check_devices
from talkvid.model.bundle_config import SAMPLERS

if TYPE_CHECKING:
    from talkvid.model.bundle_config import BundleConfig

logger = logging.getLogger(__name__)

RETARGET_STRATEGIES = ("fix_face", "no_retarget", "offset_retarget", "naive_retarget")
FACE_BACKENDS = ("embedded", "insightface", "mediapipe")
HEAD_MOTIONS = ("natural", "still")
FRAMINGS = ("head", "upper_body", "full")
TEST_STAGES = ("stage_1", "stage_2", "stage_3")
AUDIO_RATE = 16000
MAX_SIDE = 2048

PathLike = str | os.PathLike[str]
Settings = TypeVar("Settings", "LoadOptions", "GenerateSettings")


@dataclass(frozen=True)
class LoadOptions:
    """How a model is found and put on a device."""

    checkpoint_path: PathLike | None = None
    """Folder of ours, V-Express folder or hub id; None is the embedded model."""
    device: str = "auto"
    gpu_id: int | str | None = None
    """Number of the GPU; several in a text such as 0,1 for do_multi_devices_inference."""
    dtype: str | None = None
    """fp16, fp32 or bf16; None is fp16 on a GPU and fp32 on a CPU."""
    unet_config_path: PathLike | None = None
    vae_path: PathLike | None = None
    audio_encoder_path: PathLike | None = None
    denoising_unet_path: PathLike | None = None
    reference_net_path: PathLike | None = None
    v_kps_guider_path: PathLike | None = None
    audio_projection_path: PathLike | None = None
    motion_module_path: PathLike | None = None
    preview_vae: PathLike | None = None
    """Small autoencoder (AutoencoderTiny folder, TAESD decoder file) that decodes previews."""
    insightface_model_path: PathLike | None = None
    face_backend: str | None = None
    """None is insightface when its model path was given, else embedded."""
    test_stage: str = "stage_3"
    save_gpu_memory: bool = False
    do_multi_devices_inference: bool = False
    num_processes: int | None = None
    """With do_multi_devices_inference: None is one per GPU."""
    windows_per_batch: int | None = None
    """Windows the denoiser takes at once; None is one on a CPU and what fits on a GPU."""
    compile: bool = False
    """Have torch compile the denoiser and the decoder of the pictures."""
    commercial_safe: bool = False

    def __post_init__(self) -> None:
        one_of("face_backend", self.face_backend, plugins.choices("face_backend", FACE_BACKENDS))
        one_of("test_stage", self.test_stage, TEST_STAGES)
        check_devices(self)
        in_range("windows_per_batch", self.windows_per_batch, 1, 64)
        if self.do_multi_devices_inference and self.windows_per_batch is not None:
            raise ValueError(
                "windows_per_batch: processes that share a video take one window each; leave one of them out"
            )
        if self.commercial_safe and self.face_backend == "insightface":
            raise ValueError(
                "commercial_safe: the insightface models are non-commercial; use --face_backend mediapipe"
            )
        if self.commercial_safe and self.insightface_model_path is not None:
            raise ValueError("commercial_safe: the insightface models are non-commercial; leave them out")

    @property
    def face_backend_name(self) -> str:
        """Return the face backend to use."""
        if self.face_backend is not None:
            return self.face_backend
        return "insightface" if self.insightface_model_path is not None else "embedded"


@dataclass(frozen=True)
class GenerateSettings:
    """How one video is made."""

    kps_path: PathLike | None = None
    kps_fps: float | None = None
    """Poses per second in kps_path; None: they last as long as the speech."""
    kps_size: str = "512x512"
    """Width and height of the picture the points of kps_path refer to."""
    driving_video: PathLike | None = None
    retarget_strategy: str | None = None
    head_motion: str | None = None
    """natural: the head moves by itself; still: only as key points or a driving video say."""
    head_motion_scale: float | None = None
    """Factor on the natural motion; None is 1."""
    blink: bool | None = None
    image_width: int | None = None
    image_height: int | None = None
    fps: float | None = None
    seed: int = 42
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    guidance_interval: str | None = None
    """LOW:HIGH, the noise levels at which there is guidance; None is all."""
    reuse_features: int = 1
    """The inner features of the denoiser are computed in every N-th step and reused between; 1 is never."""
    context_frames: int | None = None
    context_overlap: int | None = None
    reference_attention_weight: float | None = None
    audio_attention_weight: float | None = None
    num_pad_audio_frames: int | None = None
    standard_audio_sampling_rate: int = AUDIO_RATE
    audio_embeddings_type: str = "global"
    face: str = "auto"
    framing: str = "head"
    keep_frame: bool = False
    label: bool = False

    def __post_init__(self) -> None:
        strategies = plugins.choices("retarget_strategy", RETARGET_STRATEGIES)
        one_of("retarget_strategy", self.retarget_strategy, strategies)
        one_of("head_motion", self.head_motion, HEAD_MOTIONS)
        in_range("head_motion_scale", self.head_motion_scale, 0, 2)
        one_of("framing", self.framing, FRAMINGS)
        one_of("audio_embeddings_type", self.audio_embeddings_type, ("global",))
        if self.face not in ("auto", "largest") and not (self.face.isdigit() and int(self.face)):
            raise ValueError(f"face: {self.face!r} is not known; use auto, largest or a number from 1")
        if self.standard_audio_sampling_rate != AUDIO_RATE:
            raise ValueError(
                f"standard_audio_sampling_rate: the speech encoders work at {AUDIO_RATE} Hz, "
                f"got {self.standard_audio_sampling_rate}; leave it out, any sound is resampled"
            )
        for name in ("image_width", "image_height"):
            value = getattr(self, name)
            if value is not None and not (64 <= value <= MAX_SIDE and value % 8 == 0):
                raise ValueError(f"{name}: must be a multiple of 8 from 64 to {MAX_SIDE}, got {value}")
        in_range("fps", self.fps, 1, 120)
        in_range("kps_fps", self.kps_fps, 1, 240)
        in_range("num_inference_steps", self.num_inference_steps, 1, 1000)
        in_range("guidance_scale", self.guidance_scale, 1, 100)
        one_of("sampler", self.sampler, plugins.choices("sampler", SAMPLERS))
        in_range("reuse_features", self.reuse_features, 1, 1000)
        if self.guidance_interval is not None:
            parse_interval(self.guidance_interval)
        in_range("reference_attention_weight", self.reference_attention_weight, 0, 100)
        in_range("audio_attention_weight", self.audio_attention_weight, 0, 100)
        in_range("context_frames", self.context_frames, 1, 10_000)
        if self.kps_path is not None and self.driving_video is not None:
            raise ValueError("kps_path and driving_video both give the poses; leave one of them out")


@dataclass(frozen=True)
class VideoSettings:
    """The settings of one video with nothing left open; meanings as in `GenerateSettings`."""

    kps_path: PathLike | None
    kps_fps: float | None
    kps_size: str
    driving_video: PathLike | None
    retarget_strategy: str
    head_motion: str
    head_motion_scale: float
    blink: bool
    image_width: int
    image_height: int
    fps: float
    seed: int
    num_inference_steps: int
    guidance_scale: float
    sampler: str
    guidance_interval: str | None
    reuse_features: int
    context_frames: int
    context_overlap: int
    reference_attention_weight: float
    audio_attention_weight: float
    num_pad_audio_frames: int
    face: str
    framing: str
    keep_frame: bool
    label: bool

    def __post_init__(self) -> None:
        if self.retarget_strategy != "fix_face" and not (self.kps_path or self.driving_video):
            raise ValueError(
                f"retarget_strategy {self.retarget_strategy} needs poses: give --kps_path or --driving_video "
                "(or use fix_face)"
            )
        if not 0 <= self.context_overlap < self.context_frames:
            raise ValueError(
                f"context_overlap: must be from 0 to context_frames - 1 = {self.context_frames - 1}, "
                f"got {self.context_overlap}"
            )


def resolve(settings: GenerateSettings, config: "BundleConfig") -> VideoSettings:
    """Return the settings with every None filled in that the checkpoint's config knows, checked together."""
    values: dict[str, Any] = liveliness(settings, config)
    for field in fields(VideoSettings):
        if field.name in values:
            continue
        value = getattr(settings, field.name)
        if value is None and field.name in FROM_CONFIG:
            value = getattr(config, field.name.removeprefix("image_"))
            if field.name == "retarget_strategy" and (settings.kps_path or settings.driving_video):
                # Poses were given: a default that ignores them would be a silent no-op.
                value = "naive_retarget"
        values[field.name] = value
    resolved = VideoSettings(**values)
    if not 0 <= resolved.num_pad_audio_frames <= config.num_pad_audio_frames:
        raise ValueError(
            f"num_pad_audio_frames: this checkpoint takes 0 to {config.num_pad_audio_frames}, "
            f"got {resolved.num_pad_audio_frames}"
        )
    if config.prediction_type == "residual":
        refuse_for_one_step(settings, config.name)
        return _in_one_step(resolved, config.name)
    check_fewer_steps(resolved, config)
    return resolved


def _in_one_step(settings: VideoSettings, model: str) -> VideoSettings:
    """Return the settings with one unguided step, the only way such a model works; warn if they said else."""
    only: dict[str, Any] = {"num_inference_steps": 1, "guidance_scale": 1.0}
    unused = [
        f"{name} {getattr(settings, name):g}"
        for name, value in only.items()
        if getattr(settings, name) != value
    ]
    if unused:
        logger.warning("%s works in one step without guidance: %s not used", model, " and ".join(unused))
    return replace(settings, **only)


FROM_CONFIG = frozenset(
    {
        "image_width",
        "image_height",
        "fps",
        "num_pad_audio_frames",
        "num_inference_steps",
        "guidance_scale",
        "sampler",
        "context_frames",
        "context_overlap",
        "reference_attention_weight",
        "audio_attention_weight",
        "retarget_strategy",
    }
)
"""Settings whose default is in the checkpoint's config."""


def build(schema: type[Settings], values: dict[str, Any]) -> Settings:
    """Return the settings made of `values`; raise TypeError with the nearest name for one that is unknown."""
    names = [field.name for field in fields(schema)]
    for name in values:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"unknown option {name!r}{hint}")
    return schema(**values)


def one_of(name: str, value: str | None, choices: Collection[str]) -> None:
    """Raise ValueError when a given value is not among the choices."""
    if value is not None and value not in choices:
        raise ValueError(f"{name}: {value!r} is not supported; use {' | '.join(choices)}")


def in_range(name: str, value: float | None, low: float, high: float) -> None:
    """Raise ValueError when a given value lies outside (NaN does)."""
    if value is not None and not low <= value <= high:
        raise ValueError(f"{name}: must be from {low:g} to {high:g}, got {value:g}")


def default_output(reference_image: PathLike, audio_file: PathLike) -> Path:
    """Return `output/<portrait>_<speech>.mp4`, below the current folder."""
    return Path("output") / f"{Path(reference_image).stem}_{Path(audio_file).stem}.mp4"
