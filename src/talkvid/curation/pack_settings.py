"""How the kept clips are packed for others: with or without pictures, in shards of which size, split how."""

from dataclasses import dataclass
from typing import Literal

MIB = 1 << 20


@dataclass(frozen=True)
class PackConfig:
    """How kept clips become a data set that Hugging Face `datasets` reads."""

    videos: Literal["embed", "none"] = "embed"
    """Put the cut clips in, or (none) only what is known of them: for videos that may not be passed on."""
    shard_mb: int = 500
    """MiB of a file at which the next one begins; one clip is never divided."""
    group_mb: int = 32
    """MiB of a row group, the least that a reader who streams has to fetch at once."""
    val_share: float = 0.05
    """Share of the length that becomes the split `validation`; 0: no such split."""
    license: str = ""
    """Licence of the clips that tell none, as the hub names it (cc-by-4.0); empty: unknown."""
    title: str = ""
    """Name of the data set; empty: that of the run folder."""

    def __post_init__(self) -> None:
        for name in ("shard_mb", "group_mb"):
            if getattr(self, name) < 1:
                raise ValueError(f"pack.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.val_share <= 0.5:
            raise ValueError(f"pack.val_share must be from 0 to 0.5, got {self.val_share}")
