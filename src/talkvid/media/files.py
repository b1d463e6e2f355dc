"""Opening and finishing files: inputs are checked at the door, outputs exist only when they are complete."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

GIT_LFS_FIRST_LINE = b"version https://git-lfs.github.com/spec/"


def require_file(path: str | os.PathLike[str], *, what: str = "file") -> Path:
    """Return the path of a readable, non-empty regular file.

    `what` names the expected content in the message ("video", "audio file", "picture").
    Raises FileNotFoundError when nothing is there, ValueError for a folder, an empty or unreadable file
    or a git-lfs pointer.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: this {what} does not exist; check the path")
    if path.is_dir():
        raise ValueError(f"{path}: this is a folder; give the path of one {what}")
    try:
        with path.open("rb") as stream:
            head = stream.read(len(GIT_LFS_FIRST_LINE))
    except OSError as error:
        raise ValueError(
            f"{path}: this {what} cannot be read ({error.strerror}); check its permissions"
        ) from error
    if not head:
        raise ValueError(f"{path}: this {what} is empty (0 bytes); copy or download it again")
    if head == GIT_LFS_FIRST_LINE:
        raise ValueError(f"{path}: this is a git-lfs pointer, not the {what} itself; run `git lfs pull`")
    return path


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
    # The stem is cut so that the longest legal file name still leaves room for the random part.
    temporary = target.with_name(f".{target.stem[:60]}.{secrets.token_hex(4)}{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
