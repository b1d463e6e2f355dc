"""Is it still the same person? Cosines between embeddings of the made faces and of the portrait."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from talkvid import extras
from talkvid.records import Array

logger = logging.getLogger(__name__)

ARCFACE_POINTS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where the five points lie in the 112 x 112 window of ArcFace (Deng et al. 2019); 8 px to the left in the
112 x 96 one of SphereFace."""


class FaceEmbedder(Protocol):
    """Turns a face into a vector that says who it is."""

    name: str
    measure: str
    """What the cosine is called: "CSIM" for ArcFace alone, whose cosines the papers report."""

    def embed(self, picture: Array, points: Array) -> Array:
        """Return (D,) of length 1 for the face at `points` (5 2) of an RGB (H W 3) uint8 picture."""
        ...


@dataclass(frozen=True)
class IdentityAgreement:
    """Cosines of a video's faces to its portrait: mean and 5th percentile; NaN when no face was found."""

    mean: float
    lowest: float


def identity_agreement(faces: Array, portrait: Array) -> IdentityAgreement:
    """Return the cosines of `faces` (K, D) to `portrait` (D,); rows that are not numbers are left out."""
    faces = np.asarray(faces, np.float64)
    faces = faces[np.isfinite(faces).all(axis=1)]
    if not len(faces) or not np.isfinite(portrait).all():
        return IdentityAgreement(float("nan"), float("nan"))
    lengths = np.linalg.norm(faces, axis=1) * np.linalg.norm(portrait)
    cosines = faces @ portrait / np.maximum(lengths, 1e-12)
    return IdentityAgreement(float(cosines.mean()), float(np.percentile(cosines, 5)))


def aligned_face(picture: Array, points: Array, *, width: int = 112) -> Array:
    """Return the face (112 width 3) turned and scaled so that its five `points` lie as networks expect them.

    The similarity with the least squared distance (Umeyama 1991) to ARCFACE_POINTS, `width` 112 or 96.
    """
    target = ARCFACE_POINTS - np.array([(112 - width) / 2, 0.0])
    matrix = similarity(np.asarray(points, np.float64), target)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:  # bilinear sampling would skip pixels
        picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale)
    return cv2.warpAffine(picture, matrix, (width, 112), flags=cv2.INTER_LINEAR)


def similarity(source: Array, target: Array) -> Array:
    """Return the (2, 3) turn, scale and shift that brings `source` (N 2) nearest to `target` (N 2)."""
    from_centre, to_centre = source.mean(axis=0), target.mean(axis=0)
    ours, theirs = source - from_centre, target - to_centre
    spread = max(float((ours**2).sum()), 1e-9)
    # As complex numbers a turn with scale is one factor, and least squares its quotient of sums.
    along = float((ours * theirs).sum()) / spread
    across = float((ours[:, 0] * theirs[:, 1] - ours[:, 1] * theirs[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    matrix: Array = np.concatenate([turn, (to_centre - turn @ from_centre)[:, None]], axis=1)
    return matrix


class ArcFaceEmbedder:
    """ArcFace by insightface (extra `face`); the network is the user's, under its own terms."""

    name = "ArcFace"
    measure = "CSIM"

    def __init__(self, model_path: Path | str) -> None:
        """Take a recognition network (.onnx with 112 x 112 input), such as buffalo_l's w600k_r50.onnx."""
        path = Path(model_path)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file; give the ONNX file of a face recognition network")
        self._model: Any = extras.require("insightface.model_zoo", extra="face").get_model(str(path))
        if not hasattr(self._model, "get_feat"):
            raise ValueError(f"{path}: not a face recognition network; give one such as w600k_r50.onnx")

    def embed(self, picture: Array, points: Array) -> Array:
        """Return (D,) of length 1 for the face at `points` (5 2) of an RGB (H W 3) uint8 picture."""
        face = aligned_face(picture, points)
        vector = np.asarray(self._model.get_feat(np.ascontiguousarray(face[..., ::-1]))).ravel()
        return unit(vector)


def unit(vector: Array) -> Array:
    """Return the vector with length 1."""
    long: Array = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return long
