"""The face of a prepared clip, frame by frame, read from our files or from the reference's pickled ones."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.dataset.face_info import collect
from talkvid.records import Array, Face

LIPS_OF_106 = slice(52, 72)


@dataclass(frozen=True)
class FaceTrack:
    """One face over F frames, in pixels of those frames."""

    points: Array
    """(F, 5, 2) float32, order of FIVE_POINTS."""
    mouth: Array
    """(F, N, 2) float32 points around the mouth: 40 lip points, or 20 of the 106 landmarks."""

    def __len__(self) -> int:
        return int(self.points.shape[0])


def load_face_track(path: Path, parts: Sequence[slice] = (slice(None),)) -> FaceTrack:
    """Return the face track of a clip from `.safetensors` (ours) or `.pt` (a list of dictionaries of arrays).

    With `parts` those frames alone come, one part after the other; of a safetensors file nothing else is
    read. A pickle is read without running anything in it: one that asks for more than numbers is a
    ValueError.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: the face information of this clip is missing; prepare the data again"
        )
    if path.suffix in (".pt", ".pth"):
        fields = read_pickled_faces(path)
        return _track({name: _parts(rows, len(rows), parts, path) for name, rows in fields.items()}, path)
    return _track(_read_stored(path, parts), path)


def _read_stored(path: Path, parts: Sequence[slice]) -> Mapping[str, Array]:
    """Return the points and what is known of the mouth, read in parts."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            names = set(file.keys())
            wanted = [name for name in ("points", "lips") if name in names]
            wanted += ["lmk106"] if "lips" not in names and "lmk106" in names else []
            slices = {name: file.get_slice(name) for name in wanted}
            return {name: _parts(rows, rows.get_shape()[0], parts, path) for name, rows in slices.items()}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{path}: cannot be read as safetensors ({error}); prepare the data again"
        ) from error


def _parts(rows: Any, count: int, parts: Sequence[slice], path: Path) -> Array:
    last = max(part.stop or 0 for part in parts)
    if last > count:
        raise ValueError(f"{path}: {count} frames, number {last - 1} is asked for; prepare the clip again")
    return np.concatenate([rows[part] for part in parts])


def _track(fields: Mapping[str, Array], path: Path) -> FaceTrack:
    points = fields.get("points")
    if points is None or points.ndim != 3 or points.shape[1:] != (5, 2):
        raise ValueError(f"{path}: holds no five points per frame; prepare the data again")
    mouth = fields.get("lips")
    if mouth is None and "lmk106" in fields:
        mouth = fields["lmk106"][:, LIPS_OF_106]
    if mouth is None:
        raise ValueError(f"{path}: holds neither lips nor 106 landmarks; prepare the data again")
    return FaceTrack(points.astype(np.float32), mouth.astype(np.float32))


def read_pickled_faces(path: Path) -> Mapping[str, Array]:
    """Return the arrays of a list with, for each frame, the dictionaries of its faces (or just one)."""
    frames = load_numbers(path)
    if not isinstance(frames, list) or not frames:
        raise ValueError(f"{path}: expected a list with one entry per frame")
    try:
        return collect([_first_face(frame) for frame in frames]).values
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not the face information of a clip ({error})") from error


def _first_face(frame: Any) -> Face | None:
    found = frame[0] if isinstance(frame, list) and frame else frame
    if not found:
        return None
    lmk106 = found.get("landmark_2d_106")
    return Face(
        box=np.asarray(found["bbox"], np.float32),
        points=np.asarray(found["kps"], np.float32),
        score=float(found["det_score"]),
        lmk106=None if lmk106 is None else np.asarray(lmk106, np.float32),
    )


def load_numbers(path: Path) -> Any:
    """Return what a torch pickle holds when it is made of tensors, numpy arrays and plain values only."""
    import pickle

    import torch

    with torch.serialization.safe_globals(_harmless_numpy_names()):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f"{path}: holds more than numbers or is damaged ({reason})") from error


def _harmless_numpy_names() -> list[Any]:
    """Return what numpy pickles its arrays and scalars with, under the old and the new module names."""
    multiarray = np._core.multiarray  # type: ignore[attr-defined]
    allowed: list[Any] = [np.ndarray, np.dtype]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed.append((multiarray._reconstruct, f"{module}._reconstruct"))
        allowed.append((multiarray.scalar, f"{module}.scalar"))
    for name in ("float16", "float32", "float64", "int32", "int64", "uint8", "bool"):
        with contextlib.suppress(TypeError):
            allowed.append(type(np.dtype(name)))
    return allowed
