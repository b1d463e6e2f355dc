"""One face through a clip: of the several a frame may show, the same one is kept from frame to frame."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from talkvid.records import Array, Face

NEAR = 0.7
"""A face is the same one when its centre moved less than this many face sizes …"""
NEAR_PER_GAP_FRAME = 0.02
NEAR_LIMIT = 1.5
"""… and a little more for each frame in which it was not seen."""
SIZE_RATIO = 1.8
"""Its size changes by less than this factor."""
EDGE_WEIGHT = 0.5
"""A face at the picture's corner counts half as much as one in its middle."""


@dataclass
class _Track:
    """One face as it was seen so far."""

    last: Face
    last_frame: int
    faces: dict[int, Face] = field(default_factory=dict)
    weight: float = 0.0

    def distance(self, face: Face, frame: int) -> float:
        """Return how far `face` is, in face sizes, from where this one was; infinite when it is another."""
        size, other = face.area**0.5, self.last.area**0.5
        if not 1 / SIZE_RATIO < size / max(other, 1e-6) < SIZE_RATIO:
            return np.inf
        moved = float(np.hypot(*(_centre(face) - _centre(self.last)))) / max(size, other)
        allowed = min(NEAR + NEAR_PER_GAP_FRAME * (frame - self.last_frame - 1), NEAR_LIMIT)
        return moved if moved < allowed else np.inf


def follow_face(frames: Iterable[tuple[Array, list[Face]]]) -> tuple[list[Face | None], int]:
    """Return the followed face of each frame, None where it was not seen, and how many faces there were.

    Followed is the face with the largest sum, over the frames, of its area times its nearness to the middle:
    a passer-by never takes over. Only face records are kept in memory, not the pictures.
    """
    tracks: list[_Track] = []
    count = 0
    for number, (picture, faces) in enumerate(frames):
        count = number + 1
        _extend(tracks, faces, number, picture.shape[1], picture.shape[0])
    if not tracks:
        return [None] * count, 0
    best = max(tracks, key=lambda track: track.weight)
    return [best.faces.get(number) for number in range(count)], len(tracks)


def _extend(tracks: list[_Track], faces: list[Face], frame: int, width: int, height: int) -> None:
    """Give each face of the frame to its track, nearest pairs first; the others start tracks."""
    pairs = [
        (track.distance(face, frame), i, k) for i, track in enumerate(tracks) for k, face in enumerate(faces)
    ]
    taken_tracks: set[int] = set()
    left = set(range(len(faces)))
    for distance, i, k in sorted(pairs):
        if np.isfinite(distance) and i not in taken_tracks and k in left:
            taken_tracks.add(i)
            left.remove(k)
            _add(tracks[i], faces[k], frame, width, height)
    for k in sorted(left):
        track = _Track(last=faces[k], last_frame=frame)
        _add(track, faces[k], frame, width, height)
        tracks.append(track)


def _add(track: _Track, face: Face, frame: int, width: int, height: int) -> None:
    away = np.abs(_centre(face) / [width, height] - 0.5) * 2
    track.weight += face.area * (1 - EDGE_WEIGHT * float(np.clip(np.hypot(*away) / 2**0.5, 0, 1)))
    track.last, track.last_frame = face, frame
    track.faces[frame] = face


def _centre(face: Face) -> Array:
    centre: Array = (np.asarray(face.box[:2], np.float64) + face.box[2:]) / 2
    return centre
