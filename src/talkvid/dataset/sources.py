"""Raw clips: what one is, the ones found in a folder, and what is told about them besides."""

import csv
import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".ts", ".flv")
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus")


@dataclass(frozen=True)
class Source:
    """One raw clip."""

    id: str
    video: Path
    audio: Path | None = None
    """File with the sound; None takes that of the video."""
    start_s: float = 0.0
    end_s: float | None = None
    """The clip is this span of the video; None goes to its end."""
    mouth_late_s: float = 0.0
    """How much later than the sound the mouth moves; the sound is moved by this much."""
    language: str = ""
    speaker_id: str = ""
    stated_s: float | None = None
    """How long the list says the clip is; a much longer video is not the cut clip."""
    problem: str = ""
    """Why this entry of a list cannot be used; it then fails by name instead of vanishing."""
    signature: str = ""
    """What the result depends on; set by the command that prepares the clip."""

    def describe(self) -> dict[str, Any]:
        """Return what the prepared files depend on as plain values, sizes and times of the files included."""
        values = {key: value for key, value in asdict(self).items() if key != "signature"}
        for key in ("video", "audio"):
            path = values[key]
            values[key] = None if path is None else [str(path), *_size_and_time(path)]
        return values


def find_in_folder(folder: Path, *, language: str = "") -> list[Source]:
    """Return every video below `folder`, sorted; ids are paths below it with `__` for a slash.

    A sound file of the same name beside a video is taken for its sound. Raises FileNotFoundError or
    ValueError when there is no folder or no video in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give the one that holds the raw clips")
    every = sorted(folder.rglob("*"))
    videos = [
        path for path in every if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
    ]
    if not videos:
        raise ValueError(f"{folder}: no video in it; known endings are {', '.join(VIDEO_SUFFIXES)}")
    others = sum(
        path.is_file() and path.suffix.lower() not in (*VIDEO_SUFFIXES, *AUDIO_SUFFIXES) for path in every
    )
    logger.info("%s: %d videos; %d files of other kinds are not looked at", folder, len(videos), others)
    names = [id_of(path.relative_to(folder)) for path in videos]
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [
        Source(
            id=f"{name}_{path.suffix[1:].lower()}" if name in twice else name,
            video=path,
            audio=sound_beside(path),
            language=language,
        )
        for name, path in zip(names, videos, strict=True)
    ]


def leave_out(sources: Sequence[Source], patterns: Iterable[str]) -> list[Source]:
    """Return the sources whose id and path match none of the patterns (`*` and `?` as in a shell).

    A pattern that is a path of an existing text file stands for its lines.
    """
    wanted: list[str] = []
    for pattern in patterns:
        file = Path(pattern)
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else [pattern]
        wanted += [line.strip() for line in lines if line.strip()]
    kept = [source for source in sources if not any(_matches(source, pattern) for pattern in wanted)]
    if wanted:
        logger.info("%d of %d clips are left out on request", len(sources) - len(kept), len(sources))
    return kept


def apply_sync(sources: Sequence[Source], path: Path) -> list[Source]:
    """Return the sources with the sound offsets of a table.

    The CSV has a column `file` (the end of a clip's path, or its id) and `mouth_late_s` or `mel_lag`, in
    seconds, positive when the mouth is late. With a column `verdict` only rows saying `offset` count.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such table of sound offsets")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    column = next((name for name in ("mouth_late_s", "mel_lag") if rows and name in rows[0]), None)
    if column is None or "file" not in rows[0]:
        raise ValueError(f"{path}: needs the columns file and mouth_late_s (or mel_lag)")
    late = {row["file"]: float(row[column]) for row in rows if row.get("verdict", "offset") == "offset"}
    shifted = []
    for source in sources:
        offset = next((value for name, value in late.items() if _matches(source, name)), None)
        shifted.append(source if offset is None else replace(source, mouth_late_s=offset))
    count = sum(source.mouth_late_s != 0 for source in shifted)
    logger.info("%s: the sound of %d of %d clips is moved", path, count, len(shifted))
    return shifted


def _matches(source: Source, pattern: str) -> bool:
    path = source.video.as_posix()
    return any(fnmatch(text, pattern) for text in (source.id, path, source.video.name)) or fnmatch(
        path, f"*/{pattern}"
    )


def sound_beside(video: Path) -> Path | None:
    """Return the sound file of the same name beside a video, or None."""
    candidates = (video.with_suffix(suffix) for suffix in AUDIO_SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def id_of(path: Path) -> str:
    """Return a clip's id from its relative path: `__` for a slash, no video suffix, no odd characters."""
    stem = path.with_suffix("") if path.suffix.lower() in VIDEO_SUFFIXES else path
    return re.sub(r"[^\w.+-]", "_", "__".join(stem.parts)).lstrip(".") or "clip"


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns
