"""The manifest as the lists other programs read: JSON lines, both of TalkVid's forms, Parquet of kept clips.

All of them can be made again from `clips.parquet` at any time; each is written whole or not at all.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.curation.annotated_files import side_files
from talkvid.curation.cut_files import CLIPS, cut_files
from talkvid.curation.manifest import ClipRow, iterate_clips
from talkvid.curation.records import FAILED, KEPT, REJECTED, UNSCORED
from talkvid.curation.talkvid_entry import line_of, paths_entry, published_entry
from talkvid.extras import require
from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

EXPORTS = "exports"
LINES = {KEPT: "kept.jsonl", REJECTED: "rejected.jsonl", FAILED: "failed.jsonl", UNSCORED: "unscored.jsonl"}
PUBLISHED_LIST = "talkvid.json"
PATHS_LIST = "talkvid_paths.json"
KEPT_TABLE = "kept.parquet"


@dataclass(frozen=True)
class Exported:
    """What was written: in = kept + rejected + failed + unscored."""

    counts: Mapping[str, int]
    """Number of rows by status."""
    num_cut: int
    """How many kept clips are there as files of their own."""
    folder: Path

    @property
    def total(self) -> int:
        """Return the number of rows that came in."""
        return sum(self.counts.values())


def export(run_folder: Path | str) -> Exported:
    """Return what was written to the folder `exports` of a run.

    kept.jsonl, rejected.jsonl, failed.jsonl (and unscored.jsonl where there are such rows), talkvid.json,
    talkvid_paths.json and kept.parquet. `video-path` is the cut clip where `materialise` has written it, else
    the original with its span; relative paths start at the folder `exports`.
    Raises FileNotFoundError where there is no manifest.
    """
    folder = Path(run_folder)
    exports = folder / EXPORTS
    counts = {status: write_lines(exports / name, _lines(folder, status)) for status, name in LINES.items()}
    if not counts[UNSCORED]:
        (exports / LINES[UNSCORED]).unlink(missing_ok=True)
    kept = list(_rows(folder, KEPT))
    write_json(exports / PUBLISHED_LIST, [published_entry(row) for row in kept])
    cut = cut_files(folder)
    entries = [_with_paths(row, cut.get(row.clip_id)) for row in kept]
    write_json(exports / PATHS_LIST, entries)
    write_table(exports / KEPT_TABLE, kept, entries)
    num_cut = sum(row.clip_id in cut for row in kept)
    words = ", ".join(f"{count} {status}" for status, count in counts.items())
    logger.info("%s: %s; %d of the kept are cut", exports, words, num_cut)
    return Exported(counts, num_cut, exports)


def write_json(path: Path, values: Iterable[Any]) -> None:
    """Write a JSON list whole or not at all; it is a list for no, one and many entries."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        separator = "[\n"
        for value in values:
            file.write(separator + json.dumps(value, ensure_ascii=False, allow_nan=False))
            separator = ",\n"
        file.write("[]\n" if separator == "[\n" else "\n]\n")


def write_lines(path: Path, values: Iterable[Any]) -> int:
    """Return how many JSON lines were written, whole or not at all."""
    count = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for value in values:
            file.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def write_table(path: Path, rows: list[ClipRow], entries: list[dict[str, Any]]) -> None:
    """Write the kept clips as flat Parquet columns, which datasets.load_dataset("parquet", …) reads.

    Columns: the published form's keys with `_` for `-`, `head.<score>` and `info.<key>` flat, `video_path`.
    """
    pyarrow, parquet = (require(name, extra="curation") for name in ("pyarrow", "pyarrow.parquet"))
    schema = pyarrow.schema([(name, getattr(pyarrow, kind)()) for name, kind in TABLE.items()])
    lines = [_flat(row, entry) for row, entry in zip(rows, entries, strict=True)]
    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.Table.from_pylist(lines, schema=schema), temporary)


TABLE = {
    **dict.fromkeys(("id", "clip_id", "video_id", "video_path"), "string"),
    **dict.fromkeys(("height", "width", "start_frame", "end_frame"), "int64"),
    **dict.fromkeys(("fps", "start_time", "end_time", "duration"), "float64"),
    **dict.fromkeys(("person_id", "ethnicity", "age_group", "gender", "video_link", "language"), "string"),
    **dict.fromkeys(("video_category", "description"), "string"),
    **dict.fromkeys(("dover_scores", "cotracker_ratio", "classical_quality"), "float64"),
    **dict.fromkeys(("point_track_ratio", "quality_score"), "float64"),
    "scores": "string",
}
"""Columns of kept.parquet and their types; `scores` is JSON text: stage -> name -> value."""


def _flat(row: ClipRow, entry: Mapping[str, Any]) -> dict[str, Any]:
    published = published_entry(row)
    told = {key.lower().replace(" ", "_"): value for key, value in published["info"].items()}
    known = {key.replace("-", "_"): value for key, value in published.items()}
    more = {
        "clip_id": row.clip_id,
        "video_id": row.video_id,
        "video_path": entry["video-path"],
        "duration": row.duration_s,
        "quality_score": entry["metadata"]["quality_score"],
        "scores": json.dumps({stage: dict(scores) for stage, scores in row.scores.items()}, sort_keys=True),
    }
    values = {**known, **told, **more}
    return {name: values.get(name) for name in TABLE}


def _with_paths(row: ClipRow, cut: Path | None) -> dict[str, Any]:
    if cut is None:
        return paths_entry(row, video_path=os.path.abspath(row.path), cut=False, side_files={})
    told = {key: f"../{CLIPS}/{path.name}" for key, path in side_files(row, cut).items()}
    return paths_entry(row, video_path=f"../{CLIPS}/{cut.name}", cut=True, side_files=told)


def _rows(folder: Path, status: str) -> Iterator[ClipRow]:
    return (row for row in iterate_clips(folder) if row.status == status)


def _lines(folder: Path, status: str) -> Iterator[dict[str, Any]]:
    return (line_of(row) for row in _rows(folder, status))
