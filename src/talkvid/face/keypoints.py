"""Key points as pictures for the guider, and key points from files."""

import codecs
import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from talkvid.records import NUM_LIP, NUM_OUTER_LIP, Array

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
"""RGB of image-left eye, image-right eye, nose; a line from an eye to the nose has the eye's colour."""
LINES = ((0, 2), (1, 2))
HALF_WIDTH = 4
DOT_RADIUS = 4
LINE_BRIGHTNESS = 0.6
LIP_COLOUR = (255, 0, 255)
OPENING_COLOUR = (0, 255, 255)
SUBPIXEL_BITS = 4
FIRST_POINTS = 3
TORCH_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""First object of a torch file from before its zip layout (torch/serialization.py)."""


def draw_vkps(points: Array, width: int, height: int, *, antialias: bool = False) -> Array:
    """Return the V-Kps picture, uint8 (height width 3): eyes and nose as dots, eye-to-nose lines at 60 %.

    `points` (3 2) or more, in pixels of that picture; only the first three are drawn. By default positions
    are cut to whole pixels and angles to whole degrees, as the published weights learned it; `antialias`
    keeps fractions.
    """
    points = _checked(points)[:FIRST_POINTS]
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    for start, end in LINES:
        _draw_line(canvas, points[start], points[end], COLOURS[start], antialias)
    canvas = (canvas * LINE_BRIGHTNESS).astype(np.uint8)
    for point, colour in zip(points, COLOURS, strict=True):
        if antialias:
            fixed = _fixed(point)
            radius = DOT_RADIUS << SUBPIXEL_BITS
            cv2.circle(canvas, (int(fixed[0]), int(fixed[1])), radius, colour, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        else:
            cv2.circle(canvas, (int(point[0]), int(point[1])), DOT_RADIUS, colour, -1)
    return canvas


def draw_lips(lips: Array, width: int, height: int, *, canvas: Array | None = None) -> Array:
    """Return a uint8 (height width 3) picture with the lips filled magenta and the opening between them cyan.

    `lips` (40 2) in pixels, outer then inner ring. Drawn over a copy of `canvas`, or over black; anti-
    aliased.
    """
    if np.shape(lips) != (NUM_LIP, 2):
        raise ValueError(f"lips must have shape ({NUM_LIP}, 2), got {np.shape(lips)}")
    picture = np.zeros((height, width, 3), dtype=np.uint8) if canvas is None else canvas.copy()
    for ring, colour in ((lips[:NUM_OUTER_LIP], LIP_COLOUR), (lips[NUM_OUTER_LIP:], OPENING_COLOUR)):
        cv2.fillPoly(picture, [_fixed(ring)], colour, cv2.LINE_AA, SUBPIXEL_BITS)
    return picture


def load_kps(path: Path | str) -> Array:
    """Return the key points of a file, float64 (F 3 2): two eyes and the nose of each frame, in pixels.

    Reads torch archives and pickles of lists or arrays (also the reference's lists of numpy arrays), .npy,
    and safetensors with an entry `kps` or `points`. Nothing but arrays and lists is ever built from a pickle.
    FileNotFoundError or ValueError for a file that is missing, unreadable or of another shape.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"key points {path}: no such file")
    try:
        loaded = _read(path)
        points = np.asarray(loaded, dtype=np.float64)
    except (ValueError, TypeError, pickle.UnpicklingError, EOFError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"key points {path} cannot be read ({reason[0]}); give a list of (3, 2) arrays"
        ) from error
    if points.ndim != 3 or points.shape[0] == 0 or points.shape[1] not in (3, 5) or points.shape[2] != 2:
        raise ValueError(f"key points {path}: expected shape (frames, 3, 2), got {points.shape}")
    return points[:, :FIRST_POINTS]


def _read(path: Path) -> Any:
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        entries = load_file(path)
        return entries["kps"] if "kps" in entries else entries["points"]
    if zipfile.is_zipfile(path):
        return _read_torch(path)
    with path.open("rb") as file:
        first = _ArrayUnpickler(file).load()
        if not isinstance(first, int) or first != TORCH_LEGACY_MAGIC:
            return first
        parts = [_ArrayUnpickler(file).load() for _ in range(3)]
        return parts[-1]


def _read_torch(path: Path) -> Any:
    """Return what a torch archive holds: arrays by our own reader, tensors by torch's safe one."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.rsplit("/", 1)[-1] == "data.pkl"]
        if len(names) != 1:
            raise ValueError("a zip file that torch did not write")
        pickled = archive.read(names[0])
    try:
        return _ArrayUnpickler(io.BytesIO(pickled)).load()
    except _HoldsTensors:
        import torch

        loaded = torch.load(path, map_location="cpu", weights_only=True)
        return [item.tolist() if isinstance(item, torch.Tensor) else item for item in loaded]


class _HoldsTensors(Exception):
    """A pickle that refers to torch tensors."""


class _ArrayUnpickler(pickle.Unpickler):
    """Builds numpy arrays and plain containers and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the object of that name if it is one an array is made of."""
        known = {
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
            ("_codecs", "encode"): codecs.encode,
            ("numpy.core.multiarray", "_reconstruct"): _array_shell(),
            ("numpy._core.multiarray", "_reconstruct"): _array_shell(),
        }
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            raise _HoldsTensors
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a key point file")
        return known[module, name]


def _array_shell() -> Any:
    """Return numpy's function that makes the empty array a pickle then fills."""
    return np.empty(0).__reduce__()[0]


def _checked(points: Array) -> Array:
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[0] < FIRST_POINTS or points.shape[1] != 2:
        raise ValueError(f"key points must have shape (3, 2) or (5, 2), got {points.shape}")
    if not np.isfinite(points[:FIRST_POINTS]).all():
        raise ValueError("key points contain values that are not numbers; fill them before drawing")
    return points


def _draw_line(
    canvas: Array, start: Array, end: Array, colour: tuple[int, int, int], antialias: bool
) -> None:
    """Draw the ellipse that stands for a line: as long as the distance, 8 pixels thick."""
    middle = (start + end) / 2
    difference = start - end
    length = math.hypot(float(difference[0]), float(difference[1]))
    angle = math.atan2(float(difference[1]), float(difference[0]))
    if not antialias:
        axes = (int(length / 2), HALF_WIDTH)
        centre = (int(middle[0]), int(middle[1]))
        outline = cv2.ellipse2Poly(centre, axes, int(math.degrees(angle)), 0, 360, 1)
        cv2.fillConvexPoly(canvas, np.asarray(outline), colour)
        return
    turns = np.linspace(0.0, 2 * math.pi, 180, endpoint=False)
    along, across = length / 2 * np.cos(turns), HALF_WIDTH * np.sin(turns)
    cos, sin = math.cos(angle), math.sin(angle)
    ring = middle + np.stack([along * cos - across * sin, along * sin + across * cos], axis=-1)
    cv2.fillConvexPoly(canvas, _fixed(ring), colour, cv2.LINE_AA, SUBPIXEL_BITS)


def _fixed(points: Array) -> Array:
    """Return points as the fixed-point integers of OpenCV's drawing functions."""
    return np.round(np.asarray(points, dtype=np.float64) * (1 << SUBPIXEL_BITS)).astype(np.int32)
