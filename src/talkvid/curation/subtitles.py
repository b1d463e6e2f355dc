"""Subtitles as a sign of speech: SubRip and WebVTT, in every way they are written."""

import html
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

SUFFIXES = (".vtt", ".srt")

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_ASIDE = ("NOTE", "STYLE", "REGION")
"""WebVTT blocks that hold no cues."""
_TAGS = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_BRACKETS = ("[]", "()", "\uff08\uff09", "\u3010\u3011", "\uff3b\uff3d")
"""The last three as East Asian texts have them."""
_SOUNDS = re.compile(
    "|".join(rf"{re.escape(pair[0])}[^{re.escape(pair)}]*{re.escape(pair[1])}" for pair in _BRACKETS)
)
_NOTE = "♩♪♫♬🎵🎶"
_LYRICS = re.compile(rf"[{_NOTE}][^{_NOTE}]*[{_NOTE}]?")


@dataclass(frozen=True)
class Cue:
    """One subtitle."""

    start_s: float
    end_s: float
    text: str
    """As written, tags included, without cue settings."""

    @property
    def spoken(self) -> str:
        """Return what is said: no tags, [sounds] or (sounds), no song between note signs; "" if nothing."""
        words = html.unescape(_TAGS.sub(" ", self.text))
        words = _LYRICS.sub(" ", _SOUNDS.sub(" ", words))
        return " ".join(words.split()) if re.search(r"\w", words) else ""


def read_subtitles(path: str | os.PathLike[str]) -> list[Cue]:
    """Return the cues of an .srt or .vtt file in the order of time.

    The encoding is told by the byte order mark, else UTF-8, else Windows-1252. Raises FileNotFoundError, or
    ValueError for a folder, an unreadable file or one that has text but no cue at all.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such subtitle file; check the path")
    try:
        text = _decoded(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: the subtitles cannot be read ({error.strerror})") from error
    cues = parse_subtitles(text)
    if not cues and "-->" in text:
        raise ValueError(f"{path}: the times of these subtitles are in no known form; convert them to WebVTT")
    return cues


def parse_subtitles(text: str) -> list[Cue]:
    """Return the cues of a text in either format; what ends before it starts is left out.

    Times may be MM:SS or H…H:MM:SS with dot, comma or no fraction. A cue ends at an empty line, at the next
    time line or at the end of the text; a line of blanks is part of it, as YouTube writes.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found: list[tuple[float, float, list[str]]] = []
    aside = inside = False
    for line, following in pairwise([*lines, ""]):
        aside = bool(line) and (aside or (not inside and line.split(" ")[0].strip() in _ASIDE))
        timing = None if aside else _TIMING.fullmatch(line)
        if timing is not None:
            groups = timing.groups()
            found.append((_seconds(groups[:4]), _seconds(groups[4:]), []))
            inside = True
        elif not line:
            inside = False
        elif inside and not (line.strip().isdigit() and _TIMING.fullmatch(following)):
            found[-1][2].append(line)
    cues = [Cue(start, end, "\n".join(words)) for start, end, words in found if end > start]
    return sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))


def speech_of(cues: Iterable[Cue]) -> list[tuple[float, float]]:
    """Return the times in which somebody speaks, [start, end) in seconds, ascending and joined."""
    joined: list[tuple[float, float]] = []
    for cue in cues:
        if not cue.spoken:
            continue
        if joined and cue.start_s <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], cue.end_s)
        else:
            joined.append((cue.start_s, cue.end_s))
    return joined


def overlap_s(speech: Sequence[tuple[float, float]], start_s: float, end_s: float) -> float:
    """Return how many seconds of a span are spoken; ends that only touch give 0."""
    return sum(max(0.0, min(end, end_s) - max(start, start_s)) for start, end in speech)


def _seconds(groups: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = groups
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return whole + (float(f"0.{fraction}") if fraction else 0.0)


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
