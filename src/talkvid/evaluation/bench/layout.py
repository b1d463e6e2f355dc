"""Finding the clips of a bench: TalkVid-Bench's folders, its published form, or any folder of pairs.

Whatever is there is ready, broken with a reason, or counted in a note: nothing vanishes.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from talkvid.evaluation.bench.bench_files import (
    FOLDERS,
    SUFFIXES,
    ClipFiles,
    Kinds,
    kind_folders,
    pair_files,
)
from talkvid.evaluation.bench.check_files import problem_of
from talkvid.evaluation.bench.clips import Bench, BenchClip, told
from talkvid.evaluation.bench.metadata import find_metadata, read_metadata
from talkvid.evaluation.bench.subgroups import with_groups

logger = logging.getLogger(__name__)

WORDS = {"portrait": "portrait", "audio": "sound", "keypoints": "key points", "reference": "true video"}


@dataclass(frozen=True)
class _Part:
    """One set of folders; a bench has one, or one for each dimension."""

    folders: Kinds
    dimension: str = ""
    tables: tuple[Path, ...] = ()
    """Folders in which the metadata may lie."""


def find_bench(
    root: Path,
    *,
    portraits: Path | None = None,
    audio: Path | None = None,
    keypoints: Path | None = None,
    reference: Path | None = None,
    metadata: Path | None = None,
    groups: Sequence[str] | None = None,
) -> Bench:
    """Return the clips of a bench, those that cannot be used with the reason.

    The folders of portraits, sounds, key points and true videos are found by their names (`FOLDERS`) in
    `root` or `root/data`, or are given; without any the files lie beside each other in `root`. In the
    published form every dimension has a folder with its own. Subgroups come from the metadata, else from
    sub-folders such as `imgs/age/0-19`. FileNotFoundError or ValueError when there is no folder or no clip.
    """
    given = {"portrait": portraits, "audio": audio, "keypoints": keypoints, "reference": reference}
    for path in (root, *given.values()):
        if path is not None and not path.is_dir():
            raise FileNotFoundError(f"{path}: no such folder; give the folder that holds the bench")
    parts = _parts(root, {kind: path for kind, path in given.items() if path is not None})
    clips: list[BenchClip] = []
    notes: list[str] = []
    for part in parts:
        found, remarks = _clips_of(part, groups, seek_table=metadata is None)
        clips += found
        notes += remarks
    if metadata is not None:
        table = read_metadata(metadata, groups=groups)
        clips, remarks = with_groups(clips, table)
        notes += [*table.notes, *remarks]
    if not clips:
        names = ", ".join(f"{words[0]} ({', '.join(SUFFIXES[kind])})" for kind, words in FOLDERS.items())
        raise ValueError(f"{root}: no clip in it or in its folder data; looked for {names}")
    clips, merged = _one_each(clips)
    checked = [clip if clip.problem else replace(clip, problem=problem_of(clip)) for clip in clips]
    bench = Bench(
        root,
        tuple(clip for clip in checked if not clip.problem),
        tuple(clip for clip in checked if clip.problem),
        tuple(notes + merged),
    )
    _log(bench)
    return bench


def _parts(root: Path, given: Kinds) -> list[_Part]:
    for base in (root / "data", root):
        folders = kind_folders(base) if base.is_dir() else {}
        if {"portrait", "audio", "reference"} & folders.keys() or base == root:
            break
    if folders or given:
        return [_Part({**folders, **given}, tables=(root, base) if base != root else (root,))]
    dimensions = [
        path
        for path in sorted(root.iterdir())
        if path.is_dir() and {"audio", "reference"} & kind_folders(path).keys()
    ]
    if dimensions:
        return [_Part(kind_folders(path), path.name, (path,)) for path in dimensions]
    beside: dict[str, Path] = dict.fromkeys(("portrait", "audio", "keypoints"), root)
    return [_Part(beside, tables=(root,))]


def _clips_of(
    part: _Part, groups: Sequence[str] | None, *, seek_table: bool
) -> tuple[list[BenchClip], list[str]]:
    paired, spare = pair_files(part.folders)
    notes = _spare_notes(spare)
    clips = [_clip(name, files, part) for name, files in paired.items()]
    try:
        path = next(filter(None, map(find_metadata, part.tables)), None) if seek_table else None
        if path is None:
            return clips, notes
        table = read_metadata(path, groups=groups, dimension=part.dimension)
    except ValueError as error:
        if groups is not None:
            raise
        # A file that merely lies there must not stop a run, and its not being used must be seen.
        logger.warning("no table of subgroups is used: %s", error)
        return clips, [*notes, f"no table of subgroups is used: {error}"]
    clips, remarks = with_groups(clips, table)
    return clips, [*notes, *table.notes, *remarks]


def _clip(name: str, found: ClipFiles, part: _Part) -> BenchClip:
    """Return the clip of paired files, with a problem when one is missing or there twice."""
    files = {kind: paths[0] for kind, paths in found.files.items()}
    problems = [
        f"{len(paths)} files are its {WORDS[kind]}: {told([path.name for path in paths])}"
        for kind, paths in found.files.items()
        if len(paths) > 1
    ]
    for kind in ("portrait", "audio"):
        if kind not in files and (kind in part.folders or "reference" not in files):
            where = f" in {part.folders[kind]}" if kind in part.folders else ""
            problems.append(f"no {WORDS[kind]} of this name{where}")
    return BenchClip(
        id=name,
        portrait=files.get("portrait"),
        audio=files.get("audio"),
        keypoints=files.get("keypoints"),
        reference=files.get("reference"),
        groups=_folder_groups(found.folders, part.dimension),
        problem="; ".join(problems),
    )


def _folder_groups(folders: tuple[str, ...], dimension: str) -> dict[str, str]:
    """Return the subgroup that sub-folders tell: `dimension/value`, or a value of the part's dimension."""
    if not folders:
        return {}
    if dimension:
        return {dimension: folders[-1]}
    return {folders[-2]: folders[-1]} if len(folders) > 1 else {"folder": folders[0]}


def _one_each(clips: Sequence[BenchClip]) -> tuple[list[BenchClip], list[str]]:
    """Return one clip per id, sorted; a clip that lies in several dimensions has the groups of all."""
    by_id: dict[str, BenchClip] = {}
    merged = []
    for clip in clips:
        earlier = by_id.get(clip.id)
        if earlier is None:
            by_id[clip.id] = clip
            continue
        merged.append(clip.id)
        first, second = (clip, earlier) if earlier.problem and not clip.problem else (earlier, clip)
        by_id[clip.id] = replace(first, groups={**second.groups, **first.groups})
    remarks = [f"{len(merged)} clips lie in several folders and count once: {told(merged)}"] if merged else []
    return [by_id[name] for name in sorted(by_id)], remarks


def _spare_notes(spare: Sequence[tuple[str, Path]]) -> list[str]:
    notes = []
    for kind, word in WORDS.items():
        names = [path.name for other, path in spare if other == kind]
        if names:
            notes.append(f"{len(names)} files of kind {word} belong to no clip: {told(names)}")
    return notes


def _log(bench: Bench) -> None:
    logger.info(
        "%s: %d clips = %d ready + %d broken",
        bench.root, bench.num_clips, len(bench.clips), len(bench.broken),
    )  # fmt: skip
    for clip in bench.broken:
        logger.warning("%s cannot be used: %s", clip.id, clip.problem)
    for note in bench.notes:
        logger.info("%s", note)
