"""From a picture to the 224 x 224 that SyncNet sees: the whole frame, or the face of a track."""

import cv2
import numpy as np
import scipy.signal

from talkvid.evaluation.sync_tracks import FaceTrack
from talkvid.evaluation.syncnet_network import PICTURE_SIDE
from talkvid.records import Array

CROP_SCALE = 0.40
"""Share of the box's half side that is added: to the left, to the right, and twice below."""
MEDIAN_FRAMES = 13
PADDING = 110
"""Grey level of what lies outside the picture."""


def whole_frame(picture: Array) -> Array:
    """Return RGB (H W 3) uint8 stretched to (224 224 3), bilinear without smoothing, as OpenCV's resize does.

    The protocol of videos that show a cropped face already: the aspect is not kept.
    """
    return resized(picture)


class TrackCrop:
    """Cuts the pictures of one track: a square below and around the face, its place smoothed over time."""

    def __init__(self, track: FaceTrack, *, crop_scale: float = CROP_SCALE) -> None:
        self._scale = crop_scale
        left, top, right, bottom = track.boxes.T
        self.half = smoothed(np.maximum(bottom - top, right - left) / 2)
        self.centre_x = smoothed((left + right) / 2)
        self.centre_y = smoothed((top + bottom) / 2)

    def __call__(self, picture: Array, index: int) -> Array:
        """Return (224 224 3) uint8 of the picture (H W 3) that is number `index` of the track."""
        half, x, y = (float(values[index]) for values in (self.half, self.centre_x, self.centre_y))
        return resized(cut(picture, *square(x, y, half, crop_scale=self._scale)))


def square(x: float, y: float, half: float, *, crop_scale: float = CROP_SCALE) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the square for a face of centre (x, y) and half side `half`.

    Of half side s and scale c: x - s (1 + c) to x + s (1 + c), y - s to y + s (1 + 2 c), each rounded down
    after adding int(s (1 + 2 c)), the margin the published pipeline pads with, which is then taken off again.
    """
    margin = int(half * (1 + 2 * crop_scale))
    wide, below = half * (1 + crop_scale), half * (1 + 2 * crop_scale)
    left, right = int(x + margin - wide) - margin, int(x + margin + wide) - margin
    top, bottom = int(y + margin - half) - margin, int(y + margin + below) - margin
    return left, top, max(right, left + 1), max(bottom, top + 1)


def cut(picture: Array, left: int, top: int, right: int, bottom: int) -> Array:
    """Return (bottom - top, right - left, 3) of a picture, grey of level 110 where it lies outside."""
    height, width = picture.shape[:2]
    part = np.full((bottom - top, right - left, 3), PADDING, np.uint8)
    x0, x1 = (int(np.clip(edge, 0, width)) for edge in (left, right))
    y0, y1 = (int(np.clip(edge, 0, height)) for edge in (top, bottom))
    part[y0 - top : y1 - top, x0 - left : x1 - left] = picture[y0:y1, x0:x1]
    return part


def smoothed(values: Array) -> Array:
    """Return the running median over 13 values (F,); beyond the ends zeros stand, as published."""
    return np.asarray(scipy.signal.medfilt(np.asarray(values, np.float64), MEDIAN_FRAMES))


def resized(picture: Array) -> Array:
    """Return (224 224 3) uint8."""
    if picture.shape[:2] == (PICTURE_SIDE, PICTURE_SIDE):
        return picture
    return np.asarray(cv2.resize(picture, (PICTURE_SIDE, PICTURE_SIDE), interpolation=cv2.INTER_LINEAR))
