"""Whether the content of a file is what it shall be."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20


@dataclass(frozen=True)
class Sums:
    """Checksums of a file's content, hexadecimal."""

    sha256: str
    git_sha1: str
    """What git and the hub call small files by: SHA-1 of a header with the length, and the content."""


def sums(path: Path) -> Sums:
    """Return both checksums of a file, read once."""
    sha256 = hashlib.sha256()
    git_sha1 = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            sha256.update(block)
            git_sha1.update(block)
    return Sums(sha256.hexdigest(), git_sha1.hexdigest())
