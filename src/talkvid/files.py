"""Finishing files: an output exists under its name only when it is complete."""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

MOST_LETTERS = 60
"""Of a target's name in the name of its temporary file."""


def make_parent(target: Path) -> None:
    """Create the folder that shall hold the target; raise ValueError when that is impossible."""
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{folder}: the output folder cannot be made ({error.strerror}); choose another one"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"{folder}: the output folder is not writable; choose another one")
    if target.is_dir():
        raise ValueError(f"{target}: the output is a folder; give the path of a file")


@contextlib.contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Hand out a temporary path beside the target that becomes the target when the block ends well.

    The temporary has the target's suffix. On an exception it is removed and an older target stays as it is.
    Raises ValueError when the folder cannot be made or written.
    """
    target = Path(os.path.abspath(target))
    make_parent(target)
    temporary = target.with_name(f".{short_name(target.stem)}.{secrets.token_hex(4)}{target.suffix}")
    try:
        yield temporary
        # Some writers (safetensors) make files that only their owner may read.
        temporary.chmod(_new_file_mode())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Hand out a temporary folder that becomes the target, whole, when the block ends well.

    On an exception it is removed. Raises ValueError when the target is a file, holds anything, or cannot be
    made.
    """
    target = Path(os.path.abspath(target))
    if target.is_dir():
        if any(target.iterdir()):
            raise ValueError(f"{target}: the output folder is not empty; choose another one")
    elif target.exists():
        raise ValueError(f"{target}: the output is a file; give the path of a new folder")
    else:
        make_parent(target)
    temporary = target.with_name(f".{short_name(target.name)}.{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def short_name(name: str) -> str:
    """Return the name, or for a long one its beginning and a hash of the whole, 60 letters in all.

    The longest legal file name then leaves room for a random part, and no two names are mistaken.
    """
    if len(name) <= MOST_LETTERS:
        return name
    told = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:12]
    return f"{name[: MOST_LETTERS - len(told) - 1]}~{told}"


def _new_file_mode() -> int:
    """Return the permissions that the user's umask gives to a new file."""
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask
