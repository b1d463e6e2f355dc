"""Kept clips as a data set for others: Parquet files with the videos inside, and a card.

Hugging Face `datasets` reads the folder (or a copy of it on the hub) as it is, streaming included. Files are
planned by size and hold the same bytes for the same clips; each appears whole, and a stopped run goes on.
The card comes last: a folder with a card is complete.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from talkvid.curation.cut_files import cut_files
from talkvid.curation.manifest import ClipRow, iterate_clips
from talkvid.curation.pack_card import SplitSize, pack_card
from talkvid.curation.pack_rows import columns_of, values_of
from talkvid.curation.pack_settings import MIB, PackConfig
from talkvid.curation.pack_shards import DATA, PackedClip, Shard, plan, write_shards
from talkvid.curation.pack_split import TRAIN, VALIDATION, split_clips
from talkvid.curation.records import KEPT
from talkvid.files import atomic_path
from talkvid.page.marks import plural

logger = logging.getLogger(__name__)

CARD = "README.md"


@dataclass(frozen=True)
class Packed:
    """What was packed: kept = the splits' clips + `not_cut`."""

    folder: Path
    splits: dict[str, SplitSize]
    not_cut: tuple[str, ...]
    """Names of kept clips of which there is no file."""
    num_written: int
    """Parquet files written now; others were there."""


def pack(run_folder: Path | str, output: Path | str, config: PackConfig) -> Packed:
    """Return what lies in the folder `output` afterwards: `data/<split>-<i>-of-<n>.parquet` and README.md.

    With videos, only clips that `materialise` has cut are in it. Raises FileNotFoundError where there is no
    manifest or no cut clip, ValueError where the folder holds files of others.
    """
    run, folder = Path(run_folder), Path(output)
    kept = [row for row in iterate_clips(run) if row.status == KEPT]
    with_video = config.videos == "embed"
    cut = cut_files(run) if with_video else {}
    rows = [row for row in kept if row.clip_id in cut] if with_video else kept
    if not rows:
        raise FileNotFoundError(
            f"{run}: none of its {len(kept)} kept clips is a file; first: talkvid curate materialise {run}"
            if with_video and kept
            else f"{run}: no clip was kept; there is nothing to pack"
        )
    columns = columns_of(rows, with_video=with_video)
    split = split_clips(rows, val_share=config.val_share)
    if config.val_share and VALIDATION not in split.by_clip.values():
        logger.warning("all clips share persons or videos: there is no split %s", VALIDATION)
    shards: dict[str, list[Shard]] = {}
    for name in (TRAIN, VALIDATION):
        clips = [
            _packed(row, columns, cut.get(row.clip_id), config)
            for row in rows
            if split.by_clip[row.clip_id] == name
        ]
        if clips:
            shards[name] = plan(clips, columns, split=name, most_bytes=config.shard_mb * MIB)
    everything = [shard for part in shards.values() for shard in part]
    written = write_shards(folder, everything, columns, group_bytes=config.group_mb * MIB)
    splits = {name: _size(folder, part) for name, part in shards.items()}
    title = config.title or run.resolve().name
    card = pack_card(run, name=title, config=config, columns=columns, splits=splits, split=split)
    with atomic_path(folder / CARD) as temporary:
        temporary.write_text(card, encoding="utf-8")
    missing = tuple(row.name for row in kept if with_video and row.clip_id not in cut)
    return Packed(folder, splits, missing, written)


def report_lines(packed: Packed) -> list[str]:
    """Return what was done, line by line."""
    lines = [
        f"{name}: {plural(size.num_examples, 'clip')}, {size.seconds:.1f} s, "
        f"{plural(size.num_files, 'file')}, {size.file_bytes / 1e6:.1f} MB"
        for name, size in packed.splits.items()
    ]
    if packed.not_cut:
        missing = plural(len(packed.not_cut), "kept clip")
        lines.append(f"not in it, because not cut: {missing} (first: {packed.not_cut[0]})")
    return lines


def _packed(row: ClipRow, columns: dict[str, str], clip: Path | None, config: PackConfig) -> PackedClip:
    return PackedClip(values_of(row, columns, clip=clip, license=config.license), clip)


def _size(folder: Path, shards: list[Shard]) -> SplitSize:
    clips = [clip for shard in shards for clip in shard.clips]
    return SplitSize(
        num_examples=len(clips),
        num_bytes=sum(clip.num_bytes for clip in clips),
        seconds=sum(clip.values["duration"] for clip in clips),
        file_bytes=sum((folder / DATA / shard.name).stat().st_size for shard in shards),
        num_files=len(shards),
    )
