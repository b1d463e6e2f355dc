"""Scorers for the tests of curation; a module of its own because worker processes import it by name."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from talkvid.curation.config import CurateConfig
from talkvid.curation.records import Span
from talkvid.curation.scorer import Scorer, Unscorable
from talkvid.records import Array

GOOD = {
    "head": {
        **{f"{kind}_{name}": 100.0 for kind in ("avg", "min") for name in (
            "movement", "orientation", "completeness", "resolution", "rotation")},
        "face_consistency": 100.0,
    },
    "quality": {"classical_quality": 1000.0},
    "motion": {
        "point_track_ratio": 0.95, "point_track_lowest": 0.9, "point_track_shake": 0.1,
        "point_track_longest_still_s": 0.2,
    },
}  # fmt: skip
"""Scores with which the default profile keeps a clip."""


@dataclass(frozen=True)
class Behaviour:
    """What the scorers of a test do, by the video's name."""

    calls: str = ""
    """File that gets a line `stage clip` for every finished score."""
    settings: Mapping[str, int] = field(default_factory=dict)
    """Stage -> a setting its scores depend on."""


def draw_video(path: Path, *, seconds: float = 1.0, shade: int = 100, fps: int = 10, size: int = 64) -> Path:
    """Write a video of a square that wanders over a plain ground."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        for number in range(round(seconds * fps)):
            picture = np.full((size, size, 3), shade, np.uint8)
            picture[10 + number % 20 : 30 + number % 20, 20:40] = 200
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def build(config: CurateConfig, stages: Sequence[str], *, behaviour: Behaviour) -> Mapping[str, Scorer]:
    """Return scorers that see two pictures of a clip and give good marks unless its name says otherwise."""
    return {stage: FakeScorer(stage, behaviour) for stage in stages}


def builder(calls: Path | None = None, **settings: int) -> Any:
    return partial(build, behaviour=Behaviour(str(calls or ""), settings))


class FakeScorer:
    backend = "embedded"

    def __init__(self, stage: str, behaviour: Behaviour) -> None:
        self.stage = stage
        self._behaviour = behaviour

    def signature(self) -> Mapping[str, Any]:
        return {"setting": self._behaviour.settings.get(self.stage, 0)}

    def wanted(self, span: Span) -> Sequence[int]:
        return sorted({0, span.num_frames - 1})

    def begin(self, span: Span) -> "FakeLook":
        return FakeLook(self.stage, span, self._behaviour)


class FakeLook:
    def __init__(self, stage: str, span: Span, behaviour: Behaviour) -> None:
        self._stage, self._span, self._behaviour = stage, span, behaviour
        self._seen: list[int] = []
        self._mean = 0.0

    def see(self, index: int, picture: Array) -> None:
        self._seen.append(index)
        self._mean = float(picture.mean())
        if f"{self._stage}_sees_badly" in self._span.video_id:
            raise KeyError("pose")

    def finish(self) -> Mapping[str, float]:
        name = self._span.video_id
        assert self._seen == sorted({0, self._span.num_frames - 1}), self._seen
        scores = dict(GOOD[self._stage])
        match [word for word in ("hangs", "dies", "raises", "nan", "low", "noface", "slow", "once")
               if f"{self._stage}_{word}" in name]:  # fmt: skip
            case ["hangs"]:
                time.sleep(600)
            case ["dies"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["once"]:
                _die_the_first_time(Path(self._behaviour.calls).with_suffix(f".{name}"))
            case ["raises"]:
                raise KeyError("pose")
            case ["nan"]:
                scores = dict.fromkeys(scores, float("nan"))
            case ["low"]:
                scores = dict.fromkeys(scores, 0.1)
            case ["noface"]:
                raise Unscorable("NO_FACE", "of 2 looks none shows a face")
            case ["slow"]:
                time.sleep(0.05)
        if self._behaviour.calls:
            with open(self._behaviour.calls, "a") as file:
                file.write(f"{self._stage} {self._span.name}\n")
        return {**scores, "mean": self._mean}


def _die_the_first_time(mark: Path) -> None:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
