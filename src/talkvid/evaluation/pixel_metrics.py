"""L1 and PSNR between made and true pictures, on 8-bit values 0 to 255."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.facts import WHOLE, Facts, picture_size
from talkvid.evaluation.frame_pairs import FramePair, checked_pair
from talkvid.records import Array

VERSION = 1
DATA_RANGE = 255.0
"""Peak of the PSNR and scale of the L1: with values of 0 to 1 the L1 is 1/255, of -1 to 1 2/255 of ours."""


@dataclass(frozen=True)
class PixelAgreement:
    """Mean absolute difference and peak signal-to-noise ratio of F pairs."""

    l1: float
    """Mean absolute difference of all values, 0 to 255."""
    psnr_db: float
    """Mean over pictures of each one's own PSNR. Equal pairs, whose PSNR is infinite, are left out and
    counted; infinity when all pairs are equal."""
    psnr_pooled_db: float
    """PSNR of the mean squared error of all pictures together, equal ones included; never above `psnr_db`
    when no pair is equal (Jensen)."""
    num_frames: int
    num_equal: int
    protocol: Facts


class PixelMeter:
    """Takes pairs one at a time; memory does not grow with the video."""

    def __init__(self) -> None:
        self._absolute = self._squared = self._decibels = 0.0
        self._count = self._equal = 0
        self._sizes: set[str] = set()

    def add(self, made: Array, truth: Array) -> None:
        """Take one pair of uint8 pictures (H W 3); ValueError when they are not or differ in size."""
        made, truth = checked_pair(made, truth)
        difference = made.astype(np.float64) - truth
        squared = float(np.square(difference).mean())
        self._absolute += float(np.abs(difference).mean())
        self._squared += squared
        self._count += 1
        self._sizes.add(picture_size(made))
        if squared == 0.0:
            self._equal += 1
        else:
            self._decibels += psnr(squared)

    def result(self) -> PixelAgreement:
        """Return the figures of all pairs so far; ValueError when there were none."""
        if not self._count:
            raise ValueError("there are no pictures to compare")
        different = self._count - self._equal
        return PixelAgreement(
            l1=self._absolute / self._count,
            psnr_db=self._decibels / different if different else math.inf,
            psnr_pooled_db=psnr(self._squared / self._count),
            num_frames=self._count,
            num_equal=self._equal,
            protocol={
                "version": VERSION,
                "data_range": DATA_RANGE,
                "colour": "RGB, all three channels alike",
                "psnr": "per picture, then mean; equal pictures left out",
                "crop": WHOLE,
                "size": ", ".join(sorted(self._sizes)),
                "frames": self._count,
            },
        )


def pixel_agreement(pairs: Iterable[FramePair]) -> PixelAgreement:
    """Return L1 and PSNR of made and true pictures (H W 3) uint8; ValueError when there are none."""
    meter = PixelMeter()
    for made, truth in pairs:
        meter.add(made, truth)
    return meter.result()


def psnr(mean_squared_error: float) -> float:
    """Return 10 log10(255² / error) in dB; infinity for an error of 0."""
    if mean_squared_error == 0.0:
        return math.inf
    return 10.0 * math.log10(DATA_RANGE**2 / mean_squared_error)
