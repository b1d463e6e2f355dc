"""Exact clips out of fetched videos: the pictures whose time lies in the span that a list tells."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from talkvid import runner
from talkvid.curation.cut_files import CLIPS
from talkvid.curation.download_wanted import ClipWanted, VideoWanted
from talkvid.curation.manifest import ClipRow, span_columns
from talkvid.curation.materialise import CutJob, MaterialiseConfig, cut
from talkvid.curation.records import KEPT, Span
from talkvid.media.container import open_media, video_stream
from talkvid.media.video import TIME_SLACK, probe
from talkvid.media.video_window import scan

JOURNAL = "journal/download_clips.jsonl"
LATE_END_S = 0.5
"""A span that ends this much behind its video was told of another video."""
VERSION = 1


@dataclass(frozen=True)
class SpanJob:
    """One wanted clip on its way to a file."""

    id: str
    path: Path
    start_s: float
    end_s: float | None
    target: Path
    signature: str


def cut_wanted(
    fetched: Sequence[tuple[VideoWanted, Mapping[str, Any]]],
    folder: Path,
    config: MaterialiseConfig,
    *,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = None,
) -> runner.Summary:
    """Return what became of the clips of the videos that were fetched; files are `clips/<id>.mp4`."""
    jobs = [
        _job(clip, folder / str(result["path"]), str(result["sha256"]), folder, config)
        for video, result in fetched
        if result["status"] == "ok"
        for clip in wanted_clips(video)
    ]
    return runner.run(
        jobs,
        partial(cut_span, config=config),
        journal=folder / JOURNAL,
        workers=workers,
        executor=executor,
        deadline_s=deadline_s,
        description="cutting clips",
        is_intact=_is_intact,
    )


def missing_clips(video: VideoWanted, folder: Path) -> bool:
    """Return whether a clip of this video is not there yet."""
    return not all((folder / CLIPS / f"{clip.id}.mp4").is_file() for clip in wanted_clips(video))


def wanted_clips(video: VideoWanted) -> tuple[ClipWanted, ...]:
    """Return the clips of a video; one that is the whole of it where a list names only the video."""
    return video.clips or (ClipWanted(video.id),)


def cut_span(job: SpanJob, *, config: MaterialiseConfig) -> dict[str, Any]:
    """Return name, size and number of pictures of one clip's file, and its exact span in the original."""
    row = row_of_span(job.id, job.path, job.start_s, job.end_s)
    made = cut(CutJob(job.id, row, job.target, job.signature), config=config)
    return {**made, "start_s": row.start_s, "end_s": row.end_s, "first_frame": row.first_frame}


def row_of_span(name: str, path: Path, start_s: float, end_s: float | None) -> ClipRow:
    """Return the manifest row of the pictures with start_s <= time < end_s; time 0 is the first picture.

    Raises ValueError where the span lies outside of the video or the file tells no times.
    """
    with open_media(path, what="video") as container:
        stream = video_stream(container, path)
        base = Fraction(stream.time_base or Fraction(1, 1000))
        table = scan(container, stream)
    if table is None:
        raise ValueError(
            f"{path}: its packets tell no times, so no clip can be cut exactly; convert it first"
        )
    stamps = table.stamps - table.stamps[0]
    steps = np.diff(stamps)
    step = int(np.median(steps)) if len(steps) else max(1, round(1 / (25 * base)))
    edges = np.append(stamps, stamps[-1] + step)
    length_s = float(edges[-1] * base)
    if start_s >= length_s or (end_s is not None and end_s > length_s + LATE_END_S):
        end = "its end" if end_s is None else f"{end_s:g} s"
        raise ValueError(f"{path}: the span from {start_s:g} s to {end} is outside of its {length_s:.2f} s")
    first, behind = (
        int(np.searchsorted(stamps, (time_s - TIME_SLACK) / float(base)))
        for time_s in (start_s, length_s if end_s is None else end_s)
    )
    if behind <= first:
        raise ValueError(f"{path}: no picture lies between {start_s:g} and {end_s:g} s")
    info = probe(path)
    uneven = len(steps) > 0 and int(steps.max() - steps.min()) > max(2, step // 10)
    span = Span(
        video_id=path.stem,
        path=str(path),
        number=1,
        start_pts=int(edges[first]),
        end_pts=int(edges[behind]),
        time_base=(base.numerator, base.denominator),
        first_frame=first,
        num_frames=behind - first,
        width=info.width,
        height=info.height,
        fps=(behind - first) / float((edges[behind] - edges[first]) * base),
        vfr=uneven,
        has_audio=info.has_audio,
    )
    return replace(ClipRow(**span_columns(span), status=KEPT), name=name)


def _job(clip: ClipWanted, path: Path, sha256: str, folder: Path, config: MaterialiseConfig) -> SpanJob:
    told = [VERSION, sha256, clip.start_s, clip.end_s, asdict(config)]
    signature = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
    target = folder / CLIPS / f"{clip.id}.mp4"
    return SpanJob(clip.id, Path(os.path.abspath(path)), clip.start_s, clip.end_s, target, signature)


def _is_intact(job: SpanJob, result: Mapping[str, Any]) -> bool:
    return job.target.is_file() and job.target.stat().st_size == result["bytes"]
