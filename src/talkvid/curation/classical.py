"""The embedded quality scorer: a classical no-reference measure without a network. It is not DOVER."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from talkvid.curation.classical_measures import SMALLEST_SIDE, PictureMeasures, measure_picture
from talkvid.curation.classical_scale import CURVES, classical_scores
from talkvid.curation.records import Span
from talkvid.curation.scorer import Unscorable
from talkvid.records import Array

VERSION = 1
"""Raised with every change that alters scores."""
FEWEST_LOOKS, MOST_LOOKS = 3, 60


class ClassicalScorer:
    """Looks at about `looks_per_s` pictures of each second, spread evenly over the clip."""

    stage = "quality"
    backend = "embedded"

    def __init__(self, *, looks_per_s: float = 1.0) -> None:
        self.looks_per_s = looks_per_s

    def signature(self) -> Mapping[str, Any]:
        """Return backend, version, rate of looks and the curves."""
        curves = {name: asdict(curve) for name, curve in CURVES.items()}
        return {
            "backend": self.backend,
            "version": VERSION,
            "looks_per_s": self.looks_per_s,
            "curves": curves,
        }

    def wanted(self, span: Span) -> Sequence[int]:
        """Return the pictures in the middle of as many equal parts of the clip: at least 3, at most 60."""
        asked = max(FEWEST_LOOKS, round(float(span.duration_s) * self.looks_per_s))
        looks = min(asked, MOST_LOOKS, span.num_frames)
        return [(2 * look + 1) * span.num_frames // (2 * looks) for look in range(looks)]

    def begin(self, span: Span) -> "ClassicalLook":
        """Return a fresh look at a clip."""
        return ClassicalLook(span)


class ClassicalLook:
    """Measures each picture as it comes and keeps eight numbers of it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._measures: list[PictureMeasures] = []

    def see(self, index: int, picture: Array) -> None:
        """Measure one picture; pictures too small to be measured are left out."""
        if min(picture.shape[:2]) >= SMALLEST_SIDE:
            self._measures.append(measure_picture(picture))

    def finish(self) -> Mapping[str, float]:
        """Return the scores of `classical_scale.classical_scores`.

        Raises:
            Unscorable: the pictures are smaller than 128 pixels on a side, or none came.
        """
        if not self._measures:
            size = f"{self._span.width}x{self._span.height}"
            raise Unscorable(
                "QUALITY_LOW",
                f"pictures of {size} cannot be judged, {SMALLEST_SIDE} pixels a side is the least",
            )
        return classical_scores(self._measures)
