"""TalkVid's two JSON forms of a clip, read: the published one, and the older one that names files.

Published: `id, height, width, fps, start-time, start-frame, end-time, end-frame, durations ("5.042s"),
info {Person ID, Ethnicity, Age Group, Gender, Video Link, Language, Video Category}, description,
dover_scores, cotracker_ratio, head_detail {scores {…}}`.  Older: `id, video-id, video-path, audio-path,
description-path, subtitle-path, metadata {duration, resolution, fps, language, speaker_id, age_group,
quality_score}`.  `talkvid_entry` writes both.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talkvid.dataset.json_lists import (
    LINKS,
    VIDEO,
    YOUTUBE_ID,
    first_seconds,
    first_told,
    json_objects,
    mapping,
)

PERSON, ETHNICITY, AGE_GROUP, GENDER = "Person ID", "Ethnicity", "Age Group", "Gender"
LINK, LANGUAGE, CATEGORY = "Video Link", "Language", "Video Category"
INFO = (PERSON, ETHNICITY, AGE_GROUP, GENDER, LINK, LANGUAGE, CATEGORY)
"""Keys of `info` in the published form, in its order."""
HEAD_SCORES = tuple(
    f"{kind}_{name}"
    for name in ("movement", "rotation", "completeness", "resolution", "orientation")
    for kind in ("avg", "min")
)
"""Keys of `head_detail.scores` in the published form."""
PATHS = "paths"
PUBLISHED = "published"

_METADATA = {"language": LANGUAGE, "speaker_id": PERSON, "age_group": AGE_GROUP}
"""Key of the older form's `metadata` -> key of `info`."""
_ID = ("id", "video-id", "video_id")
_VIDEO_ID = ("video-id", "video_id")


@dataclass(frozen=True)
class TalkVidEntry:
    """One clip as a list in one of TalkVid's forms tells it; what the list does not say is empty or None."""

    id: str
    form: str = PUBLISHED
    """`published` or `paths`."""
    video_id: str = ""
    """Id of the original video: as told, else the one in its YouTube link."""
    link: str = ""
    """Address of the original video."""
    video_path: str = ""
    audio_path: str = ""
    description_path: str = ""
    subtitle_path: str = ""
    start_s: float | None = None
    """Where the clip begins in the original; 0.0 is a time like any other."""
    end_s: float | None = None
    start_frame: int | None = None
    end_frame: int | None = None
    """Number of the first picture behind the clip."""
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    info: Mapping[str, str] = field(default_factory=dict)
    """By the published form's keys, see INFO; only what is told."""
    description: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    """dover_scores, cotracker_ratio, quality_score and the head's scores by name; only what is told."""
    problem: str = ""
    """Why this entry cannot be used; it then fails under its name instead of vanishing."""


def read_entries(path: Path) -> list[TalkVidEntry]:
    """Return the entries of a list in either form: a JSON list, an object by id, one object, or JSON lines.

    Raises FileNotFoundError, or ValueError for a file that is no complete JSON; nothing is guessed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list; give a .json or .jsonl file")
    return [entry_of(value, number) for number, value in enumerate(json_objects(path), start=1)]


def entry_of(value: Any, number: int = 1) -> TalkVidEntry:
    """Return one entry; with its `problem` where it cannot be used."""
    if not isinstance(value, Mapping):
        return TalkVidEntry(f"entry-{number}", problem=f"entry {number} is no object but {value!r:.60}")
    info, metadata = mapping(value, "info"), mapping(value, "metadata")
    link = first_told({**info, **value}, *LINKS)
    found = YOUTUBE_ID.search(link)
    video_id = first_told(value, *_VIDEO_ID) or (found.group(1) if found else "")
    name = first_told(value, *_ID) or Path(first_told(value, *VIDEO)).stem or video_id or f"entry-{number}"
    try:
        told = _measures({**metadata, **value})
    except ValueError as error:
        return TalkVidEntry(name, video_id=video_id, link=link, problem=f"entry {number}: {error}")
    return TalkVidEntry(
        id=name,
        form=PATHS if "metadata" in value or "video-path" in value else PUBLISHED,
        video_id=video_id,
        link=link,
        video_path=first_told(value, *VIDEO),
        audio_path=first_told(value, "audio-path", "audio_path"),
        description_path=first_told(value, "description-path", "description_path"),
        subtitle_path=first_told(value, "subtitle-path", "subtitle_path"),
        info=_info(info, metadata),
        description=first_told(value, "description"),
        scores=_scores(value, metadata),
        **told,
    )


def _measures(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return times, size and rate; raise ValueError for what is no number or an empty span."""
    start_s, end_s = (first_seconds(value, f"{side}-time", side, f"{side}_s") for side in ("start", "end"))
    if start_s is not None and (start_s < 0 or (end_s is not None and end_s <= start_s)):
        raise ValueError(f"the span from {start_s:g} to {end_s if end_s is not None else 'the end'} is empty")
    size = re.fullmatch(r"(\d+)\s*[x*]\s*(\d+)", first_told(value, "resolution"))
    width, height = (_number(value, name) for name in ("width", "height"))
    frames = [_number(value, f"{side}-frame") for side in ("start", "end")]
    return {
        "start_s": start_s,
        "end_s": end_s,
        "start_frame": None if frames[0] is None else int(frames[0]),
        "end_frame": None if frames[1] is None else int(frames[1]),
        "duration_s": first_seconds(value, "durations", "duration"),
        "width": int(width) if width is not None else int(size.group(1)) if size else None,
        "height": int(height) if height is not None else int(size.group(2)) if size else None,
        "fps": _number(value, "fps"),
    }


def _number(value: Mapping[str, Any], name: str) -> float | None:
    told = value.get(name)
    if told is None or told == "":
        return None
    try:
        number = float(told)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a number, got {told!r}")
    return number


def _info(info: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, str]:
    told = {key: first_told(info, key) for key in INFO}
    for name, key in _METADATA.items():
        told[key] = told[key] or first_told(metadata, name)
    return {key: text for key, text in told.items() if text}


def _scores(value: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, float]:
    head = mapping(mapping(value, "head_detail"), "scores")
    told = {**{name: head.get(name) for name in HEAD_SCORES}, "quality_score": metadata.get("quality_score")}
    told |= {name: value.get(name) for name in ("dover_scores", "cotracker_ratio")}
    return {
        name: float(score)
        for name, score in told.items()
        if isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
    }
