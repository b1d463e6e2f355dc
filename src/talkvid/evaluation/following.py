"""How one face is followed through a video and the others are counted, whichever networks look.

Each picture is looked at on its own: what follows a video over time lags behind the mouth and damps it. The
face of the last picture only says where to look.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from talkvid.evaluation.tracks import FaceTracks, Sighting, gather, load_tracks, save_tracks
from talkvid.media.video import probe, read_frames
from talkvid.records import Array

LARGEST_CHANGE = 2.0
"""A face whose area changes by more from picture to picture is another one."""
LOOK_AGAIN_EVERY = 5
"""While no face is found the whole picture is searched only this often."""


class FaceFollower(ABC):
    """Follows one face through a video and counts the others; a subclass says how to look."""

    name: str
    judges_itself: str = ""
    """What to beware of when it judges a system that uses the same networks; empty when none here does."""

    @abstractmethod
    def near(self, frame: Array, last: Sighting) -> Sighting | None:
        """Return the face of an RGB (H W 3) uint8 picture where `last` was, or None."""

    @abstractmethod
    def anywhere(self, frame: Array, last: Sighting | None) -> Sighting | None:
        """Return the face of the whole picture nearest to `last`, without one the largest, or None."""

    @abstractmethod
    def count(self, frame: Array) -> int:
        """Return how many faces one look at the whole picture finds."""

    def watch(self, frames: Iterable[Array]) -> Iterator[tuple[Array, Sighting | None]]:
        """Yield each RGB (H W 3) uint8 picture with the face that is followed, the largest at first."""
        last: Sighting | None = None
        missed = 0
        for frame in frames:
            seen = self._same(frame, last) if last is not None and not missed else None
            if seen is None and missed % LOOK_AGAIN_EVERY == 0:
                seen = self.anywhere(frame, last)
            missed = 0 if seen is not None else missed + 1
            last = seen or last
            yield frame, seen

    def follow(self, frames: Iterable[Array], *, fps: float) -> FaceTracks:
        """Return the tracks of the largest face, other faces not counted; ValueError without pictures."""
        seen: list[Sighting | None] = []
        size = (0, 0)
        for frame, sighting in self.watch(frames):
            size = frame.shape[1], frame.shape[0]
            seen.append(sighting)
        if not seen:
            raise ValueError("there are no pictures to look at")
        return gather(seen, fps=fps, size=size)

    def follow_file(self, path: Path, *, cache: Path | None = None, end_s: float | None = None) -> FaceTracks:
        """Return the tracks of a video up to `end_s` at its own frame rate; the folder `cache` keeps them.

        A stored file is used again while the yardstick and path, size and time of change of the video are the
        same.
        """
        target = None if cache is None else cache / cache_name(path, told=f"{self.name} {end_s}")
        stored = load_tracks(target) if target is not None else None
        if stored is not None:
            return stored
        frames = read_frames(path, on_damage="warn", end_s=end_s)
        tracks = self.follow(frames, fps=probe(path).fps)
        if target is not None:
            save_tracks(tracks, target)
        return tracks

    def _same(self, frame: Array, last: Sighting) -> Sighting | None:
        seen = self.near(frame, last)
        if seen is None or not 1 / LARGEST_CHANGE < seen.face.area / last.face.area < LARGEST_CHANGE:
            return None
        return seen


def cache_name(path: Path, *, told: str = "") -> str:
    """Return the file name under which something about the present state of `path` is kept."""
    state = path.stat()
    key = f"{path.resolve()} {state.st_size} {state.st_mtime_ns} {told}"
    return f"{path.stem[:60]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
