"""The truth of a run: `clips.parquet`, one row per clip, and one for every file that failed as a whole.

The file depends on the sources and the settings alone: no times of day, hosts or attempts are in it, and its
bytes are the same for any executor and number of workers.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import attrgetter
from pathlib import Path
from typing import Any

from talkvid.curation.clip_row import (
    CHECK_FIELDS,
    COLUMNS,
    LAST_COLUMNS,
    PREFIXES,
    ClipRow,
    span_columns,
)
from talkvid.curation.config import STAGES
from talkvid.curation.records import Check
from talkvid.extras import require
from talkvid.files import atomic_path

__all__ = [
    "CHECK_FIELDS",
    "CLIPS",
    "COLUMNS",
    "LAST_COLUMNS",
    "PREFIXES",
    "ClipRow",
    "iterate_clips",
    "read_clips",
    "span_columns",
    "table",
    "write_clips",
]

CLIPS = "clips.parquet"
ROWS_PER_GROUP = 10_000
SCAN = "scan"


def write_clips(
    path: Path, rows: Iterable[ClipRow], *, further: Sequence[str] | None = None, expected: int | None = None
) -> int:
    """Write the rows in the order they come and return how many there were.

    `further` names the columns besides COLUMNS and LAST_COLUMNS, see PREFIXES; None takes those that the rows
    have.  The file appears complete or not at all; equal rows give equal bytes.  Raises RuntimeError, and
    leaves an older file as it is, when there are not as many rows as `expected`.
    """
    pyarrow = require("pyarrow", extra="curation")
    parquet = require("pyarrow.parquet", extra="curation")
    # Groups wait as compact tables until all columns are known.
    groups = [_table(pyarrow, group, further or _further_of(group)) for group in _groups(rows)]
    count: int = sum(group.num_rows for group in groups)
    if expected is not None and count != expected:
        raise RuntimeError(f"{expected} clips went in and {count} rows came out")
    names = further if further is not None else {name for group in groups for name in _named(group)}
    schema = _schema(pyarrow, sorted(names, key=_place))
    with (
        atomic_path(path) as temporary,
        parquet.ParquetWriter(temporary, schema, compression="zstd", compression_level=3) as writer,
    ):
        for group in groups:
            writer.write_table(_with_columns(pyarrow, group, schema), row_group_size=ROWS_PER_GROUP)
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


def _place(column: str) -> tuple[int, int, str]:
    """Return the place of a further column: scores, backends, signatures; the stages in their order."""
    kind, stage = column.split(".")[:2]
    return list(PREFIXES).index(kind), (SCAN, *STAGES).index(stage), column


def _further_of(rows: Sequence[ClipRow]) -> set[str]:
    """Return the columns beyond the fixed ones that these rows have."""
    names = {
        f"score.{stage}.{name}" for row in rows for stage, scores in row.scores.items() for name in scores
    }
    names |= {f"backend.{stage}" for row in rows for stage in row.backends}
    return names | {f"signature.{stage}" for row in rows for stage in row.signatures}


def _named(table: Any) -> set[str]:
    return {name for name in table.column_names if name.partition(".")[0] in PREFIXES and "." in name}


def _with_columns(pyarrow: Any, table: Any, schema: Any) -> Any:
    """Return the table with all columns of the schema, those it lacks being null."""
    there = set(table.column_names)
    columns = [
        table[column.name] if column.name in there else pyarrow.nulls(table.num_rows, column.type)
        for column in schema
    ]
    return pyarrow.table(columns, schema=schema)


def _table(pyarrow: Any, rows: Sequence[ClipRow], further: Iterable[str]) -> Any:
    """Return rows as a table, column by column."""
    schema = _schema(pyarrow, sorted(further, key=_place))
    columns = []
    for column in schema:
        if column.name == "checks":
            columns.append(_checks(pyarrow, rows, column.type))
        else:
            columns.append(pyarrow.array(_cells(rows, column.name), type=column.type))
    return pyarrow.table(columns, schema=schema)


def _cells(rows: Sequence[ClipRow], column: str) -> list[Any]:
    prefix, _, rest = column.partition(".")
    match prefix:
        case "score":
            stage, _, name = rest.partition(".")
            return [scores.get(name) for scores in (row.scores.get(stage, {}) for row in rows)]
        case "backend":
            return [row.backends.get(rest) for row in rows]
        case "signature":
            return [row.signatures.get(rest) for row in rows]
        case "facts" | "annotations":
            encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False).encode
            return [encode(values) if values else "{}" for values in map(attrgetter(column), rows)]
    return list(map(attrgetter(column), rows))


def _checks(pyarrow: Any, rows: Sequence[ClipRow], kind: Any) -> Any:
    """Return the comparisons of all rows as one column of lists of structs."""
    flat = [check for row in rows for check in row.checks]
    fields = list(kind.value_type)
    columns = [pyarrow.array(list(map(attrgetter(field.name), flat)), type=field.type) for field in fields]
    structs = pyarrow.StructArray.from_arrays(columns, fields=fields)
    offsets = [0, *accumulate(len(row.checks) for row in rows)]
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets, pyarrow.int32()), structs, type=kind)


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
