"""What is known about the face of a prepared clip, one row per frame, and its file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from talkvid.dataset.tensor_files import save_arrays
from talkvid.face.crop import Square
from talkvid.records import Array, Face

COORDINATES = ("box", "points", "lips", "contour", "lmk106")
"""Fields that are pixels and move with the crop."""


@dataclass(frozen=True)
class FaceInfo:
    """The face of F frames; where it was not found its values are interpolated in time and its score is 0."""

    found: Array
    """(F,) bool."""
    values: Mapping[str, Array]
    """Name of a field of `records.Face` to (F, …) float32; only fields the detector fills."""

    def __len__(self) -> int:
        return len(self.found)

    @property
    def known_boxes(self) -> Array:
        """Return (F, 4) face boxes, NaN where the face was not found."""
        return np.where(self.found[:, None], self.values["box"], np.nan)

    def in_windows(self, squares: Sequence[Square], size: int) -> "FaceInfo":
        """Return the same faces in pixels of windows (one per frame) resized to `size`."""
        moved = dict(self.values)
        for name in COORDINATES:
            if name in moved:
                rows = zip(squares, moved[name], strict=True)
                points = [square.to_window(row.reshape(-1, 2), size) for square, row in rows]
                moved[name] = np.stack(points).reshape(moved[name].shape).astype(np.float32)
        return FaceInfo(self.found, moved)


def collect(faces: Sequence[Face | None]) -> FaceInfo:
    """Return the faces of a clip as arrays; raise ValueError when there is none in any frame."""
    found = np.array([face is not None for face in faces], bool)
    if not found.any():
        raise ValueError(f"no face in any of its {len(faces)} frames")
    values = {}
    for name in (field.name for field in fields(Face)):
        rows = [None if face is None else getattr(face, name) for face in faces]
        filled = _interpolate(rows)
        if filled is not None:
            values[name] = filled
    values["score"] = np.where(found, values["score"], 0).astype(np.float32)
    return FaceInfo(found, values)


def _interpolate(rows: Sequence[Array | float | None]) -> Array | None:
    """Return the rows as one (F, …) float32 array, gaps filled linearly in time; None when all are gaps."""
    known = [number for number, row in enumerate(rows) if row is not None]
    if not known:
        return None
    values = np.stack([np.asarray(rows[number], np.float32) for number in known])
    flat = values.reshape(len(known), -1)
    frames = np.arange(len(rows))
    columns = [np.interp(frames, known, column) for column in flat.T]
    return np.stack(columns, axis=-1).reshape(len(rows), *values.shape[1:]).astype(np.float32)


def save_face_info(path: Path, info: FaceInfo, metadata: Mapping[str, str]) -> None:
    """Write the arrays and `found` (uint8) as safetensors."""
    save_arrays(path, {**info.values, "found": info.found.astype(np.uint8)}, metadata)


def stored_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file; empty when there is none or it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError):
        return {}


def load_face_info(path: Path) -> tuple[FaceInfo, dict[str, str]]:
    """Return what `save_face_info` wrote; raise FileNotFoundError or ValueError."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such face info; prepare the clip again")
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- not a mapping
            metadata = dict(file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(f"{path}: cannot be read as safetensors ({error}); prepare it again") from error
    if not {"found", "box", "points", "score"} <= set(arrays):
        raise ValueError(f"{path}: holds {sorted(arrays)}, not the face info of a clip")
    return FaceInfo(arrays.pop("found").astype(bool), arrays), metadata
