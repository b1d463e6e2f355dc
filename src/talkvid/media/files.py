"""Opening files: inputs are checked at the door."""

import os
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


def container_kind(path: str | os.PathLike[str]) -> str:
    """Return which kind of video container the first bytes announce, whatever the file's name; "" for none.

    `mp4` (also mov), `matroska` (also webm), `avi`, `flv`, `mpeg` or `ogg`; an unreadable file has none.
    """
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(12)
    except OSError:
        return ""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "" if head[8:12] in (b"M4A ", b"M4B ") else "mp4"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    kinds = {b"\x1aE\xdf\xa3": "matroska", b"FLV\x01": "flv", b"\x00\x00\x01\xba": "mpeg", b"OggS": "ogg"}
    return kinds.get(head[:4], "")
