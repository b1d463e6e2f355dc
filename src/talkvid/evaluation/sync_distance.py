"""LSE-D, LSE-C and the offset of sound and picture, from the distances between lip and sound features.

Definitions of SyncNet's published evaluation (Chung & Zisserman 2016), called LSE-D and LSE-C by Prajwal et
al. 2020 (Wav2Lip), Sync-D and Sync-C by others.  d(t, k) = ||lip(t) - sound(t + k) + 1e-6||, k = -V … V, not
normalised; D(k) = mean over t; LSE-D = min D(k); LSE-C = median D(k) - min D(k).

The offset is V - argmin, that is minus the best k: sound that comes n frames late gives -n, early sound +n.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from talkvid.records import Array

REACH_FRAMES = 15
"""V: shifts looked at to both sides, as the published scripts set it (their function alone says 10)."""
WINDOW_FRAMES = 5
SAMPLES_PER_FRAME = 640
"""16 kHz at 25 pictures a second."""


@dataclass(frozen=True)
class OffsetCurve:
    """Mean distances D(k) at the shifts k = -V … V, (2V + 1,) float64."""

    mean_distances: Array

    @property
    def reach(self) -> int:
        """Return V."""
        return len(self.mean_distances) // 2

    @property
    def lse_d(self) -> float:
        """Return the smallest mean distance; smaller is nearer."""
        return float(self.mean_distances.min())

    @property
    def lse_c(self) -> float:
        """Return by how much the smallest mean distance lies below the median one; larger is surer."""
        return float(np.median(self.mean_distances)) - self.lse_d

    @property
    def offset_frames(self) -> int:
        """Return the offset in frames of 1/25 s, negative when the sound is late; the first of equal ones."""
        return self.reach - int(self.mean_distances.argmin())

    @property
    def at_edge(self) -> bool:
        """Return whether the best shift is the first or last one: then the offset is not to be believed."""
        return abs(self.offset_frames) == self.reach


@dataclass(frozen=True)
class SyncScores:
    """What the distances of one clip say."""

    windows: int
    """T, the number of lip features."""
    padded: OffsetCurve
    """As published: where t + k lies outside the clip the sound feature is all zeros, which favours shifts at
    the edge, the more the shorter the clip and the less the features tell.
    """
    valid_only: OffsetCurve
    """Our variant: the mean over those t whose t + k lies inside. Not comparable with published numbers."""

    def numbers(self, *, published_weights: bool) -> Mapping[str, float]:
        """Return the numbers by name; the official names only where the published network computed them."""
        of = "" if published_weights else " (other weights)"
        named: dict[str, float] = {}
        for curve, how in ((self.padded, of), (self.valid_only, f" valid-only{of}")):
            named[f"LSE-D{how}"] = curve.lse_d
            named[f"LSE-C{how}"] = curve.lse_c
            named[f"AV offset{how}"] = float(curve.offset_frames)
        return named


def num_windows(num_frames: int, num_samples: int) -> int:
    """Return T = min(frames, floor(samples / 640)) - 5, as published: the last full window is left out."""
    return min(num_frames, num_samples // SAMPLES_PER_FRAME) - WINDOW_FRAMES


def require_windows(num_frames: int, num_samples: int, *, reach: int = REACH_FRAMES) -> int:
    """Return T; ValueError with the numbers when the clip is too short for every shift to be seen once."""
    windows = num_windows(num_frames, num_samples)
    if windows > reach:
        return windows
    least = reach + 1 + WINDOW_FRAMES
    raise ValueError(
        f"{num_frames} frames of 1/25 s and {num_samples} samples at 16 kHz ({num_samples / 16000:.2f} s) "
        f"are too short for shifts of {reach} frames: give at least {least} frames, {least / 25:.2f} s"
    )


def distances(lip: Tensor, sound: Tensor, *, reach: int = REACH_FRAMES) -> Array:
    """Return d(t, k) of features (T, D) as (T, 2 reach + 1) float32; sound outside the clip is zeros.

    ValueError when a feature is not finite.
    """
    assert lip.shape == sound.shape and lip.ndim == 2, (lip.shape, sound.shape)
    for features, what in ((lip, "lip"), (sound, "sound")):
        rows = ~torch.isfinite(features).all(dim=1)
        if rows.any():
            raise ValueError(
                f"{int(rows.sum())} of {len(rows)} {what} features are not finite numbers; check the weights"
            )
    padded = torch.nn.functional.pad(sound, (0, 0, reach, reach))
    count = len(lip)
    columns = [
        torch.nn.functional.pairwise_distance(lip, padded[first : first + count])
        for first in range(2 * reach + 1)
    ]
    return torch.stack(columns, dim=1).numpy()


def sync_scores(apart: Array) -> SyncScores:
    """Return the scores of distances (T, 2V + 1), T > V; means in float64."""
    count, shifts = apart.shape
    reach = shifts // 2
    assert shifts == 2 * reach + 1 and count > reach, apart.shape
    apart = np.asarray(apart, np.float64)
    places = np.arange(count)[:, None] + np.arange(-reach, reach + 1)
    inside = (places >= 0) & (places < count)
    inside_mean = np.where(inside, apart, 0).sum(axis=0) / inside.sum(axis=0)
    return SyncScores(count, OffsetCurve(apart.mean(axis=0)), OffsetCurve(inside_mean))
