"""The JSON file beside a video: everything needed to make it again and to know that it is synthetic."""

import hashlib
import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from talkvid import __version__
from talkvid.files import atomic_path

SYNTHETIC_MARK = "AI-generated: synthetic talking-head video made by talkvid"
VERSIONED_PACKAGES = ("torch", "diffusers", "transformers", "numpy", "av", "onnxruntime")
CHUNK_BYTES = 1 << 20


def sidecar_path(video: str | os.PathLike[str]) -> Path:
    """Return the path of the side-car of a video: `<video>.json`."""
    return Path(f"{os.fspath(video)}.json")


def synthetic_metadata(model: str) -> dict[str, str]:
    """Return the container metadata that marks a video as synthetic."""
    return {
        "comment": f"{SYNTHETIC_MARK} {__version__} (model {model}); the person did not say or do this.",
        "synthetic": "true",
        "software": f"talkvid {__version__}",
    }


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def describe_files(paths: Iterable[str | os.PathLike[str]]) -> list[dict[str, str]]:
    """Return path and SHA-256 of each file."""
    return [{"path": os.fspath(path), "sha256": sha256(path)} for path in paths]


def versions() -> dict[str, str]:
    """Return the versions of this package, of Python and of the packages a result depends on."""
    found = {"talkvid": __version__, "python": platform.python_version()}
    for name in VERSIONED_PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_sidecar(video: str | os.PathLike[str], content: Mapping[str, Any]) -> Path:
    """Write the side-car of a video, whole or not at all, and return its path."""
    target = sidecar_path(video)
    text = json.dumps({"synthetic": True, "mark": SYNTHETIC_MARK, **content}, indent=2, default=str)
    with atomic_path(target) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return target
