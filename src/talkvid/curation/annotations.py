"""Annotations of a run: kept in a file of their own and laid over the rows of the manifest.

`annotations.jsonl` holds one line per clip: {"clip_id", "fields": {name: {"value", "by", "version", …}}}.
It outlives a new decision, which writes the manifest afresh from the scores.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from talkvid.curation.manifest import CLIPS, PREFIXES, ClipRow, iterate_clips, write_clips
from talkvid.curation.records import KEPT, REJECTED
from talkvid.extras import require
from talkvid.files import atomic_path

ANNOTATIONS = "annotations.jsonl"
DUPLICATE_OF = "duplicate_of"
Fields = Mapping[str, Mapping[str, Any]]


def field(value: Any, by: str, version: str, **more: Any) -> dict[str, Any]:
    """Return one annotation: its value and who wrote it."""
    return {"value": value, "by": by, "version": version, **more}


def read_annotations(run_folder: Path) -> dict[str, Fields]:
    """Return the annotations of each clip by its id; none before any were made."""
    path = run_folder / ANNOTATIONS
    if not path.is_file():
        return {}
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {line["clip_id"]: line["fields"] for line in lines}


def write_annotations(run_folder: Path, annotations: Mapping[str, Fields]) -> None:
    """Write the annotations of all clips, sorted, whole or not at all."""
    with atomic_path(run_folder / ANNOTATIONS) as temporary, temporary.open("w", encoding="utf-8") as file:
        for clip_id in sorted(annotations):
            line = {"clip_id": clip_id, "fields": annotations[clip_id]}
            file.write(json.dumps(line, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n")


def with_annotations(rows: Iterable[ClipRow], run_folder: Path) -> Iterator[ClipRow]:
    """Yield the rows with what is known of them; a duplicate that shall be left out is rejected."""
    known = read_annotations(run_folder)
    for row in rows:
        fields = known.get(row.clip_id)
        yield annotated_row(row, fields) if fields else row


def annotated_row(row: ClipRow, fields: Fields) -> ClipRow:
    """Return a row with annotations, rejected as DUPLICATE where they say so and it would be kept."""
    row = replace(row, annotations=dict(fields))
    duplicate = fields.get(DUPLICATE_OF, {})
    if row.status != KEPT or not duplicate.get("rejects"):
        return row
    reason = f"the same pictures as {duplicate['value']}"
    return replace(row, status=REJECTED, code="DUPLICATE", reason=reason, failed_stage="annotate")


def lay_over(run_folder: Path) -> int:
    """Return how many rows the manifest has after its annotations were renewed; scores stay as they are.

    A clip that had been rejected as a duplicate and no longer is comes back as kept: it had passed all rules.
    """
    columns = require("pyarrow.parquet", extra="curation").read_schema(run_folder / CLIPS).names
    further = [name for name in columns if name.partition(".")[0] in PREFIXES and "." in name]
    rows = (_as_judged(row) for row in iterate_clips(run_folder))
    return write_clips(run_folder / CLIPS, with_annotations(rows, run_folder), further=further)


def _as_judged(row: ClipRow) -> ClipRow:
    if row.code != "DUPLICATE":
        return row
    return replace(row, status=KEPT, code="", reason="", failed_stage="", annotations={})
