"""The eye that judges: MediaPipe FaceLandmarker followed through every picture, which made none of them.

Needs the extra `mediapipe` and its model file, see `talkvid.face.mediapipe_backend`.
"""

from pathlib import Path

import numpy as np

from talkvid.evaluation.following import FaceFollower
from talkvid.evaluation.tracks import Sighting
from talkvid.face.centerface import CenterFaceDetector
from talkvid.face.mediapipe_backend import LIPS, MediapipeDetector, MediapipeFace
from talkvid.records import Array

EYE_CORNERS = ((33, 133), (362, 263))
"""Mesh points: outer and inner corner of the image-left eye, inner and outer one of the image-right eye."""


class FaceYardstick(FaceFollower):
    """Follows one face through a video and counts the others."""

    name = "MediaPipe FaceLandmarker"

    def __init__(self, model_path: Path | str | None = None) -> None:
        """Take the model file, default: that of `model_file`; ImportError names the extra."""
        self._detector = MediapipeDetector(model_path)
        self._far = CenterFaceDetector()

    def near(self, frame: Array, last: Sighting) -> Sighting | None:
        """Return the face seen in windows about the box of `last`."""
        return _sighting(self._detector.look(frame, last.face.box))

    def anywhere(self, frame: Array, last: Sighting | None) -> Sighting | None:
        """Return the face nearest to the last box, or the largest; small ones are seen by CenterFace."""
        faces = self._detector.detect(frame) or self._far.detect(frame)
        if last is not None:
            faces.sort(key=lambda face: float(np.abs(face.box - last.face.box).sum()))
        return _sighting(self._detector.look(frame, faces[0].box)) if faces else None

    def count(self, frame: Array) -> int:
        """Return how many faces one look at the whole picture finds."""
        return self._detector.count(frame)


def _sighting(look: MediapipeFace | None) -> Sighting | None:
    if look is None:
        return None
    return Sighting(face=look.face, lips=look.mesh[LIPS], eyes=_eyes(look.mesh), jaw_open=look.jaw_open)


def _eyes(mesh: Array) -> Array:
    eyes: Array = np.stack([mesh[list(corners)].mean(axis=0) for corners in EYE_CORNERS])
    return eyes
