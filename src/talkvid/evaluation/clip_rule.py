"""Which consecutive pictures of a video FVD looks at, and cutting them out while the video is decoded."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.facts import Facts, checked_frame
from talkvid.records import Array

SHORTEST = 10
"""Pictures below which I3D's pooling over time has nothing to pool."""


@dataclass(frozen=True)
class ClipRule:
    """Which consecutive pictures of a video are looked at."""

    length: int = 16
    """Pictures per clip, each one after the other at the video's own rate."""
    per_video: int = 1
    """Clips of a video, spread evenly from its first to its last possible start; a single one lies in the
    middle."""

    def __post_init__(self) -> None:
        if self.length < SHORTEST:
            raise ValueError(
                f"a clip of {self.length} pictures is too short for I3D; give {SHORTEST} or more"
            )
        if self.per_video < 1:
            raise ValueError(f"clips per video must be 1 or more, got {self.per_video}")

    def starts(self, num_frames: int) -> list[int]:
        """Return the first picture of every clip, in order; ValueError for a video that is too short."""
        last = num_frames - self.length
        if last < 0:
            raise ValueError(f"a video of {num_frames} pictures holds no clip of {self.length}; leave it out")
        if self.per_video == 1:
            return [last // 2]
        if self.per_video > last + 1:
            raise ValueError(
                f"a video of {num_frames} pictures has no {self.per_video} clips of {self.length}"
            )
        return [round(number * last / (self.per_video - 1)) for number in range(self.per_video)]

    @property
    def facts(self) -> Facts:
        """Return the rule as facts."""
        place = "middle of the video" if self.per_video == 1 else "spread evenly over the video"
        return {"clip_length": self.length, "clips_per_video": self.per_video, "clip_place": place}


def cut_clips(frames: Iterable[Array], num_frames: int, *, rule: ClipRule) -> Iterator[Array]:
    """Yield the clips (T H W 3) uint8 of a video with `num_frames` pictures, decoded once.

    No more pictures are in memory than the clips that overlap have. ValueError when the video is too short or
    ends before the pictures it was said to have.
    """
    waiting = rule.starts(num_frames)
    open_clips: list[tuple[int, list[Array]]] = []
    for number, frame in enumerate(frames):
        while waiting and waiting[0] == number:
            open_clips.append((waiting.pop(0), []))
        for _, clip in open_clips:
            clip.append(checked_frame(frame))
        if open_clips and len(open_clips[0][1]) == rule.length:
            yield np.stack(open_clips.pop(0)[1])
        if not waiting and not open_clips:
            return
    raise ValueError(f"the video ends before the {num_frames} pictures it was said to have; count them again")
