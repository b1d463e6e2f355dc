"""Everything one pass over the pictures of a video tells: landmarks, sharpness, identity and background."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from talkvid.evaluation.background import BackgroundWatch
from talkvid.evaluation.identity import FaceEmbedder
from talkvid.evaluation.sharpness import EVERY, face_sharpness
from talkvid.evaluation.tracks import FaceTracks, Sighting, gather, track_arrays, tracks_from
from talkvid.files import atomic_path
from talkvid.records import Array


class Yardstick(Protocol):
    """Follows one face through pictures and counts all faces, as `FaceYardstick` does."""

    name: str

    def watch(self, frames: Iterable[Array]) -> Iterator[tuple[Array, Sighting | None]]:
        """Yield each picture with the face that is followed."""
        ...

    def count(self, frame: Array) -> int:
        """Return how many faces the picture shows."""
        ...


@dataclass(frozen=True)
class VideoLook:
    """What was seen in F pictures; every fifth one (K) was measured for sharpness and identity."""

    tracks: FaceTracks
    sharpness: Array
    """(K,) variance of the Laplacian, NaN without a face."""
    embeddings: Array
    """(K, D) who it is, NaN without a face; D = 0 when nobody asked."""
    flicker: float
    """Grey levels, see `background`."""
    drift: float
    """Grey levels over the whole clip."""

    def retimed(self, indices: Array) -> "VideoLook":
        """Return the same look with other tracks: picture k is now picture `indices`[k] (F,)."""
        return VideoLook(self.tracks.at(indices), self.sharpness, self.embeddings, self.flicker, self.drift)


def look_at(
    frames: Iterable[Array], yardstick: Yardstick, *, fps: float, embedder: FaceEmbedder | None = None
) -> VideoLook:
    """Return the look at RGB (H W 3) uint8 pictures, held one at a time; ValueError when there are none."""
    seen: list[Sighting | None] = []
    counts: list[int] = []
    sharpness: list[float] = []
    embeddings: list[Array] = []
    background = BackgroundWatch(fps=fps)
    size = (0, 0)
    for number, (frame, sighting) in enumerate(yardstick.watch(frames)):
        size = frame.shape[1], frame.shape[0]
        seen.append(sighting)
        counts.append(max(yardstick.count(frame), int(sighting is not None)))
        box = np.full(4, np.nan) if sighting is None else sighting.face.box
        background.add(frame, box)
        if number % EVERY == 0:
            sharpness.append(face_sharpness(frame, box))
            embeddings.append(_embedding(frame, sighting, embedder))
    if not seen:
        raise ValueError("there are no pictures to look at")
    return VideoLook(
        tracks=gather(seen, fps=fps, size=size, num_faces=counts),
        sharpness=np.array(sharpness),
        embeddings=_stacked(embeddings),
        flicker=background.flicker,
        drift=background.drift,
    )


def kept_look(target: Path | None, make: Callable[[], VideoLook]) -> VideoLook:
    """Return the look stored in the file `target` (npz), or make and store it there; None keeps nothing."""
    stored = None if target is None else load_look(target)
    if stored is not None:
        return stored
    look = make()
    if target is not None:
        save_look(look, target)
    return look


def save_look(look: VideoLook, path: Path) -> None:
    """Write the look to `path` (npz), whole or not at all."""
    told = {name: np.asarray(getattr(look, name)) for name in ("sharpness", "embeddings", "flicker", "drift")}
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **told, **track_arrays(look.tracks))


def load_look(path: Path) -> VideoLook | None:
    """Return the look stored in `path`, None when there is none or an older version wrote it."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as data:
        tracks = tracks_from(data)
        if tracks is None:
            return None
        return VideoLook(
            tracks, data["sharpness"], data["embeddings"], float(data["flicker"]), float(data["drift"])
        )


def _embedding(frame: Array, sighting: Sighting | None, embedder: FaceEmbedder | None) -> Array:
    if embedder is None or sighting is None:
        return np.zeros(0)
    return embedder.embed(frame, sighting.face.points)


def _stacked(embeddings: list[Array]) -> Array:
    """Return (K, D) with rows of NaN where there was no face."""
    length = max(len(vector) for vector in embeddings)
    rows = [vector if len(vector) else np.full(length, np.nan) for vector in embeddings]
    return np.stack(rows)
