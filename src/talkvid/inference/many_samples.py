"""Many videos by several processes, each with a model of its own; resumable, every failure recorded."""

import logging
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from talkvid import runner
from talkvid.inference.manifest import Sample
from talkvid.inference.settings import LoadOptions

logger = logging.getLogger(__name__)

ATTEMPTS = 2
"""A sample whose worker died is tried once more, after the others."""


@dataclass(frozen=True)
class Crew:
    """Who makes the videos."""

    options: LoadOptions
    devices: tuple[str, ...]
    """Device of each worker in turn; with ray the one device a worker sees."""
    workers: int = 1
    executor: str = "local"
    deadline_s: float | None = None
    resume: bool = False
    """Whether a video that was stopped goes on within itself."""


def make_samples(samples: Sequence[Sample], crew: Crew, *, journal: Path) -> runner.Summary:
    """Return what became of the samples; a video that an earlier run made is not made again.

    Settings are checked against the model's config before the first is made. With the executor `ray` every
    worker reserves a GPU where the device is one.
    """
    on_gpus = any(device.startswith("cuda") for device in crew.devices)
    with tempfile.TemporaryDirectory(prefix="talkvid-") as places:
        return runner.run(
            samples,
            make_sample,
            setup=partial(start_worker, crew, Path(places) if crew.executor == "local" else None),
            journal=journal,
            workers=crew.workers,
            executor=crew.executor,
            deadline_s=crew.deadline_s,
            description="videos",
            is_intact=is_intact,
            attempts=ATTEMPTS,
            gpus_per_worker=1.0 if on_gpus and crew.executor == "ray" else 0.0,
        )


@dataclass
class Worker:
    """One process with its model, and the place it holds."""

    model: Any
    resume: bool
    place: IO[bytes] | None = None
    """Locked as long as the process lives."""


def start_worker(crew: Crew, places: Path | None) -> Worker:
    """Return this process's model, which is read when its first sample comes, and kept."""
    import cv2
    import torch

    from talkvid.inference.api import TalkVidInference

    if crew.workers > 1:
        threads = max(1, (os.cpu_count() or 1) // crew.workers)
        cv2.setNumThreads(threads)
        torch.set_num_threads(threads)
    number, lock = (0, None) if places is None else take_place(places, crew.workers)
    options = replace(crew.options, device=crew.devices[number % len(crew.devices)], gpu_id=None)
    return Worker(TalkVidInference.from_options(options), crew.resume, lock)


def take_place(places: Path, count: int) -> tuple[int, IO[bytes] | None]:
    """Return the number of a place no other worker holds, and the lock on it; one that died has let go."""
    try:
        import fcntl
    except ImportError:
        return os.getpid() % count, None
    for number in range(count):
        lock = open(places / str(number), "wb")  # noqa: SIM115 -- held as long as the process lives
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        return number, lock
    raise RuntimeError(f"all {count} places are taken")


def make_sample(sample: Sample, worker: Worker) -> dict[str, Any]:
    """Make one video; return where it is, its frames and its size in bytes."""
    made = worker.model.generate_with(
        sample.settings,
        reference_image=sample.reference_image,
        audio_file=sample.audio,
        output_path=sample.output,
        resume=worker.resume,
    )
    return {
        "output": os.fspath(made.path),
        "frames": made.num_frames,
        "fps": made.fps,
        "seconds": made.timings["total"],
        "bytes": made.path.stat().st_size,
    }


def is_intact(sample: Sample, result: dict[str, Any]) -> bool:
    """Return whether the video an earlier run made is still there."""
    return sample.output.is_file() and sample.output.stat().st_size == result["bytes"]
