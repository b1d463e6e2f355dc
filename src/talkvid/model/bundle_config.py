"""The config of a checkpoint: what the model is made of and the defaults it was trained for."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from talkvid.files import atomic_path
from talkvid.model.unet_config import UNetConfig

CONFIG_FILE = "config.json"
PREDICTION_TYPES = ("v_prediction", "residual")
CONDITIONS = ("none", "warped_portrait")
SAMPLERS = ("ddim", "dpm++", "unipc", "lcm")
KPS_DRAWINGS = ("reference", "lips")

# Sizes of the published networks that their files do not tell.
_PUBLISHED_GUIDER_CHANNELS = (16, 32, 96, 256)
_PUBLISHED_AUDIO_DEPTH = 4
_PUBLISHED_AUDIO_HEAD_DIM = 64


@dataclass(frozen=True)
class ModuleSpec:
    """One network of a checkpoint: its kind (a row of `registry.BUILDERS`) and its sizes."""

    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BundleConfig:
    """Everything about a checkpoint but its weights; the defaults are those of the published V-Express."""

    name: str = "v-express"
    description: str = ""
    license: str = ""
    commercial_use: bool = False
    """Whether the licence of the weights allows commercial use."""
    fps: float = 30.0
    width: int = 512
    height: int = 512
    latent_channels: int = 4
    num_pad_audio_frames: int = 2
    speech_encoder: str = "wav2vec2-base-960h"
    num_inference_steps: int = 25
    guidance_scale: float = 3.5
    """1 is none: what a model with built-in guidance says."""
    sampler: str = "ddim"
    context_frames: int = 24
    context_overlap: int = 4
    reference_attention_weight: float = 0.95
    audio_attention_weight: float = 3.0
    retarget_strategy: str = "fix_face"
    prediction_type: str = "v_prediction"
    """"v_prediction" of a noise schedule, or "residual": one step, added to the condition."""
    condition: str = "none"
    """Latents concatenated to the noisy ones: "none", or those of the portrait warped to the pose."""
    kps_drawing: str = "reference"
    """What the guider sees: the reference's three points, or these and the lip contour."""
    modules: Mapping[str, ModuleSpec] = field(default_factory=dict)
    """Network name -> spec; the names are those of the weight files."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Plain values for helpers of one model, by name."""

    def __post_init__(self) -> None:
        for name, choices in (
            ("prediction_type", PREDICTION_TYPES),
            ("condition", CONDITIONS),
            ("sampler", SAMPLERS),
            ("kps_drawing", KPS_DRAWINGS),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")
        for name in ("fps", "width", "height", "latent_channels", "num_inference_steps", "context_frames"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")
        if not 0 <= self.context_overlap < self.context_frames:
            raise ValueError(
                f"context_overlap must be from 0 to context_frames - 1 = {self.context_frames - 1}, "
                f"got {self.context_overlap}"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "BundleConfig":
        """Return the config of plain values; ValueError naming an unknown key and the nearest known one."""
        known = [entry.name for entry in fields(cls)]
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"unknown key {key!r}{hint}")
        chosen = dict(values)
        if "modules" in chosen:
            chosen["modules"] = {name: _module_spec(name, spec) for name, spec in chosen["modules"].items()}
        return cls(**chosen)

    @classmethod
    def from_file(cls, path: str | Path) -> "BundleConfig":
        """Return the config in a JSON file (or in a folder's `config.json`); errors name the file."""
        path = Path(path)
        path = path / CONFIG_FILE if path.is_dir() else path
        if not path.is_file():
            raise FileNotFoundError(f"model config {path} does not exist")
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from error

    def to_file(self, path: str | Path) -> None:
        """Write the config as JSON that `from_file` reads back."""
        text = json.dumps(asdict(self), indent=1) + "\n"
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    @classmethod
    def published(
        cls, unet: UNetConfig, *, speech_dim: int = 768, num_pad_audio_frames: int = 2, **values: Any
    ) -> "BundleConfig":
        """Return the config of the V-Express networks around a Stable Diffusion 1.5 U-Net.

        speech_dim is the width of the speech encoder's features.
        """
        tokens, token_dim = 2 * num_pad_audio_frames + 1, unet.cross_attention_dim
        if token_dim is None:
            raise ValueError("UNet config: cross_attention_dim is missing, the audio tokens need it")
        audio = {
            "dim": token_dim,
            "depth": _PUBLISHED_AUDIO_DEPTH,
            "dim_head": _PUBLISHED_AUDIO_HEAD_DIM,
            "heads": max(1, token_dim // _PUBLISHED_AUDIO_HEAD_DIM),
            "num_queries": tokens,
            "embedding_dim": speech_dim,
            "output_dim": token_dim,
            "max_seq_len": 2 * tokens,
        }
        guider = {
            "out_channels": unet.block_out_channels[0],
            "block_channels": list(_PUBLISHED_GUIDER_CHANNELS),
        }
        modules = {
            "reference_net": ModuleSpec("reference_net", unet.to_dict()),
            "denoising_unet": ModuleSpec("denoising_unet", unet.to_dict()),
            "v_kps_guider": ModuleSpec("v_kps_guider", guider),
            "audio_projection": ModuleSpec("audio_projection", audio),
        }
        return cls(modules=modules, num_pad_audio_frames=num_pad_audio_frames, **values)


def _module_spec(name: str, values: Any) -> ModuleSpec:
    if isinstance(values, ModuleSpec):
        return values
    if not isinstance(values, Mapping) or set(values) - {"kind", "config"} or "kind" not in values:
        raise ValueError(f"modules.{name} must have the keys kind and config")
    return ModuleSpec(kind=str(values["kind"]), config=dict(values.get("config", {})))
