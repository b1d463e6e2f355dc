"""Random changes of a clip, drawn once per sample and then applied alike to frames, points and masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from talkvid.records import NUM_LIP, NUM_OUTER_LIP, Array

# Mirrored, the image-left eye becomes the image-right one, and so for the mouth corners.
MIRRORED_FIVE = (1, 0, 2, 4, 3)
_RING = [(10 - index) % NUM_OUTER_LIP for index in range(NUM_OUTER_LIP)]
MIRRORED_LIPS = (*_RING, *(NUM_OUTER_LIP + index for index in _RING))

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True)
class Augmentation:
    """One draw: the part of the picture that is kept, its size afterwards, mirroring and colour."""

    left: float
    top: float
    source_width: float
    source_height: float
    width: int
    height: int
    flip: bool = False
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0


def draw_augmentation(
    frame_size: tuple[int, int],
    output_size: tuple[int, int],
    *,
    rng: np.random.Generator,
    flip_probability: float = 0.0,
    min_crop: float = 1.0,
    colour: float = 0.0,
) -> Augmentation:
    """Return a random change that turns frames of `frame_size` into `output_size` (both width, height).

    The kept part has the shape of the output, its side is between `min_crop` and 1 of the largest that fits,
    and lies anywhere. The same numbers are drawn whatever the settings, so that one setting never
    changes what another one does.
    """
    draws = rng.random(7)
    frame_width, frame_height = frame_size
    width, height = output_size
    scale = min(frame_width / width, frame_height / height)
    scale *= 1 - float(draws[1]) * (1 - min_crop)
    source_width, source_height = width * scale, height * scale
    factors = 1 + colour * (2 * draws[4:7] - 1)
    cropped = min_crop < 1
    return Augmentation(
        left=(frame_width - source_width) * (float(draws[2]) if cropped else 0.5),
        top=(frame_height - source_height) * (float(draws[3]) if cropped else 0.5),
        source_width=source_width,
        source_height=source_height,
        width=width,
        height=height,
        flip=bool(draws[0] < flip_probability),
        brightness=float(factors[0]),
        contrast=float(factors[1]),
        saturation=float(factors[2]),
    )


def change_frame(frame: Array, change: Augmentation) -> Array:
    """Return one frame (H W 3) uint8 after the change, (height width 3) uint8."""
    frame = _crop_and_resize(frame, change)
    if change.flip:
        frame = np.asarray(cv2.flip(frame, 1))
    if (change.brightness, change.contrast, change.saturation) != (1.0, 1.0, 1.0):
        frame = _colour(frame, change)
    return np.ascontiguousarray(frame)


def change_points(points: Array, change: Augmentation) -> Array:
    """Return points (..., N, 2) in pixels after the change, named anew when mirrored (N = 5 or 40).

    Points of another number keep their order. A pixel's centre has whole coordinates.
    """
    scale = np.array(
        [change.width / change.source_width, change.height / change.source_height], dtype=np.float64
    )
    moved = (points + 0.5 - np.array([change.left, change.top])) * scale - 0.5
    if change.flip:
        moved[..., 0] = change.width - 1 - moved[..., 0]
        if points.shape[-2] == len(MIRRORED_FIVE):
            moved = moved[..., MIRRORED_FIVE, :]
        elif points.shape[-2] == NUM_LIP:
            moved = moved[..., MIRRORED_LIPS, :]
    changed: Array = moved.astype(np.float32)
    return changed


def _crop_and_resize(frame: Array, change: Augmentation) -> Array:
    height, width = frame.shape[:2]
    if (change.source_width, change.source_height) == (width, height) == (change.width, change.height):
        return frame
    scale_x, scale_y = change.source_width / change.width, change.source_height / change.height
    if max(scale_x, scale_y) > 1:  # shrinking: average first, or fine detail turns into noise
        sigma = (max(1e-6, 0.5 * (scale_x - 1)), max(1e-6, 0.5 * (scale_y - 1)))
        frame = cv2.GaussianBlur(frame, (0, 0), sigmaX=sigma[0], sigmaY=sigma[1])
    # Output pixel -> source pixel, centre to centre.
    matrix = np.array(
        [
            [scale_x, 0, change.left + 0.5 * scale_x - 0.5],
            [0, scale_y, change.top + 0.5 * scale_y - 0.5],
        ]
    )
    return np.asarray(
        cv2.warpAffine(
            frame,
            matrix,
            (change.width, change.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    )


def _colour(frame: Array, change: Augmentation) -> Array:
    values = frame.astype(np.float32) * change.brightness
    values = (values - 127.5) * change.contrast + 127.5
    grey = values @ LUMA
    values = grey[..., None] + (values - grey[..., None]) * change.saturation
    coloured: Array = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return coloured
