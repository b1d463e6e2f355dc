"""The memory of a run: one JSON line per finished attempt, appended by one writer and synced to disk.

The last word on an item is its last line. A line torn by a crash can only be the last one; it is cut off
when the journal is opened for writing and its item is simply done again.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

logger = logging.getLogger(__name__)

DONE = "done"
FAILED = "failed"


@dataclass(frozen=True)
class Record:
    """One attempt at one item."""

    id: str
    state: str
    """`done` or `failed`."""
    signature: str = ""
    """What the result depends on besides the id (settings, source); another signature means do it again."""
    result: Any = None
    reason: str = ""
    wall_s: float = 0.0


class Journal:
    """An append-only journal, held open by one process at a time.

    Args:
        path: the file; created with its folder when absent.

    Raises:
        ValueError: the file is no journal, or another process is writing to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = open(self.path, "a+b")  # noqa: SIM115 -- held until close()
        try:
            _lock(self._file, self.path)
            records, self._size = _read(self.path)
            if self.path.stat().st_size > self._size:
                logger.warning("%s: the last line was torn by a crash and is dropped", self.path)
                self._file.truncate(self._size)
        except BaseException:
            self._file.close()
            raise
        self.latest: dict[str, Record] = {record.id: record for record in records}

    def append(self, record: Record) -> None:
        """Write one record and wait until it is on disk; after a failed write the file ends as before."""
        line = json.dumps(asdict(record), ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError:
            os.truncate(self.path, self._size)
            raise
        self._size += len(line)
        self.latest[record.id] = record

    def close(self) -> None:
        """Release the file and its lock."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_journal(path: Path) -> Iterator[Record]:
    """Yield the records of a journal in the order they were written, without touching the file."""
    yield from _read(Path(path))[0]


def _read(path: Path) -> tuple[list[Record], int]:
    """Return the complete records and the number of bytes they take."""
    records: list[Record] = []
    size = 0
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("the line has no end")
            records.append(Record(**json.loads(line)))
        except (ValueError, TypeError) as error:
            if number == len(lines):
                break
            raise ValueError(
                f"{path}: line {number} is not a journal record ({error}); move the file away to start afresh"
            ) from error
        size += len(line)
    return records, size


def _lock(file: BinaryIO, path: Path) -> None:
    """Take the journal for this process; where the system has no such locks this does nothing."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(f"{path}: another run is writing to this journal; wait for it or stop it") from error
