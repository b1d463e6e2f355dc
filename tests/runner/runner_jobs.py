"""Work for the runner tests; a module of its own because worker processes import it by name."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    id: str
    behaviour: str = "fine"
    signature: str = ""


def jobs(count: int, **behaviours: str) -> list[Job]:
    return [Job(f"{i:02d}", behaviours.get(f"j{i}", "fine")) for i in range(count)]


def work(job: Job) -> dict[str, Any]:
    match job.behaviour:
        case "raises":
            raise ValueError("clip.mp4: no face in any frame")
        case "surprise":
            raise KeyError("pose")
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exits":
            sys.exit(3)
        case "hangs":
            time.sleep(600)
        case "nan":
            return {"score": float("nan")}
    return {"id": job.id, "pid": os.getpid()}


def name_of(job: Job) -> str:
    work(job)
    return job.id


def count_work(job: Job, folder: Path) -> str:
    with open(folder / "calls.txt", "a") as calls:
        calls.write(job.id + "\n")
    return job.id


def variable(job: Job) -> str:
    return os.environ.get("RUNNER_TEST_MODE", "")


def flaky(job: Job) -> str:
    if "broken" in os.environ.get("RUNNER_TEST_MODE", ""):
        raise ValueError("not today")
    return job.id


def dies_once(job: Job, folder: Path) -> str:
    """Die on the first attempt at a job and tell what later ones find."""
    count_work(job, folder)
    mark = folder / job.id
    if job.behaviour == "once" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    work(job)
    return job.id


def mark_and_hang(job: Job) -> None:
    mark = Path(os.environ["RUNNER_TEST_PID"], "pid")
    mark.with_suffix(".part").write_text(str(os.getpid()))
    mark.with_suffix(".part").rename(mark)
    time.sleep(600)


@dataclass(frozen=True)
class KnownJob(Job):
    partial: str = ""


def setup_pid() -> int:
    return os.getpid()


def with_state(job: Job, state: int) -> list[int]:
    return [state, os.getpid()]


def setup_missing_extra() -> int:
    raise ImportError("insightface cannot be imported: pip install 'talkvid[face]'")


def setup_dies() -> int:
    os._exit(7)
