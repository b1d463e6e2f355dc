"""Lists of raw clips: plain text, both published forms of TalkVid's JSON, and our own pipeline's lines.

An entry that cannot be used becomes a source with a `problem`, which fails under its name when its turn
comes: what comes in is done or failed, nothing vanishes.
"""

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from talkvid.dataset.sources import Source, id_of, sound_beside

logger = logging.getLogger(__name__)

ListedT = TypeVar("ListedT", bound=Any)
"""A frozen dataclass with `id` and `problem`."""

LIST_SUFFIXES = (".txt", ".json", ".jsonl")
ID = ("id", "clip_id", "video-id", "video_id")
VIDEO = ("video-path", "video_path", "video", "path")
AUDIO = ("audio-path", "audio_path", "audio")
LANGUAGE = ("language", "Language", "lang")
SPEAKER = ("speaker_id", "Person ID")
STATED = ("durations", "duration")
OWN_SPAN = ("start_s", "start"), ("end_s", "end")
"""Our pipeline's clips are spans of uncut videos; these always count."""
SPANS_TOO = (*OWN_SPAN[0], "start-time"), (*OWN_SPAN[1], "end-time")
"""Where a published clip lay in its original video; counts only when the originals are given (`--spans`)."""
YOUTUBE_ID = re.compile(r"(?:v=|youtu\.be/|shorts/|embed/)([\w-]{11})")


def read_list(
    path: Path, *, root: Path | None = None, language: str = "", spans: bool = False
) -> list[Source]:
    """Return the clips a list names: text (a path per line), JSON (list, or object by id) or JSON lines.

    Relative paths start at `root`, else at the list's folder. With `spans` the videos are the uncut originals
    and start-time and end-time say which part is meant; without, they are the cut clips. Raises
    FileNotFoundError, or ValueError when the list as a whole cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list; give a {', '.join(LIST_SUFFIXES)} file")
    entries = list_entries(path)
    if not entries:
        raise ValueError(f"{path}: the list is empty")
    base = root or path.parent
    sources = [
        _source(entry, number, base, language=language, spans=spans)
        for number, entry in enumerate(entries, start=1)
    ]
    return with_unique_ids(sources)


def list_entries(path: Path) -> list[Any]:
    """Return the entries of a list as they are; in an object by id each entry gets its key as id.

    ValueError when the file is no JSON or no list.
    """
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".txt":
        lines = (line.strip() for line in text.splitlines())
        return [{"video-path": line} for line in lines if line and not line.startswith("#")]
    try:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        values = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: cannot be read as JSON ({error})") from error
    if isinstance(values, Mapping) and set(values) & {*ID, *VIDEO}:
        return [values]
    if isinstance(values, Mapping):
        return [
            {"id": key, **value} if isinstance(value, Mapping) else {"id": key, "entry": value}
            for key, value in values.items()
        ]
    if not isinstance(values, list):
        raise ValueError(f"{path}: expected a list of objects, one per clip")
    return values


def _source(entry: Any, number: int, base: Path, *, language: str, spans: bool) -> Source:
    """Return the source of one entry; with its `problem` when it cannot be used."""
    if not isinstance(entry, Mapping):
        return _unusable(f"entry-{number}", base, f"entry {number} is no object but {entry!r:.60}")
    details = {**_mapping(entry, "info"), **_mapping(entry, "metadata"), **entry}
    name = _first(details, *ID)
    try:
        return _from_details(details, base, language=language, spans=spans)
    except ValueError as error:
        given = name or _first(details, *VIDEO)
        return _unusable(id_of(Path(given)) if given else f"entry-{number}", base, f"entry {number}: {error}")


def _from_details(details: Mapping[str, Any], base: Path, *, language: str, spans: bool) -> Source:
    name, video = _first(details, *ID), _video(details, spans=spans)
    if _first(details, "status", "decision").lower() in ("rejected", "reject", "failed", "error"):
        raise ValueError(
            f"the curation did not keep it ({_first(details, 'reason') or 'no reason is given'})"
        )
    audio = _first(details, *AUDIO)
    start_names, end_names = SPANS_TOO if spans else OWN_SPAN
    start_s, end_s = _seconds(details, *start_names) or 0.0, _seconds(details, *end_names)
    if start_s < 0 or (end_s is not None and end_s <= start_s):
        raise ValueError(f"the span from {start_s:g} to {end_s:g} s is empty")
    path = base / video
    return Source(
        id=id_of(Path(name or Path(video).name)),
        video=path,
        audio=base / audio if audio else sound_beside(path),
        start_s=start_s,
        end_s=end_s,
        mouth_late_s=_seconds(details, "mouth_late_s") or 0.0,
        language=_first(details, *LANGUAGE) or language,
        speaker_id=_first(details, *SPEAKER),
        stated_s=None if start_s or end_s is not None else _seconds(details, *STATED),
    )


def _video(details: Mapping[str, Any], *, spans: bool) -> str:
    """Return the path of the video: as told, else the original's id with `spans`, else `<id>.mp4`."""
    told = _first(details, *VIDEO)
    if told:
        return told
    link = YOUTUBE_ID.search(_first(details, "Video Link"))
    original = _first(details, "video-id", "video_id") or (link.group(1) if link else "")
    name = (spans and original) or _first(details, *ID)
    if not name:
        raise ValueError("it has neither video-path nor id")
    return f"{name}.mp4"


def with_unique_ids(sources: Sequence[ListedT]) -> list[ListedT]:
    """Return the sources with later entries of a taken id turned into unusable ones of another id."""
    taken: set[str] = set()
    result = []
    for number, source in enumerate(sources, start=1):
        if source.id in taken:
            problem = f"entry {number}: the id '{source.id}' is used by an earlier entry; give it another"
            source = replace(source, id=f"{source.id}__entry-{number}", problem=source.problem or problem)
        taken.add(source.id)
        result.append(source)
    return result


def _unusable(name: str, base: Path, problem: str) -> Source:
    return Source(id=name, video=base, problem=problem)


def _seconds(details: Mapping[str, Any], *names: str) -> float | None:
    """Return the first of these values as seconds: a number, `5.04s` or `H:MM:SS.mmm`; None when absent."""
    for name in names:
        value = details.get(name)
        if value is None or value == "":
            continue
        try:
            parts = [float(part) for part in str(value).strip().removesuffix("s").split(":")]
        except ValueError:
            parts = [math.nan]
        total = math.fsum(part * 60**place for place, part in enumerate(reversed(parts)))
        if not math.isfinite(total):
            raise ValueError(f"{name} must be seconds, got {value!r}")
        return total
    return None


def _first(entry: Mapping[str, Any], *names: str) -> str:
    """Return the first of these that is given, as text; 0 counts as given."""
    return next((str(entry[name]) for name in names if entry.get(name) not in (None, "")), "")


def _mapping(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = entry.get(name)
    return value if isinstance(value, Mapping) else {}
