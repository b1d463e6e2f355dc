"""Which videos can be compared: the clips that every system has made, of one length, with sound."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from talkvid.dataset.sources import VIDEO_SUFFIXES
from talkvid.media.remux import codecs
from talkvid.media.video import probe

logger = logging.getLogger(__name__)

LENGTH_TOLERANCE = 0.1
"""Share of the longest by which the videos of one clip may differ in length."""


@dataclass(frozen=True)
class Video:
    """One file of one system."""

    path: Path
    width: int
    height: int
    duration_s: float
    in_every_browser: bool
    stored: str
    """Codecs, for messages."""


@dataclass(frozen=True)
class Material:
    """The videos of a study."""

    videos: Mapping[str, Mapping[str, Video]]
    """By clip, then by system."""
    reference: Mapping[str, Video]
    """The true videos by clip; empty where there are none."""

    @property
    def clips(self) -> tuple[str, ...]:
        """Return the names of the clips, sorted."""
        return tuple(sorted(self.videos))

    @property
    def every_video(self) -> list[Video]:
        """Return all files, those of the reference last."""
        made = [video for clip in self.clips for video in self.videos[clip].values()]
        return made + [self.reference[clip] for clip in self.clips if clip in self.reference]


def gather(
    folders: Mapping[str, Path], *, reference: Path | None = None, allow_length_mismatch: bool = False
) -> Material:
    """Return the clips that all folders have, paired by the file name without its suffix.

    What only some have is left out and logged. Raises FileNotFoundError for a missing folder and ValueError
    for two files of one clip, no common clip, a video without sound, or lengths that differ by more than
    10 % (unless `allow_length_mismatch`), with the file and the numbers.
    """
    found = {name: _by_stem(folder) for name, folder in folders.items()}
    true = _by_stem(reference) if reference is not None else None
    everyone = [*found.values(), *([true] if true is not None else [])]
    common = set.intersection(*(set(files) for files in everyone))
    if not common:
        counts = ", ".join(f"{name} {len(files)}" for name, files in found.items())
        raise ValueError(
            f"no clip is in every folder (files: {counts}); videos of one clip have the same name"
        )
    left_out = sorted(set.union(*(set(files) for files in everyone)) - common)
    if left_out:
        logger.warning(
            "%d clips are left out, as not every folder has them: %s%s",
            len(left_out),
            ", ".join(left_out[:5]),
            ", …" if len(left_out) > 5 else "",
        )
    videos = {clip: {name: _video(files[clip]) for name, files in found.items()} for clip in sorted(common)}
    if not allow_length_mismatch:
        for clip, made in videos.items():
            _check_lengths(clip, made)
    return Material(videos, {clip: _video(true[clip]) for clip in sorted(common)} if true else {})


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: this folder of videos does not exist; check the path")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in VIDEO_SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        if path.stem in files:
            raise ValueError(f"{path}: {files[path.stem].name} is of the same clip; keep one of them")
        files[path.stem] = path
    if not files:
        raise ValueError(f"{folder}: no video lies in this folder ({', '.join(VIDEO_SUFFIXES)})")
    return files


def _video(path: Path) -> Video:
    info = probe(path)
    if not info.has_audio:
        raise ValueError(f"{path}: this video has no sound; raters judge speech, so put the sound under it")
    if not info.duration_s:
        raise ValueError(f"{path}: this video does not state its length; write it anew as mp4")
    stored = codecs(path)
    return Video(
        path,
        info.width,
        info.height,
        info.duration_s,
        stored.in_every_browser,
        f"{stored.video} {stored.pixels}, {stored.audio}",
    )


def _check_lengths(clip: str, made: Mapping[str, Video]) -> None:
    shortest = min(made, key=lambda name: made[name].duration_s)
    longest = max(made, key=lambda name: made[name].duration_s)
    short_s, long_s = made[shortest].duration_s, made[longest].duration_s
    if short_s < long_s * (1 - LENGTH_TOLERANCE):
        raise ValueError(
            f"{clip}: {made[shortest].path} lasts {short_s:.2f} s and {made[longest].path} {long_s:.2f} s; "
            "cut them alike, or allow it with --allow_length_mismatch"
        )
