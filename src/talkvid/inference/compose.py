"""What happens to a finished picture: pasted back into the whole portrait, labelled."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talkvid.media.image import resize
from talkvid.records import Array

LABEL = "AI-generated"
LABEL_HEIGHT = 0.045
"""Height of the label's letters as a share of the picture's shorter side."""
FEATHER = 0.06
"""Width of the soft border of a pasted crop as a share of its side."""
LONGEST_SIDE = 1920
"""Whole pictures larger than this are made smaller for the video."""


@dataclass(frozen=True)
class PasteBack:
    """Puts the moving crop back where it came from; the rest of the picture stands still."""

    picture: Array
    """(H W 3) uint8, the whole portrait."""
    box: tuple[int, int, int, int]
    """x0, y0, x1, y1 of the crop in pixels of the picture; it may reach outside."""

    @cached_property
    def scale(self) -> float:
        """Return video pixels per picture pixel."""
        return min(1.0, LONGEST_SIDE / max(self.picture.shape[:2]))

    @cached_property
    def size(self) -> tuple[int, int]:
        """Return width and height of the video: even numbers, as H.264 wants them."""
        height, width = self.picture.shape[:2]
        return max(2, round(width * self.scale / 2) * 2), max(2, round(height * self.scale / 2) * 2)

    def __call__(self, frame: Array) -> Array:
        """Return the whole picture (H W 3) uint8 with this crop (h w 3) uint8 blended in."""
        target_rows, target_columns, rows, columns, weight = self._placement
        crop = resize(frame, *self._crop_size)[rows, columns].astype(np.float32)
        result = self._background.copy()
        below = result[target_rows, target_columns].astype(np.float32)
        result[target_rows, target_columns] = np.round(below + (crop - below) * weight).astype(np.uint8)
        return result

    @cached_property
    def _background(self) -> Array:
        return resize(self.picture, *self.size)

    @cached_property
    def _corners(self) -> tuple[int, int, int, int]:
        along_x, along_y = (self.size[0] / self.picture.shape[1], self.size[1] / self.picture.shape[0])
        x0, y0, x1, y1 = self.box
        return round(x0 * along_x), round(y0 * along_y), round(x1 * along_x), round(y1 * along_y)

    @cached_property
    def _crop_size(self) -> tuple[int, int]:
        x0, y0, x1, y1 = self._corners
        return x1 - x0, y1 - y0

    @cached_property
    def _placement(self) -> tuple[slice, slice, slice, slice, Array]:
        """Return rows and columns in the video, the same in the crop, and the weight (h w 1) of the crop."""
        x0, y0, x1, y1 = self._corners
        width, height = self.size
        left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
        across = _ramp(right - left, fade_start=left > 0, fade_end=right < width)
        down = _ramp(bottom - top, fade_start=top > 0, fade_end=bottom < height)
        weight = np.minimum(down[:, None], across[None, :])[..., None]
        return (
            slice(top, bottom),
            slice(left, right),
            slice(top - y0, bottom - y0),
            slice(left - x0, right - x0),
            weight,
        )


def _ramp(length: int, *, fade_start: bool, fade_end: bool) -> Array:
    """Return weights (length,) float32: 1 inside, falling smoothly to 0 at the ends that fade."""
    border = max(1, round(length * FEATHER))
    position = np.arange(length, dtype=np.float32)
    weight = np.ones(length, np.float32)
    if fade_start:
        weight = np.minimum(weight, np.clip(position / border, 0, 1))
    if fade_end:
        weight = np.minimum(weight, np.clip((length - 1 - position) / border, 0, 1))
    return np.asarray(weight * weight * (3 - 2 * weight), np.float32)


def draw_label(frame: Array, text: str = LABEL) -> Array:
    """Return the picture (H W 3) uint8 with the label in its lower right corner, on a dark ground."""
    canvas = Image.fromarray(frame)
    height = max(8, round(min(frame.shape[:2]) * LABEL_HEIGHT))
    font = ImageFont.load_default(size=height)
    draw = ImageDraw.Draw(canvas, "RGBA")
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    margin = height // 2
    x, y = canvas.width - (right - left) - 2 * margin, canvas.height - (bottom - top) - 2 * margin
    draw.rectangle((x - margin, y - margin, canvas.width, canvas.height), fill=(0, 0, 0, 140))
    draw.text((x - left, y - top), text, font=font, fill=(255, 255, 255, 255))
    return np.array(canvas)
