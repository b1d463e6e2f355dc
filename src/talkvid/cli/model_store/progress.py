"""How far a fetch is: a bar with the time left in a terminal, plain lines elsewhere."""

import logging
import sys
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

EVERY_S = 10.0
"""Least time between two plain lines about one file."""

logger = logging.getLogger(__name__)


def told_size(size: float | None) -> str:
    """Return a number of bytes as people read it: `3.4 GB`; `?` where it is not known."""
    if size is None:
        return "?"
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def told_time(seconds: float) -> str:
    """Return a duration as `1:02:03` or `2:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress(AbstractContextManager["Progress"]):
    """Tells how one file comes; `begin` and `advance` are what `fetching.http_file.Watch` calls."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._bar: Any = None
        self._begin = self._done = 0
        self._total: int | None = None
        self._started_s = self._told_s = time.monotonic()

    def begin(self, begin: int, total: int | None) -> None:
        """Note the first byte that comes and the size of the whole."""
        self._close()
        self._begin = self._done = begin
        self._total = total
        self._started_s = self._told_s = time.monotonic()
        if begin:
            logger.info("%s: going on from byte %d of %s", self._name, begin, told_size(total))
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=self._name, total=total, initial=begin, unit="B", unit_scale=True, leave=False
            )

    def advance(self, count: int) -> None:
        """Note that bytes have come."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._told_s >= EVERY_S:
            self._told_s = time.monotonic()
            logger.info("%s", self._line())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _line(self) -> str:
        rate = (self._done - self._begin) / max(time.monotonic() - self._started_s, 1e-3)
        line = f"{self._name}: {told_size(self._done)} of {told_size(self._total)}, {told_size(rate)}/s"
        if self._total is None or rate <= 0:
            return line
        return f"{line}, {told_time((self._total - self._done) / rate)} left"
