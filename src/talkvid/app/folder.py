"""The server's own folder: all that is uploaded or made lies here, for a limited time."""

import contextlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 30.0
MOST_BYTES = 8_000_000_000
"""What all files together may take; beyond it the oldest go early."""
SPARE_BYTES = 300_000_000
"""Of the disk is never filled by uploads: videos have to be written too, and others use it."""
FRESH_S = 60.0
"""Files younger than this are never removed for space: somebody is just using them."""


class OwnFolder:
    """A new folder that only this user may read; what visitors leave goes after a time, all at the end.

    `in_use` tells the files that stay however old they are, for somebody waits for what is made of them.
    """

    def __init__(self, *, keep_s: float, in_use: Callable[[], Collection[Path]] = tuple) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="talkvid-app-")).resolve()
        self._keep_s, self._in_use = keep_s, in_use
        self._done = threading.Event()
        self._sweeper = threading.Thread(target=self._keep_clean, name="talkvid-sweeper", daemon=True)
        self._ours: frozenset[Path] = frozenset()

    def begin(self) -> None:
        """Begin to sweep; what is there already belongs to the page and stays."""
        self._ours = frozenset(path for _, _, path in _files(self.path))
        self._sweeper.start()

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        self._done.set()
        if self._sweeper.is_alive():
            self._sweeper.join()
        shutil.rmtree(self.path, ignore_errors=True)

    def _keep_clean(self) -> None:
        while not self._done.wait(min(SWEEP_EVERY_S, self._keep_s / 2)):
            sweep(self.path, older_than_s=self._keep_s, spare=self._ours.union(self._in_use()))


def sweep(
    folder: Path, *, older_than_s: float, most_bytes: int = MOST_BYTES, spare: Collection[Path] = ()
) -> int:
    """Remove files that were written longer ago than that, then the oldest until the rest is small enough.

    Links are removed, never followed; empty folders go with their files. Returns how many files went.
    """
    now = time.time()
    files = sorted(entry for entry in _files(folder) if entry[2] not in spare)
    total = sum(size for _, size, _ in files)
    count = 0
    for written, size, path in files:
        age_s = now - written
        if age_s <= older_than_s and (total <= most_bytes or age_s <= FRESH_S):
            continue
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size
            count += 1
    for place, _, _ in os.walk(folder, topdown=False):
        # A folder that was made just now is about to be filled.
        if Path(place) != folder:
            with contextlib.suppress(OSError):
                if now - os.stat(place).st_mtime > FRESH_S:
                    os.rmdir(place)
    if count:
        logger.info("removed %d files that visitors left", count)
    return count


def has_room(folder: Path, num_bytes: int) -> bool:
    """Return whether that much can be written there and SPARE_BYTES are still left."""
    return shutil.disk_usage(folder).free >= num_bytes + SPARE_BYTES


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with contextlib.suppress(OSError):
                status = path.lstat()
                yield status.st_mtime, status.st_size, path
