"""How sharp the face is, whatever its size."""

import cv2
import numpy as np

from talkvid.records import Array

SIDE = 160
"""The face box is brought to this many pixels a side, so that large and small faces compare."""
EVERY = 5
"""Of a video every fifth picture is measured."""


def sharpness_ratio(made: Array, portrait: Array) -> float:
    """Return the mean of `made` (K,) over that of `portrait` (L,), both of `face_sharpness`.

    NaN are left out; NaN when a side has no other or the portrait's face is perfectly even.
    """
    ours, theirs = (values[np.isfinite(values)] for values in (made, portrait))
    if not len(ours) or not len(theirs) or not theirs.mean() > 0:
        return float("nan")
    return float(ours.mean() / theirs.mean())


def face_sharpness(picture: Array, box: Array) -> float:
    """Return the variance of the Laplacian of the grey face box resized to 160 px; NaN without a box.

    `picture` RGB (H W 3) uint8, `box` (4,) x0 y0 x1 y1 in pixels; grey levels 0 to 255, kernel -4 in the
    middle and 1 on four sides. A video's sharpness ratio is its mean over the portrait's value.
    """
    if not np.isfinite(box).all():
        return float("nan")
    height, width = picture.shape[:2]
    left, top = np.clip(np.floor(box[:2]), 0, [width, height]).astype(int)
    right, bottom = np.clip(np.ceil(box[2:]), 0, [width, height]).astype(int)
    if right - left < 2 or bottom - top < 2:
        return float("nan")
    grey = cv2.cvtColor(np.ascontiguousarray(picture[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    shrinks = min(grey.shape) > SIDE
    face = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return float(cv2.Laplacian(face, cv2.CV_64F).var())
