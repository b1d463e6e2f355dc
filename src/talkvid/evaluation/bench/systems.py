"""The finished videos of any system, found by the clips' names: one row of the table each."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talkvid.evaluation.bench.bench_files import SUFFIXES
from talkvid.evaluation.bench.clips import BenchClip, told
from talkvid.evaluation.bench.generate import Generated
from talkvid.evaluation.suite.pair import Pair

logger = logging.getLogger(__name__)

NO_VIDEO = "no video of this name"
JOINTS = ("##", "_", "--")
"""What some systems put between the names of portrait and sound: SadTalker writes `portrait##sound.mp4`."""


@dataclass(frozen=True)
class SystemVideos:
    """One system's videos of a bench, and what it lacks."""

    system: str
    folder: Path
    videos: Mapping[str, Path]
    """By clip."""
    missing: Mapping[str, str]
    """Why there is no video, by clip."""
    num_spare: int = 0
    """Videos in the folder that belong to no clip."""

    @property
    def coverage(self) -> str:
        """Return how many of the bench's clips there are, such as "480 of 500"."""
        return f"{len(self.videos)} of {len(self.videos) + len(self.missing)}"

    def missing_by_reason(self) -> dict[str, int]:
        """Return how many clips are missing for each reason, the most frequent first."""
        return dict(Counter(self.missing.values()).most_common())

    def describe(self) -> dict[str, Any]:
        """Return counts and missing clips as plain values."""
        return {
            "coverage": self.coverage,
            "videos": len(self.videos),
            "missing": dict(self.missing),
            "spare_files": self.num_spare,
        }


def read_outputs(text: str) -> tuple[str, Path]:
    """Return the name and the folder of `NAME=DIR`, or of a `DIR` that names itself; ValueError otherwise."""
    name, equals, rest = text.partition("=")
    if not equals or Path(text).is_dir():
        name, rest = "", text
    folder = Path(rest)
    if not folder.is_dir():
        raise FileNotFoundError(f"--outputs {text}: {folder} is no folder; give NAME=DIR of finished videos")
    return name.strip() or folder.resolve().name, folder


def made_here(generated: Generated, *, system: str) -> SystemVideos:
    """Return the videos that were made here, and why some were not."""
    videos = {clip: generated.folder / f"{clip}.mp4" for clip in generated.made}
    return SystemVideos(system, generated.folder, videos, generated.failures)


def find_videos(clips: Sequence[BenchClip], folder: Path, *, system: str) -> SystemVideos:
    """Return a system's videos of the clips.

    A video belongs to the clip whose id it bears, or the name of its portrait or sound, or both joined as
    some systems do; sub-folders are searched. Two videos of one clip count as none, since either could be
    meant. ValueError when no clip has a video: the folder is then not of this bench.
    """
    files: dict[str, list[Path]] = {}
    num_files = 0
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES["reference"] and not path.name.startswith(".") and path.is_file():
            files.setdefault(path.stem, []).append(path)
            num_files += 1
    shared = _shared_names(clips)
    videos: dict[str, Path] = {}
    missing: dict[str, str] = {}
    num_used = 0
    for clip in clips:
        found = next((files[name] for name in _names(clip, shared) if name in files), [])
        num_used += len(found)
        if len(found) == 1:
            videos[clip.id] = found[0]
        elif found:
            missing[clip.id] = f"{len(found)} videos could be meant: {told([str(path) for path in found])}"
        else:
            missing[clip.id] = NO_VIDEO
    if not videos:
        raise ValueError(
            f"{folder}: none of its {num_files} videos is named after a clip of the bench, such as "
            f"{clips[0].id}.mp4; rename them or give another folder"
        )
    result = SystemVideos(system, folder, videos, missing, num_files - num_used)
    logger.info("%s: %s clips, %d other videos", system, result.coverage, result.num_spare)
    return result


def bench_pairs(clips: Sequence[BenchClip], systems: Iterable[SystemVideos]) -> list[Pair]:
    """Return a pair for every video of every system, with the clip's sound, portrait and groups."""
    return [
        Pair(
            system=system.system,
            clip=clip.id,
            made=system.videos[clip.id].absolute(),
            reference=_absolute(clip.reference),
            audio=_absolute(clip.audio or clip.reference),
            portrait=_absolute(clip.portrait),
            groups=dict(clip.groups),
        )
        for system in systems
        for clip in clips
        if clip.id in system.videos
    ]


def common_clips(clips: Sequence[BenchClip], systems: Sequence[SystemVideos]) -> list[BenchClip]:
    """Return the clips that every system has; ValueError with the coverages when there is none."""
    common = [clip for clip in clips if all(clip.id in system.videos for system in systems)]
    if not common:
        coverages = ", ".join(f"{system.system} {system.coverage}" for system in systems)
        raise ValueError(f"no clip has a video of every system ({coverages}); leave out --common_clips")
    return common


def _names(clip: BenchClip, shared: set[str]) -> list[str]:
    """Return what a clip's video may be called, the id first; a portrait of several clips names none."""
    stems = [path.stem for path in (clip.portrait, clip.audio or clip.reference) if path is not None]
    alone = [stem for stem in stems if stem not in shared]
    joined = [f"{stems[0]}{joint}{stems[-1]}" for joint in JOINTS]
    return [clip.id, *alone, *joined]


def _shared_names(clips: Sequence[BenchClip]) -> set[str]:
    seen: dict[str, str] = {}
    shared = set()
    for clip in clips:
        for path in (clip.portrait, clip.audio or clip.reference):
            if path is not None and seen.setdefault(path.stem, clip.id) != clip.id:
                shared.add(path.stem)
    return shared


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()
