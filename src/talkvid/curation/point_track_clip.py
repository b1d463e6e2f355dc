"""One clip's points: how many stay in sight, whether the camera shakes, whether the picture stands still."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np

from talkvid.curation.motion_frames import SEGMENT_S, TRIM_S, TRIMMED_FROM_S, segment_pictures
from talkvid.curation.point_tracks import SIDE, PointTracks
from talkvid.media.luma import small_luma
from talkvid.records import Array

STEPS_PER_LOOK = 3
"""Two looks a second are too far apart for Lucas-Kanade, so points are followed in that many steps."""
STILL_SHRINK = 4
"""Pictures are compared for standing still at this fraction of their small size."""
STILL_CHANGE = 4
"""Grey levels: a picture in which no place changes by more stands still."""
STEADY_QUANTILE = 0.25
"""The share of textured points taken for background, whose changes of speed are the camera's."""
LEAST_POINTS = 8
"""Fewer textured points say nothing about the camera."""


@dataclass(frozen=True)
class Stretch:
    """A part of a clip whose points are those of a grid over its first picture."""

    looks: tuple[int, ...]
    """Pictures at which visible points are counted."""
    pictures: tuple[int, ...]
    """Pictures in which points are followed; the looks are among them."""
    scored: bool
    """Whether it counts for the ratio, as the published stretches do, or only watches what lies between."""


def stretches(
    fps: float, num_frames: int, duration_s: float, *, steps: int = STEPS_PER_LOOK
) -> list[Stretch]:
    """Return the published stretches, and those that fill the gaps between them and behind the last look."""
    chosen = segment_pictures(fps, num_frames, duration_s)
    end = num_frames - 1 - (int(TRIM_S * fps) if num_frames / fps > TRIMMED_FROM_S else 0)
    ends = [*(pictures[0] for pictures in chosen[1:]), end]
    between = [
        part for before, last in zip(chosen, ends, strict=True) for part in _gap(before, last, fps=fps)
    ]
    return [
        Stretch(tuple(looks), tuple(_with_steps(looks, steps)), scored)
        for scored, group in ((True, chosen), (False, between))
        for looks in group
    ]


def _gap(before: Sequence[int], last: int, *, fps: float) -> list[list[int]]:
    """Return looks from the last of those before to `last`, as far apart, in pieces of six seconds."""
    stride = before[1] - before[0] if len(before) > 1 else max(1, int(fps / 2))
    if last <= before[-1]:
        return []
    looks = [*range(before[-1], last, stride), last]
    size = max(2, round(SEGMENT_S * fps / stride))
    return [looks[start : start + size + 1] for start in range(0, len(looks) - 1, size)]


def _with_steps(looks: Sequence[int], steps: int) -> list[int]:
    pictures = {looks[0]}
    for before, after in pairwise(looks):
        pictures.update(before + round((after - before) * step / steps) for step in range(1, steps + 1))
    return sorted(pictures)


@dataclass
class _Watch:
    """A stretch while its pictures go by."""

    stretch: Stretch
    tracks: PointTracks | None = None
    last: int = 0
    visible: list[float] = field(default_factory=list)
    speeds: Array | None = None
    """(N, 2) pixels per picture in the step before; NaN where not known."""
    shakes: list[float] = field(default_factory=list)

    def see(self, index: int, grey: Array) -> None:
        if self.tracks is None:
            self.tracks = PointTracks(grey)
        else:
            gap = index - self.last
            step = self.tracks.step(grey)
            speeds = step.moves / gap
            if self.speeds is not None:
                self._add_shake(np.hypot(*(speeds - self.speeds).T) * gap)
            self.speeds = speeds
        self.last = index
        if index in self.stretch.looks:
            self.visible.append(float(self.tracks.visible.mean()))

    def _add_shake(self, missed: Array) -> None:
        known = missed[~np.isnan(missed)]
        if len(known) >= LEAST_POINTS:
            self.shakes.append(float(np.quantile(known, STEADY_QUANTILE)) / SIDE * 100.0)


class PointTrackClip:
    """Follows the points of a clip as its pictures go by; only the last small picture is kept."""

    luma_side = SIDE

    def __init__(self, fps: float, parts: Sequence[Stretch]) -> None:
        self._fps = fps
        self._watches = [_Watch(stretch) for stretch in parts]
        self._by_index: dict[int, list[_Watch]] = {}
        for watch in self._watches:
            for index in watch.stretch.pictures:
                self._by_index.setdefault(index, []).append(watch)
        self._tiny: Array | None = None
        self._still_from = self._longest_still = 0

    def see(self, index: int, picture: Array) -> None:
        """Follow the points in picture `index`, RGB (H W 3) uint8."""
        self.see_luma(index, small_luma(picture, SIDE))

    def see_luma(self, index: int, luma: Array) -> None:
        """Follow the points in picture `index`, grey (h w) uint8 whose longer side is `luma_side`."""
        watches = self._by_index.get(index)
        if watches is None:
            return
        self._compare(index, luma)
        for watch in watches:
            watch.see(index, luma)

    def _compare(self, index: int, luma: Array) -> None:
        size = tuple(max(1, side // STILL_SHRINK) for side in luma.shape[::-1])
        tiny = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
        if self._tiny is None or int(cv2.absdiff(tiny, self._tiny).max()) > STILL_CHANGE:
            self._still_from = index
        self._longest_still = max(self._longest_still, index - self._still_from)
        self._tiny = tiny

    def finish(self) -> Mapping[str, float]:
        """Return the scores by name; `EmbeddedMotionScorer` says what they mean."""
        seen = [watch for watch in self._watches if watch.visible]
        assert any(watch.stretch.scored for watch in seen), "no picture was seen"
        shakes = [float(np.mean(watch.shakes)) for watch in seen if watch.shakes]
        return {
            "point_track_ratio": min(float(np.mean(w.visible)) for w in seen if w.stretch.scored),
            "point_track_lowest": min(min(watch.visible) for watch in seen),
            "point_track_shake": max(shakes, default=0.0),
            "point_track_longest_still_s": self._longest_still / self._fps,
        }
