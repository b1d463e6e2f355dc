"""One portrait on the embedded model's stage: what its network sees of a frame, and the finished frame."""

from collections import deque
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from talkvid.face.lip_motion import FaceShape, face_shape
from talkvid.face.mouth_window import (
    MOUTH_SIZE,
    SPAN,
    WINDOW_SIZE,
    cut_mouth,
    cut_window,
    draw_mouth,
    mouth_corner,
    mouth_mask,
    paste_window,
    warp_window,
)
from talkvid.records import Array, Face

# Sides the window is warped at; the smallest that does not lose the portrait's detail is taken.
FINE_SIZES = (160, 240, 320, 480, 640)
# `view` and `finish` of a batch of frames need the same warps.
REMEMBERED_WARPS = 16


@dataclass(frozen=True)
class NetworkView:
    """What the network gets of one frame."""

    warped: Array
    """(96 96 3) uint8: the portrait's mouth, its landmarks brought to the frame's."""
    drawing: Array
    """(96 96 3) uint8: lips, opening and jaw, for the guider."""


class MouthStage:
    """Holds a portrait (H W 3) uint8 and its face, and makes and finishes the frames of a video."""

    def __init__(self, portrait: Array, face: Face) -> None:
        self.portrait = portrait
        self.shape = face_shape(face)
        """Landmarks of the portrait; `shape.moving` is what the lip predictor wants to know."""
        self.corner = mouth_corner(self.shape)
        self._recent: deque[tuple[FaceShape, Array]] = deque(maxlen=REMEMBERED_WARPS)

    @cached_property
    def fine_size(self) -> int:
        """Return the side of the window at the portrait's own resolution."""
        wanted = self.shape.frame.size * SPAN
        return next((size for size in FINE_SIZES if size >= wanted), FINE_SIZES[-1])

    @cached_property
    def _window(self) -> Array:
        return cut_window(self.portrait, self.shape.frame, self.fine_size)

    @property
    def reference(self) -> Array:
        """Return the portrait's own mouth (96 96 3) uint8, for the reference net."""
        return cut_mouth(cut_window(self.portrait, self.shape.frame), self.corner)

    def view(self, target: FaceShape) -> NetworkView:
        """Return what the network sees of the frame with landmarks `target` (from `shape.moved`)."""
        warped = self._warped(target)
        if self.fine_size != WINDOW_SIZE:
            warped = cv2.resize(warped, (WINDOW_SIZE, WINDOW_SIZE), interpolation=cv2.INTER_AREA)
        return NetworkView(
            warped=cut_mouth(warped, self.corner), drawing=cut_mouth(draw_mouth(target), self.corner)
        )

    def finish(
        self,
        target: FaceShape,
        change: Array,
        *,
        picture: Array | None = None,
        places: Array | None = None,
    ) -> Array:
        """Return the frame of the video (H W 3) uint8.

        `change` (96 96 3) float, units of [0, 1]: the decoded prediction minus the decoded warped portrait.
        `picture`: the portrait with its head moved and eyes shut; `places` (H W 2): where in the portrait its
        pixels come from.
        """
        ratio = self.fine_size / WINDOW_SIZE
        mask = cut_mouth(mouth_mask(self.shape, target), self.corner)[..., None]
        side = round(MOUTH_SIZE * ratio)
        added = cv2.resize(
            (change * mask * 255).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
        )
        window = self._warped(target).astype(np.float32)
        left, top = (round(place * ratio) for place in self.corner)
        window[top : top + side, left : left + side] += added
        whole = self.portrait if picture is None else picture
        np.clip(window, 0, 255, out=window)
        return paste_window(whole, window, self.shape.frame, places=places)

    def _warped(self, target: FaceShape) -> Array:
        for known, window in self._recent:
            if known is target:
                return window
        window = warp_window(self._window, self.shape, target)
        self._recent.append((target, window))
        return window
