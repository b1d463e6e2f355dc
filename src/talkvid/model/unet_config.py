"""The sizes of the two U-Nets, read from a diffusers `unet/config.json` or from our own."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

# What a diffusers config may say and our nets compute; any other value is refused.
_FIXED_VALUES: dict[str, tuple[Any, ...]] = {
    "act_fn": ("silu", "swish"),
    "center_input_sample": (False,),
    "mid_block_scale_factor": (1,),
    "downsample_padding": (1,),
    "mid_block_type": ("UNetMidBlock2DCrossAttn",),
    "use_linear_projection": (False,),
    "only_cross_attention": (False,),
    "dual_cross_attention": (False,),
    "class_embed_type": (None,),
    "num_class_embeds": (None,),
    "addition_embed_type": (None,),
    "encoder_hid_dim": (None,),
    "resnet_time_scale_shift": ("default",),
    "time_embedding_type": ("positional",),
    "transformer_layers_per_block": (1,),
    "attention_type": ("default",),
    "conv_in_kernel": (3,),
    "conv_out_kernel": (3,),
    "num_attention_heads": (None,),
}
_DOWN_TYPES = {"CrossAttnDownBlock2D": True, "DownBlock2D": False}
_UP_TYPES = {"CrossAttnUpBlock2D": True, "UpBlock2D": False}


@dataclass(frozen=True)
class MotionConfig:
    """Sizes of the temporal layers (AnimateDiff's, arXiv 2307.04725)."""

    num_heads: int = 8
    num_blocks: int = 1
    attentions_per_block: int = 2
    max_frames: int = 32
    """Length of the table of frame positions: the longest window."""
    norm_groups: int = 32
    mid_block: bool = True


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of one U-Net; the defaults are Stable Diffusion 1.5's, with every addition of the denoiser."""

    in_channels: int = 4
    out_channels: int = 4
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_block: int = 2
    down_block_types: tuple[str, ...] = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    up_block_types: tuple[str, ...] = ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    attention_head_dim: int | tuple[int, ...] = 8
    """The NUMBER of heads (one for all levels or one per level), a misnomer of the file format."""
    cross_attention_dim: int | None = 768
    """Width of the tokens attn2 reads (text or audio); None leaves attn2 out."""
    norm_num_groups: int = 32
    norm_eps: float = 1e-5
    flip_sin_to_cos: bool = True
    freq_shift: float = 0.0
    reference_attention: bool = True
    """Denoiser only: attn1_5, which reads the features of the reference net."""
    motion: MotionConfig | None = field(default_factory=MotionConfig)
    """Denoiser only: temporal layers; None leaves them out."""

    def __post_init__(self) -> None:
        num_levels = len(self.block_out_channels)
        for name in ("down_block_types", "up_block_types"):
            types, known = getattr(self, name), _DOWN_TYPES if name.startswith("down") else _UP_TYPES
            if len(types) != num_levels:
                raise ValueError(f"{name} has {len(types)} entries, block_out_channels has {num_levels}")
            for block_type in types:
                if block_type not in known:
                    raise ValueError(f"{name}: {block_type!r} is not built; choose from {sorted(known)}")
        if len(self.heads_per_level) != num_levels:
            raise ValueError(f"attention_head_dim has {len(self.heads_per_level)} entries, not {num_levels}")
        for channels, heads in zip(self.block_out_channels, self.heads_per_level, strict=True):
            _require_multiple(channels, self.norm_num_groups, "norm_num_groups")
            _require_multiple(channels, heads, "the number of heads (attention_head_dim)")
            if self.motion is not None:
                _require_multiple(channels, self.motion.norm_groups, "motion.norm_groups")
                _require_multiple(channels, self.motion.num_heads, "motion.num_heads")

    @property
    def heads_per_level(self) -> tuple[int, ...]:
        """Return the number of attention heads of each level, outermost first."""
        if isinstance(self.attention_head_dim, int):
            return (self.attention_head_dim,) * len(self.block_out_channels)
        return self.attention_head_dim

    @property
    def time_embedding_dim(self) -> int:
        """Return the width of the time embedding every residual block reads."""
        return 4 * self.block_out_channels[0]

    def down_has_attention(self, level: int) -> bool:
        """Return whether down block `level` carries transformers."""
        return _DOWN_TYPES[self.down_block_types[level]]

    def up_has_attention(self, index: int) -> bool:
        """Return whether up block `index` (0 is the innermost) carries transformers."""
        return _UP_TYPES[self.up_block_types[index]]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], **overrides: Any) -> "UNetConfig":
        """Return the config a mapping describes (diffusers' names); ValueError for what is not built."""
        merged = {**values, **overrides}
        for name, allowed in _FIXED_VALUES.items():
            if name in merged and merged[name] not in allowed:
                raise ValueError(
                    f"UNet config: {name}={merged[name]!r} is not built; it must be {allowed[0]!r}"
                )
        known = {entry.name for entry in fields(cls)}
        chosen = {name: _as_tuple(value) for name, value in merged.items() if name in known}
        if isinstance(chosen.get("motion"), Mapping):
            chosen["motion"] = MotionConfig(**chosen["motion"])
        return cls(**chosen)

    @classmethod
    def from_file(cls, path: str | Path, **overrides: Any) -> "UNetConfig":
        """Return the config stored in a JSON file; FileNotFoundError or ValueError naming the file."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"UNet config {path} does not exist")
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")), **overrides)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return asdict(self)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _require_multiple(channels: int, divisor: int, name: str) -> None:
    if channels % divisor:
        raise ValueError(f"block_out_channels: {channels} is not a multiple of {name}, {divisor}")
