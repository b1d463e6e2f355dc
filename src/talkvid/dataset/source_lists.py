"""Lists of raw clips: plain text, both published forms of TalkVid's JSON, and our own pipeline's lines.

An entry that cannot be used becomes a source with a `problem`, which fails under its name when its turn
comes: what comes in is done or failed, nothing vanishes.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from talkvid.dataset.json_lists import (
    NAMES,
    VIDEO,
    YOUTUBE_ID,
    first_seconds,
    first_told,
    json_objects,
    mapping,
)
from talkvid.dataset.sources import Source, id_of, sound_beside

logger = logging.getLogger(__name__)

ListedT = TypeVar("ListedT", bound=Any)
"""A frozen dataclass with `id` and `problem`."""

LIST_SUFFIXES = (".txt", ".json", ".jsonl")
AUDIO = ("audio-path", "audio_path", "audio")
LANGUAGE = ("language", "Language", "lang")
SPEAKER = ("speaker_id", "Person ID")
STATED = ("durations", "duration")
OWN_SPAN = ("start_s", "start"), ("end_s", "end")
"""Our pipeline's clips are spans of uncut videos; these always count."""
SPANS_TOO = (*OWN_SPAN[0], "start-time"), (*OWN_SPAN[1], "end-time")
"""Where a published clip lay in its original video; counts only when the originals are given (`--spans`)."""


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
    if path.suffix != ".txt":
        return json_objects(path)
    lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    return [{"video-path": line} for line in lines if line and not line.startswith("#")]


def _source(entry: Any, number: int, base: Path, *, language: str, spans: bool) -> Source:
    """Return the source of one entry; with its `problem` when it cannot be used."""
    if not isinstance(entry, Mapping):
        return _unusable(f"entry-{number}", base, f"entry {number} is no object but {entry!r:.60}")
    details = {**mapping(entry, "info"), **mapping(entry, "metadata"), **entry}
    name = first_told(details, *NAMES)
    try:
        return _from_details(details, base, language=language, spans=spans)
    except ValueError as error:
        given = name or first_told(details, *VIDEO)
        return _unusable(id_of(Path(given)) if given else f"entry-{number}", base, f"entry {number}: {error}")


def _from_details(details: Mapping[str, Any], base: Path, *, language: str, spans: bool) -> Source:
    name, video = first_told(details, *NAMES), _video(details, spans=spans)
    if first_told(details, "status", "decision").lower() in ("rejected", "reject", "failed", "error"):
        raise ValueError(
            f"the curation did not keep it ({first_told(details, 'reason') or 'no reason is given'})"
        )
    audio = first_told(details, *AUDIO)
    start_names, end_names = SPANS_TOO if spans else OWN_SPAN
    start_s, end_s = first_seconds(details, *start_names) or 0.0, first_seconds(details, *end_names)
    if start_s < 0 or (end_s is not None and end_s <= start_s):
        raise ValueError(f"the span from {start_s:g} to {end_s:g} s is empty")
    path = base / video
    return Source(
        id=id_of(Path(name or Path(video).name)),
        video=path,
        audio=base / audio if audio else sound_beside(path),
        start_s=start_s,
        end_s=end_s,
        mouth_late_s=first_seconds(details, "mouth_late_s") or 0.0,
        language=first_told(details, *LANGUAGE) or language,
        speaker_id=first_told(details, *SPEAKER),
        stated_s=None if start_s or end_s is not None else first_seconds(details, *STATED),
    )


def _video(details: Mapping[str, Any], *, spans: bool) -> str:
    """Return the path of the video: as told, else the original's id with `spans`, else `<id>.mp4`."""
    told = first_told(details, *VIDEO)
    if told:
        return told
    link = YOUTUBE_ID.search(first_told(details, "Video Link"))
    original = first_told(details, "video-id", "video_id") or (link.group(1) if link else "")
    name = (spans and original) or first_told(details, *NAMES)
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
