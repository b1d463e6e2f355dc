"""What lies in the models' folder: which files of a model are there, begun, or verified."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from talkvid.catalogue.record import ModelFile, ModelRecord
from talkvid.files import atomic_path

NOTES = ".verified.json"
"""In the models' folder: what was found when a file was last verified."""
PART = ".part"
"""Ending of a file that is still being fetched."""

FileStatus = Literal["absent", "part", "wrong size", "there", "verified"]
Status = Literal["absent", "part", "incomplete", "wrong size", "there", "verified", "embedded"]


@dataclass(frozen=True)
class Note:
    """A file as it was when its content was last looked at."""

    size: int
    mtime_ns: int
    sha256: str
    by: str
    """What vouches for the content: the `catalogue`'s checksum, a `--sha256` of the user's, the `server`'s
    statement, or only the `structure` of the file."""
    source: str = ""
    """Where it came from, with the revision the server told."""


@dataclass(frozen=True)
class FileState:
    """One file of a model in the models' folder."""

    file: ModelFile
    """The form that is there, or the one that would be fetched."""
    path: Path
    status: FileStatus
    size: int = 0
    """Bytes that are there."""
    by: str = ""
    """What vouches for a verified file, see `Note.by`."""


@dataclass(frozen=True)
class ModelState:
    """A model in the models' folder."""

    record: ModelRecord
    files: tuple[FileState, ...]

    @property
    def status(self) -> Status:
        """Return the state of the whole: the worst of its files, `incomplete` where some are absent."""
        if self.record.embedded:
            return "embedded"
        found = {state.status for state in self.files}
        if found == {"absent"}:
            return "absent"
        if "wrong size" in found:
            return "wrong size"
        if "part" in found:
            return "part"
        if "absent" in found:
            return "incomplete"
        return "verified" if found == {"verified"} else "there"

    @property
    def usable(self) -> bool:
        """Return whether every file is there with the size it must have."""
        return self.status in ("there", "verified", "embedded")


def look(record: ModelRecord, folder: str | os.PathLike[str]) -> ModelState:
    """Return what is there of a model; nothing is read but sizes and times, so this takes no time."""
    notes = read_notes(folder)
    return ModelState(record, tuple(_look(file, Path(folder), notes) for file in record.files))


def _look(file: ModelFile, folder: Path, notes: dict[str, Note]) -> FileState:
    for form in file.forms:
        path = folder / form.place
        if path.is_file():
            told, note = path.stat(), notes.get(form.place)
            if form.size not in (None, told.st_size) and not form.is_settings:
                return FileState(form, path, "wrong size", told.st_size)
            same = note is not None and (note.size, note.mtime_ns) == (told.st_size, told.st_mtime_ns)
            if note is not None and same:
                return FileState(form, path, "verified", told.st_size, note.by)
            return FileState(form, path, "there", told.st_size)
    path = folder / file.place
    part = path.with_name(path.name + PART)
    if part.is_file():
        return FileState(file, path, "part", part.stat().st_size)
    return FileState(file, path, "absent")


def read_notes(folder: str | os.PathLike[str]) -> dict[str, Note]:
    """Return place -> note; empty where there are none or they cannot be read."""
    try:
        stored = json.loads((Path(folder) / NOTES).read_text(encoding="utf-8"))
        return {place: Note(**values) for place, values in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_note(folder: str | os.PathLike[str], place: str, note: Note | None) -> None:
    """Write or, with None, take away what is known of the file at a place."""
    notes = read_notes(folder)
    if note is None and place not in notes:
        return
    notes.pop(place, None)
    if note is not None:
        notes[place] = note
    stored: dict[str, Any] = {name: asdict(notes[name]) for name in sorted(notes)}
    with atomic_path(Path(folder) / NOTES) as temporary:
        temporary.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
