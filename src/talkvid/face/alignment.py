"""The upright square window about a face that our landmark network looks through."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from talkvid.records import Array

SIDE_IN_FACE_SIZES = 2.7
"""Side of the window; a face size is the root of squared eye distance plus squared eye-to-mouth distance."""
LARGEST_STEP = 2.0
"""A window shrunk by more than this is first shrunk by averaging, so that nothing aliases."""


@dataclass(frozen=True)
class Window:
    """A square window: centre (2,) and side in pixels of the picture, tilted clockwise by `angle` radians."""

    centre: Array
    side: float
    angle: float

    def matrix(self, size: int) -> Array:
        """Return the (2 3) map from picture pixels to pixels of this window at size x size."""
        scale = size / self.side
        cos, sin = math.cos(self.angle) * scale, math.sin(self.angle) * scale
        turn = np.array([[cos, sin], [-sin, cos]])
        middle = (size - 1) / 2
        return np.concatenate([turn, (middle - turn @ self.centre)[:, None]], axis=1)

    def to_window(self, points: Array, size: int) -> Array:
        """Return picture points (..., 2) in pixels of this window."""
        matrix = self.matrix(size)
        moved: Array = np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]
        return moved

    def to_picture(self, points: Array, size: int) -> Array:
        """Return points (..., 2) of this window in pixels of the picture."""
        back = cv2.invertAffineTransform(self.matrix(size))
        moved: Array = np.asarray(points, dtype=np.float64) @ back[:, :2].T + back[:, 2]
        return moved

    def cut(self, image: Array, size: int) -> Array:
        """Return what the window shows of an RGB (H W 3) uint8 image, (size size 3); black beyond the
        picture.
        """
        matrix = self.matrix(size)
        if self.side > LARGEST_STEP * size:
            image, matrix = _shrunk(image, self, matrix, size)
        return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)


def window_of(points: Array, *, scale: float = 1.0) -> Window:
    """Return the upright window about five points (5 2), `scale` times as wide as the usual."""
    points = np.asarray(points, dtype=np.float64)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across, down = points[1] - points[0], mouth - eyes
    # Both lines tell the tilt: the eye line, and the line to the mouth turned by a quarter.
    along = across + np.array([down[1], -down[0]])
    size = math.hypot(float(np.hypot(*across)), float(np.hypot(*down)))
    side = max(size, 1.0) * SIDE_IN_FACE_SIZES * scale
    return Window((eyes + mouth) / 2, side, math.atan2(float(along[1]), float(along[0])))


def _shrunk(image: Array, window: Window, matrix: Array, size: int) -> tuple[Array, Array]:
    """Return the part of the image about the window, shrunk by averaging, and the map from it."""
    height, width = image.shape[:2]
    reach = window.side * 0.75
    left, top = (max(int(edge), 0) for edge in window.centre - reach)
    right = min(int(window.centre[0] + reach) + 1, width)
    bottom = min(int(window.centre[1] + reach) + 1, height)
    if right - left < 2 or bottom - top < 2:
        return image, matrix
    factor = LARGEST_STEP * size / window.side
    inner = max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor))
    part = cv2.resize(image[top:bottom, left:right], inner, interpolation=cv2.INTER_AREA)
    zoom = np.array([(right - left) / inner[0], (bottom - top) / inner[1]])
    shift = zoom * 0.5 - 0.5 + np.array([left, top])
    turn = matrix[:, :2] * zoom
    return part, np.concatenate([turn, (matrix[:, :2] @ shift + matrix[:, 2])[:, None]], axis=1)
