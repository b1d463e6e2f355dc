"""Text beside a cut clip: its description, and its transcript as subtitles in the clip's own time."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from talkvid.curation.manifest import ClipRow
from talkvid.curation.talkvid_entry import description_of
from talkvid.files import atomic_path


def side_files(row: ClipRow, clip: Path) -> dict[str, Path]:
    """Return the text files of a clip by their key in the older TalkVid form, after writing them.

    `description-path` is CLIP.txt where the clip has a description, `subtitle-path` CLIP.srt where it has a
    transcript with times.
    """
    texts = {
        "description-path": (clip.with_suffix(".txt"), description_of(row) or ""),
        "subtitle-path": (clip.with_suffix(".srt"), subtitles(_segments(row))),
    }
    written = {}
    for key, (path, text) in texts.items():
        if text:
            with atomic_path(path) as temporary:
                temporary.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
            written[key] = path
    return written


def subtitles(segments: Iterable[Mapping[str, Any]]) -> str:
    """Return segments {start_s, end_s, text} as SubRip text; empty without any."""
    cues = [
        f"{number}\n{_stamp(segment['start_s'])} --> {_stamp(segment['end_s'])}\n{segment['text']}\n"
        for number, segment in enumerate(segments, start=1)
    ]
    return "\n".join(cues)


def _segments(row: ClipRow) -> list[Mapping[str, Any]]:
    field = row.annotations.get("transcript")
    segments = field.get("segments") if isinstance(field, Mapping) else None
    return list(segments or [])


def _stamp(time_s: float) -> str:
    milliseconds = max(0, round(time_s * 1000))
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"
