"""The truth of a run: `clips.parquet`, one row per clip, and one for every file that failed as a whole.

The file depends on the sources and the settings alone: no times of day, hosts or attempts are in it, and its
bytes are the same for any executor and number of workers.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkvid.curation.records import Check, Span
from talkvid.extras import require
from talkvid.files import atomic_path

CLIPS = "clips.parquet"
ROWS_PER_GROUP = 10_000

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


def write_clips(path: Path, rows: Iterable[ClipRow], *, further: Sequence[str]) -> int:
    """Write the rows in the order they come, a group at a time, and return how many there were.

    `further` names the columns besides COLUMNS and LAST_COLUMNS, see PREFIXES.  The file appears complete or
    not at all; equal rows give equal bytes.
    """
    pyarrow = require("pyarrow", extra="curation")
    parquet = require("pyarrow.parquet", extra="curation")
    schema = _schema(pyarrow, further)
    count = 0
    with (
        atomic_path(path) as temporary,
        parquet.ParquetWriter(temporary, schema, compression="zstd", compression_level=3) as writer,
    ):
        for group in _groups(rows):
            columns = {name: [_cell(row, name) for row in group] for name in schema.names}
            writer.write_table(pyarrow.table(columns, schema=schema), row_group_size=ROWS_PER_GROUP)
            count += len(group)
    return count


def table(path: Path | str) -> Any:
    """Return the whole file as a pyarrow Table; raise FileNotFoundError when a run has not written it."""
    return require("pyarrow.parquet", extra="curation").read_table(_clips_file(path))


def read_clips(path: Path | str) -> list[ClipRow]:
    """Return the rows of a `clips.parquet` (or of the run folder that holds it) in their order."""
    return list(iterate_clips(path))


def iterate_clips(path: Path | str) -> Iterator[ClipRow]:
    """Yield the rows of a `clips.parquet` (or of its run folder), a group in memory at a time."""
    parquet = require("pyarrow.parquet", extra="curation")
    with parquet.ParquetFile(_clips_file(path)) as file:
        for batch in file.iter_batches(batch_size=ROWS_PER_GROUP):
            for values in batch.to_pylist():
                yield _row(values)


def _clips_file(path: Path | str) -> Path:
    file = Path(path) / CLIPS if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist; make it with: talkvid curate run DIR -o OUT")
    return file


def _schema(pyarrow: Any, further: Sequence[str]) -> Any:
    check = pyarrow.struct([(name, getattr(pyarrow, kind)()) for name, kind in CHECK_FIELDS.items()])
    fields = [(name, getattr(pyarrow, kind)()) for name, kind in COLUMNS.items()]
    fields += [(name, getattr(pyarrow, PREFIXES[name.split(".")[0]])()) for name in further]
    fields += [
        ("checks", pyarrow.list_(check)),
        ("facts", pyarrow.string()),
        ("annotations", pyarrow.string()),
    ]
    return pyarrow.schema(fields)


def _cell(row: ClipRow, column: str) -> Any:
    prefix, _, rest = column.partition(".")
    match prefix:
        case "score":
            stage, _, name = rest.partition(".")
            return row.score(stage, name)
        case "backend":
            return row.backends.get(rest)
        case "signature":
            return row.signatures.get(rest)
        case "checks":
            return [{name: getattr(check, name) for name in CHECK_FIELDS} for check in row.checks]
        case "facts" | "annotations":
            return json.dumps(getattr(row, column), ensure_ascii=False, sort_keys=True, allow_nan=False)
    return getattr(row, column)


def _row(values: dict[str, Any]) -> ClipRow:
    scores: dict[str, dict[str, float]] = {}
    named: dict[str, dict[str, str]] = {"backend": {}, "signature": {}}
    for column, value in values.items():
        prefix, _, rest = column.partition(".")
        if value is None or not rest:
            continue
        if prefix == "score":
            stage, _, name = rest.partition(".")
            scores.setdefault(stage, {})[name] = value
        else:
            named[prefix][rest] = value
    checks = tuple(
        Check(**{name: check[name] for name in CHECK_FIELDS if name != "margin"})
        for check in values["checks"]
    )
    return ClipRow(
        **{name: values[name] for name in COLUMNS},
        scores=scores,
        backends=named["backend"],
        signatures=named["signature"],
        checks=checks,
        facts=json.loads(values["facts"]),
        annotations=json.loads(values["annotations"]),
    )


def _groups(rows: Iterable[ClipRow]) -> Iterator[list[ClipRow]]:
    group: list[ClipRow] = []
    for row in rows:
        group.append(row)
        if len(group) == ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group
