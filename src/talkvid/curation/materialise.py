"""Kept clips become files: exactly the pictures of the span, with the sound of the same moments.

What is done: pictures come upright, with square pixels, 8 bits and BT.709 (high dynamic range is not tone
mapped); an odd width or height loses its last column or row.  A clip with a constant rate keeps every picture
and its rate.  A clip with a varying rate gets its mean rate: picture k is the one nearest in time to k / fps,
so that the first one is the span's, none lies further than half a picture from its place, and the sound
stays in step.
"""

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av

from talkvid import runner
from talkvid.curation.cut_files import CLIPS, JOURNAL, cut_files, cut_path
from talkvid.curation.export import Exported, export
from talkvid.curation.manifest import ClipRow, iterate_clips
from talkvid.curation.records import KEPT
from talkvid.media.audio import AudioSource
from talkvid.media.container import open_media, video_stream
from talkvid.media.files import require_file
from talkvid.media.image import save_image
from talkvid.media.video import read_frames
from talkvid.media.writer import VideoWriter
from talkvid.records import Array

logger = logging.getLogger(__name__)

VERSION = 1
"""Part of every signature: a change of what the files hold makes all clips be cut again."""
PARTIAL = ".partial"
"""Folder below `clips` where a file lies until its pictures have been counted."""
USUAL_RATES = tuple(
    Fraction(rate) for rate in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
)
RATE_SLACK_S = Fraction(1, 1000)


@dataclass(frozen=True)
class MaterialiseConfig:
    """How kept clips are written as files."""

    crf: int = 16
    """H.264 quality from 0 (lossless) to 51; smaller is better and larger."""
    preset: str = "medium"
    """Speed of the encoder, from ultrafast to veryslow."""
    gop: int = 12
    """Most pictures between two key frames; small where single windows will be read."""
    audio: bool = True
    """Put the sound of the same span into the file."""
    first_frame: bool = False
    """Also write the first picture as CLIP.png."""

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51:
            raise ValueError(f"materialise.crf must be from 0 to 51, got {self.crf}")
        if self.gop < 1:
            raise ValueError(f"materialise.gop must be at least 1, got {self.gop}")


@dataclass(frozen=True)
class CutJob:
    """One kept clip on its way to a file."""

    id: str
    row: ClipRow
    target: Path
    signature: str


def materialise(
    run_folder: Path | str,
    config: MaterialiseConfig,
    *,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = None,
    limit: int | None = None,
) -> tuple[runner.Summary, Exported]:
    """Return what became of the kept clips of a run, and the lists, whose paths are then the cut files.

    Files: `clips/<name>.mp4` (and `.png`). A clip already cut with these settings from an unchanged source is
    left as it is; a clip that can not be cut is a failure with its reason and the others go on.
    Raises FileNotFoundError where there is no manifest.
    """
    folder = Path(run_folder)
    rows = [row for row in iterate_clips(folder) if row.status == KEPT][:limit]
    jobs = [_job(row, folder, config) for row in rows]
    there = cut_files(folder)
    summary = runner.run(
        jobs,
        partial(cut, config=config),
        journal=folder / JOURNAL,
        workers=workers,
        executor=executor,
        deadline_s=deadline_s,
        description="cutting clips",
        is_intact=lambda job, _result: there.get(job.id) == job.target,
    )
    with contextlib.suppress(OSError):
        (folder / CLIPS / PARTIAL).rmdir()
    return summary, export(folder)


def cut(job: CutJob, *, config: MaterialiseConfig) -> dict[str, Any]:
    """Return name, size and number of pictures of the file written for one clip.

    Raises ValueError where the source does not hold the pictures of the span: it has changed or is damaged.
    """
    row, target = job.row, job.target
    require_file(row.path, what="video")
    if os.path.realpath(target) == os.path.realpath(row.path):
        raise ValueError(f"{target}: would be written over its own source; choose another output folder")
    partial_target = target.parent / PARTIAL / f"{row.clip_id}.mp4"
    for left in (target.parent / PARTIAL).glob(f"*{row.clip_id}*"):
        left.unlink(missing_ok=True)
    sound = None
    if config.audio and row.has_audio:
        sound = AudioSource(row.facts.get("audio") or row.path, float(row.span.start_s))
    first = _write(row, partial_target, sound, config)
    count = count_pictures(partial_target)
    if count != row.num_frames:
        partial_target.unlink()
        raise ValueError(f"{target}: {count} pictures were written instead of {row.num_frames}; try again")
    if config.first_frame:
        save_image(target.with_suffix(".png"), first)
    size = partial_target.stat().st_size
    os.replace(partial_target, target)
    return {"name": target.name, "bytes": size, "num_frames": count}


def _write(row: ClipRow, target: Path, sound: AudioSource | None, config: MaterialiseConfig) -> Array:
    """Return the first picture after writing all of them."""
    width, height = row.width // 2 * 2, row.height // 2 * 2
    first: Array | None = None
    with VideoWriter(
        target, width, height, clip_rate(row), audio=sound, crf=config.crf, preset=config.preset,
        gop=config.gop,
    ) as writer:  # fmt: skip
        for picture in pictures_of(row):
            if picture.shape[:2] != (row.height, row.width):
                raise ValueError(
                    f"{row.path}: a picture of {picture.shape[1]}x{picture.shape[0]} in a clip of "
                    f"{row.width}x{row.height}; the file has changed: scan it again"
                )
            first = picture if first is None else first
            writer.write(picture[:height, :width])
        if first is None or writer.num_frames != row.num_frames:
            raise ValueError(
                f"{row.path}: {writer.num_frames} pictures lie in the span, {row.num_frames} were found when "
                "it was scanned; the file has changed: scan it again"
            )
    return first


def clip_rate(row: ClipRow) -> Fraction:
    """Return the rate at which a clip's pictures last as long as its span.

    Of a constant rate the usual one within 1 ms, or two ticks of the file's clock, over the whole clip:
    clocks that tick in milliseconds do not tell 29.97 exactly.
    """
    duration_s = row.span.duration_s
    if not row.vfr:
        slack = max(RATE_SLACK_S, 2 * Fraction(row.time_base_num, row.time_base_den))
        nearest = min(USUAL_RATES, key=lambda rate: abs(row.num_frames / rate - duration_s))
        if abs(row.num_frames / nearest - duration_s) <= slack:
            return nearest
    return Fraction(row.num_frames) / duration_s


def pictures_of(row: ClipRow) -> Iterator[Array]:
    """Yield the pictures of a clip as RGB (H W 3) uint8; of one with a varying rate at its mean rate."""
    span = row.span
    fps = float(clip_rate(row)) if row.vfr else None
    return read_frames(row.path, start_s=float(span.start_s), end_s=float(span.end_s), fps=fps)


def count_pictures(path: Path) -> int:
    """Return how many pictures a video holds, counted by its packets."""
    with open_media(path, what="video") as container:
        packets = container.demux(video_stream(container, path))
        return sum(1 for packet in packets if packet.size)


def _job(row: ClipRow, folder: Path, config: MaterialiseConfig) -> CutJob:
    told = {
        "version": VERSION,
        "av": av.__version__.split(".")[0],
        "config": asdict(config),
        "span": [row.clip_id, row.start_pts, row.end_pts, row.time_base_num, row.time_base_den],
        "pictures": [row.num_frames, row.width, row.height, row.fps, row.vfr, row.has_audio],
        "sources": [_state(row.path), _state(str(row.facts.get("audio") or row.path))],
    }
    text = json.dumps(told, sort_keys=True)
    signature = hashlib.sha256(text.encode()).hexdigest()[:16]
    return CutJob(row.clip_id, row, cut_path(row.name, folder), signature)


def _state(path: str) -> list[Any]:
    try:
        status = os.stat(path)
    except OSError:
        return [path, None, None]
    return [path, status.st_size, status.st_mtime_ns]


def summary_lines(summary: runner.Summary, exported: Exported) -> Sequence[str]:
    """Return what was done in a few lines for a person."""
    lines = [
        f"{summary.total} kept clips = {summary.done} cut + {summary.skipped} cut before + "
        f"{summary.failed} failed"
    ]
    return [*lines, *(f"failed: {name}: {reason}" for name, reason in summary.failures.items())]
