"""Points of a grid followed from picture to picture by pyramidal Lucas-Kanade, and which of them are seen.

Embedded stand-in for a learned point tracker: a point is seen as long as tracking it there and back ends
where it began and the little square about it looks as it did a moment ago.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from talkvid.records import Array

SIDE = 320
"""Longer side of the grey pictures that points are followed in."""
GRID = 12
"""Points per row and column."""
MARGIN = 6.0
"""Distance of the outermost points from the border, in pixels."""
WINDOW = (11, 11)
LEVELS = 3
STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 6, 0.05)
LARGEST_RETURN = 2.0
"""Pixels by which a point followed there and back may miss where it began."""
PATCH = 9
LEAST_SIMILARITY = 0.4
NOISE_VARIANCE = 200.0
"""Grey levels squared added to the patches' variances: flat patches are alike whatever their noise."""
LARGEST_BRIGHTENING = 30.0
"""Grey levels by which the mean of a patch may change at once."""
TEXTURED = 36.0
"""Variance of a patch, in grey levels squared, from which its displacement is believed."""

_OFFSETS = np.stack(np.meshgrid(np.arange(PATCH), np.arange(PATCH)), axis=-1).reshape(1, -1, 2) - PATCH // 2


@dataclass(frozen=True)
class Step:
    """What one step told; N points in the order of the grid."""

    moves: Array
    """(N, 2) float32: displacement in pixels, NaN where the point has no texture or was not followed."""
    visible: Array
    """(N,) bool."""


def grid_points(height: int, width: int, *, num: int = GRID) -> Array:
    """Return (num * num, 2) float32 points spread evenly over a picture, x first, row by row."""
    across = np.linspace(min(MARGIN, width / 4), width - 1 - min(MARGIN, width / 4), num)
    down = np.linspace(min(MARGIN, height / 4), height - 1 - min(MARGIN, height / 4), num)
    return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2).astype(np.float32)


class PointTracks:
    """The points of one stretch, all visible in its first picture.

    A point that is lost waits where it was seen last and is found again when that place looks as it did.
    """

    def __init__(self, first: Array, *, num: int = GRID) -> None:
        self._last = first
        self._points = grid_points(*first.shape[:2], num=num)
        self._patches = _patches(first, self._points)
        self.visible: Array = np.ones(len(self._points), bool)
        """(N,) bool."""

    def step(self, picture: Array) -> Step:
        """Return what became of the points in the next grey picture (h w) uint8."""
        there, followed = _followed(self._last, picture, self._points)
        followed &= self.visible
        places = np.where(followed[:, None], there, self._points)
        patches = _patches(picture, places)
        height, width = picture.shape[:2]
        inside = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=1)
        self.visible = inside & _alike(self._patches, patches)
        believed = followed & self.visible & (self._patches.var(axis=1) >= TEXTURED)
        moves = np.where(believed[:, None], places - self._points, np.nan).astype(np.float32)
        self._points = np.where(self.visible[:, None], places, self._points)
        self._patches = np.where(self.visible[:, None], patches, self._patches)
        self._last = picture
        return Step(moves, self.visible)


def _followed(before: Array, after: Array, points: Array) -> tuple[Array, Array]:
    """Return where points (N 2) went and whether (N,) the way back leads to where they came from."""
    there, found, _ = _flow(before, after, points)
    back, returned, _ = _flow(after, before, there)
    missed = np.abs(back - points).max(axis=1)
    return there, (found[:, 0] > 0) & (returned[:, 0] > 0) & (missed < LARGEST_RETURN)


def _flow(before: Array, after: Array, points: Array) -> tuple[Array, Array, Array]:
    guess = np.empty_like(points)
    found: tuple[Array, Array, Array] = cv2.calcOpticalFlowPyrLK(
        before, after, points, guess, winSize=WINDOW, maxLevel=LEVELS, criteria=STOP
    )
    return found


def _patches(picture: Array, points: Array) -> Array:
    """Return (N, PATCH * PATCH) float32: the squares about points (N 2), the border's value beyond it."""
    places = (points[:, None] + _OFFSETS).astype(np.float32)
    cut = cv2.remap(
        picture, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    patches: Array = cut.astype(np.float32)
    return patches


def _alike(before: Array, after: Array) -> Array:
    """Return (N,) whether patches (N P) agree in brightness and in the covariance term of SSIM."""
    means = before.mean(axis=1), after.mean(axis=1)
    flat = before - means[0][:, None], after - means[1][:, None]
    together = 2 * (flat[0] * flat[1]).mean(axis=1) + NOISE_VARIANCE
    alone = (flat[0] ** 2).mean(axis=1) + (flat[1] ** 2).mean(axis=1) + NOISE_VARIANCE
    alike: Array = (together / alone > LEAST_SIMILARITY) & (np.abs(means[0] - means[1]) < LARGEST_BRIGHTENING)
    return alike
