"""Which pictures DOVER sees, and which squares of them: drawn from a clip's own seed, so always the same."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.records import Array

FRAGMENTS = 7
"""Squares along each side of the technical view."""
SQUARE = 32
VIEW = FRAGMENTS * SQUARE
"""Side of both views, 224 pixels."""


@dataclass(frozen=True)
class Sampling:
    """A view's pictures: the clip is cut into `num_parts` equal parts, each gives a run of pictures."""

    num_parts: int
    length: int
    """Pictures of a run."""
    interval: int
    """From one picture of a run to the next; 2 takes every second one."""

    @property
    def num_pictures(self) -> int:
        """Return how many pictures the view has."""
        return self.num_parts * self.length

    def num_starts(self, num_frames: int) -> int:
        """Return among how many places the start of a run is drawn in its part; 0: it is the part's first.

        One less than there is room for, as DOVER has it.
        """
        return max(num_frames // self.num_parts - self.length * self.interval, 0)

    def indices(self, num_frames: int, starts: Sequence[int]) -> list[int]:
        """Return the numbers of the pictures, in the order of the view, for the drawn start of each run.

        A run that reaches beyond the clip goes on at its beginning: for the technical view that happens to
        clips of up to 186 pictures, whose last run shows the beginning of the clip once more.
        """
        assert len(starts) == self.num_parts
        first = [num_frames // self.num_parts * part + start for part, start in enumerate(starts)]
        return [(begin + step * self.interval) % num_frames for begin in first for step in range(self.length)]


TECHNICAL = Sampling(num_parts=3, length=32, interval=2)
AESTHETIC = Sampling(num_parts=32, length=1, interval=2)


@dataclass(frozen=True)
class Draws:
    """All that chance decides about a clip's views."""

    technical_starts: tuple[int, ...]
    """(3,) start of each technical run in its part."""
    aesthetic_starts: tuple[int, ...]
    """(32,) the same for the aesthetic view."""
    rows: Array
    """(7 7 3) float64 from 0 to below 1: how far down in its grid cell a square lies, for each run."""
    columns: Array
    """(7 7 3) the same across."""


def draw(clip_id: str, num_frames: int, *, seed: int) -> Draws:
    """Return the draws of a clip, which depend on its id, its length and the seed alone.

    `random.Random.random` gives the same numbers in every version of Python.
    """
    chance = random.Random(f"dover/{seed}/{clip_id}")
    starts = [
        tuple(int(chance.random() * sampling.num_starts(num_frames)) for _ in range(sampling.num_parts))
        for sampling in (TECHNICAL, AESTHETIC)
    ]
    shape = (FRAGMENTS, FRAGMENTS, TECHNICAL.num_parts)
    rows, columns = (
        np.array([chance.random() for _ in range(int(np.prod(shape)))]).reshape(shape) for _ in range(2)
    )
    return Draws(starts[0], starts[1], rows, columns)


def square_corners(side: int, shares: Array) -> Array:
    """Return where squares begin along a side of the picture, for shares (7 …) of the room in each cell.

    The side is cut into 7 cells; a square of 32 pixels lies in each, moved by the share of the room that is
    left (one less than there is, as DOVER has it). Same shape as `shares`, int64. The side must be at least
    224 pixels.
    """
    assert side >= VIEW, side
    cell = side // FRAGMENTS
    corners = np.minimum(np.arange(FRAGMENTS) * cell, side - SQUARE)
    moved = (shares * (cell - SQUARE)).astype(np.int64)
    return corners.reshape(-1, *[1] * (shares.ndim - 1)) + moved
