"""Structural similarity of pictures, with every choice that moves the number stated.

Wang et al. 2004. The three rules people use give 0.79, 0.80 and 0.81 for one pair of frames, so a number
without its rule cannot be compared.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from talkvid.evaluation.facts import WHOLE, Facts, picture_size
from talkvid.evaluation.frame_pairs import FramePair, checked_pair
from talkvid.records import Array

VERSION = 1
DATA_RANGE = 255.0
STABILISERS = ((0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2)
"""C1 and C2 of the paper."""


@dataclass(frozen=True)
class SsimRule:
    """A window and what happens at the border."""

    name: str
    weights: tuple[float, ...]
    """(W,) of the separable window, W odd, sum 1."""
    crop: bool
    """Whether the W // 2 values next to the border, whose window hangs over it, are left out of the mean;
    otherwise the picture is mirrored there, its last line not repeated."""
    sample_covariance: bool
    """Whether variances are divided by n - 1 instead of n."""

    @property
    def stated(self) -> str:
        """Return the rule in words."""
        border = "border of half a window cropped" if self.crop else "border mirrored, not cropped"
        divisor = "n - 1" if self.sample_covariance else "n"
        return f"{self.name} {len(self.weights)}x{len(self.weights)}, {border}, variances over {divisor}"


def _gaussian(size: int, deviation: float) -> tuple[float, ...]:
    weights = np.exp(-0.5 * ((np.arange(size) - size // 2) / deviation) ** 2)
    return tuple(float(weight) for weight in weights / weights.sum())


GAUSSIAN = SsimRule("Gaussian 1.5", _gaussian(11, 1.5), crop=True, sample_covariance=False)
"""The paper's window, and skimage with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`."""
GAUSSIAN_MIRRORED = SsimRule("Gaussian 1.5", _gaussian(11, 1.5), crop=False, sample_covariance=False)
"""torchmetrics' default, which counts the border too and is higher."""
UNIFORM = SsimRule("uniform", (1 / 7,) * 7, crop=True, sample_covariance=True)
"""skimage's default."""


@dataclass(frozen=True)
class Ssim:
    """Mean structural similarity of F pairs: 1 for equal pictures, at least -1."""

    mean: float
    lowest: float
    num_frames: int
    protocol: Facts


def ssim(pairs: Iterable[FramePair], *, rule: SsimRule = GAUSSIAN) -> Ssim:
    """Return the SSIM of made and true RGB uint8 pictures (H W 3): per channel, then picture, then video.

    ValueError when there are no pictures or they are smaller than the window.
    """
    total, lowest, count = 0.0, np.inf, 0
    sizes: set[str] = set()
    for made, truth in pairs:
        value = picture_ssim(*checked_pair(made, truth), rule=rule)
        total, lowest, count = total + value, min(lowest, value), count + 1
        sizes.add(picture_size(made))
    if not count:
        raise ValueError("there are no pictures to compare")
    return Ssim(
        mean=total / count,
        lowest=float(lowest),
        num_frames=count,
        protocol={
            "version": VERSION,
            "rule": rule.stated,
            "data_range": DATA_RANGE,
            "colour": "mean of R, G and B",
            "crop": WHOLE,
            "size": ", ".join(sorted(sizes)),
            "frames": count,
        },
    )


def picture_ssim(first: Array, second: Array, *, rule: SsimRule = GAUSSIAN) -> float:
    """Return the SSIM of two uint8 pictures (H W) or (H W 3), the mean over positions and channels."""
    size = len(rule.weights)
    if min(first.shape[:2]) < size:
        raise ValueError(
            f"a picture of {picture_size(first)} is smaller than the {size}x{size} window of SSIM"
        )
    similarity = _similarity_map(first.astype(np.float64), second.astype(np.float64), rule)
    if rule.crop:
        edge = size // 2
        similarity = similarity[edge:-edge, edge:-edge]
    return float(similarity.mean())


def _similarity_map(first: Array, second: Array, rule: SsimRule) -> Array:
    kernel = np.array(rule.weights)

    def local_mean(values: Array) -> Array:
        return cv2.sepFilter2D(values, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)

    positions = len(kernel) ** 2
    correction = positions / (positions - 1) if rule.sample_covariance else 1.0
    mean_first, mean_second = local_mean(first), local_mean(second)
    squares = mean_first**2 + mean_second**2
    spread = correction * (local_mean(first**2 + second**2) - squares)
    shared = correction * (local_mean(first * second) - mean_first * mean_second)
    low, high = STABILISERS
    numerator = (2 * mean_first * mean_second + low) * (2 * shared + high)
    similarity: Array = numerator / ((squares + low) * (spread + high))
    return similarity
