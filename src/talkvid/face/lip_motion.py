"""Lips and jaw in a frame of reference that moves with the face: what speech moves, freed of the head.

The face frame has its origin midway between the eyes, its x axis along the eyes and a length of 1 for the
size of the face, so that a shape can be compared between persons, frames and picture sizes.
"""

from dataclasses import dataclass

import numpy as np

from talkvid.face.layout import CONTOUR_PARTS
from talkvid.records import NUM_LIP, Array, Face

# Outline points from below one ear over the chin (18) to below the other: they follow the jaw.
JAW = slice(10, 27)
NUM_JAW = JAW.stop - JAW.start
NUM_MOVING = NUM_LIP + NUM_JAW
# A turned head brings the eyes nearer to each other, so the way from eyes to mouth counts as well.
EYES_TO_MOUTH_SHARE = 0.9


@dataclass(frozen=True)
class FaceFrame:
    """Where a face lies in a picture: origin (2,) px, unit x axis (2,), size in px."""

    origin: Array
    axis: Array
    size: float

    def to_face(self, points: Array) -> Array:
        """Return `points` (… 2) of the picture in the face frame."""
        moved = (np.asarray(points, np.float64) - self.origin) / self.size
        x, y = self.axis
        turned: Array = moved @ np.array([[x, -y], [y, x]])
        return turned

    def to_picture(self, points: Array) -> Array:
        """Return `points` (… 2) of the face frame as pixels of the picture."""
        x, y = self.axis
        turned: Array = np.asarray(points, np.float64) @ np.array([[x, y], [-y, x]])
        return turned * self.size + self.origin


def face_frame(points: Array) -> FaceFrame:
    """Return the frame of a face from its five `points` (5, 2) in the order of `records.FIVE_POINTS`."""
    left, right, _, left_mouth, right_mouth = np.asarray(points, np.float64)
    between = right - left
    eyes = (left + right) / 2
    mouth = (left_mouth + right_mouth) / 2
    distance = float(np.hypot(*between))
    size = max(distance, EYES_TO_MOUTH_SHARE * float(np.hypot(*(mouth - eyes))), 1e-6)
    return FaceFrame(origin=eyes, axis=between / max(distance, 1e-6), size=size)


@dataclass(frozen=True)
class FaceShape:
    """The landmarks of one face in its own face frame: lips (40, 2) and contour (105, 2)."""

    frame: FaceFrame
    lips: Array
    contour: Array

    @property
    def moving(self) -> Array:
        """Return what speech moves: lips then jaw, (NUM_MOVING, 2)."""
        return np.concatenate([self.lips, self.contour[JAW]])

    def moved(self, displacement: Array) -> "FaceShape":
        """Return the same face with its moving points displaced by (NUM_MOVING, 2) of the face frame."""
        contour = self.contour.copy()
        contour[JAW] += displacement[NUM_LIP:]
        return FaceShape(self.frame, self.lips + displacement[:NUM_LIP], contour)

    @property
    def landmarks(self) -> Array:
        """Return lips, then contour, (145, 2) in the face frame."""
        return np.concatenate([self.lips, self.contour])


def face_shape(face: Face) -> FaceShape:
    """Return the landmarks of `face` in its own face frame; ValueError when the backend gave no lips."""
    if face.lips is None or face.contour is None or len(face.contour) < CONTOUR_PARTS["irises"].stop:
        raise ValueError("the face backend gives no lip contour; choose --face_backend embedded or mediapipe")
    frame = face_frame(face.points)
    return FaceShape(frame, frame.to_face(face.lips), frame.to_face(face.contour))


def mouth_opening(lips: Array) -> Array:
    """Return the mean gap between the inner lips (…,) of `lips` (… 40 2), in units of the points."""
    upper = lips[..., 23:28, :]
    lower = lips[..., [37, 36, 35, 34, 33], :]
    opening: Array = np.linalg.norm(upper - lower, axis=-1).mean(axis=-1)
    return opening
