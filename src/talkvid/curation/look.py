"""A few pictures of a clip, made small: what light there is, and what tells it from other clips.

The pictures lie at fixed shares of the clip's length, so two files with the same span give the same moments
whatever their frame rate, size or compression.
"""

from collections.abc import Sequence

import numpy as np

from talkvid.curation.manifest import ClipRow
from talkvid.media.video import read_at
from talkvid.records import Array

MOMENTS = (0.06, 0.18, 0.3, 0.42, 0.54, 0.66, 0.78, 0.9)
"""Shares of the clip's length."""
SIDE = 16
LUMA = (0.299, 0.587, 0.114)


def moments_of(row: ClipRow) -> list[int]:
    """Return the numbers of the pictures looked at, in the video, ascending."""
    return [row.first_frame + min(int(share * row.num_frames), row.num_frames - 1) for share in MOMENTS]


def look_at(row: ClipRow) -> list[list[int]]:
    """Return the small pictures of a clip: len(MOMENTS) lists of SIDE * SIDE grey levels from 0 to 255."""
    pictures = read_at(row.path, moments_of(row))
    return [[int(level) for level in small_grey(picture).ravel()] for picture in pictures]


def small_grey(picture: Array) -> Array:
    """Return the mean grey levels (SIDE SIDE) uint8 of equal parts of an RGB picture (H W 3)."""
    import cv2

    small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    levels: Array = np.round(small @ np.array(LUMA)).astype(np.uint8)
    return levels


def brightness(look: Sequence[Sequence[int]]) -> float:
    """Return the mean grey level of a look from 0 (black) to 1 (white)."""
    return float(np.mean(look)) / 255
