"""Which kept clips are there as files of their own, and what those files are called."""

import hashlib
from pathlib import Path

from talkvid.runner.journal import DONE, read_journal

CLIPS = "clips"
JOURNAL = "journal/materialise.jsonl"
LONGEST_NAME = 150


def cut_path(name: str, run_folder: Path) -> Path:
    """Return where the file of the clip with this name is, or will be."""
    return run_folder / CLIPS / f"{file_name(name)}.mp4"


def file_name(name: str) -> str:
    """Return a clip's name as a file name: no separator, no leading dot, at most LONGEST_NAME characters."""
    plain = "".join(letter if letter.isalnum() or letter in "_.+-" else "_" for letter in name)
    plain = plain.lstrip(".") or "clip"
    if len(plain) <= LONGEST_NAME:
        return plain
    return f"{plain[: LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def cut_files(run_folder: Path) -> dict[str, Path]:
    """Return the path of every finished cut clip by its clip id.

    A file counts for the clip that was written to it last: after another scan the same name can stand for
    another span.
    """
    journal = run_folder / JOURNAL
    if not journal.is_file():
        return {}
    owner: dict[str, tuple[str, int]] = {}
    for record in read_journal(journal):
        if record.state == DONE:
            owner[record.result["name"]] = (record.id, record.result["bytes"])
    found = {}
    for name, (clip_id, size) in owner.items():
        path = run_folder / CLIPS / name
        if path.is_file() and path.stat().st_size == size:
            found[clip_id] = path
    return found
