"""Fetching a file over HTTP(S): what is there already is kept, the rest is asked for by range."""

import http.client
import json
import logging
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Protocol

from talkvid.fetching.errors import FetchError, of_exception
from talkvid.fetching.opener import opener
from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

BLOCK = 1 << 18
SMALL_BLOCK = 1 << 14
"""For low rates, so that no wait is long."""
AGENT = "talkvid"


class Pacing(Protocol):
    """Who waits so that a server is not asked too much."""

    @property
    def bytes_per_s(self) -> float:
        """Return the rate that must not be passed; 0 is none."""

    def before_request(self, host: str) -> float:
        """Wait for this host's turn; return the seconds waited."""

    def before_bytes(self, count: int) -> float:
        """Wait until `count` bytes may be read; return the seconds waited."""


@dataclass(frozen=True)
class AtOnce:
    """Waits for nothing."""

    bytes_per_s: float = 0.0

    def before_request(self, host: str) -> float:
        """Return 0."""
        return 0.0

    def before_bytes(self, count: int) -> float:
        """Return 0."""
        return 0.0


@dataclass(frozen=True)
class Watch:
    """Who is told how a fetch goes on; what it raises ends the fetch."""

    begins: Callable[[int, int | None], None] = lambda _begin, _total: None
    """Called with the first byte that comes and the bytes of the whole file, where the server tells."""
    comes: Callable[[int], None] = lambda _count: None
    """Called with the number of bytes of every block."""


@dataclass(frozen=True)
class HttpSettings:
    """How patient a fetch is."""

    timeout_s: float = 30.0
    """Longest silence of the server."""
    retries: int = 4
    """Further tries after one that failed without bringing anything."""
    backoff_s: float = 1.0
    """Wait before the second try; doubled each time, with a random half on top."""
    backoff_most_s: float = 60.0


@dataclass(frozen=True)
class Part:
    """What is known of a file that is being fetched; stands beside its bytes."""

    address: str
    total: int | None = None
    """Bytes of the whole file, where the server tells."""
    tag: str = ""
    """Strong ETag, or the date of last change: the rest must belong to the same file."""
    type: str = ""


def fetch_http(
    address: str,
    part: Path,
    *,
    settings: HttpSettings,
    pace: Pacing | None = None,
    headers: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Part:
    """Return what the server told of the file whose bytes now all stand in `part`.

    `part` may hold the beginning from an earlier run; its notes lie beside it as `part.json`. Bytes are kept
    whatever happens, and a try that brought some does not count against `retries`. `headers` are sent with
    every request, `Authorization` only to the host of `address`. Proxies are those of the environment.
    Raises FetchError with the class of what is wrong.
    """
    request = _Request(settings, pace or AtOnce(), dict(headers or {}), watch or Watch())
    known = _known(address, part)
    failures = 0
    while True:
        before = _size(part)
        try:
            return _attempt(known, part, request)
        except (OSError, http.client.HTTPException, FetchError) as problem:
            error = of_exception(problem)
        failures = 0 if _size(part) > before else failures + 1
        known = _known(address, part)
        if error.permanent or failures > settings.retries:
            raise error
        wait_s = min(settings.backoff_most_s, settings.backoff_s * 2 ** max(0, failures - 1))
        wait_s *= 1 + random.random() / 2
        logger.info("%s: %s; again in %.1f s, from byte %d on", address, error, wait_s, _size(part))
        sleep(wait_s)


@dataclass(frozen=True)
class _Request:
    """How one fetch asks."""

    settings: HttpSettings
    pace: Pacing
    headers: dict[str, str]
    watch: Watch


def _attempt(known: Part, part: Path, how: _Request) -> Part:
    """Return the notes after one request that brought the rest of the file."""
    offset = _size(part) if known.tag else 0
    if known.total is not None and offset == known.total:
        return known
    how.pace.before_request(urllib.parse.urlsplit(known.address).hostname or "")
    request = urllib.request.Request(known.address, headers=how.headers | _headers(known, offset))
    try:
        response = opener().open(request, timeout=how.settings.timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and offset:  # the file has become shorter: from the beginning
            _forget(part)
        raise
    with response:
        begin, told = _told(response, known, offset)
        how.watch.begins(begin, told.total)
        with _opened(part, told, begin) as file:
            received = begin + _copy(response, file, how)
    if told.total is not None and received != told.total:
        raise FetchError("wrong_length", f"{received} of {told.total} bytes came before the connection ended")
    return told


def _headers(known: Part, offset: int) -> dict[str, str]:
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": known.tag}
    return headers


def _told(response: Any, known: Part, offset: int) -> tuple[int, Part]:
    """Return the first byte that comes now, and what the answer tells of the whole file."""
    headers = response.headers
    tag = headers.get("ETag", "")
    tag = "" if tag.startswith("W/") else tag
    told = Part(known.address, None, tag or headers.get("Last-Modified", ""), headers.get("Content-Type", ""))
    length = headers.get("Content-Length", "")
    if response.status == 206:
        unit, _, rest = headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        if unit != "bytes" or span.split("-")[0] != str(offset):
            raise FetchError("other", f"the server sent the range {rest!r} instead of {offset}-")
        return offset, replace(told, total=int(total) if total.isdigit() else known.total)
    if response.status != 200:
        raise FetchError("other", f"HTTP {response.status} where the file was expected")
    return 0, replace(told, total=int(length) if length.isdigit() else None)


def _opened(part: Path, told: Part, begin: int) -> IO[bytes]:
    """Return the part, cut at the byte where the answer begins, with its notes written."""
    try:
        _remember(part, told)
        file = open(part, "r+b" if part.exists() else "w+b", buffering=0)  # noqa: SIM115
        file.truncate(begin)
        file.seek(begin)
    except OSError as error:
        raise FetchError("cannot_write", f"{part}: cannot be written ({error.strerror})") from error
    return file


def _copy(response: Any, file: IO[bytes], how: _Request) -> int:
    """Return how many bytes were copied; each is in the file as it comes, whatever happens next."""
    count = 0
    size = SMALL_BLOCK if 0 < how.pace.bytes_per_s < 4 * BLOCK else BLOCK
    try:
        while True:
            how.pace.before_bytes(size)
            block = response.read1(size)
            if not block:
                return count
            _write(file, block)
            count += len(block)
            how.watch.comes(len(block))
    finally:
        os.fsync(file.fileno())


def _write(file: IO[bytes], block: bytes) -> None:
    """Write a whole block; FetchError of its own class where the disk is full."""
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise FetchError("cannot_write", f"{file.name}: cannot be written ({error.strerror})") from error


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _known(address: str, part: Path) -> Part:
    """Return the notes beside a part, or fresh ones where there are none that fit."""
    try:
        known = Part(**json.loads(_notes(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Part(address)
    return known if known.address == address else Part(address)


def _remember(part: Path, told: Part) -> None:
    with atomic_path(_notes(part)) as temporary:
        temporary.write_text(json.dumps(asdict(told)), encoding="utf-8")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
