"""What a bench consists of: clips that can be used, clips that cannot, and what was noticed besides."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

SHOWN = 5
"""Names that are written out in a note."""


@dataclass(frozen=True)
class BenchClip:
    """One portrait that shall say one sound, and the true video where there is one."""

    id: str
    """Unique in the bench; the videos of all systems are named after it."""
    portrait: Path | None = None
    """None: the true video's first picture."""
    audio: Path | None = None
    """None: the sound of the true video."""
    keypoints: Path | None = None
    """Key points per picture, as the original's inference takes them."""
    reference: Path | None = None
    """The true video."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Value by dimension; a dimension without a value is absent."""
    problem: str = ""
    """Why this clip cannot be used; empty when it can."""

    @property
    def sound(self) -> Path:
        """Return the file that holds the driving sound."""
        sound = self.audio or self.reference
        assert sound is not None, self.id
        return sound


@dataclass(frozen=True)
class Bench:
    """A bench as it lies on disk: in = ready + broken."""

    root: Path
    clips: tuple[BenchClip, ...]
    """Ready, in the order of their ids."""
    broken: tuple[BenchClip, ...] = ()
    """Each with its problem."""
    notes: tuple[str, ...] = ()
    """Files and rows that belong to no clip, clips without a row: everything that was not used, counted."""

    @property
    def num_clips(self) -> int:
        """Return how many clips came in."""
        return len(self.clips) + len(self.broken)

    def limited(self, count: int | None) -> "Bench":
        """Return the bench with the first `count` ready clips; ValueError below 1."""
        if count is None or count >= len(self.clips):
            return self
        if count < 1:
            raise ValueError(f"limit must be at least 1, got {count}")
        note = f"{len(self.clips) - count} ready clips are left out by the limit of {count}"
        return replace(self, clips=self.clips[:count], notes=(*self.notes, note))

    def describe(self) -> dict[str, Any]:
        """Return counts, broken clips with their problems, group sizes and notes as plain values."""
        return {
            "clips": self.num_clips,
            "ready": len(self.clips),
            "broken": {clip.id: clip.problem for clip in self.broken},
            "with_true_video": sum(clip.reference is not None for clip in self.clips),
            "with_keypoints": sum(clip.keypoints is not None for clip in self.clips),
            "groups": group_sizes(self.clips),
            "notes": list(self.notes),
        }


def group_sizes(clips: tuple[BenchClip, ...]) -> dict[str, dict[str, int]]:
    """Return how many clips each value of each dimension has, by name."""
    sizes: dict[str, Counter[str]] = {}
    for clip in clips:
        for dimension, value in clip.groups.items():
            sizes.setdefault(dimension, Counter())[value] += 1
    return {dimension: dict(sorted(sizes[dimension].items())) for dimension in sorted(sizes)}


def told(names: list[str]) -> str:
    """Return the first names and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
