"""The portrait, made ready: the person chosen, cropped as in training, with the landmarks in the crop."""

import logging
import os
from dataclasses import dataclass, replace

import numpy as np

from talkvid.face.crop import Square, face_square, fit_inside, square_crop
from talkvid.face.detect import FaceDetector, choose_face
from talkvid.records import Array, Face

logger = logging.getLogger(__name__)

SMALLEST_FACE = 64
"""Width in pixels below which a face is too small to show a mouth."""


@dataclass(frozen=True)
class Portrait:
    """One person's picture at the size of the video."""

    image: Array
    """(height width 3) uint8"""
    face: Face
    """The person's face in pixels of `image`."""
    original: Array
    """(H W 3) uint8, the whole picture."""
    box: tuple[int, int, int, int]
    """x0, y0, x1, y1 of `image` in pixels of `original`."""


def prepare_portrait(
    picture: Array,
    detector: FaceDetector,
    *,
    width: int,
    height: int,
    face: str = "auto",
    framing: str = "head",
    source: str | os.PathLike[str] = "the picture",
) -> Portrait:
    """Return the person of `picture` (H W 3) uint8, cropped about the face to (height width 3), unstretched.

    `face` chooses among several (see `choose_face`); `framing` is head, upper_body or full (as much of the
    picture as fits). Raises ValueError when there is no face or no clear choice.
    """
    chosen = choose_face(detector.detect(picture), face, source=os.fspath(source))
    face_width = float(chosen.box[2] - chosen.box[0])
    if face_width < SMALLEST_FACE:
        logger.warning(
            "%s: the face is only %.0f pixels wide; a larger picture gives a sharper video",
            source,
            face_width,
        )
    square = frame_square(chosen, picture.shape[1], picture.shape[0], framing=framing, aspect=width / height)
    long_side = max(width, height)
    left, top = (long_side - width) // 2, (long_side - height) // 2
    image = square_crop(picture, square, long_side)[top : top + height, left : left + width]
    per_pixel = square.side / long_side
    x0, y0 = square.left + left * per_pixel, square.top + top * per_pixel
    box = (round(x0), round(y0), round(x0 + width * per_pixel), round(y0 + height * per_pixel))
    moved = move_face(chosen, square, long_side, np.array([left, top]))
    return Portrait(np.ascontiguousarray(image), moved, picture, box)


def frame_square(face: Face, width: int, height: int, *, framing: str, aspect: float = 1.0) -> Square:
    """Return the square to cut out: whole pixels, inside the picture where it is large enough.

    For a video that is not square it is larger by the aspect, and the middle of it becomes the video.
    """
    if framing == "full":
        whole = float(min(width, height))
        about = face_square(face, framing="head")
        square = Square(about.left + (about.side - whole) / 2, about.top + (about.side - whole) / 2, whole)
    else:
        square = face_square(face, framing=framing)
    square = fit_inside(square, width, height)
    grow = square.side * (max(aspect, 1 / aspect) - 1)
    return Square(
        float(round(square.left - grow / 2)),
        float(round(square.top - grow / 2)),
        float(round(square.side + grow)),
    )


def move_face(face: Face, square: Square, size: int, offset: Array) -> Face:
    """Return the face in pixels of the square resized to `size`, less `offset` (2,)."""

    def moved(points: Array | None) -> Array | None:
        return None if points is None else (square.to_window(points, size) - offset).astype(np.float32)

    box, points = moved(face.box.reshape(2, 2)), moved(face.points)
    assert box is not None and points is not None
    return replace(
        face,
        box=box.reshape(4),
        points=points,
        lips=moved(face.lips),
        contour=moved(face.contour),
        lmk106=moved(face.lmk106),
    )
