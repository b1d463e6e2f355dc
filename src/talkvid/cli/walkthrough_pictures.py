"""Strips of pictures for the walk-through's page: a few moments of one video side by side, as JPEG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from talkvid.media.image import resize, save_image
from talkvid.media.video import probe, read_at
from talkvid.records import Array

HEIGHT = 160
GAP = 4
GROUND = 255


def strip(video: Path, target: Path, *, moments: int = 6) -> Path:
    """Write pictures of a video, spread evenly over it, side by side; return the path.

    Raises FileNotFoundError or ValueError for what is wrong with the video.
    """
    count = probe(video).num_frames
    assert count is not None, "an mp4 of ours says how many frames it has"
    places = np.linspace(0, count - 1, moments + 2).round().astype(int)[1:-1]
    save_image(target, beside([fitted(picture) for picture in read_at(video, sorted({*places.tolist()}))]))
    return target


def fitted(picture: Array, *, height: int = HEIGHT) -> Array:
    """Return a picture (H W 3) uint8 at this height, its shape kept."""
    return resize(picture, max(1, round(picture.shape[1] * height / picture.shape[0])), height)


def beside(pictures: Sequence[Array]) -> Array:
    """Return pictures (h w 3) uint8 of one height in a row, white between them."""
    gap = np.full((pictures[0].shape[0], GAP, 3), GROUND, np.uint8)
    row = [part for picture in pictures for part in (picture, gap)]
    return np.concatenate(row[:-1], axis=1)
