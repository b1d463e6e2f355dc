"""Faces by MediaPipe FaceLandmarker (Apache-2.0): the teacher of our own network and the yardstick for it.

Needs the extra `mediapipe` and a model file: given by path or by the environment variable
TALKVID_FACE_LANDMARKER, or brought into the models' folder by `talkvid models fetch mediapipe`.
"""

import contextlib
import logging
import os
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from talkvid import extras
from talkvid.catalogue.table import MODEL_FOLDER, MODELS
from talkvid.face.layout import IRISES, LIP_CORNERS, NOSE_TIP
from talkvid.face.pose import angles_from_matrix
from talkvid.records import Array, Face

logger = logging.getLogger(__name__)

MODEL_VARIABLE = "TALKVID_FACE_LANDMARKER"
DEFAULT_MODEL = MODEL_FOLDER / MODELS["mediapipe"].files[0].place
LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
LIPS += [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]
CONTOUR = [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377]
CONTOUR += [152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
CONTOUR += [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]
CONTOUR += [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466]
CONTOUR += [70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276]
CONTOUR += [168, 6, 197, 195, 5, 4, 48, 64, 98, 97, 2, 326, 327, 294, 278, 468, 473]
JAW_OPEN = "jawOpen"
LOOK_MARGINS = (2.0, 2.4)
"""Sides of the square windows of the second looks, in face sizes; their landmarks are averaged."""
NUM_FACES = 8


@dataclass(frozen=True)
class MediapipeFace:
    """A Face together with what only MediaPipe tells: how far the jaw is open, 0 to 1, and the whole mesh."""

    face: Face
    jaw_open: float
    mesh: Array
    """(478, 3) float32: x and y in pixels of the picture, z in pixels too, negative towards the camera."""


def model_file(path: Path | str | None = None) -> Path:
    """Return the model file: the one given, that of the environment variable, or that in the models' folder.

    FileNotFoundError with the command that fetches it when it is not there.
    """
    place = Path(path or os.environ.get(MODEL_VARIABLE) or DEFAULT_MODEL)
    if not place.is_file():
        raise FileNotFoundError(
            f"FaceLandmarker model {str(place)!r} is not a file: {MODELS['mediapipe'].fetch_command}, "
            f"or give its path, or set {MODEL_VARIABLE}"
        )
    return place


class MediapipeDetector:
    """Finds faces with points, lips, contour and pose; accurate, 12 ms for one look."""

    name = "mediapipe"

    def __init__(self, model_path: Path | str | None = None) -> None:
        self._mediapipe = extras.require("mediapipe", extra="mediapipe")
        path = model_file(model_path)
        self._many = self._landmarker(path, NUM_FACES)
        self._one = self._landmarker(path, 1)
        for landmarker in (self._many, self._one):
            weakref.finalize(self, _release, landmarker)

    def detect(self, image: Array) -> list[Face]:
        """Return all faces of an RGB (H W 3) uint8 image, largest first, each refined in its own window."""
        first = [self._face(landmarks, None) for landmarks in self._run(self._many, image)]
        faces = [found.face for face in first if (found := self.look(image, face.face.box)) is not None]
        return sorted(faces, key=lambda face: -face.area)

    def look(self, image: Array, box: Array) -> MediapipeFace | None:
        """Return the face near `box` (4,), the mean of looks through windows of two sizes; or None."""
        looks = [self._look(image, box, margin) for margin in LOOK_MARGINS]
        found = [look for look in looks if look is not None]
        if not found:
            return None
        names = ("points", "matrix", "jaw")
        mean = {name: np.mean([look[name] for look in found], axis=0) for name in names}
        return self._face(mean, len(found) / len(looks))

    def _look(self, image: Array, box: Array, margin: float) -> dict[str, Any] | None:
        window, offset = cut_window(image, box, margin)
        faces = self._run(self._one, window)
        if not faces:
            return None
        return {**faces[0], "points": faces[0]["points"] + np.array([*offset, 0.0])}

    def count(self, image: Array) -> int:
        """Return how many faces one look at the whole RGB (H W 3) uint8 image finds, at most 8."""
        return len(self._run(self._many, image))

    def _landmarker(self, path: Path, num_faces: int) -> Any:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            num_faces=num_faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        return vision.FaceLandmarker.create_from_options(options)

    def _run(self, landmarker: Any, image: Array) -> list[dict[str, Any]]:
        """Return for each face points (478, 3) in pixels, the head's 4x4 matrix and the jaw opening.

        MediaPipe gives depth on about the scale of x, hence in widths of the picture.
        """
        height, width = image.shape[:2]
        picture = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        result = landmarker.detect(picture)
        faces = zip(
            result.face_landmarks,
            result.facial_transformation_matrixes,
            result.face_blendshapes,
            strict=True,
        )
        return [
            {
                "points": np.array(
                    [(point.x * width, point.y * height, point.z * width) for point in landmarks]
                ),
                "matrix": np.asarray(matrix, dtype=np.float64),
                "jaw": next(shape.score for shape in shapes if shape.category_name == JAW_OPEN),
            }
            for landmarks, matrix, shapes in faces
        ]

    def _face(self, found: dict[str, Any], score: float | None) -> MediapipeFace:
        mesh = found["points"].astype(np.float32)
        points = mesh[:, :2]
        lips, contour = points[LIPS], points[CONTOUR]
        five = np.stack([*contour[list(IRISES)], contour[NOSE_TIP], *lips[list(LIP_CORNERS)]])
        left, top = points[:468].min(axis=0)
        right, bottom = points[:468].max(axis=0)
        face = Face(
            box=np.array([left, top, right, bottom], dtype=np.float32),
            points=five,
            score=1.0 if score is None else score,
            lips=lips,
            pose=angles_from_matrix(_nearest_rotation(found["matrix"][:3, :3])),
            contour=contour,
        )
        return MediapipeFace(face=face, jaw_open=float(found["jaw"]), mesh=mesh)


def _release(landmarker: Any) -> None:
    """Free a landmarker; at the end of the interpreter its worker thread is gone and the system frees it."""
    with contextlib.suppress(RuntimeError):
        landmarker.close()
    # Without a handle MediaPipe's own __del__ does not try again, and fail aloud, during shutdown.
    landmarker._handle = None


def cut_window(image: Array, box: Array, margin: float) -> tuple[Array, Array]:
    """Return the part of `image` in a square of `margin` box sides about the box, and its (2,) offset."""
    height, width = image.shape[:2]
    centre = (box[:2] + box[2:]) / 2
    half = margin * float(max(box[2] - box[0], box[3] - box[1])) / 2
    left, top = np.maximum(np.floor(centre - half), 0).astype(int)
    right, bottom = np.minimum(np.ceil(centre + half), [width, height]).astype(int)
    if right - left < 2 or bottom - top < 2:
        return image, np.zeros(2)
    return image[top:bottom, left:right], np.array([left, top], dtype=np.float64)


def _nearest_rotation(matrix: Array) -> Array:
    left, _, right = np.linalg.svd(matrix)
    rotation: Array = left @ right
    return rotation
