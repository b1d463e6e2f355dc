"""How raw clips are prepared."""

from dataclasses import dataclass
from pathlib import Path

from talkvid.face.crop import BORDERS, FRAMINGS

CROPS = ("fixed", "follow")
SYNCS = ("measure", "correct", "off")
INSIDE = "inside"


@dataclass(frozen=True)
class PrepareSettings:
    """How clips are prepared; everything here is part of a clip's signature."""

    output_dir: Path
    size: int = 512
    fps: float = 24.0
    crop: str = "fixed"
    """`fixed`: one square for the whole clip; `follow`: one of constant size that follows the head."""
    framing: str = "head"
    crop_scale: float = 1.0
    border: str = "edge"
    """How the square is filled beyond the picture; `inside` moves and, if it must, shrinks it instead."""
    face_backend: str = "embedded"
    face_model_path: str = ""
    speech_encoder: str = "model_ckpts/wav2vec2-base-960h"
    device: str = "cpu"
    min_frames: int = 24
    min_found: float = 0.5
    """Share of frames in which the face must be seen."""
    sync: str = "measure"
    """What is done about the offset of mouth and sound: `correct` moves the sound where it is sure."""
    gop: int = 12
    crf: int = 16

    def __post_init__(self) -> None:
        if self.size < 16 or self.size % 2:
            raise ValueError(f"size must be an even number of at least 16, got {self.size}")
        if not 1 <= self.fps <= 240:
            raise ValueError(f"fps must be between 1 and 240, got {self.fps:g}")
        for name, known in (
            ("crop", CROPS),
            ("framing", tuple(FRAMINGS)),
            ("border", (*BORDERS, INSIDE)),
            ("sync", SYNCS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not 0 < self.min_found <= 1:
            raise ValueError(f"min_found must be above 0 and at most 1, got {self.min_found:g}")
        if self.min_frames < 1 or self.gop < 1 or not 0 < self.crop_scale <= 10:
            raise ValueError("min_frames and gop must be at least 1, crop_scale between 0 and 10")
