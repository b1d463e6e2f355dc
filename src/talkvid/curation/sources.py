"""Source videos: what one is, and those that a folder or a list names.

An entry of a list that cannot be used becomes a source with a `problem`, which fails under its name when its
turn comes: what comes in is kept, rejected or failed, nothing vanishes.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkvid.curation.subtitles import SUFFIXES as SUBTITLE_SUFFIXES
from talkvid.curation.talkvid_json import LANGUAGE, TalkVidEntry, entry_of
from talkvid.dataset.json_lists import json_objects
from talkvid.dataset.source_lists import with_unique_ids
from talkvid.dataset.sources import AUDIO_SUFFIXES, VIDEO_SUFFIXES, id_of
from talkvid.media.files import container_kind

logger = logging.getLogger(__name__)

LIST_SUFFIXES = (".json", ".jsonl", ".txt")
OTHER_SUFFIXES = (*SUBTITLE_SUFFIXES, *LIST_SUFFIXES, ".csv", ".md", ".jpg", ".png", ".yaml")
"""Files that are not looked into; any other file may turn out to be a video under a wrong name."""
_OWN_SPAN = ("start_s", "end_s", "start", "end")
"""Keys that always mean a span of the file named; `start-time` is only one where that is not the cut clip."""


class Unusable(ValueError):
    """A source file that gives no clips; `code` is one of `records.CODES`, the message one sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code

    def __reduce__(self) -> tuple[type["Unusable"], tuple[str, str]]:
        return type(self), (self.code, str(self))


@dataclass(frozen=True)
class VideoSource:
    """One video to be cut into clips, or one span of it."""

    id: str
    """Unique in a run, and fit to begin a file's name."""
    path: str
    audio: str = ""
    """File with the sound; empty takes that of the video."""
    subtitles: str = ""
    """File with subtitles, .srt or .vtt; empty: none."""
    start_s: float = 0.0
    end_s: float | None = None
    """Only this span is scanned; None goes to the end. Time 0 is the first picture."""
    info: dict[str, Any] = field(default_factory=dict)
    """What a list says besides: `info` of the published form, description, language, original."""
    problem: str = ""
    """Why this entry of a list cannot be used; it then fails by name instead of vanishing."""

    def facts(self) -> dict[str, Any]:
        """Return what the source tells about each of its clips."""
        files = {"audio": self.audio, "subtitles": self.subtitles}
        return {**self.info, **{name: path for name, path in files.items() if path}}


def read_sources(path: Path | str, *, root: Path | str | None = None) -> list[VideoSource]:
    """Return the videos of a folder, searched with its subfolders, or of a list, in the order of their ids.

    A list is JSON or JSON lines in either form of TalkVid, or text with a path per line; its relative paths
    start at `root`, else at the list's folder. Raises FileNotFoundError, or ValueError for a folder or list
    without a video or that cannot be read as a whole.
    """
    path = Path(path)
    if path.is_dir():
        found = _in_folder(path)
    elif path.suffix.lower() in LIST_SUFFIXES:
        found = _in_list(path, Path(root) if root is not None else path.parent)
    elif path.is_file():
        found = [VideoSource(id_of(Path(path.name)), str(path), **_files_beside(path))]
    else:
        raise FileNotFoundError(f"{path}: no such folder, list or video")
    if not found:
        raise ValueError(f"{path}: there is no video in it; known endings are {', '.join(VIDEO_SUFFIXES)}")
    return sorted(found, key=lambda source: source.id)


def _in_folder(folder: Path) -> list[VideoSource]:
    """Return every video below a folder, also those under other names; sound and subtitles beside belong."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    videos = [path for path in files if _is_video(path)]
    logger.info("%s: %d videos among %d files", folder, len(videos), len(files))
    names = [path.relative_to(folder) for path in videos]
    ids = unique_ids(names)
    return [VideoSource(ids[place], str(path), **_files_beside(path)) for place, path in enumerate(videos)]


def unique_ids(names: Sequence[Path]) -> list[str]:
    """Return an id for each relative path, `__` for a slash; equal ones get ending or short hash."""
    ids = [id_of(name) for name in names]
    twice = {name for name, count in Counter(ids).items() if count > 1}
    ids = [
        f"{own}_{name.suffix[1:].lower()}" if own in twice and name.suffix else own
        for own, name in zip(ids, names, strict=True)
    ]
    twice = {name for name, count in Counter(ids).items() if count > 1}
    return [
        f"{own}_{hashlib.sha1(name.as_posix().encode()).hexdigest()[:8]}" if own in twice else own
        for own, name in zip(ids, names, strict=True)
    ]


def _is_video(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in VIDEO_SUFFIXES or (
        suffix not in OTHER_SUFFIXES and container_kind(path) not in ("", "ogg")
    )


def _files_beside(video: Path) -> dict[str, Any]:
    """Return the sound and the subtitles of the same name that lie beside a video; `name.en.vtt` counts."""
    sounds = (video.with_suffix(suffix) for suffix in AUDIO_SUFFIXES)
    audio = next((path for path in sounds if path != video and path.is_file() and not _is_video(path)), None)
    exact = [video.with_suffix(suffix) for suffix in SUBTITLE_SUFFIXES]
    begin = f"{video.stem}."
    others = sorted(
        path
        for path in video.parent.iterdir()
        if path.name.startswith(begin) and path.suffix.lower() in SUBTITLE_SUFFIXES
    )
    subtitles = next((path for path in [*exact, *others] if path.is_file()), None)
    return {"audio": str(audio or ""), "subtitles": str(subtitles or "")}


def _in_list(path: Path, base: Path) -> list[VideoSource]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such list; check the path")
    if path.suffix.lower() == ".txt":
        lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
        values: list[Any] = [{"video-path": line} for line in lines if line and not line.startswith("#")]
    else:
        values = json_objects(path)
    sources = [_of_entry(value, number, base) for number, value in enumerate(values, start=1)]
    return with_unique_ids(sources)


def _of_entry(value: Any, number: int, base: Path) -> VideoSource:
    """Return the source of one entry; with its `problem` where it cannot be used."""
    entry = entry_of(value, number)
    name = id_of(Path(entry.id))
    info = _info(entry)
    if entry.problem:
        return VideoSource(name, entry.video_path, info=info, problem=entry.problem)
    path, is_cut = _video_of(entry, base)
    has_own_span = isinstance(value, Mapping) and any(value.get(key) is not None for key in _OWN_SPAN)
    span: dict[str, Any] = {}
    if has_own_span or not is_cut:
        span = {"start_s": entry.start_s or 0.0, "end_s": entry.end_s}
    beside = _files_beside(path) if path.is_file() else {"audio": "", "subtitles": ""}
    # The video itself may be named as its own sound.
    audio = str(base / entry.audio_path) if entry.audio_path else beside["audio"]
    return VideoSource(
        name,
        str(path),
        audio="" if audio == str(path) else audio,
        subtitles=str(base / entry.subtitle_path) if entry.subtitle_path else beside["subtitles"],
        info=info,
        problem="" if "://" not in entry.video_path else _not_local(entry.video_path, number),
        **span,
    )


def _video_of(entry: TalkVidEntry, base: Path) -> tuple[Path, bool]:
    """Return the file of an entry and whether it is the cut clip, which is named as the clip.

    Without a path it is looked for beside the list: the cut clip first, then the original by its id.
    """
    if entry.video_path:
        path = base / entry.video_path
        return path, path.stem == entry.id
    for name, is_cut in ((entry.id, True), (entry.video_id, False)):
        candidates = [base / f"{name}{suffix}" for suffix in VIDEO_SUFFIXES if name and "/" not in name]
        found = next((path for path in candidates if path.is_file()), None)
        if found is not None:
            return found, is_cut
    return base / f"{id_of(Path(entry.video_id or entry.id))}.mp4", not entry.video_id


def _info(entry: TalkVidEntry) -> dict[str, Any]:
    """Return what an entry tells besides its files, only what it does tell."""
    told = {
        "info": dict(entry.info),
        "description": entry.description,
        "language": entry.info.get(LANGUAGE, ""),
        "original": entry.video_id,
        "link": entry.link,
    }
    return {name: value for name, value in told.items() if value}


def _not_local(address: str, number: int) -> str:
    return f"entry {number}: {address} is an address; fetch it first: talkvid curate download"
