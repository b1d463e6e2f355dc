"""Where the face is in every picture of a video, as one look with the yardstick leaves it on disk."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from talkvid.files import atomic_path
from talkvid.records import Array, Face

TRACKS_VERSION = 1
"""Raised when what the yardstick stores changes, so that older files are made again."""


@dataclass(frozen=True)
class Sighting:
    """What the yardstick tells of one picture's face; pixels of the picture."""

    face: Face
    lips: Array
    """(40, 3), depth 0 where the yardstick gives none."""
    eyes: Array
    """(2, 3) midpoints of the eye corners."""
    jaw_open: float


@dataclass(frozen=True)
class FaceTracks:
    """One face through F pictures; pixels, x first, depth on the same scale; NaN where it was not found."""

    fps: float
    """Pictures per second; picture k is shown from k / fps on."""
    size: tuple[int, int]
    """Width and height of the pictures."""
    lips: Array
    """(F, 40, 3) lip points in the order of `records.LIP_PARTS`; depth 0 where the yardstick gives none."""
    eyes: Array
    """(F, 2, 3) image-left and image-right eye: midpoints of the eye corners, which gaze does not move."""
    points: Array
    """(F, 5, 2) in the order of `records.FIVE_POINTS`."""
    box: Array
    """(F, 4) x0 y0 x1 y1 of all landmarks."""
    pose: Array
    """(F, 3) pitch, yaw, roll in degrees, signs as in `records.Face`."""
    jaw_open: Array
    """(F,) 0 to 1; NaN throughout where the yardstick gives none."""
    found: Array
    """(F,) bool: whether the face was found."""
    num_faces: Array
    """(F,) faces seen in the whole picture; -1 where nobody counted."""

    def __len__(self) -> int:
        return len(self.found)

    @property
    def one_face_share(self) -> float:
        """Return the share of pictures with exactly one face; not counted means one where it was found."""
        several = self.num_faces > 1
        return float(np.mean(self.found & ~several)) if len(self) else 0.0

    @property
    def eye_distance(self) -> Array:
        """Return the inter-ocular distance (F,) in pixels, in 3-D: a turned head does not shrink it."""
        distance: Array = np.linalg.norm(self.eyes[:, 1] - self.eyes[:, 0], axis=-1)
        return distance

    def cut(self, start: int, stop: int) -> "FaceTracks":
        """Return the tracks of pictures `start` up to, not including, `stop`."""
        return self.at(np.arange(len(self))[start:stop])

    def at(self, indices: Array, *, fps: float | None = None) -> "FaceTracks":
        """Return the tracks of pictures `indices` (K,), which may repeat, at `fps` (default: the same)."""
        arrays = {name: getattr(self, name)[indices] for name in _ARRAYS}
        return FaceTracks(fps=self.fps if fps is None else fps, size=self.size, **arrays)

    def scaled(self, size: tuple[int, int]) -> "FaceTracks":
        """Return the tracks as of pictures stretched to `size`, width and height; depth goes with width."""
        if size == self.size:
            return self
        across, down = size[0] / self.size[0], size[1] / self.size[1]
        deep = np.array([across, down, across], np.float32)
        return replace(
            self,
            size=size,
            lips=self.lips * deep,
            eyes=self.eyes * deep,
            points=self.points * deep[:2],
            box=self.box * deep[[0, 1, 0, 1]],
        )


_ARRAYS = tuple(field.name for field in fields(FaceTracks) if field.name not in ("fps", "size"))


def gather(
    seen: Sequence[Sighting | None], *, fps: float, size: tuple[int, int], num_faces: Sequence[int] = ()
) -> FaceTracks:
    """Return the tracks of F sightings, None where no face was found; `num_faces` (F,) where counted."""

    def column(shape: tuple[int, ...], values: list[Array | float | None]) -> Array:
        rows = [np.full(shape, np.nan) if value is None else value for value in values]
        return np.array(rows, np.float32).reshape(-1, *shape)

    return FaceTracks(
        fps=fps,
        size=size,
        lips=column((40, 3), [None if one is None else one.lips for one in seen]),
        eyes=column((2, 3), [None if one is None else one.eyes for one in seen]),
        points=column((5, 2), [None if one is None else one.face.points for one in seen]),
        box=column((4,), [None if one is None else one.face.box for one in seen]),
        pose=column((3,), [None if one is None else one.face.pose for one in seen]),
        jaw_open=column((), [None if one is None else one.jaw_open for one in seen]),
        found=np.array([one is not None for one in seen], bool),
        num_faces=np.array(num_faces or [-1] * len(seen), np.int64),
    )


def track_arrays(tracks: FaceTracks) -> dict[str, Array]:
    """Return the tracks as named arrays, as they are stored."""
    arrays: dict[str, Array] = {name: getattr(tracks, name) for name in _ARRAYS}
    told = {"version": np.int64(TRACKS_VERSION), "fps": np.float64(tracks.fps), "size": np.array(tracks.size)}
    return {**arrays, **{name: np.asarray(value) for name, value in told.items()}}


def save_tracks(tracks: FaceTracks, path: str | os.PathLike[str]) -> None:
    """Write the tracks to `path` (npz), whole or not at all."""
    with atomic_path(Path(path)) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **track_arrays(tracks))


def load_tracks(path: str | os.PathLike[str]) -> FaceTracks | None:
    """Return the tracks stored in `path`, None when there are none or an older version wrote them."""
    if not Path(path).is_file():
        return None
    with np.load(path, allow_pickle=False) as data:
        return tracks_from(data)


def tracks_from(arrays: Mapping[str, Array]) -> FaceTracks | None:
    """Return the tracks of `track_arrays`, None when an older version stored them."""
    if int(arrays["version"]) != TRACKS_VERSION:
        return None
    width, height = (int(side) for side in arrays["size"])
    return FaceTracks(
        fps=float(arrays["fps"]), size=(width, height), **{name: arrays[name] for name in _ARRAYS}
    )
