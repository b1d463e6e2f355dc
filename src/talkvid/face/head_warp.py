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
        self._nodes = np.stack(np.meshgrid(across, down), axis=-1).astype(np.float32)
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._pixels = np.stack([columns, rows], axis=-1)

    def places(self, pose: Array) -> Array:
        """Return for a `pose` (6,), numbers of `head_motion.POSE_NUMBERS`, the places (H W 2) float32 px."""
        nodes = self._nodes
        shift = -self._moved(nodes, pose, *self._at_rest)
        for _ in range(ROUNDS - 1):
            shift = -self.displacement(nodes + shift, pose)
        full: Array = cv2.resize(shift, (self._width, self._height), interpolation=cv2.INTER_CUBIC)
        full += self._pixels
        return full

    def displacement(self, points: Array, pose: Array) -> Array:
        """Return how far `points` (… 2) of the portrait move, in pixels, when the head takes the `pose`.

        float32, which at the size of a picture is exact to 1e-4 px.
        """
        return self._moved(points, pose, *self._about(points))

    def _about(self, points: Array) -> tuple[Array, Array]:
        """Return places in the face frame with their depth (… 3), and share (…) of `points` (… 2) px."""
        x, y = self.frame.axis / self.frame.size
        turn = np.array([[x, y], [-y, x]])
        here = _transformed(points, np.column_stack([turn, -turn @ self.frame.origin]))
        deep = np.zeros_like(here[..., 0]) if self._depth is None else head_depth(here, self._depth)
        return np.concatenate([here, deep[..., None]], axis=-1), self.share(points, here)

    @cached_property
    def _at_rest(self) -> tuple[Array, Array]:
        return self._about(self._nodes)

    def _moved(self, points: Array, pose: Array, here: Array, share: Array) -> Array:
        across, down, log_scale, roll, yaw, pitch = (float(value) for value in pose)
        cos, sin = np.exp(log_scale) * np.cos(roll), np.exp(log_scale) * np.sin(roll)
        turn = np.array([[cos, -sin, cos * yaw + sin * pitch], [sin, cos, sin * yaw - cos * pitch]])
        shift = np.array([[across], [down]])
        x, y = self.frame.axis * self.frame.size
        matrix = np.array([[x, -y], [y, x]]) @ np.hstack([turn, shift])
        matrix[:, 3] += self.frame.origin
        moved: Array = _transformed(here, matrix)
        moved -= points
        moved *= share[..., None]
        return moved

    def share(self, points: Array, here: Array) -> Array:
        """Return how much of the head's motion `points` (… 2) px follow (…): 1 in the head, 0 far from it.

        `here` (… 2) are the same points in the face frame.
        """
        (left, top), (wide, high) = self._centre.tolist(), self._radii.tolist()
        x, y = (here[..., 0] - left) / wide, (here[..., 1] - top) / high
        way = (np.sqrt(x * x + y * y) - 1) * min(wide, high)
        below = (here[..., 1] - self._chin) / SOFT_BELOW + 0.5
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
    share = np.minimum(np.maximum(share, 0), 1)
    stepped: Array = share * share * share * (share * (share * 6 - 15) + 10)
    return stepped


def _transformed(points: Array, matrix: Array) -> Array:
    """Return `points` (… N) under `matrix` (M N + 1), whose last column is added, as (… M) float32."""
    flat = np.asarray(points, np.float32).reshape(-1, 1, points.shape[-1])
    transformed: Array = cv2.transform(flat, matrix)
    return transformed.reshape(*points.shape[:-1], -1)
