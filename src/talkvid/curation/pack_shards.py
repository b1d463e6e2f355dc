"""Parquet files of kept clips: planned by size, each written whole, left alone where it is there already."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.curation.pack_rows import VIDEO, Columns, schema_of
from talkvid.extras import require
from talkvid.files import atomic_path
from talkvid.page.marks import plural

logger = logging.getLogger(__name__)

DATA = "data"
MARK = "talkvid.pack"
"""Key in a file's metadata: what it was made of."""
VERSION = 1
ROW_BYTES = 4096
"""What a row counts beside its video when sizes are planned."""


@dataclass(frozen=True)
class PackedClip:
    """One clip on its way into a file."""

    values: dict[str, Any]
    file: Path | None

    @property
    def num_bytes(self) -> int:
        """Return how much of a file it takes, roughly."""
        return ROW_BYTES + (0 if self.file is None else self.file.stat().st_size)


@dataclass(frozen=True)
class Shard:
    """One file of the data set."""

    name: str
    """Below the folder `data`."""
    clips: tuple[PackedClip, ...]
    signature: str


def plan(clips: Sequence[PackedClip], columns: Columns, *, split: str, most_bytes: int) -> list[Shard]:
    """Return the files of one split, clips in the order given."""
    parts: list[list[PackedClip]] = []
    size = most_bytes
    for clip in clips:
        if not parts or size + clip.num_bytes > most_bytes:
            parts.append([])
            size = 0
        parts[-1].append(clip)
        size += clip.num_bytes
    count = len(parts)
    return [
        Shard(f"{split}-{number:05d}-of-{count:05d}.parquet", tuple(part), _signature(part, columns))
        for number, part in enumerate(parts)
    ]


def write_shards(folder: Path, shards: Sequence[Shard], columns: Columns, *, group_bytes: int) -> int:
    """Return how many files were written; those that hold the same already stay as they are.

    Files of an earlier plan are removed; ValueError, before anything is done, where a file is not of ours.
    """
    parquet = require("pyarrow.parquet", extra="curation")
    named = {shard.name for shard in shards}
    there = {path.name: _mark(parquet, path) for path in sorted((folder / DATA).glob("*.parquet"))}
    foreign = [name for name, mark in there.items() if not mark]
    if foreign:
        raise ValueError(
            f"{folder / DATA / foreign[0]} was not written by this command; choose another folder"
        )
    written = 0
    for shard in shards:
        if there.get(shard.name) != shard.signature:
            _write(folder / DATA / shard.name, shard, columns, group_bytes=group_bytes)
            written += 1
            logger.info("%s: %s", folder / DATA / shard.name, plural(len(shard.clips), "clip"))
    for name in there.keys() - named:
        (folder / DATA / name).unlink()
    return written


def _write(target: Path, shard: Shard, columns: Columns, *, group_bytes: int) -> None:
    """Write one file; equal clips give equal bytes. Videos are not compressed again."""
    pyarrow, parquet = (require(name, extra="curation") for name in ("pyarrow", "pyarrow.parquet"))
    schema = schema_of(pyarrow, columns, {MARK: shard.signature})
    leaves = [leaf for name in columns for leaf in _leaves(name)]
    small = [leaf for leaf in leaves if leaf != f"{VIDEO}.bytes"]
    with (
        atomic_path(target) as temporary,
        parquet.ParquetWriter(
            temporary,
            schema,
            compression={leaf: "zstd" if leaf in small else "none" for leaf in leaves},
            use_dictionary=small,
            write_statistics=small,
            write_page_index=True,
        ) as writer,
    ):
        for group in _groups(shard.clips, group_bytes):
            rows = [_row(clip, with_video=VIDEO in columns) for clip in group]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema), row_group_size=len(rows))


def _leaves(name: str) -> tuple[str, ...]:
    return (f"{VIDEO}.bytes", f"{VIDEO}.path") if name == VIDEO else (name,)


def _row(clip: PackedClip, *, with_video: bool) -> dict[str, Any]:
    if not with_video:
        return clip.values
    assert clip.file is not None
    return {VIDEO: {"bytes": clip.file.read_bytes(), "path": clip.file.name}, **clip.values}


def _groups(clips: Sequence[PackedClip], most_bytes: int) -> Iterator[list[PackedClip]]:
    """Yield the clips of one row group after the other, at least one in each."""
    group: list[PackedClip] = []
    size = 0
    for clip in clips:
        if group and size + clip.num_bytes > most_bytes:
            yield group
            group, size = [], 0
        group.append(clip)
        size += clip.num_bytes
    if group:
        yield group


def _signature(clips: Sequence[PackedClip], columns: Columns) -> str:
    """Return a hash of everything in a file; the video by its checksum among the values."""
    told = {"version": VERSION, "columns": columns, "rows": [clip.values for clip in clips]}
    return hashlib.sha256(json.dumps(told, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def _mark(parquet: Any, path: Path) -> str:
    """Return the signature of a file of ours; empty for any other."""
    try:
        metadata = parquet.read_schema(path).metadata or {}
    except (OSError, ValueError):
        return ""
    return str(metadata.get(MARK.encode(), b"").decode())
