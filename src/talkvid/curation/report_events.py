"""What a run's `events.jsonl` tells: seconds, attempts, hosts and errors; and which models were used."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

EVENTS = "events.jsonl"
SIGNATURES = "signatures.json"


@dataclass
class FileTime:
    """What one source file cost."""

    seconds: float = 0.0
    by_stage: dict[str, float] = field(default_factory=dict)


@dataclass
class Fault:
    """One kind of failure, and the first sentence about it."""

    times: int
    example: str


@dataclass
class Work:
    """What a run cost, and what went wrong on the way."""

    by_stage: dict[str, float] = field(default_factory=dict)
    """Stage -> seconds of work."""
    items: dict[str, int] = field(default_factory=dict)
    """Stage -> pieces of work done."""
    files: dict[str, FileTime] = field(default_factory=dict)
    """Video id -> what it cost."""
    errors: dict[tuple[str, str], "Fault"] = field(default_factory=dict)
    """(stage, code) -> what went wrong, the most frequent first."""
    repeated: set[str] = field(default_factory=set)
    """Ids of the pieces of work that needed a further attempt."""
    hosts: dict[str, int] = field(default_factory=dict)
    damaged_lines: int = 0

    def slowest(self, most: int) -> list[tuple[str, FileTime]]:
        """Return the files that took longest."""
        return sorted(self.files.items(), key=lambda item: (-item[1].seconds, item[0]))[:most]


def read_work(out: Path) -> Work:
    """Return what the run's events tell; nothing at all where it has none."""
    work = Work()
    for event in _events(out / EVENTS, work):
        _count(event, work)
    work.errors = dict(sorted(work.errors.items(), key=lambda item: (-item[1].times, item[0])))
    return work


def _events(path: Path, work: Work) -> Iterator[Mapping[str, Any]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict):
                yield event
            else:
                work.damaged_lines += 1
    if work.damaged_lines:
        logger.warning("%s: %d lines cannot be read and are left out", path, work.damaged_lines)


def _count(event: Mapping[str, Any], work: Work) -> None:
    stage = str(event.get("stage") or "")
    seconds = float(event.get("wall_s") or 0.0)
    if not stage:
        return
    work.items[stage] = work.items.get(stage, 0) + 1
    work.by_stage[stage] = work.by_stage.get(stage, 0.0) + seconds
    file = work.files.setdefault(str(event.get("video_id") or event.get("id") or ""), FileTime())
    file.seconds += seconds
    file.by_stage[stage] = file.by_stage.get(stage, 0.0) + seconds
    if int(event.get("attempts") or 1) > 1:
        work.repeated.add(str(event.get("id")))
    if event.get("host"):
        work.hosts[str(event["host"])] = work.hosts.get(str(event["host"]), 0) + 1
    if event.get("state") == "failed":
        fault = work.errors.setdefault(
            (stage, str(event.get("fault") or "ERROR")), Fault(0, str(event.get("reason") or ""))
        )
        fault.times += 1


def read_models(out: Path) -> dict[str, dict[str, str]]:
    """Return stage -> model file -> hash as far as the run has noted the signatures of its stages."""
    path = out / SIGNATURES
    if not path.is_file():
        return {}
    noted = json.loads(path.read_text(encoding="utf-8"))
    return {stage: dict(told.get("models") or {}) for stage, told in noted.items() if isinstance(told, dict)}
