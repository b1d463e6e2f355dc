"""Room and permissions where results, temporary files and models go."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from talkvid.cli.checkup.check import JOBS, Check

TOPIC = "folders"
GIGABYTE = 1e9
LEAST_GB = 1.0
RELEASE_GB = 8.0
"""The files that `talkvid models fetch production` brings, rounded up."""


def check_folders(model_ckpts: Path) -> Iterator[Check]:
    """Yield the folder of results, that of temporary files, and that of the models."""
    yield check_folder("output", Path("output"), least_gb=LEAST_GB, stops=JOBS)
    yield check_folder("temporary files", Path(tempfile.gettempdir()), least_gb=LEAST_GB, stops=JOBS)
    least = 0.0 if model_ckpts.is_dir() else RELEASE_GB
    yield check_folder("models", model_ckpts, least_gb=least, stops=())


def check_folder(name: str, folder: Path, *, least_gb: float, stops: tuple[str, ...]) -> Check:
    """Return whether files can be written into a folder, or into the one it would be made in."""
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    told = str(folder) if existing == folder.absolute() else f"{folder} (not there yet)"
    if not existing.is_dir():
        return Check(TOPIC, name, "broken", f"{existing} is a file", "move it away", stops)
    status = "broken" if stops else "note"
    if not os.access(existing, os.W_OK | os.X_OK):
        remedy = f"chown or chmod {existing}, or work in a folder of your own"
        return Check(TOPIC, name, status, f"{told}: no permission to write into {existing}", remedy, stops)
    free = shutil.disk_usage(existing).free / GIGABYTE
    if _no_files_left(existing):
        return Check(TOPIC, name, status, f"{told}: no file can be made (no inodes left)", "clear up", stops)
    detail = f"{told}: {free:.1f} GB free"
    if free < least_gb:
        return Check(TOPIC, name, "note", detail, f"{least_gb:g} GB or more are wanted: clear up")
    return Check(TOPIC, name, "ok", detail)


def _no_files_left(folder: Path) -> bool:
    """Return whether the file system has counted files and none is left; some do not count."""
    if not hasattr(os, "statvfs"):
        return False
    told = os.statvfs(folder)
    return told.f_files > 0 and told.f_favail == 0
