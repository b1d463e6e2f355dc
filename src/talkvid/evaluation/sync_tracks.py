"""Which boxes of a video are one face: the tracking rules of SyncNet's published pipeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.records import Array


@dataclass(frozen=True)
class TrackRules:
    """How faces are followed; the defaults are those of the published pipeline."""

    min_track: int = 100
    """A track needs more than so many sightings, and a shot at least so many pictures."""
    max_gap: int = 25
    """A face may be missed so many pictures less one; then its track ends."""
    min_overlap: float = 0.5
    """From one sighting to the next the boxes' intersection over union is above this."""
    min_face_px: float = 100.0
    """The larger of mean width and mean height of the boxes is above this."""

    def __post_init__(self) -> None:
        if self.min_track < 1 or self.max_gap < 1:
            raise ValueError(
                f"min_track and max_gap must be at least 1, got {self.min_track} and {self.max_gap}"
            )
        if not 0 <= self.min_overlap < 1 or self.min_face_px < 0:
            raise ValueError(
                f"min_overlap must lie in [0, 1) and min_face_px be at least 0, got {self.min_overlap} "
                f"and {self.min_face_px}"
            )


@dataclass(frozen=True)
class FaceTrack:
    """One face through consecutive pictures, boxes filled in where it was missed."""

    first_frame: int
    boxes: Array
    """(F, 4) float64 x0 y0 x1 y1."""
    num_seen: int
    """Pictures in which the detector saw it."""

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def size_px(self) -> float:
        """Return the larger of mean width and mean height."""
        return float(max((self.boxes[:, 2:] - self.boxes[:, :2]).mean(axis=0)))


@dataclass(frozen=True)
class Tracking:
    """What the rules made of the faces of a video."""

    tracks: tuple[FaceTrack, ...]
    """Kept, in the order of shots and, within one, of their first sighting."""
    num_short: int
    """Tracks with too few sightings."""
    num_small: int
    """Tracks of faces that are too small."""
    longest: int
    """Sightings of the longest track, kept or not."""
    largest_px: float
    """Size of the largest face with enough sightings, 0 without one."""


def track_faces(
    boxes: Sequence[Array], rules: TrackRules, *, shots: Iterable[tuple[int, int]] | None = None
) -> Tracking:
    """Return the tracks in the boxes (N, 4) of each picture; it stays within one of `shots` [first, stop).

    Of several boxes that overlap a track's last one the most overlapping continues it.
    """
    kept: list[FaceTrack] = []
    short = small = longest = 0
    largest = 0.0
    for first, stop in [(0, len(boxes))] if shots is None else shots:
        for sightings in _followed(boxes, first, stop, rules):
            longest = max(longest, len(sightings))
            if len(sightings) <= rules.min_track or stop - first < rules.min_track:
                short += 1
                continue
            track = _filled(sightings)
            largest = max(largest, track.size_px)
            if track.size_px > rules.min_face_px:
                kept.append(track)
            else:
                small += 1
    return Tracking(tuple(kept), short, small, longest, largest)


def _followed(
    boxes: Sequence[Array], first: int, stop: int, rules: TrackRules
) -> list[list[tuple[int, Array]]]:
    """Return the (picture, box) sightings of every face of a shot; each box belongs to one of them.

    Older tracks choose first, so what is left over starts a new track. Ordered by first sighting, then from
    left to right.
    """
    done: list[list[tuple[int, Array]]] = []
    live: list[list[tuple[int, Array]]] = []
    for frame in range(first, stop):
        left = [np.asarray(box, np.float64) for box in boxes[frame]]
        for track in live:
            shared = [overlap(track[-1][1], box) for box in left]
            best = int(np.argmax(shared)) if shared else -1
            if shared and shared[best] > rules.min_overlap:
                track.append((frame, left.pop(best)))
        live += [[(frame, box)] for box in left]
        ended = [track for track in live if frame + 1 - track[-1][0] > rules.max_gap]
        done += ended
        live = [track for track in live if frame + 1 - track[-1][0] <= rules.max_gap]
    return sorted(done + live, key=lambda track: (track[0][0], track[0][1][0]))


def overlap(ours: Array, theirs: Array) -> float:
    """Return intersection over union of two boxes x0 y0 x1 y1; 0 for boxes without area."""
    shared = np.clip(np.minimum(ours[2:], theirs[2:]) - np.maximum(ours[:2], theirs[:2]), 0, None).prod()
    union = (ours[2:] - ours[:2]).prod() + (theirs[2:] - theirs[:2]).prod() - shared
    return float(shared / union) if union > 0 else 0.0


def _filled(sightings: Sequence[tuple[int, Array]]) -> FaceTrack:
    """Return the track with boxes between sightings interpolated linearly."""
    frames = np.array([frame for frame, _ in sightings])
    seen = np.stack([box for _, box in sightings])
    every = np.arange(frames[0], frames[-1] + 1)
    boxes = np.stack([np.interp(every, frames, seen[:, side]) for side in range(4)], axis=1)
    return FaceTrack(int(frames[0]), boxes, len(sightings))
