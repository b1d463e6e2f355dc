"""Making a bench's videos with whatever can make one, resumable and with every failure recorded.

The maker is handed in as a callable, so that this room knows no model.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from talkvid import runner
from talkvid.evaluation.bench.clips import BenchClip
from talkvid.files import make_parent
from talkvid.media.image import save_image
from talkvid.media.video import probe, read_frames

Generate = Callable[[BenchClip, Path], None]
"""Writes the video of a clip to a path; the clip has a portrait and a sound. Raises when it cannot."""

VIDEOS = "videos"
PORTRAITS = "portraits"
"""First pictures of true videos, for clips that have no portrait."""
JOURNAL = "videos.journal.jsonl"
VERSION = 1


@dataclass(frozen=True)
class Job:
    """One video to be made."""

    clip: BenchClip
    target: Path
    portrait: Path
    """Where the true video's first picture goes, should the clip have no portrait."""
    signature: str

    @property
    def id(self) -> str:
        """Return the clip's id."""
        return self.clip.id


@dataclass(frozen=True)
class Generated:
    """What became of the clips: ready = made + failed."""

    folder: Path
    made: tuple[str, ...]
    failures: Mapping[str, str]
    """Reason by clip."""
    num_earlier: int = 0
    """How many of those made were there from earlier runs."""

    def describe(self) -> dict[str, Any]:
        """Return counts and failures as plain values, the same however often the run was resumed."""
        return {
            "clips": len(self.made) + len(self.failures),
            "made": len(self.made),
            "failed": dict(self.failures),
        }


def generate_videos(
    clips: Sequence[BenchClip],
    setup: Callable[[], Generate],
    *,
    output: Path,
    signature: str,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = None,
    attempts: int = 1,
) -> Generated:
    """Return what became of the clips; the videos are `output/videos/<clip>.mp4`.

    Args:
        clips: ready ones.
        setup: called once in every worker process, so module-level or a `partial` of such a function; returns
            what makes a video, with its model loaded.
        output: folder of the run; its journal remembers what was made.
        signature: what the videos depend on besides the clips' files: model and settings. Another one, or
            another file, has the video made again.
        workers: processes, each with a model of its own.
        executor: `local`, `inline` or `ray`.
        deadline_s: seconds a video may take.
        attempts: how often a clip is tried whose worker died or was late.

    A video that an earlier run made counts as long as the file is the one it made.
    """
    folder = output / VIDEOS
    jobs = [
        Job(
            clip,
            folder / f"{clip.id}.mp4",
            output / PORTRAITS / f"{clip.id}.png",
            clip_signature(clip, signature),
        )
        for clip in clips
    ]
    summary = runner.run(
        jobs,
        make_video,
        setup=partial(_checked, setup),
        journal=output / JOURNAL,
        workers=workers,
        executor=executor,
        deadline_s=deadline_s,
        description="videos",
        is_intact=is_intact,
        attempts=attempts,
    )
    return Generated(folder, tuple(summary.results), summary.failures, summary.skipped)


def make_video(job: Job, generate: Generate) -> dict[str, Any]:
    """Make one video and return what tells it from any other file; ValueError when none was written."""
    clip = job.clip
    if clip.portrait is None:
        assert clip.reference is not None, clip.id
        save_image(job.portrait, next(iter(read_frames(clip.reference))))
        clip = replace(clip, portrait=job.portrait)
    make_parent(job.target)
    job.target.unlink(missing_ok=True)
    generate(clip, job.target)
    if not job.target.is_file():
        raise ValueError(f"{job.target}: the generator returned without having written this file")
    probe(job.target)
    return _identity(job.target)


def is_intact(job: Job, result: Mapping[str, Any]) -> bool:
    """Return whether the video lies there as it was made."""
    try:
        return job.target.stat().st_size == result["bytes"] and _identity(job.target) == dict(result)
    except (OSError, KeyError):
        return False


def clip_signature(clip: BenchClip, settings: str) -> str:
    """Return a short hash of the settings and of the clip's files (size and time); moving them is free."""
    driving = (clip.portrait or clip.reference, clip.sound, clip.keypoints)
    facts = [None if path is None else _size_and_time(path) for path in driving]
    told = json.dumps({"version": VERSION, "settings": settings, "files": facts})
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _checked(setup: Callable[[], Generate]) -> Generate:
    generate = setup()
    if not callable(generate):
        raise TypeError(f"setup returned {type(generate).__name__}, which cannot make a video")
    return generate


def _identity(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _size_and_time(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
