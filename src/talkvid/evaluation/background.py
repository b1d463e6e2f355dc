"""Does the picture behind the head stay calm? Flicker between pictures, and drift over the clip."""

from collections import deque

import cv2
import numpy as np

from talkvid.records import Array

WIDTH = 160
"""Pictures are compared at this width."""
ASIDE, ABOVE, BELOW = 0.35, 0.55, 0.25
"""How much of the landmarks' box is added to the head box at each side, above and below."""
SMALLEST_SHARE = 0.02
"""With less of the picture outside the head nothing is measured."""


def head_box(box: Array) -> Array:
    """Return (4,) the box of the head with hair, ears and chin around the landmarks' `box` (4,)."""
    width, height = box[2] - box[0], box[3] - box[1]
    grown: Array = box + np.array([-ASIDE * width, -ABOVE * height, ASIDE * width, BELOW * height])
    return grown


def outside(box: Array, size: tuple[int, int], scale: float) -> Array:
    """Return bool (h, w) of a picture `size` (w, h): which pixels lie outside `box` (4,) times `scale`."""
    mask = np.ones(size[::-1], bool)
    if np.isfinite(box).all():
        left, top, right, bottom = box * scale
        low = np.maximum([np.floor(left), np.floor(top)], 0).astype(int)
        high = np.maximum([np.ceil(right), np.ceil(bottom)], 0).astype(int)
        mask[low[1] : high[1], low[0] : high[0]] = False
    return mask


def flicker_ratio(made: float, truth: float) -> float:
    """Return the made video's flicker over the true one's; NaN when one is unknown or nothing changes."""
    return made / truth if truth > 0 else float("nan")


class BackgroundWatch:
    """Takes the pictures of a video one by one; holds one second of thumbnails, however long the video is."""

    def __init__(self, *, fps: float) -> None:
        self._second = max(1, round(fps))
        self._first: list[Array] = []
        self._last: deque[Array] = deque(maxlen=self._second)
        self._before: tuple[Array, Array] | None = None
        self._never_head: Array | None = None
        self._changes: list[float] = []

    def add(self, picture: Array, box: Array) -> None:
        """Take the next RGB (H W 3) uint8 picture and its face box (4,), NaN where no face was found."""
        height, width = picture.shape[:2]
        scale = WIDTH / width
        size = WIDTH, max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        free = outside(head_box(box), size, scale)
        if self._before is not None:
            before, free_before = self._before
            both = free & free_before
            if both.mean() >= SMALLEST_SHARE:
                self._changes.append(float(cv2.absdiff(small, before)[both].mean()))
        self._before = small, free
        self._never_head = free if self._never_head is None else self._never_head & free
        if len(self._first) < self._second:
            self._first.append(small)
        self._last.append(small)

    @property
    def flicker(self) -> float:
        """Return the mean absolute difference of consecutive pictures outside the head, 0 to 255."""
        return float(np.mean(self._changes)) if self._changes else float("nan")

    @property
    def drift(self) -> float:
        """Return how far the colour outside the head moved, in grey levels 0–255.

        The mean colour over the pixels the head never covers, of the first second against that of the last;
        mean of the three channels' absolute differences. NaN when hardly any pixel is always free.
        """
        if self._never_head is None or self._never_head.mean() < SMALLEST_SHARE:
            return float("nan")
        first, last = (np.mean([small[self._never_head].mean(axis=0) for small in part], axis=0)
                       for part in (self._first, self._last))  # fmt: skip
        return float(np.abs(last - first).mean())
