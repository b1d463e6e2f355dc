"""What a row of `clips.parquet` is: its columns, their types, and the row as an object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from talkvid.curation.records import Check, Span

TEXT, WHOLE, NUMBER, TRUTH = "string", "int64", "float64", "bool_"

COLUMNS = {
    "clip_id": TEXT,
    "name": TEXT,
    "video_id": TEXT,
    "path": TEXT,
    "number": WHOLE,
    "start_pts": WHOLE,
    "end_pts": WHOLE,
    "time_base_num": WHOLE,
    "time_base_den": WHOLE,
    "start_s": NUMBER,
    "end_s": NUMBER,
    "duration_s": NUMBER,
    "first_frame": WHOLE,
    "num_frames": WHOLE,
    "width": WHOLE,
    "height": WHOLE,
    "fps": NUMBER,
    "vfr": TRUTH,
    "has_audio": TRUTH,
    "status": TEXT,
    "code": TEXT,
    "reason": TEXT,
    "failed_stage": TEXT,
}
"""Columns of every file and their types, named as the functions of pyarrow; others are named by PREFIXES."""

PREFIXES = {"score": NUMBER, "backend": TEXT, "signature": TEXT}
"""`score.<stage>.<name>` (null where absent), `backend.<stage>` and `signature.<stage>`."""

LAST_COLUMNS = ("checks", "facts", "annotations")
"""A list of CHECK_FIELDS, and two JSON objects as text."""

CHECK_FIELDS = {
    "stage": TEXT,
    "score": TEXT,
    "value": NUMBER,
    "op": TEXT,
    "threshold": NUMBER,
    "margin": NUMBER,
    "passed": TRUTH,
    "code": TEXT,
}


@dataclass(frozen=True, slots=True)
class ClipRow:
    """One row of `clips.parquet`; a file that failed whole has number 0, no pictures and no time."""

    clip_id: str
    name: str
    video_id: str
    path: str
    number: int
    start_pts: int
    end_pts: int
    time_base_num: int
    time_base_den: int
    start_s: float
    end_s: float
    duration_s: float
    first_frame: int
    num_frames: int
    width: int
    height: int
    fps: float
    vfr: bool
    has_audio: bool
    status: str
    """`kept`, `rejected`, `failed` or `unscored`."""
    code: str = ""
    reason: str = ""
    failed_stage: str = ""
    """The stage that failed or rejected: `scan`, `head`, `quality` or `motion`; for `unscored` what lacks."""
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Stage -> name -> value."""
    backends: Mapping[str, str] = field(default_factory=dict)
    """Stage -> the way it was scored."""
    signatures: Mapping[str, str] = field(default_factory=dict)
    """Stage -> hash of all that its scores depend on."""
    checks: tuple[Check, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        """Return the part of the video that the clip is."""
        return Span(
            video_id=self.video_id,
            path=self.path,
            number=self.number,
            start_pts=self.start_pts,
            end_pts=self.end_pts,
            time_base=(self.time_base_num, self.time_base_den),
            first_frame=self.first_frame,
            num_frames=self.num_frames,
            width=self.width,
            height=self.height,
            fps=self.fps,
            vfr=self.vfr,
            has_audio=self.has_audio,
            facts=dict(self.facts),
        )

    def score(self, stage: str, name: str) -> float | None:
        """Return one score, or None where there is none."""
        return self.scores.get(stage, {}).get(name)


def span_columns(span: Span) -> dict[str, Any]:
    """Return the columns of a ClipRow that its span decides."""
    return {
        "clip_id": span.clip_id,
        "name": span.name,
        "video_id": span.video_id,
        "path": span.path,
        "number": span.number,
        "start_pts": span.start_pts,
        "end_pts": span.end_pts,
        "time_base_num": span.time_base[0],
        "time_base_den": span.time_base[1],
        "start_s": float(span.start_s),
        "end_s": float(span.end_s),
        "duration_s": float(span.duration_s),
        "first_frame": span.first_frame,
        "num_frames": span.num_frames,
        "width": span.width,
        "height": span.height,
        "fps": span.fps,
        "vfr": span.vfr,
        "has_audio": span.has_audio,
        "facts": span.facts,
    }
