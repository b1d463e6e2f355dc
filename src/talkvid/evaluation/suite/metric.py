"""What a metric is: which numbers it gives, what it needs, and how it says what it did."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from talkvid.evaluation.facts import Facts
from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.frame_pairs import FramePair
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.video_look import VideoLook
from talkvid.media.video import VideoInfo
from talkvid.records import Array

Better = Literal["lower", "higher", "zero", "one", "none"]
"""Where good values lie; "one" for ratios to the true video, "zero" for signed numbers such as a lag."""


class Need(StrEnum):
    """What a pair must have for a metric to be measured."""

    REFERENCE = "a true video"
    SOUND = "a sound"
    PORTRAIT = "a portrait"


@dataclass(frozen=True)
class Column:
    """One number of a metric."""

    key: str
    """Name in files: lower case, underscores."""
    heading: str
    """Name in tables, with its unit: the field's name only where the number is the field's."""
    better: Better
    meaning: str
    """One sentence for people who meet it for the first time."""
    digits: int = 3


@dataclass(frozen=True)
class Measured:
    """What a metric found in one video."""

    values: Mapping[str, float | None]
    """By column key; None where this video has no such number. Never NaN or infinite."""
    facts: Facts
    """Crop, size, fps, frames, version, hashes."""
    notes: tuple[str, ...] = ()
    """What a reader must know about this one, such as how many pictures showed no face."""


class ClipView(Protocol):
    """One pair opened for reading; what was looked at once is kept while the pair is measured."""

    pair: Pair
    made: VideoInfo
    reference: VideoInfo | None
    yardstick_name: str

    def frames(self) -> Iterator[Array]:
        """Yield the made video's RGB (H W 3) uint8 pictures, the control's treatment applied."""
        ...

    def reference_frames(self) -> Iterator[Array]:
        """Yield the true video's pictures; ValueError without one."""
        ...

    def frame_pairs(self) -> Iterator[FramePair]:
        """Yield each made picture beside the true one shown at its middle, both of the true one's size."""
        ...

    def sound(self, *, rate: int = 16000) -> Array:
        """Return the sound (N,) float32 mono that the video is heard with, from its first picture on."""
        ...

    def other_sounds(self) -> list[Array]:
        """Return sounds at 16 kHz of other clips, for controls; empty where there is no other clip."""
        ...

    def look(self) -> VideoLook:
        """Return what the yardstick sees in the made video."""
        ...

    def reference_look(self) -> VideoLook:
        """Return what the yardstick sees in the true video; ValueError without one."""
        ...

    def portrait_look(self) -> VideoLook:
        """Return what the yardstick sees in the portrait; ValueError without one."""
        ...


@runtime_checkable
class Metric(Protocol):
    """Measures one video after the other; built once in every worker process."""

    name: str
    """What `--metrics` calls it."""
    columns: tuple[Column, ...]
    needs: frozenset[Need]
    hears: bool
    """Whether the sound changes its numbers; if not, controls that differ in sound alone are passed over."""

    @property
    def signature(self) -> str:
        """Return what its numbers depend on beside the files: version, settings and weights, one line."""
        ...

    def measure(self, view: ClipView) -> Measured:
        """Return the numbers of one pair; ValueError with the reason where they cannot be had."""
        ...


@dataclass(frozen=True)
class Features:
    """What a distance of two sets needs of one pair."""

    made: Array
    """(N, D) float32."""
    truth: Array
    """(M, D) float32."""
    facts: Facts


@dataclass(frozen=True)
class Distance:
    """A number of two whole sets."""

    values: Mapping[str, float | None]
    facts: Facts
    notes: tuple[str, ...] = ()


@runtime_checkable
class SetMetric(Protocol):
    """Compares two sets of videos as wholes; features are gathered pair by pair and kept as files."""

    name: str
    columns: tuple[Column, ...]
    needs: frozenset[Need]
    dims: int

    @property
    def signature(self) -> str:
        """Return what its features depend on beside the files, one line."""
        ...

    def features(self, view: ClipView) -> Features:
        """Return the features of one pair; ValueError with the reason where they cannot be had."""
        ...

    def distance(self, made: FeatureMoments, truth: FeatureMoments) -> Distance:
        """Return the distance of two sets; ValueError with the counts when they are too small."""
        ...


@dataclass(frozen=True)
class LeftOut:
    """A metric that was asked for and cannot be measured at all, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Suite:
    """The metrics of one run."""

    metrics: tuple[Metric, ...] = ()
    sets: tuple[SetMetric, ...] = ()
    left_out: tuple[LeftOut, ...] = field(default=())

    @property
    def every(self) -> tuple[Metric | SetMetric, ...]:
        """Return those of single videos, then those of sets."""
        return (*self.metrics, *self.sets)
