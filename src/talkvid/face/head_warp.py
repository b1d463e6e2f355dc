"""Moves the head of a portrait: a smooth field that carries the head and leaves the background still."""

from functools import cached_property

import cv2
import numpy as np

from talkvid.face.layout import CONTOUR_PARTS
from talkvid.face.lip_motion import FaceFrame, FaceShape, face_shape
from talkvid.records import Array, Face

NODES = 64
"""Nodes along each side of the grid the field is computed on."""
ROUNDS = 4
"""Fixed-point rounds that invert the field; each leaves about a quarter of the error."""
HAIR = 0.45
"""How far hair reaches above the forehead, as a part of the height of the face."""
EARS = 1.18
"""Half width of the head in half widths of the outline."""
SOFT_SIDE, SOFT_BELOW = 1.1, 1.9
"""Way, in face sizes, over which the motion dies away beside and above the head, and below the chin."""
SOFT_BORDER = (0.45, 1.0)
"""Least and greatest way from the border of the picture, in face sizes, over which it dies away."""


def head_depth(points: Array, depth: Array) -> Array:
    """Return how far `points` (… 2) of the face frame lie before the axis of the head (…), in face sizes.

    A wide hill for the head and a small one for the nose over a plain: `depth` holds the plain's height,
    the hill's height, centre downwards and widths across and down, the nose's height, place and width.
    """
    plain, head, centre, across, down, nose, tip, width = (float(value) for value in depth)
    x, y = points[..., 0], points[..., 1]
    hill = head * np.exp(-((x / across) ** 2) - ((y - centre) / down) ** 2)
    bump: Array = plain + hill + nose * np.exp(-(x**2 + (y - tip) ** 2) / width**2)
    return bump


class HeadWarp:
    """Says for a head pose where each pixel of the moved picture comes from in the portrait."""

    def __init__(self, face: Face, *, width: int, height: int, depth: Array | None) -> None:
        """Take the face in a picture of this size and the `depth` (8,) of `head_depth`; None: flat."""
        shape = face_shape(face)
        self.frame: FaceFrame = shape.frame
        self._depth = depth
        self._width, self._height = width, height
        self._centre, self._radii, self._chin = _head_ellipse(shape)
        across = (np.arange(NODES) + 0.5) * (width / NODES) - 0.5
        down = (np.arange(NODES) + 0.5) * (height / NODES) - 0.5
        self._nodes = np.stack(np.meshgrid(across, down), axis=-1)
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._pixels = np.stack([columns, rows], axis=-1)

    def places(self, pose: Array) -> Array:
        """Return for a `pose` (6,), numbers of `head_motion.POSE_NUMBERS`, the places (H W 2) float32 px."""
        nodes = self._nodes
        shift = -self._moved(nodes, pose, *self._at_rest)
        for _ in range(ROUNDS - 1):
            shift = -self.displacement(nodes + shift, pose)
        full: Array = cv2.resize(
            shift.astype(np.float32), (self._width, self._height), interpolation=cv2.INTER_CUBIC
        )
        full += self._pixels
        return full

    def displacement(self, points: Array, pose: Array) -> Array:
        """Return how far `points` (… 2) of the portrait move, in pixels, when the head takes the `pose`."""
        return self._moved(points, pose, *self._about(points))

    def _about(self, points: Array) -> tuple[Array, Array | None, Array]:
        """Return face-frame places (… 2), depth (…) unless flat, and share (…) of `points` (… 2) px."""
        here = self.frame.to_face(points)
        deep = None if self._depth is None else head_depth(here, self._depth)
        return here, deep, self.share(points, here)

    @cached_property
    def _at_rest(self) -> tuple[Array, Array | None, Array]:
        return self._about(self._nodes)

    def _moved(self, points: Array, pose: Array, here: Array, deep: Array | None, share: Array) -> Array:
        across, down, log_scale, roll, yaw, pitch = (float(value) for value in pose)
        turned = here if deep is None else here + deep[..., None] * np.array([yaw, -pitch])
        cos, sin = np.exp(log_scale) * np.cos(roll), np.exp(log_scale) * np.sin(roll)
        there = turned @ np.array([[cos, sin], [-sin, cos]]) + np.array([across, down])
        moved: Array = (self.frame.to_picture(there) - points) * share[..., None]
        return moved

    def share(self, points: Array, here: Array) -> Array:
        """Return how much of the head's motion `points` (… 2) px follow (…): 1 in the head, 0 far from it.

        `here` (… 2) are the same points in the face frame.
        """
        x, y = ((here[..., axis] - self._centre[axis]) / self._radii[axis] for axis in (0, 1))
        way = (np.sqrt(x * x + y * y) - 1) * self._radii.min()
        below = np.clip((here[..., 1] - self._chin) / SOFT_BELOW + 0.5, 0, 1)
        soft = SOFT_SIDE + (SOFT_BELOW - SOFT_SIDE) * _smooth(below)
        share = 1 - _smooth(way / soft)
        for axis, length in ((0, self._width), (1, self._height)):
            for edge in (points[..., axis], length - 1 - points[..., axis]):
                share *= _smooth(edge / (self.frame.size * self._border_soft))
        return share

    @cached_property
    def _border_soft(self) -> float:
        """Return the way over which the motion dies away at the border: the room beside the head, roughly."""
        middle = self.frame.to_picture(self._centre)
        rooms = (middle[0], self._width - middle[0], middle[1])
        radii = self._radii[[0, 0, 1]] * self.frame.size
        room = float(np.min(np.array(rooms) - radii)) / self.frame.size
        return float(np.clip(room, *SOFT_BORDER))


def _head_ellipse(shape: FaceShape) -> tuple[Array, Array, float]:
    """Return centre (2,), radii (2,) and chin of the head with its hair, in the face frame."""
    outline = shape.contour[CONTOUR_PARTS["outline"]]
    top, chin = float(outline[:, 1].min()), float(outline[:, 1].max())
    crown = top - HAIR * (chin - top)
    left, right = float(outline[:, 0].min()), float(outline[:, 0].max())
    centre = np.array([(left + right) / 2, (crown + chin) / 2])
    return centre, np.array([(right - left) / 2 * EARS, (chin - crown) / 2]), chin


def _smooth(share: Array) -> Array:
    """Return a step from 0 to 1 without kinks (smootherstep, Perlin 2002)."""
    share = np.clip(share, 0, 1)
    stepped: Array = share * share * share * (share * (share * 6 - 15) + 10)
    return stepped
