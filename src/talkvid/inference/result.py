"""What `generate` hands back."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class GenerationResult:
    """A finished video; usable wherever a path is."""

    path: Path
    num_frames: int
    fps: float
    sidecar: Path
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds per part and in total."""

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)
