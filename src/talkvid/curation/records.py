"""The nouns of curation: a clip is a span of a video until it has passed; scores and verdicts are apart."""

import uuid
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

KEPT = "kept"
REJECTED = "rejected"
FAILED = "failed"
UNSCORED = "unscored"
"""A score that the verdict needs is not there, because its stage has not run."""

CODES = {
    "DUR_SHORT": "shorter than the shortest clip",
    "DUR_LONG": "longer than the longest clip",
    "NO_SPEECH": "too little speech",
    "NO_AUDIO": "no sound where sound is asked for",
    "NO_FACE": "no picture with exactly one face",
    "MULTI_FACE": "several faces in too many pictures",
    "QUALITY_LOW": "picture quality below the threshold",
    "MOTION_LOW": "points get lost: shake, a hidden cut or an object in front",
    "MOTION_STATIC": "nothing moves: a still picture",
    "HEAD_MOVEMENT": "the head moves too far between looks",
    "HEAD_ORIENTATION": "the head is turned too far away",
    "HEAD_COMPLETENESS": "part of the face lies outside the picture",
    "HEAD_RESOLUTION": "the face is too small",
    "HEAD_ROTATION": "the head turns too fast",
    "HEAD_CONSISTENCY": "too many looks without exactly one face",
    "OWN_FILTER": "turned down by a filter of your own",
    "DUPLICATE": "the same pictures as another clip",
    "BALANCED_OUT": "more clips of this length than asked for",
    "BAD_ENTRY": "the entry of the list cannot be used",
    "MISSING_FILE": "the file is not there",
    "EMPTY_FILE": "the file is empty",
    "NOT_A_VIDEO": "the file holds no video",
    "DECODE_FAIL": "the file is damaged",
    "TIMEOUT": "not finished at the deadline",
    "WORKER_DIED": "the worker process died on it",
    "ERROR": "a fault of the program",
}
"""Every code a rejected or failed row can bear, and what it means."""

_NAMESPACE = uuid.UUID("6b0c2f0a-5a0e-4f38-9c3f-4a1f0b1d7c55")


@dataclass(frozen=True)
class Span:
    """A clip: a video file and the part of it that is meant; F = `num_frames` pictures."""

    video_id: str
    path: str
    number: int
    """Which clip of its video, from 1 in the order of time."""
    start_pts: int
    """In units of `time_base`, counted from the first picture of the file; the clip's first picture."""
    end_pts: int
    """The end of the clip's last picture, which is the start of the next one."""
    time_base: tuple[int, int]
    """Seconds per unit as (numerator, denominator)."""
    first_frame: int
    """Number of the clip's first picture among all pictures of the file in the order shown, from 0."""
    num_frames: int
    width: int
    height: int
    fps: float
    """Mean rate of the clip's pictures."""
    vfr: bool = False
    has_audio: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    """What the source list or the scan told besides: speech_s, language, subtitle path, person …"""

    @cached_property
    def clip_id(self) -> str:
        """Return the id made of the video and the span alone, the same in every run."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.video_id}/{self.start_s}/{self.end_s}"))

    @property
    def name(self) -> str:
        """Return the readable id, unique in a run: VIDEO-scene3."""
        return f"{self.video_id}-scene{self.number}"

    @cached_property
    def start_s(self) -> Fraction:
        """Return the exact time of the first picture, in seconds from the file's first picture."""
        return self._seconds(self.start_pts)

    @cached_property
    def end_s(self) -> Fraction:
        """Return the exact end of the last picture in seconds."""
        return self._seconds(self.end_pts)

    @cached_property
    def duration_s(self) -> Fraction:
        """Return the length in seconds."""
        return self._seconds(self.end_pts - self.start_pts)

    def _seconds(self, units: int) -> Fraction:
        numerator, denominator = self.time_base
        return Fraction(units * numerator, denominator)

    def to_json(self) -> dict[str, Any]:
        """Return the span as plain values; `from_json` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Span":
        """Return the span that `to_json` described."""
        return cls(**{**values, "time_base": tuple(values["time_base"])})


class Check(NamedTuple):
    """One comparison of a score with its threshold; a tuple, since a large run has millions of them."""

    stage: str
    score: str
    value: float
    op: str
    """`>=`, `>`, `<=` or `<`."""
    threshold: float
    code: str
    """Code of the row when the check fails."""
    passed: bool

    @property
    def margin(self) -> float:
        """Return how far inside (positive) or outside (negative) of the threshold the value lies."""
        distance = self.value - self.threshold
        return distance if self.op.startswith(">") else -distance


@dataclass(frozen=True)
class Verdict:
    """What becomes of a clip, and why."""

    status: str
    """`kept`, `rejected`, `failed` or `unscored`."""
    code: str = ""
    """One of CODES for `rejected` and `failed`; the stage that is missing for `unscored`."""
    reason: str = ""
    """One sentence with the value and the threshold."""
    checks: tuple[Check, ...] = ()
    """Every comparison made, in the order of the stages."""
