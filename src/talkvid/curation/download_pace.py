"""One pace for all workers: requests and bytes are booked in a small file under a lock.

A lock of one process would bind that process alone; the clock and the lock of the machine bind them all.
"""

import contextlib
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LONGEST_WAIT_S = 3600.0
"""A booking further ahead is left over from before a restart of the machine."""


@dataclass(frozen=True)
class Pace:
    """How fast all workers together may go; 0 means as fast as they can."""

    folder: Path
    """Where the bookings are kept."""
    bytes_per_s: float = 0.0
    interval_s: float = 0.0
    """Least time between two requests to one host."""

    def before_request(self, host: str) -> float:
        """Wait for this host's turn; return the seconds waited."""
        return _wait(self.folder / f"pace-{_plain(host)}", self.interval_s)

    def before_bytes(self, count: int) -> float:
        """Wait until `count` bytes may be read; return the seconds waited."""
        cost_s = count / self.bytes_per_s if self.bytes_per_s > 0 else 0.0
        return _wait(self.folder / "pace-bytes", cost_s)


def _wait(path: Path, cost_s: float) -> float:
    """Book `cost_s` of time behind all earlier bookings and wait until it begins."""
    if cost_s <= 0:
        return 0.0
    with _locked(path) as descriptor:
        now = time.monotonic()
        stored = os.pread(descriptor, 8, 0)
        free = struct.unpack("<d", stored)[0] if len(stored) == 8 else 0.0
        begin = now if not now <= free <= now + LONGEST_WAIT_S else free
        os.pwrite(descriptor, struct.pack("<d", begin + cost_s), 0)
    wait_s = max(0.0, begin - now)
    time.sleep(wait_s)
    return wait_s


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[int]:
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _plain(host: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-" else "_" for letter in host)[:80]
