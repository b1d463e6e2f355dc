"""Lists of clips as JSON or JSON lines: their entries as they are, and how times and words are told there."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAMES = ("id", "clip_id", "video-id", "video_id")
VIDEO = ("video-path", "video_path", "video", "path")
LINKS = ("Video Link", "video-link", "url", "link")
YOUTUBE_ID = re.compile(r"(?:[?&]v=|youtu\.be/|shorts/|embed/|live/)([\w-]{11})(?![\w-])")


def json_objects(path: Path) -> list[Any]:
    """Return the values of a JSON or JSON-lines file; the suffix decides, never the number of lines.

    A list is its items, an object by id its values with their ids, an object with an id or a path itself.
    Raises ValueError for a file that is no complete JSON or no list; nothing is guessed.
    """
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".jsonl":
        lines = enumerate(text.splitlines(), start=1)
        return [_parsed(line, f"{path}: line {number}") for number, line in lines if line.strip()]
    values = _parsed(text, str(path))
    if isinstance(values, list):
        return values
    if not isinstance(values, Mapping):
        raise ValueError(f"{path}: expected a list of objects, one per clip")
    if set(values) & {*NAMES, *VIDEO, *LINKS}:
        return [values]
    return [
        {"id": key, **value} if isinstance(value, Mapping) else {"id": key, "entry": value}
        for key, value in values.items()
    ]


def first_told(entry: Mapping[str, Any], *names: str) -> str:
    """Return the first of these that is given, as text; 0 counts as given."""
    return next((str(entry[name]) for name in names if entry.get(name) not in (None, "")), "")


def first_seconds(entry: Mapping[str, Any], *names: str) -> float | None:
    """Return the first of these that is given as seconds, None where none is; ValueError as `seconds`."""
    told = (seconds(entry.get(name), name) for name in names)
    return next((time for time in told if time is not None), None)


def seconds(value: Any, name: str = "time") -> float | None:
    """Return a time in seconds from a number, "5.042s" or "H:MM:SS.mmm"; None where nothing is told.

    0, 0.0 and "0" are times. Raises ValueError for anything that is no finite time.
    """
    if value is None or value == "":
        return None
    try:
        parts = [float(part) for part in str(value).strip().removesuffix("s").split(":")]
    except ValueError:
        parts = [math.nan]
    total = math.fsum(part * 60**place for place, part in enumerate(reversed(parts)))
    if isinstance(value, bool) or not math.isfinite(total):
        raise ValueError(f"{name} must be seconds, got {value!r}")
    return total


def mapping(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object under a name, an empty one where there is none."""
    inner = entry.get(name)
    return inner if isinstance(inner, Mapping) else {}


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{where} is not complete JSON ({error}); write the list again") from error
