"""Published weights that metrics stand on: where they come from, and whether a file is the published one."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from talkvid.catalogue.table import MODELS

CHUNK = 1 << 20


@dataclass(frozen=True)
class PublishedFile:
    """One file of weights, the user's under its own licence; nothing here downloads it."""

    fetched_as: str
    """What `talkvid models fetch` calls it."""
    name: str
    sha256: str
    licence: str

    @property
    def fetch_command(self) -> str:
        """Return the command that fetches it."""
        return f"talkvid models fetch {self.fetched_as}"

    def found(self, path: str | os.PathLike[str]) -> Path:
        """Return `path` when it is a file; FileNotFoundError that says how to fetch it otherwise."""
        place = Path(path)
        if not place.is_file():
            raise FileNotFoundError(f"{place}: no such file; fetch it with {self.fetch_command}")
        return place

    def is_published(self, path: str | os.PathLike[str]) -> bool:
        """Return whether the file's content is exactly what was published."""
        return file_sha256(path) == self.sha256


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _published(name: str) -> PublishedFile:
    """Return the one file of a model of the catalogue."""
    record = MODELS[name]
    (file,) = record.files
    assert file.sha256
    return PublishedFile(name, file.name, file.sha256, record.licence.told)


ALEXNET = _published("alexnet")
VGG16 = _published("vgg16")
LPIPS_ALEX = _published("lpips-alex")
LPIPS_VGG = _published("lpips-vgg")
LPIPS_OLD = {
    "18720f55913d0af89042f13faa7e536a6ce1444a0914e6db9461355ece1e8cd5",
    "b9e4236260c3dd988fc79d2a48d645d885afcbb21f9fd595e6744cf7419b582c",
}
"""Heads of version 0.0, alex and vgg: the same names and shapes, learned without the input scaling."""
FID_INCEPTION = _published("inception")
I3D_KINETICS = _published("i3d")
SYNCNET = _published("syncnet")
ARCFACE = _published("arcface")
"""The recognition network of insightface's `buffalo_l`, which most code means by ArcFace."""
