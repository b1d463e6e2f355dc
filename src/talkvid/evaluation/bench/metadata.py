"""Who is shown in a bench's clips: a table of any of the usual forms, its columns turned into dimensions."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkvid.dataset.source_lists import list_entries
from talkvid.evaluation.bench.clips import told

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json")
PREFERRED = "metadata"
KNOWN = {
    "age": ("age", "age_group", "agegroup"),
    "gender": ("gender", "sex"),
    "ethnicity": ("ethnicity", "race"),
    "language": ("language", "lang"),
}
"""TalkVid-Bench's dimensions and what their columns are called."""
NAMES = ("id", "name", "clip", "clip_id", "file", "filename", "file_name")
PATHS = ("video_path", "audio_path", "image_path", "video", "audio", "image", "img", "portrait", "path")
"""Columns that name a clip by one of its files."""
NESTED = ("info", "metadata")
"""Objects inside a JSON record; where there is one, its fields and the known four alone are dimensions."""
MOST_VALUES = 20
"""An unknown column with more values than this describes clips rather than groups them."""


@dataclass(frozen=True)
class Row:
    """What a table says about one clip."""

    names: frozenset[str]
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Metadata:
    """A table that was read."""

    path: Path
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def find_metadata(folder: Path) -> Path | None:
    """Return the folder's `metadata.*`, else its only table; ValueError when several could be meant."""
    tables = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in TABLE_SUFFIXES and path.is_file()
    )
    preferred = [path for path in tables if path.stem.lower() == PREFERRED]
    chosen = preferred or tables
    if len(chosen) > 1:
        names = told([path.name for path in chosen])
        raise ValueError(f"{folder}: {names} could all be its metadata; give one as --metadata")
    return chosen[0] if chosen else None


def read_metadata(path: Path, *, groups: Sequence[str] | None = None, dimension: str = "") -> Metadata:
    """Return what a CSV, TSV, JSON or JSON-lines table says about the clips it names.

    A row names its clip by any of the columns `NAMES` and `PATHS`. Without `groups` the dimensions are the
    known four and every other column of 2 to 20 values of which one is shared; with `dimension`, that of the
    sub-folder the table lies in, it alone where the table has it. FileNotFoundError or ValueError when the
    table cannot be read, names no clip, or lacks a column of `groups`.
    """
    entries = [_flat(entry, path, number) for number, entry in enumerate(_entries(path), start=1)]
    if not entries:
        raise ValueError(f"{path}: the table is empty")
    named = [(_clip_names(entry), entry) for entry in entries]
    nameless = [str(number) for number, (names, _) in enumerate(named, start=1) if not names]
    if len(nameless) == len(named):
        raise ValueError(f"{path}: no column names the clips; one of {', '.join(NAMES)} must")
    columns = sorted({key for entry in entries for key in entry if key not in (*NAMES, *PATHS)})
    chosen = _dimensions(entries, columns, groups, dimension, path)
    rows = tuple(
        Row(names, {key: entry[key] for key in chosen if entry.get(key)}) for names, entry in named if names
    )
    notes = []
    if nameless:
        notes.append(f"{path.name}: {len(nameless)} rows name no clip: {told(nameless)}")
    unused = [key for key in columns if key not in chosen]
    if unused:
        notes.append(f"{path.name}: columns that make no subgroups: {', '.join(unused)}")
    return Metadata(path, rows, tuple(notes))


def _entries(path: Path) -> list[Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such metadata; give a {', '.join(TABLE_SUFFIXES)} file")
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise ValueError(f"{path}: metadata must be a {', '.join(TABLE_SUFFIXES)} file")
    if path.suffix.lower() in (".json", ".jsonl"):
        return list_entries(path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        header = file.readline()
        file.seek(0)
        delimiter = max("\t;,", key=header.count)
        return list(csv.DictReader(file, delimiter=delimiter))


def _flat(entry: Any, path: Path, number: int) -> dict[str, str]:
    """Return the row's filled columns as text by plain name; objects inside are opened, lists left out."""
    if not isinstance(entry, Mapping):
        raise ValueError(f"{path}: row {number} is no object but {entry!r:.60}")
    nested = [entry[key] for key in NESTED if isinstance(entry.get(key), Mapping)]
    values = _plain(entry)
    if nested:
        inner = {key: value for part in nested for key, value in _plain(part).items()}
        kept = (*NAMES, *PATHS, *KNOWN)
        values = {**inner, **{key: value for key, value in values.items() if key in kept}}
    return values


def _plain(entry: Mapping[Any, Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for key, value in entry.items():
        if key is None or value is None or isinstance(value, list | Mapping):
            continue
        name = str(key).strip().lower().replace(" ", "_").replace("-", "_")
        name = next((known for known, words in KNOWN.items() if name in words), name)
        if str(value).strip():
            values.setdefault(name, str(value).strip())
    return values


def _clip_names(entry: Mapping[str, str]) -> frozenset[str]:
    """Return what the clip may be called: names as they are and without a suffix, files without theirs.

    An id such as `a__614.8_634.4` has a dot and no suffix, so it counts both ways.
    """
    names = {entry[key] for key in NAMES if key in entry}
    files = {entry[key].replace("\\", "/") for key in (*NAMES, *PATHS) if key in entry}
    return frozenset(names | {Path(name).stem for name in files})


def _dimensions(
    entries: Sequence[Mapping[str, str]],
    columns: Sequence[str],
    groups: Sequence[str] | None,
    dimension: str,
    path: Path,
) -> list[str]:
    if groups is not None:
        absent = [name for name in groups if name not in columns]
        if absent:
            raise ValueError(f"{path}: has no column {absent[0]!r} to group by; it has {', '.join(columns)}")
        return list(groups)
    if dimension in columns:
        return [dimension]
    return [name for name in columns if name in KNOWN or _groups_clips(name, entries)]


def _groups_clips(name: str, entries: Sequence[Mapping[str, str]]) -> bool:
    values = [entry[name] for entry in entries if name in entry]
    return 2 <= len(set(values)) <= MOST_VALUES and len(set(values)) < len(values)
