"""A pair that is told everything: drawn faces whose mouths open as planted, and a sound, without any file.

truth, sound = talking(6.0, seed=1)                      # a clip whose mouth follows its sound
view = FakeView(truth, truth=truth, heard=sound)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import cv2
import numpy as np

from talkvid.evaluation.frame_pairs import FramePair, aligned_pairs
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.video_look import VideoLook, look_at
from talkvid.media.video import VideoInfo
from talkvid.records import Array
from tests.evaluation.drawn import EYE_DISTANCE, RATE, ToldYardstick, babble, opening_from, sighting

SIDE = 400
"""Of the pictures in which `sighting` puts its face."""
SKIN = (200, 160, 140)


@dataclass(frozen=True)
class Clip:
    """A drawn face of F pictures."""

    opening: Array
    """(F,) in eye distances; NaN where the picture shows no face."""
    fps: float = 25.0
    skin: tuple[int, int, int] = SKIN
    brightness: Array | None = None
    """(F,) added to every picture."""
    size: int = SIDE
    """Pictures are drawn at 400 px and brought to this size."""
    num_faces: int = 1
    shift: tuple[float, float] = (0.0, 0.0)
    """By how much the planted face lies away from the drawn one, pixels of 400."""

    def __len__(self) -> int:
        return len(self.opening)

    @property
    def info(self) -> VideoInfo:
        """What its file would state."""
        return VideoInfo(self.size, self.size, self.fps, len(self), len(self) / self.fps, True, 0)

    def frames(self) -> Iterator[Array]:
        """Yield the pictures, drawn anew each time."""
        return (_resized(picture, self.size) for picture in self._drawn())

    def _drawn(self) -> Iterator[Array]:
        for number, opening in enumerate(self.opening):
            picture = drawn_face(float(opening), skin=self.skin)
            if self.brightness is not None:
                lighter = picture.astype(np.int16) + int(self.brightness[number])
                picture = np.clip(lighter, 0, 255).astype(np.uint8)
            yield picture

    @cached_property
    def look(self) -> VideoLook:
        """What a yardstick that is told the truth sees."""
        at = (200 + self.shift[0], 200 + self.shift[1])
        seen = [
            sighting(float(gap), width=1 - float(gap), jaw=float(gap), at=at) if np.isfinite(gap) else None
            for gap in self.opening
        ]
        look = look_at(self._drawn(), ToldYardstick(seen, self.num_faces), fps=self.fps)
        size = (self.size, self.size)
        return VideoLook(look.tracks.scaled(size), look.sharpness, look.embeddings, look.flicker, look.drift)


def drawn_face(opening: float, *, skin: tuple[int, int, int] = SKIN) -> Array:
    """Return RGB (400 400 3) uint8: a face where `sighting` says, on waves; NaN draws the waves alone."""
    picture: Array = _waves().copy()
    if not np.isfinite(opening):
        return picture
    cv2.ellipse(picture, (200, 155), (90, 105), 0, 0, 360, skin, -1)
    for eye in (150, 250):
        cv2.circle(picture, (eye, 90), 8, (40, 30, 30), -1)
    cv2.ellipse(
        picture, (200, 200), (45, max(1, round(opening * EYE_DISTANCE / 2))), 0, 0, 360, (90, 20, 30), -1
    )
    return picture


@cache
def _waves() -> Array:
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = np.stack([110 + 20 * np.sin(x / 17 + c) + 20 * np.cos(y / 13) for c in range(3)], -1)
    return waves.astype(np.uint8)


@dataclass
class FakeView:
    """A `ClipView` of drawn clips."""

    clip: Clip
    truth: Clip | None = None
    heard: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    """(N,) at 16 kHz."""
    others: list[Array] = field(default_factory=list)
    portrait: Clip | None = None
    """Its first picture; None: the true clip's, or the made one's own."""
    pair: Pair = field(default_factory=lambda: Pair("ours", "clip", Path("made.mp4")))
    yardstick_name: str = "told"

    made: VideoInfo = field(init=False)
    reference: VideoInfo | None = field(init=False)

    def __post_init__(self) -> None:
        self.made = self.clip.info
        self.reference = None if self.truth is None else self.truth.info
        if self.truth is not None and self.pair.reference is None:
            self.pair = replace(self.pair, reference=Path("true.mp4"))

    def frames(self) -> Iterator[Array]:
        return self.clip.frames()

    def reference_frames(self) -> Iterator[Array]:
        return self._truth().frames()

    def frame_pairs(self) -> Iterator[FramePair]:
        truth = self._truth()
        made = (_resized(frame, truth.size) for frame in self.clip.frames())
        return aligned_pairs(made, truth.frames(), made_fps=self.clip.fps, truth_fps=truth.fps)

    def sound(self, *, rate: int = RATE) -> Array:
        assert rate == RATE
        return self.heard

    def other_sounds(self) -> list[Array]:
        return self.others

    def look(self) -> VideoLook:
        return self.clip.look

    def reference_look(self) -> VideoLook:
        return self._truth().look

    def portrait_look(self) -> VideoLook:
        whose = self.portrait or self.truth or self.clip
        return Clip(whose.opening[:1], skin=whose.skin, size=whose.size).look

    def _truth(self) -> Clip:
        if self.truth is None:
            raise ValueError("there is no true video")
        return self.truth


def talking(
    seconds: float = 6.0, *, seed: int = 1, late_s: float = 0.0, fps: float = 25.0
) -> tuple[Clip, Array]:
    """Return a clip whose mouth follows a sound, `late_s` later, and that sound (N,) at 16 kHz."""
    sound, loudness = babble(seconds, seed=seed)
    return Clip(opening_from(loudness, fps=fps, late_s=late_s), fps=fps), sound


def _resized(picture: Array, size: int) -> Array:
    if picture.shape[0] == size:
        return picture
    resized: Array = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return resized
