"""The memory of a run: one JSON line per finished attempt, appended by one writer and synced to disk.

The last word on an item is its last line.  Each line ends in a checksum: one that a crash tore off or the
disk spoiled does not count, and its item is simply done again.  In memory are only the places of the lines.
"""

import json
import logging
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

logger = logging.getLogger(__name__)

Read = TypeVar("Read")

DONE = "done"
FAILED = "failed"

_MARK = b', "crc": "'
_HEAD = b'{"id": "'
_TAIL = len(_MARK) + 8 + len(b'"}\n')


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
    fault: str = ""
    """Of a failed item: `ERROR`, `TIMEOUT` or `WORKER_DIED`."""
    attempts: int = 1
    """How often it was tried in its run."""


class Latest(Mapping[str, Record]):
    """The last record of each item of a journal file by id, read from the file when asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        self._file: BinaryIO | None = None

    def add(self, name: str, offset: int, length: int) -> None:
        """Remember where the last record of an item stands."""
        self._places[name] = (offset, length)

    def __getitem__(self, name: str) -> Record:
        offset, length = self._places[name]
        self._file = self._file or open(self._path, "rb")  # noqa: SIM115 -- read again and again
        return decode_line(os.pread(self._file.fileno(), length, offset))

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


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
        # Unbuffered: what could not be written must not be tried again when the file is closed.
        self._file = open(self.path, "a+b", buffering=0)  # noqa: SIM115 -- held until close()
        try:
            _lock(self._file, self.path)
            self.latest, self._size = index(self.path)
            if self.path.stat().st_size > self._size:
                logger.warning("%s: the last line was torn by a crash and is dropped", self.path)
                self._file.truncate(self._size)
        except BaseException:
            self._file.close()
            raise

    def append(self, record: Record) -> None:
        """Write one record and wait until it is on disk; after a failed write the file ends as before."""
        line = encode_line(record)
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except OSError:
            os.truncate(self.path, self._size)
            raise
        self.latest.add(record.id, self._size, len(line))
        self._size += len(line)

    def close(self) -> None:
        """Release the file and its lock."""
        self.latest.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_journal(path: Path) -> Iterator[Record]:
    """Yield the records of a journal in the order they were written, without touching the file."""
    for record, _, _ in _lines(Path(path), decode_line):
        yield record


def index(path: Path) -> tuple[Latest, int]:
    """Return the last records of a journal by id, and the number of bytes that its whole lines take."""
    latest = Latest(Path(path))
    size = 0
    for name, offset, length in _lines(Path(path), _id_of):
        latest.add(name, offset, length)
        size = offset + length
    return latest, size


def encode_line(record: Record) -> bytes:
    """Return the line of a record: a JSON object whose last value is the checksum of all before it."""
    body = json.dumps(asdict(record), ensure_ascii=False, allow_nan=False).encode()[:-1]
    return body + _MARK + b'%08x"}\n' % zlib.crc32(body)


def decode_line(line: bytes) -> Record:
    """Return the record of a line; raise ValueError when it is torn, spoiled or no record."""
    if not line.endswith(b"\n"):
        raise ValueError("the line has no end")
    try:
        values = json.loads(line.decode())
        checksum = values.pop("crc", None)
        if checksum is not None and checksum != f"{zlib.crc32(line[:-_TAIL]):08x}":
            raise ValueError("its checksum is wrong")
        return Record(**values)
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _id_of(line: bytes) -> str:
    """Return the id of a line, whose checksum spares reading the rest of it; ValueError as decode_line."""
    if not (line.startswith(_HEAD) and line[-_TAIL:].startswith(_MARK)):
        return decode_line(line).id
    if line[-_TAIL:] != _MARK + b'%08x"}\n' % zlib.crc32(line[:-_TAIL]):
        raise ValueError("its checksum is wrong")
    name = line[len(_HEAD) : line.index(b'", "state": ')]
    return str(json.loads(b'"%b"' % name)) if b"\\" in name else name.decode()


def _lines(path: Path, read: Callable[[bytes], Read]) -> Iterator[tuple[Read, int, int]]:
    """Yield (what is read of it, offset, length) of the sound lines; warn of the spoiled ones.

    In a file without any checksum a line that is no record raises ValueError: it may be no journal at all.
    """
    offset = 0
    is_checked = False
    bad: tuple[int, ValueError] | None = None
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if bad is not None:
                _complain(path, *bad, is_checked=is_checked)
                bad = None
            try:
                found = read(line)
            except ValueError as error:
                bad = (number, error)
            else:
                is_checked = is_checked or _MARK in line[-_TAIL:]
                yield found, offset, len(line)
            offset += len(line)


def _complain(path: Path, number: int, error: ValueError, *, is_checked: bool) -> None:
    """Report a bad line that is not the last one."""
    if not is_checked:
        raise ValueError(
            f"{path}: line {number} is not a journal record ({error}); move the file away to start afresh"
        ) from error
    logger.warning("%s: line %d is spoiled (%s); its item is done again", path, number, error)


def _lock(file: Any, path: Path) -> None:
    """Take the journal for this process; where the system has no such locks this does nothing."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(f"{path}: another run is writing to this journal; wait for it or stop it") from error
