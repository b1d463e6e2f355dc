"""Which clips of the training lists can be used: decided once, when the index is built, and counted."""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from talkvid.records import SampleEntry

logger = logging.getLogger(__name__)

FIELDS = tuple(field.name for field in fields(SampleEntry))
REQUIRED = ("id", "video", "face_info", "audio_embeds", "num_frames", "fps")


@dataclass(frozen=True)
class Clip:
    """One usable clip with its files' real places."""

    id: str
    video: Path
    face_info: Path
    audio_embeds: Path
    num_frames: int
    fps: float
    language: str


def read_entries(path: Path) -> list[SampleEntry]:
    """Return the samples of one JSON list; raise FileNotFoundError or ValueError naming the file."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such data list; make it with src/data_preprocess/process_custom_data.py, "
            "or name yours by data.meta_paths"
        )
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not a JSON list of samples ({error})") from error
    if not isinstance(entries, list):
        raise ValueError(f"{path}: holds a {type(entries).__name__}, expected a JSON list of samples")
    return [_entry(entry, path, number) for number, entry in enumerate(entries)]


def least_frames(num_frames: int, *, reference_margin: int) -> int:
    """Return the frames a clip needs so that some window has a reference frame beyond the margin."""
    return num_frames + reference_margin + 1


def find_clips(paths: Sequence[Path | str], *, at_least: int, languages: Sequence[str] = ()) -> list[Clip]:
    """Return the usable clips of all lists in their order, and log how many were left out and why.

    A clip needs `at_least` frames, its three files and, when `languages` are named, one of them as
    its label (case does not matter; a clip without a label stays). Raise ValueError when none is left.
    """
    wanted = {language.lower() for language in languages}
    clips: list[Clip] = []
    left_out: Counter[str] = Counter()
    total = 0
    for path in map(Path, paths):
        for entry in read_entries(path):
            total += 1
            clip = _clip(entry, path.parent)
            reason = _unusable(clip, at_least, wanted)
            if reason:
                left_out[reason] += 1
            else:
                clips.append(clip)
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))
    logger.info("%d of %d clips are usable%s", len(clips), total, f" ({reasons})" if reasons else "")
    if not clips:
        names = ", ".join(map(str, paths))
        raise ValueError(f"{names}: none of {total} clips can be used{f' ({reasons})' if reasons else ''}")
    return clips


def _entry(entry: Any, path: Path, number: int) -> SampleEntry:
    missing = [name for name in REQUIRED if not isinstance(entry, dict) or name not in entry]
    if missing:
        raise ValueError(f"{path}: sample {number} lacks {', '.join(missing)}; prepare the data again")
    return SampleEntry(**{name: entry[name] for name in FIELDS if name in entry})


def _clip(entry: SampleEntry, root: Path) -> Clip:
    return Clip(
        id=entry.id,
        video=root / entry.video,
        face_info=root / entry.face_info,
        audio_embeds=root / entry.audio_embeds,
        num_frames=int(entry.num_frames),
        fps=float(entry.fps),
        language=entry.language,
    )


def _unusable(clip: Clip, at_least: int, languages: set[str]) -> str:
    if clip.num_frames < at_least:
        return f"shorter than {at_least} frames"
    if languages and clip.language and clip.language.lower() not in languages:
        return "of another language"
    for name in ("video", "face_info", "audio_embeds"):
        if not getattr(clip, name).is_file():
            return f"without {name} file"
    return ""
