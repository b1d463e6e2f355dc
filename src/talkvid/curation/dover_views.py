"""DOVER's two views of a clip, filled as its pictures go by: squares of real pixels, and the whole, small."""

from collections import defaultdict

import numpy as np

from talkvid.curation.dover_sampling import (
    AESTHETIC,
    FRAGMENTS,
    SQUARE,
    TECHNICAL,
    VIEW,
    Draws,
    square_corners,
)
from talkvid.records import Array

MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)
"""Levels of red, green and blue that the network was trained with."""


class DoverViews:
    """The views of one clip: 96 + 32 pictures of 224x224 are held, whatever its length and size."""

    def __init__(self, num_frames: int, draws: Draws) -> None:
        self._draws = draws
        self._technical = np.zeros((TECHNICAL.num_pictures, VIEW, VIEW, 3), np.uint8)
        self._aesthetic = np.zeros((AESTHETIC.num_pictures, VIEW, VIEW, 3), np.uint8)
        self._technical_places = _places(TECHNICAL.indices(num_frames, draws.technical_starts))
        self._aesthetic_places = _places(AESTHETIC.indices(num_frames, draws.aesthetic_starts))
        self._missing = set(self.wanted)

    @property
    def wanted(self) -> list[int]:
        """Return the numbers of the pictures needed, ascending, each once: at most 128."""
        return sorted({*self._technical_places, *self._aesthetic_places})

    def see(self, index: int, picture: Array) -> None:
        """Put picture `index`, RGB (H W 3) uint8, wherever the views need it."""
        technical = self._technical_places.get(index, [])
        if technical:
            large = enlarged(picture)
            for place in technical:
                self._technical[place] = fragments(large, self._draws, run=place // TECHNICAL.length)
        aesthetic = self._aesthetic_places.get(index, [])
        if aesthetic:
            self._aesthetic[aesthetic] = resized(picture)
        self._missing.discard(index)

    @property
    def complete(self) -> bool:
        """Return whether every wanted picture was seen."""
        return not self._missing

    def technical(self) -> Array:
        """Return the technical view for the network: (3 3 32 224 224) float32, runs first, then colours."""
        return _network_input(self._technical, TECHNICAL.num_parts)

    def aesthetic(self) -> Array:
        """Return the aesthetic view for the network: (1 3 32 224 224) float32."""
        return _network_input(self._aesthetic, 1)


def _places(indices: list[int]) -> dict[int, list[int]]:
    """Return picture number -> its places in the view."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, index in enumerate(indices):
        places[index].append(place)
    return dict(places)


def _network_input(view: Array, runs: int) -> Array:
    """Return (T H W 3) uint8 as normalised (runs 3 T/runs H W) float32."""
    split = view.reshape(runs, -1, *view.shape[1:]).transpose(0, 4, 1, 2, 3)
    network: Array = split.astype(np.float32)
    network -= MEAN.reshape(1, 3, 1, 1, 1)
    network /= STD.reshape(1, 3, 1, 1, 1)
    return network


def fragments(picture: Array, draws: Draws, *, run: int) -> Array:
    """Return the technical view of a picture of at least 224x224: 7x7 squares of its real pixels.

    The squares keep their place for all pictures of a run. (224 224 3) uint8.
    """
    height, width = picture.shape[:2]
    tops = square_corners(height, draws.rows[:, :, run])
    lefts = square_corners(width, draws.columns[:, :, run].T).T
    view = np.empty((VIEW, VIEW, 3), np.uint8)
    for row in range(FRAGMENTS):
        for column in range(FRAGMENTS):
            top, left = tops[row, column], lefts[row, column]
            view[row * SQUARE : (row + 1) * SQUARE, column * SQUARE : (column + 1) * SQUARE] = picture[
                top : top + SQUARE, left : left + SQUARE
            ]
    return view


def enlarged(picture: Array) -> Array:
    """Return a picture of which both sides have 224 pixels, enlarged where the shorter one has fewer."""
    height, width = picture.shape[:2]
    if min(height, width) >= VIEW:
        return picture
    scale = VIEW / min(height, width)
    return _interpolated(picture, max(VIEW, int(height * scale)), max(VIEW, int(width * scale)))


def resized(picture: Array) -> Array:
    """Return the whole picture as (224 224 3) uint8: bilinear, antialiased, computed in float and rounded."""
    return _interpolated(picture, VIEW, VIEW, antialias=True)


def _interpolated(picture: Array, height: int, width: int, *, antialias: bool = False) -> Array:
    import torch

    tensor = torch.tensor(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
    result = torch.nn.functional.interpolate(
        tensor, (height, width), mode="bilinear", align_corners=False, antialias=antialias
    )
    levels: Array = result[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    return levels
