"""Cuts between shots while faces are sought: a face is never followed across one."""

from typing import Any

import cv2

from talkvid.extras import require
from talkvid.records import Array

CUTS = ("content", "none")
THRESHOLD = 30.0
"""Of PySceneDetect's content detector, the default of the version that the published pipeline pins."""
MIN_SHOT_FRAMES = 15
LONGEST_SIDE = 256
"""The pictures compared are shrunk to about this, as that version does."""


class ShotWatch:
    """Sees the pictures of a video in order and tells where the shots begin; nothing of them is kept."""

    def __init__(self, cuts: str) -> None:
        """`cuts` is content (extra `eval`) or none: all is one shot."""
        if cuts not in CUTS:
            raise ValueError(f"cuts {cuts!r} is unknown; choose one of {', '.join(CUTS)}")
        self._detector: Any = None
        if cuts == "content":
            self._library = require("scenedetect", extra="eval")
            self._detector = self._library.ContentDetector(THRESHOLD, min_scene_len=MIN_SHOT_FRAMES)
        self._cuts: set[int] = set()
        self._seen = 0

    def see(self, picture: Array) -> None:
        """Take the next picture, RGB (H W 3) uint8."""
        if self._detector is not None:
            shrunk = _shrunk(picture)
            found = self._detector.process_frame(self._place(), cv2.cvtColor(shrunk, cv2.COLOR_RGB2BGR))
            self._cuts.update(cut.frame_num for cut in found)
        self._seen += 1

    def shots(self) -> list[tuple[int, int]]:
        """Return [first, stop) of every shot among the pictures seen, in order, covering all of them."""
        found = self._cuts
        if self._detector is not None and self._seen:
            found = found | {cut.frame_num for cut in self._detector.post_process(self._place())}
        cuts = sorted(cut for cut in found if 0 < cut < self._seen)
        return list(zip([0, *cuts], [*cuts, self._seen], strict=True)) if self._seen else []

    def _place(self) -> Any:
        return self._library.FrameTimecode(self._seen, 25.0)


def _shrunk(picture: Array) -> Array:
    height, width = picture.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
