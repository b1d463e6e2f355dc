"""Where one camera take ends and the next begins: PySceneDetect's detectors, fed with our pictures.

Its own decoding is not used: the pictures come from the one pass over the file, so that a cut is a number of
that pass, exact for any spacing of the frames. The cuts are the same: on five recorded videos and with five
detectors they equal those of its OpenCV reader, on made-up videos those of its PyAV reader
(`tests/curation/test_cuts.py`).
"""

from dataclasses import dataclass
from typing import Any, Protocol

import cv2

from talkvid.extras import require
from talkvid.records import Array

DETECTORS = ("adaptive", "content", "histogram", "hash", "threshold", "none")
DEFAULT_THRESHOLDS = {"adaptive": 3.0, "content": 27.0, "histogram": 0.085, "hash": 0.35, "threshold": 12.0}
PICTURE_SIDE = 256
"""Longer side of the pictures compared, as PySceneDetect itself scales them; thresholds are made for it."""


@dataclass(frozen=True)
class CutConfig:
    """How cuts are found."""

    detector: str = "adaptive"
    """adaptive: a change that stands out of its neighbours; content: hue, saturation and brightness;
    histogram: brightness; hash: coarse shape; threshold: fades through black; none: the files are cut clips.
    """
    threshold: float | None = None
    """Of the detector; None takes 3.0, 27.0, 0.085, 0.35, 12.0 in the order above."""
    min_scene_frames: int = 15
    """No cut comes sooner than so many pictures after the last one."""
    bins: int = 256
    """Of the histogram."""
    min_content: float = 15.0
    """Change that adaptive asks for at least, however still the neighbours are."""
    window: int = 2
    """Pictures before and after that adaptive compares with."""

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise ValueError(f"detector '{self.detector}' is unknown; choose one of {', '.join(DETECTORS)}")
        if self.min_scene_frames < 1:
            raise ValueError(f"min_scene_frames must be at least 1, got {self.min_scene_frames}")
        if self.bins < 2 or self.window < 1:
            raise ValueError(f"bins must be at least 2 and window 1, got {self.bins} and {self.window}")


class _Detector(Protocol):
    def process_frame(self, timecode: Any, frame_img: Array) -> list[Any]: ...
    def post_process(self, timecode: Any) -> list[Any]: ...


class CutFinder:
    """Sees the pictures of a video in order and tells where new takes begin."""

    def __init__(self, config: CutConfig) -> None:
        self._detector = _build(config)
        self._timecode = require("scenedetect", extra="curation").FrameTimecode
        self._found: set[int] = set()
        self._seen = 0

    def see(self, picture: Array) -> None:
        """Take the next picture, RGB (h w 3) uint8."""
        if self._detector is not None:
            found = self._detector.process_frame(self._place(), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            self._found.update(cut.frame_num for cut in found)
        self._seen += 1

    def takes(self) -> list[tuple[int, int]]:
        """Return [first, stop) of every take among the pictures seen, in order, covering all of them.

        A video without a cut is one take.
        """
        if not self._seen:
            return []
        if self._detector is not None:
            self._found.update(cut.frame_num for cut in self._detector.post_process(self._place()))
        cuts = sorted(cut for cut in self._found if 0 < cut < self._seen)
        return list(zip([0, *cuts], [*cuts, self._seen], strict=True))

    def _place(self) -> Any:
        # Numbers of pictures, not times: lengths in pictures are then exact, also where times vary. The rate
        # is only there because the class asks for one.
        return self._timecode(self._seen, 25.0)


def _build(config: CutConfig) -> _Detector | None:
    if config.detector == "none":
        return None
    library = require("scenedetect", extra="curation")
    threshold = DEFAULT_THRESHOLDS[config.detector] if config.threshold is None else config.threshold
    length = {"min_scene_len": config.min_scene_frames}
    detector: _Detector
    if config.detector == "adaptive":
        detector = library.AdaptiveDetector(
            threshold, window_width=config.window, min_content_val=config.min_content, **length
        )
    elif config.detector == "content":
        detector = library.ContentDetector(threshold, **length)
    elif config.detector == "histogram":
        detector = library.HistogramDetector(threshold, bins=config.bins, **length)
    elif config.detector == "hash":
        detector = library.HashDetector(threshold, **length)
    else:
        detector = library.ThresholdDetector(threshold, **length)
    return detector
