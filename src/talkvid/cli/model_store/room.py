"""Whether a disk has room for what is to come."""

import shutil
from pathlib import Path

from talkvid.cli.model_store.progress import told_size

RESERVE = 100_000_000
"""Bytes that stay free."""


def require_room(folder: Path, size: int) -> None:
    """Return when `size` bytes fit into the folder; ValueError with both numbers when they do not."""
    free = shutil.disk_usage(_existing(folder)).free
    if size + RESERVE > free:
        raise ValueError(
            f"{folder}: {told_size(size)} are to come and {told_size(free)} are free; "
            "make room or give another --folder"
        )


def _existing(folder: Path) -> Path:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return place
