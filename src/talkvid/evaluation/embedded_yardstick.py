"""The eye that needs no download: the package's own face networks followed through every picture.

CenterFace says in every picture whether the face is still there and where, the landmark network where its
lips are: 40 points without depth, and how far the jaw is open. That network learned from MediaPipe
FaceLandmarker and sees a little less: how far both can be trusted is told in docs/mouth_measures.md.
"""

import numpy as np

from talkvid.evaluation.following import FaceFollower
from talkvid.evaluation.tracks import Sighting
from talkvid.face.embedded import EmbeddedDetector, EmbeddedFace
from talkvid.face.layout import CONTOUR_PARTS
from talkvid.face.mediapipe_backend import cut_window
from talkvid.records import Array, Face

NEAR_MARGIN = 2.0
"""Side of the square that is searched about the last face, in sides of its box."""
NEAR_SIDE = 128
"""Pixels to which that square is shrunk."""
LARGEST_MOVE = 0.5
"""A face whose centre moved by more, in sides of its box, from picture to picture is another one."""
EYE_CORNERS = tuple(
    (CONTOUR_PARTS[eye].start, CONTOUR_PARTS[eye].start + 8) for eye in ("image_left_eye", "image_right_eye")
)
"""Contour points: outer and inner corner of each eye; the upper lid goes back from the ninth point."""


class EmbeddedYardstick(FaceFollower):
    """Follows one face through a video and counts the others, with nothing downloaded."""

    name = "embedded face networks"
    judges_itself = (
        "the embedded model places its mouth with the same landmark network that judges here; "
        "judge that model with --yardstick mediapipe"
    )

    def __init__(self) -> None:
        """Load both networks, for one CPU thread."""
        self._detector = EmbeddedDetector()

    def near(self, frame: Array, last: Sighting) -> Sighting | None:
        """Return the face that CenterFace finds about the box of `last`, if it is at the same place."""
        window, offset = cut_window(frame, last.face.box, NEAR_MARGIN)
        faces = [moved(face, offset) for face in self._detector.boxes.detect_at(window, NEAR_SIDE)]
        if not faces:
            return None
        nearest = min(faces, key=lambda face: _distance(face, last.face))
        if _distance(nearest, last.face) > LARGEST_MOVE * float(
            np.max(last.face.box[2:] - last.face.box[:2])
        ):
            return None
        return self._look(frame, nearest)

    def anywhere(self, frame: Array, last: Sighting | None) -> Sighting | None:
        """Return the face nearest to the last one, or the largest."""
        faces = self._detector.boxes.detect(frame)
        if last is not None:
            faces = sorted(faces, key=lambda face: _distance(face, last.face))
        return self._look(frame, faces[0]) if faces else None

    def count(self, frame: Array) -> int:
        """Return how many faces CenterFace finds in the whole picture."""
        return len(self._detector.boxes.detect(frame))

    def _look(self, frame: Array, face: Face) -> Sighting:
        return sighting_of(self._detector.look(frame, face))


def sighting_of(look: EmbeddedFace) -> Sighting:
    """Return what the yardstick tells of one look: depth is 0 throughout."""
    lips, contour = look.face.lips, look.face.contour
    assert lips is not None and contour is not None
    eyes = np.stack([contour[list(corners)].mean(axis=0) for corners in EYE_CORNERS])
    return Sighting(face=look.face, lips=_flat(lips), eyes=_flat(eyes), jaw_open=look.jaw_open)


def moved(face: Face, offset: Array) -> Face:
    """Return the box and points of a face found in a part of the picture that begins at `offset` (2,)."""
    return Face(box=face.box + np.tile(offset, 2), points=face.points + offset, score=face.score)


def _flat(points: Array) -> Array:
    """Return (N, 3) of (N, 2) with depth 0."""
    return np.pad(points, ((0, 0), (0, 1)))


def _distance(face: Face, other: Face) -> float:
    middles = [(one.box[:2] + one.box[2:]) / 2 for one in (face, other)]
    return float(np.hypot(*(middles[0] - middles[1])))
