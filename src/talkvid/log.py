"""Logging for the commands, and progress that suits a terminal and a log file alike."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

PLAIN_LINE_EVERY_S = 10.0


def configure(*, verbose: bool = False) -> None:
    """Send the messages of this package to stderr: information and warnings, with `verbose` all."""
    logger = logging.getLogger("talkvid")
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(
            logging.Formatter("%(message)s" if not verbose else "%(levelname)s %(name)s: %(message)s")
        )
        logger.addHandler(handler)
        logger.propagate = False


def progress(items: Iterable[Item], *, total: int | None = None, description: str = "") -> Iterator[Item]:
    """Yield the items, showing a bar with the time left on a terminal and plain lines elsewhere."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=description)
        return
    logger = logging.getLogger(__name__)
    start = shown = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - shown >= PLAIN_LINE_EVERY_S:
            shown = now
            left = f", {(now - start) / done * (total - done):.0f} s left" if total else ""
            logger.info("%s %d%s%s", description, done, f"/{total}" if total else "", left)
