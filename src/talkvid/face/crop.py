"""Square windows about a face: one for a picture, one for a whole clip, or one that follows the head."""

from dataclasses import dataclass

import cv2
import numpy as np

from talkvid.records import Array, Face

FRAMINGS = {"head": (2.2, -0.08), "upper_body": (3.6, 0.55)}
"""Side of the square and how far its centre lies below the face's, both in sizes of the face box."""
BORDERS = {"edge": cv2.BORDER_REPLICATE, "black": cv2.BORDER_CONSTANT, "reflect": cv2.BORDER_REFLECT_101}


@dataclass(frozen=True)
class Square:
    """A square window: left edge, top edge and side in pixels; it may reach beyond the picture."""

    left: float
    top: float
    side: float

    def to_window(self, points: Array, size: int) -> Array:
        """Return picture points (..., 2) in pixels of this window resized to `size`."""
        moved: Array = (np.asarray(points, dtype=np.float64) - [self.left, self.top]) * (size / self.side)
        return moved

    def to_picture(self, points: Array, size: int) -> Array:
        """Return points (..., 2) of this window resized to `size` in pixels of the picture."""
        moved: Array = np.asarray(points, dtype=np.float64) * (self.side / size) + [self.left, self.top]
        return moved


def face_square(face: Face, *, framing: str = "head", scale: float = 1.0) -> Square:
    """Return the square about one face; `framing` is head or upper_body, `scale` widens it."""
    return box_square(face.box, framing=framing, scale=scale)


def box_square(box: Array, *, framing: str = "head", scale: float = 1.0) -> Square:
    """Return the square about a face box (4,), sized by the mean of the box's width and height."""
    if framing not in FRAMINGS:
        raise ValueError(f"unknown framing {framing!r}: choose one of {', '.join(FRAMINGS)}")
    if scale <= 0:
        raise ValueError(f"the scale of a crop must be positive, got {scale}")
    sides, below = FRAMINGS[framing]
    left, top, right, bottom = (float(edge) for edge in box)
    size = (right - left + bottom - top) / 2
    if not size > 0:
        raise ValueError(f"face box {np.round(box, 1).tolist()} is empty")
    side = size * sides * scale
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2 + below * size
    return Square(centre_x - side / 2, centre_y - side / 2, side)


def fit_inside(square: Square, width: int, height: int) -> Square:
    """Return the square moved, and shrunk where it must be, to lie within a picture of that size."""
    side = min(square.side, float(width), float(height))
    centre_x, centre_y = square.left + square.side / 2, square.top + square.side / 2
    left = min(max(centre_x - side / 2, 0.0), width - side)
    top = min(max(centre_y - side / 2, 0.0), height - side)
    return Square(left, top, side)


def square_crop(image: Array, square: Square, size: int, *, border: str = "edge") -> Array:
    """Return the window of an RGB (H W 3) uint8 image as (size size 3); never stretched.

    What lies beyond the picture is filled: `edge` repeats its border, `reflect` mirrors it, `black` is black.
    """
    if border not in BORDERS:
        raise ValueError(f"unknown border {border!r}: choose one of {', '.join(BORDERS)}")
    scale = size / square.side
    left, top = int(np.floor(square.left)), int(np.floor(square.top))
    right, bottom = (int(np.ceil(edge + square.side)) + 1 for edge in (square.left, square.top))
    part = _padded(image, left, top, right, bottom, BORDERS[border])
    if scale < 1:
        shrink = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
        shrunk = cv2.resize(part, shrink, interpolation=cv2.INTER_AREA)
    else:
        shrunk = part
    ratio_x, ratio_y = shrunk.shape[1] / part.shape[1], shrunk.shape[0] / part.shape[0]
    zoom_x, zoom_y = scale / ratio_x, scale / ratio_y
    shift_x = 0.5 * zoom_x - 0.5 - (square.left - left) * scale
    shift_y = 0.5 * zoom_y - 0.5 - (square.top - top) * scale
    matrix = np.array([[zoom_x, 0, shift_x], [0, zoom_y, shift_y]], dtype=np.float64)
    return cv2.warpAffine(
        shrunk, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def clip_square(boxes: Array, *, framing: str = "head", scale: float = 1.0) -> Square:
    """Return one square for a clip from its face boxes (F 4), NaN rows being frames without a face.

    Its size follows the median face; it is widened, about the middle of all positions, until every face lies
    in it.
    """
    known = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(known):
        raise ValueError(f"no face in any of the {len(boxes)} frames of the clip")
    centres, sizes = (known[:, :2] + known[:, 2:]) / 2, known[:, 2:] - known[:, :2]
    middle, typical = np.median(centres, axis=0), np.median(sizes, axis=0)
    square = box_square(
        np.concatenate([middle - typical / 2, middle + typical / 2]), framing=framing, scale=scale
    )
    beyond_low = np.array([square.left, square.top]) - known[:, :2].min(axis=0)
    beyond_high = known[:, 2:].max(axis=0) - [square.left + square.side, square.top + square.side]
    grow = max(0.0, float(beyond_low.max()), float(beyond_high.max()))
    return Square(square.left - grow, square.top - grow, square.side + 2 * grow)


def following_squares(boxes: Array, *, smooth_frames: float = 12.0, framing: str = "head") -> list[Square]:
    """Return one square for each of F frames (boxes (F 4), NaN where no face was found), following the head.

    Centres are smoothed in time by a Gaussian of `smooth_frames` standard deviation; the side is that of the
    median face.
    """
    known = np.isfinite(boxes).all(axis=1)
    if not known.any():
        raise ValueError(f"no face in any of the {len(boxes)} frames of the clip")
    frames = np.arange(len(boxes))
    each = [box_square(box, framing=framing) for box in boxes[known]]
    centres = np.array([[square.left + square.side / 2, square.top + square.side / 2] for square in each])
    filled = [np.interp(frames, frames[known], column) for column in centres.T]
    smooth = np.stack([_smooth(column, smooth_frames) for column in filled], axis=-1)
    side = float(np.median([square.side for square in each]))
    return [Square(float(x) - side / 2, float(y) - side / 2, side) for x, y in smooth]


def _smooth(values: Array, deviation: float) -> Array:
    if deviation <= 0:
        return values
    reach = int(np.ceil(3 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    padded = np.pad(values, reach, mode="edge")
    return np.convolve(padded, weights / weights.sum(), mode="valid")


def _padded(image: Array, left: int, top: int, right: int, bottom: int, border: int) -> Array:
    """Return image[top:bottom, left:right], filled where it reaches beyond the image."""
    height, width = image.shape[:2]
    x0, x1 = min(max(left, 0), width - 1), max(min(right, width), 1)
    y0, y1 = min(max(top, 0), height - 1), max(min(bottom, height), 1)
    part = image[y0:y1, x0:x1]
    if (x0, x1, y0, y1) == (left, right, top, bottom):
        return part
    return cv2.copyMakeBorder(part, y0 - top, bottom - y1, x0 - left, right - x1, border)
