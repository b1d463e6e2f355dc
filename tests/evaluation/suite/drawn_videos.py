"""Tiny videos with sound, a yardstick that reads their brightness, and metrics that say what they were asked.

Metrics write a line per measured pair into a file, so that tests see what a run did in other processes.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.suite.looks import Eye
from talkvid.evaluation.suite.metric import (
    ClipView,
    Column,
    Distance,
    Features,
    LeftOut,
    Measured,
    Metric,
    Need,
    SetMetric,
    Suite,
)
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.run import ViewSettings, evaluate
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.tracks import Sighting
from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from talkvid.records import Array
from tests.evaluation.drawn import sighting

RATE = 16000
FPS = 25
CALLS = "calls.txt"


def write_sound(path: Path, *, level: float = 0.2, seconds: float = 0.4, begin_s: float = 0.0) -> Path:
    """Write a tone that begins after a silence."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(round(seconds * RATE)) / RATE
    tone = level * np.sin(2 * np.pi * 440 * time_s) * (time_s >= begin_s)
    wavfile.write(path, RATE, (tone * 32767).astype(np.int16))
    return path


def write_video(
    path: Path,
    greys: Sequence[int],
    *,
    size: tuple[int, int] = (64, 48),
    fps: float = FPS,
    sound: Path | None = None,
) -> Path:
    """Write pictures of one grey each, `size` (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    audio = None if sound is None else AudioSource(sound)
    with VideoWriter(path, width, height, fps, audio=audio, preset="ultrafast", crf=4) as writer:
        for grey in greys:
            writer.write(np.full((height, width, 3), grey, np.uint8))
    return path


class BrightnessYardstick:
    """Sees a mouth that is the further open the brighter the picture; nothing in a black one."""

    name = "brightness"

    def __init__(self) -> None:
        self.pictures = 0

    def watch(self, frames: Iterable[Array]) -> Iterator[tuple[Array, Sighting | None]]:
        for frame in frames:
            self.pictures += 1
            gap = float(frame.mean()) / 255
            yield frame, sighting(gap, jaw=gap, at=(32, 24)) if gap > 0.02 else None

    def count(self, frame: Array) -> int:
        return 1


class FakeMetric:
    """Gives one number per pair and notes that it was asked."""

    hears = False
    needs: frozenset[Need] = frozenset()

    def __init__(self, folder: Path, name: str, version: str) -> None:
        self.name, self._folder, self._version = name, folder, version
        self.columns: tuple[Column, ...] = (Column(name, name.title(), "lower", f"The {name}."),)

    @property
    def signature(self) -> str:
        return f"{self.name} {self._version}"

    def measure(self, view: ClipView) -> Measured:
        with (self._folder / CALLS).open("a") as file:
            file.write(f"{self.name} {view.pair.id}\n")
        return Measured({self.name: self.number(view)}, {"fps": view.made.fps})

    def number(self, view: ClipView) -> float:
        raise NotImplementedError


class Brightness(FakeMetric):
    def number(self, view: ClipView) -> float:
        return float(np.mean([frame.mean() for frame in view.frames()]))


class Difference(FakeMetric):
    needs = frozenset({Need.REFERENCE})

    def number(self, view: ClipView) -> float:
        apart = [np.abs(ours.astype(float) - theirs).mean() for ours, theirs in view.frame_pairs()]
        return float(np.mean(apart))


class Loudness(FakeMetric):
    hears = True
    needs = frozenset({Need.SOUND})

    def number(self, view: ClipView) -> float:
        return float(np.abs(view.sound()).mean()) + 10 * len(view.other_sounds())


class Opening(FakeMetric):
    def number(self, view: ClipView) -> float:
        return float(np.nanmean(view.look().tracks.jaw_open))


class NotANumber(FakeMetric):
    def number(self, view: ClipView) -> float:
        return float("nan")


class Refusing(FakeMetric):
    def number(self, view: ClipView) -> float:
        raise ValueError("this one is not to my taste")


class Broken(FakeMetric):
    """Fails as programs do, until the file `mended` is there."""

    def number(self, view: ClipView) -> float:
        if not (self._folder / "mended").exists():
            raise RuntimeError("a wheel came off")
        return 1.0


class Deadly(FakeMetric):
    """Kills its process once per clip named in the file `deadly`."""

    def number(self, view: ClipView) -> float:
        list_file = self._folder / "deadly"
        left = list_file.read_text().split() if list_file.exists() else []
        if view.pair.clip in left:
            left.remove(view.pair.clip)
            list_file.write_text(" ".join(left))
            os.kill(os.getpid(), signal.SIGKILL)
        return 1.0


class Slow(FakeMetric):
    """Takes ten minutes for the clip "slow", until the file `hurry` is there."""

    def number(self, view: ClipView) -> float:
        if view.pair.clip == "slow" and not (self._folder / "hurry").exists():
            time.sleep(600)
        return 1.0


class GreySet:
    """The distance of two sets is that of their mean greys."""

    name = "greys"
    columns: tuple[Column, ...] = (Column("greys", "Greys", "lower", "Distance of mean greys."),)
    needs: frozenset[Need] = frozenset({Need.REFERENCE})
    dims = 2

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def signature(self) -> str:
        return "greys 1"

    def features(self, view: ClipView) -> Features:
        with (self._folder / CALLS).open("a") as file:
            file.write(f"{self.name} {view.pair.id}\n")
        return Features(_greys(view.frames()), _greys(view.reference_frames()), {"crop": "none"})

    def distance(self, made: FeatureMoments, truth: FeatureMoments) -> Distance:
        if made.num_clips < 2:
            raise ValueError(f"{made.num_clips} clip is too few; give 2")
        apart = float(np.abs(made.mean - truth.mean)[0])
        return Distance({"greys": apart}, {"clips": made.num_clips, "pictures": made.count})


def _greys(frames: Iterable[Array]) -> Array:
    return np.array([[frame.mean(), 1.0] for frame in frames], np.float32)


METRICS: dict[str, type[FakeMetric]] = {
    "brightness": Brightness,
    "difference": Difference,
    "loudness": Loudness,
    "opening": Opening,
    "nan": NotANumber,
    "refusing": Refusing,
    "broken": Broken,
    "deadly": Deadly,
    "slow": Slow,
}


def drawn_suite(names: Sequence[str], settings: MetricSettings) -> Suite:
    """Return fake metrics, `NAME@VERSION` with another signature; calls are noted in `weights_dir`."""
    metrics: list[Metric] = []
    sets: list[SetMetric] = []
    left_out = []
    for full in names:
        name, _, version = full.partition("@")
        if name == "greys":
            sets.append(GreySet(settings.weights_dir))
        elif name in METRICS:
            metrics.append(METRICS[name](settings.weights_dir, name, version))
        else:
            left_out.append(LeftOut(name, "was never fetched"))
    return Suite(tuple(metrics), tuple(sets), tuple(left_out))


def drawn_eye(settings: ViewSettings) -> Eye:
    """Return the yardstick of drawn videos."""
    return Eye(BrightnessYardstick())


def calls(folder: Path) -> list[str]:
    """Return what was measured since the last question, sorted."""
    path = folder / CALLS
    lines = sorted(path.read_text().splitlines()) if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def main() -> int:
    """Measure "brightness" and "slow" in a process of its own, which a test stops."""
    told = json.loads(sys.argv[1])
    folder = Path(told["folder"])
    try:
        evaluate(
            [Pair("ours", clip, Path(made)) for clip, made in told["pairs"]],
            ["brightness", "slow"],
            MetricSettings(weights_dir=folder),
            output=folder / "output",
            suite_builder=drawn_suite,
            eye_builder=drawn_eye,
        )
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
