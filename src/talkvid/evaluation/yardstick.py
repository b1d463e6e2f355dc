"""The eye that judges: MediaPipe FaceLandmarker followed through every picture, which made none of them.

Needs the extra `mediapipe` and its model file, see `talkvid.face.mediapipe_backend`. Each picture is looked
at on its own: what follows a video over time lags behind the mouth and damps it.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from talkvid.evaluation.tracks import FaceTracks, Sighting, gather, load_tracks, save_tracks
from talkvid.face.centerface import CenterFaceDetector
from talkvid.face.mediapipe_backend import LIPS, MediapipeDetector, MediapipeFace
from talkvid.media.video import probe, read_frames
from talkvid.records import Array

logger = logging.getLogger(__name__)

EYE_CORNERS = ((33, 133), (362, 263))
"""Mesh points: outer and inner corner of the image-left eye, inner and outer one of the image-right eye."""
LARGEST_CHANGE = 2.0
"""A face whose area changes by more from picture to picture is another one."""
LOOK_AGAIN_EVERY = 5
"""While no face is found the whole picture is searched only this often."""


class FaceYardstick:
    """Follows one face through a video and counts the others."""

    name = "MediaPipe FaceLandmarker"

    def __init__(self, model_path: Path | str | None = None) -> None:
        """Take the model file, default: $TALKVID_FACE_LANDMARKER; ImportError names the extra."""
        self._detector = MediapipeDetector(model_path)
        self._far = CenterFaceDetector()

    def watch(self, frames: Iterable[Array]) -> Iterator[tuple[Array, Sighting | None]]:
        """Yield each RGB (H W 3) uint8 picture with the face that is followed, the largest at first."""
        box: Array | None = None
        missed = 0
        for frame in frames:
            look = self._near(frame, box) if box is not None and not missed else None
            if look is None and missed % LOOK_AGAIN_EVERY == 0:
                look = self._anywhere(frame, box)
            missed = 0 if look is not None else missed + 1
            box = look.face.box if look is not None else box
            yield frame, None if look is None else _sighting(look)

    def count(self, frame: Array) -> int:
        """Return how many faces one look at the whole picture finds."""
        return self._detector.count(frame)

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

        A stored file is used again while path, size and time of change of the video are the same.
        """
        target = None if cache is None else cache / cache_name(path, told=f"{end_s}")
        stored = load_tracks(target) if target is not None else None
        if stored is not None:
            return stored
        frames = read_frames(path, on_damage="warn", end_s=end_s)
        tracks = self.follow(frames, fps=probe(path).fps)
        if target is not None:
            save_tracks(tracks, target)
        return tracks

    def _near(self, frame: Array, box: Array) -> MediapipeFace | None:
        look = self._detector.look(frame, box)
        before = float(np.prod(box[2:] - box[:2]))
        if look is None or not 1 / LARGEST_CHANGE < look.face.area / before < LARGEST_CHANGE:
            return None
        return look

    def _anywhere(self, frame: Array, box: Array | None) -> MediapipeFace | None:
        """Return the face nearest to the last box, or the largest; small ones are seen by CenterFace."""
        faces = self._detector.detect(frame) or self._far.detect(frame)
        if box is not None:
            faces.sort(key=lambda face: float(np.abs(face.box - box).sum()))
        return self._detector.look(frame, faces[0].box) if faces else None


def cache_name(path: Path, *, told: str = "") -> str:
    """Return the file name under which something about the present state of `path` is kept."""
    state = path.stat()
    key = f"{path.resolve()} {state.st_size} {state.st_mtime_ns} {told}"
    return f"{path.stem[:60]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _sighting(look: MediapipeFace) -> Sighting:
    return Sighting(face=look.face, lips=look.mesh[LIPS], eyes=_eyes(look.mesh), jaw_open=look.jaw_open)


def _eyes(mesh: Array) -> Array:
    eyes: Array = np.stack([mesh[list(corners)].mean(axis=0) for corners in EYE_CORNERS])
    return eyes
