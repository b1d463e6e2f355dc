"""Which network a score came from: the content of its files, for the stage's signature."""

import hashlib
import os
from pathlib import Path

CHUNK = 1 << 20


def fingerprint(path: str | os.PathLike[str], *, pattern: str = "*") -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a file, or of a folder's files by name.

    Of a folder, only files whose name matches `pattern` are read.
    """
    place = Path(path)
    digest = hashlib.sha256()
    folder = place.is_dir()
    files = sorted(file for file in place.rglob(pattern) if file.is_file()) if folder else [place]
    for file in files:
        if folder:
            digest.update(file.relative_to(place).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()[:16]
