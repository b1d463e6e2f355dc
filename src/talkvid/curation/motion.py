"""The motion stage: do points stay in sight, or is there shake, a cut or a frozen picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2

from talkvid import plugins
from talkvid.curation.cotracker import CoTrackerScorer, CoTrackerSettings
from talkvid.curation.own import plugged_in
from talkvid.curation.point_track_clip import PointTrackClip, Stretch, stretches
from talkvid.curation.records import Span
from talkvid.curation.scorer import Scorer

BACKENDS = ("embedded", "cotracker")
EMBEDDED_VERSION = 1
"""Raised with every change that alters the embedded scores."""
COTRACKER_HUB = "facebookresearch/co-tracker:82e02e8029753ad4ef13cf06be7f4fc5facdda4d"
"""The definition that the adapter was checked with."""


@dataclass(frozen=True)
class MotionConfig:
    """How motion is measured; the thresholds belong to the profile."""

    backend: str = "embedded"
    """`embedded` follows points with OpenCV on a CPU; `cotracker` needs its network and wants a GPU. Or the
    name of a plug-in's scorer."""
    source: str = COTRACKER_HUB
    """CoTracker's definition: OWNER/REPOSITORY[:REVISION] on GitHub, or the folder of a checkout."""
    checkpoint: str = ""
    """File of CoTracker3's offline weights; empty: what `talkvid models fetch cotracker` brought, or else the
    published ones, fetched once by torch.hub."""
    grid: int = 100
    """CoTracker's points per row and column."""
    frame_scale: float = 0.0
    """Shrink pictures by this before CoTracker enlarges them to its size, as published with 0.25; 0: shrink
    straight to its size."""
    device: str = "cpu"
    """`cpu`, `cuda` or `cuda:1`, for CoTracker."""

    def __post_init__(self) -> None:
        choices = plugins.choices("motion_scorer", BACKENDS)
        if self.backend not in choices:
            raise ValueError(f"motion.backend is {self.backend!r}: choose one of {', '.join(choices)}")
        if self.grid < 2:
            raise ValueError(f"motion.grid must be at least 2, got {self.grid}")
        if not 0 <= self.frame_scale <= 1:
            raise ValueError(f"motion.frame_scale must lie between 0 and 1, got {self.frame_scale}")


def build_motion_scorer(config: MotionConfig) -> Scorer:
    """Return the motion stage's scorer; FileNotFoundError when CoTracker's code or weights are missing."""
    if plugins.has("motion_scorer", config.backend):
        return plugged_in("motion_scorer", config.backend, stage="motion")
    if config.backend == "embedded":
        return EmbeddedMotionScorer()
    return CoTrackerScorer(
        CoTrackerSettings(config.source, config.checkpoint, config.grid, config.frame_scale, config.device)
    )


class EmbeddedMotionScorer:
    """Scores by following 144 points with OpenCV; some 31 pictures of a clip of five seconds are looked at.

    `point_track_ratio`: the share of the points of a stretch's first picture that are visible, mean over its
    looks, least over the stretches (those of CoTracker's ratio). `point_track_lowest`: the least share at
    any one look, which a hidden cut pulls down wherever it lies. `point_track_shake`: by how much the
    background's speed changes from step to step, in percent of the longer side.
    `point_track_longest_still_s`: the longest time in which nothing in the picture changes.
    """

    stage = "motion"
    backend = "embedded"

    def signature(self) -> Mapping[str, Any]:
        """Return what the scores depend on as plain values."""
        return {"version": EMBEDDED_VERSION, "backend": self.backend, "opencv": cv2.__version__}

    def wanted(self, span: Span) -> Sequence[int]:
        """Return the pictures in which points are followed, about six a second."""
        return sorted({index for stretch in _stretches(span) for index in stretch.pictures})

    def begin(self, span: Span) -> PointTrackClip:
        """Return a fresh look at a clip."""
        return PointTrackClip(_fps(span), _stretches(span))


def _stretches(span: Span) -> list[Stretch]:
    return stretches(_fps(span), span.num_frames, float(span.duration_s))


def _fps(span: Span) -> float:
    """Return the clip's mean rate, from its length where the span does not say."""
    return span.fps if span.fps > 0 else span.num_frames / max(float(span.duration_s), 1e-3)
