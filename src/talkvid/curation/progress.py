"""What a run shows while it works: a bar or plain lines, `status.json`, and one event per finished piece."""

import json
import logging
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from talkvid.curation.run_folder import RunFolder
from talkvid.files import atomic_path
from talkvid.log import PLAIN_LINE_EVERY_S
from talkvid.runner.journal import FAILED, Record

logger = logging.getLogger(__name__)

STATUS_EVERY_S = 2.0


class Progress:
    """Follows one step of a run; call it with every record, inside a `with` block.

    Args:
        folder: where `status.json` and `events.jsonl` are.
        step: `scan` or `score`.
        word: what the pieces are called: files, clips.
        lengths: id -> (file it belongs to, seconds of video); unknown lengths are 0.
    """

    def __init__(
        self, folder: RunFolder, step: str, *, word: str, lengths: Mapping[str, tuple[str, float]]
    ) -> None:
        self._folder, self._step, self._word, self._lengths = folder, step, word, lengths
        self._done = self._failed = 0
        self._seconds = 0.0
        self._begin = self._shown = self._told = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self._lengths and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=len(self._lengths), desc=self._step, unit=f" {self._word}")
        self._events = self._folder.events.open("a", encoding="utf-8")
        self._write_status("running")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        try:
            self._events.close()
            self._write_status("done" if error is None else "stopped")
        except OSError:
            if error is None:
                raise

    def __call__(self, record: Record) -> None:
        """Count one record, note what it took, and show where the run stands."""
        video_id, seconds = self._lengths[record.id]
        found = record.result if isinstance(record.result, dict) else {}
        if "facts" in found:
            seconds = float(found["facts"].get("duration_s") or 0.0)
        self._done += 1
        self._failed += record.state == FAILED or "code" in found
        self._seconds += seconds
        self._note(record, video_id, found)
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._hours_per_hour():.1f} h of video per h", refresh=False)
            self._bar.update()
        elif now - self._shown >= PLAIN_LINE_EVERY_S:
            self._shown = now
            logger.info("%s", self._line())
        if now - self._told >= STATUS_EVERY_S:
            self._told = now
            self._write_status("running")

    def _line(self) -> str:
        rate = self._done / max(time.monotonic() - self._begin, 1e-9)
        left = (len(self._lengths) - self._done) / rate
        return (
            f"{self._step} {self._done}/{len(self._lengths)} {self._word}, {rate:.2f} {self._word}/s, "
            f"{self._hours_per_hour():.1f} h of video per h, {self._failed} failed, {left:.0f} s left"
        )

    def _hours_per_hour(self) -> float:
        return self._seconds / max(time.monotonic() - self._begin, 1e-9)

    def _note(self, record: Record, video_id: str, found: Mapping[str, Any]) -> None:
        """Write one event per stage that worked on a piece."""
        told = {
            "time": _now(),
            "id": record.id,
            "video_id": video_id,
            "state": record.state,
            "attempts": record.attempts,
            "host": found.get("host", ""),
            "fault": record.fault or found.get("code", ""),
            "reason": record.reason or found.get("reason", ""),
        }
        stages = found.get("seconds")
        times = stages if isinstance(stages, dict) else {self._step: record.wall_s}
        for stage, seconds in times.items():
            self._events.write(json.dumps({"stage": stage, "wall_s": seconds, **told}) + "\n")
        self._events.flush()

    def _write_status(self, state: str) -> None:
        elapsed = time.monotonic() - self._begin
        rate = self._done / max(elapsed, 1e-9)
        total = len(self._lengths)
        status = {
            "state": state,
            "step": self._step,
            "done": self._done,
            "total": total,
            "failed": self._failed,
            f"{self._word}_per_s": round(rate, 3),
            "video_hours_per_hour": round(self._hours_per_hour(), 3),
            "left_s": round((total - self._done) / rate, 1) if rate else None,
            "elapsed_s": round(elapsed, 1),
            "pid": os.getpid(),
            "updated": _now(),
        }
        write_status(self._folder.status, status)


def write_status(path: Path, status: Mapping[str, Any]) -> None:
    """Write where the run stands, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(status, indent=1) + "\n", encoding="utf-8")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
