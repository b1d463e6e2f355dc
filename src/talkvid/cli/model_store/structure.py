"""Whether a file without a recorded checksum is what its name says: whole, readable, of the right tensors."""

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from talkvid.catalogue.record import ModelFile

if TYPE_CHECKING:
    from talkvid.model.bundle_config import BundleConfig

PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".model")
UNET_CONFIG = "stable-diffusion-v1-5/unet/config.json"
MOST_HEADER = 100_000_000


def check_structure(path: Path, file: ModelFile, folder: Path, *, name: str = "") -> str:
    """Return in a few words what was looked at; ValueError where the file cannot be what it shall be.

    `name` replaces the path's own name, whose ending tells the format. Nothing of the file is run.
    """
    suffix = Path(name or path.name).suffix
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: is empty; fetch it again")
    if suffix == ".json":
        return _json(path)
    if suffix == ".safetensors":
        return _safetensors(path)
    if suffix in PICKLES:
        return _tensors(path, file, folder, suffix)
    return "it is not empty"


def _json(path: Path) -> str:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error}); fetch it again") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path}: not a table of settings; fetch it again")
    return f"JSON with {len(values)} settings"


def _safetensors(path: Path) -> str:
    """Look at the header and compare where it says the tensors end with the size of the file."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = struct.unpack("<Q", stream.read(8).ljust(8, b"\xff"))[0]
        if length > min(MOST_HEADER, size - 8):
            raise ValueError(f"{path}: not a safetensors file, or cut short; fetch it again")
        try:
            header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"{path}: its safetensors header cannot be read; fetch it again") from error
    expected = 8 + length + max(ends, default=0)
    if expected != size:
        raise ValueError(f"{path}: has {size} bytes where its header tells {expected}; fetch it again")
    return f"safetensors with {len(ends)} tensors"


def _tensors(path: Path, file: ModelFile, folder: Path, suffix: str) -> str:
    if path.suffix == suffix:
        return _read(path, file, folder)
    # A part has another ending, by which the reader would not know it.
    beside = path.with_name(f"{path.name}{suffix}")
    beside.symlink_to(path.name)
    try:
        return _read(beside, file, folder)
    finally:
        beside.unlink(missing_ok=True)


def _read(path: Path, file: ModelFile, folder: Path) -> str:
    from talkvid.model.key_check import check_file
    from talkvid.model.weights import read_state

    if not file.network:
        return f"torch file with {len(read_state(path))} tensors"
    count = check_file(path, file.network, published_config(folder))
    return f"{count} tensors, named and shaped as our {file.network}"


def published_config(folder: Path) -> "BundleConfig":
    """Return the sizes of the published networks, by the U-Net config in the models' folder, if any."""
    from talkvid.model.bundle_config import BundleConfig
    from talkvid.model.unet_config import UNetConfig

    stored = folder / UNET_CONFIG
    return BundleConfig.published(UNetConfig.from_file(stored) if stored.is_file() else UNetConfig())
