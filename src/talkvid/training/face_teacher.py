"""Training samples of the landmark network: the teacher's track of each clip, and windows cut along it."""

import csv
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talkvid.face.alignment import window_of
from talkvid.face.centerface import CenterFaceDetector
from talkvid.face.landmark_net import FIVE, NUM_POINTS
from talkvid.face.mediapipe_backend import MediapipeDetector, MediapipeFace
from talkvid.face.pose import about_z, matrix_from_angles
from talkvid.files import atomic_path
from talkvid.log import progress
from talkvid.media.video import read_frames
from talkvid.records import Array

logger = logging.getLogger(__name__)

KINDS = ("tracks", "samples")
LABELS = ("points", "lips", "contour", "pose")
STORED_SIZE = 176
STORED_SCALE = 1.5
"""Stored windows show this many times more than the network sees, as room for shifts and turns."""
LARGEST_CHANGE = 2.0
"""A face whose area changes by more than this from one frame to the next is looked for anew."""
LOOK_AGAIN_EVERY = 5
"""Of the frames that follow one without a face, each so many-th is searched."""


@dataclass(frozen=True)
class Samples:
    """N windows with their labels; points in units of the stored window, -0.5 to 0.5."""

    images: Array
    """(N 176 176 3) uint8."""
    points: Array
    """(N 145 2) float32: lips, then contour."""
    rotations: Array
    """(N 3 3) float32, as seen in the window."""
    jaw_open: Array
    """(N,) float32."""
    clips: Array
    """(N,) index of the clip each comes from."""

    def __len__(self) -> int:
        return len(self.images)


def read_split(path: Path, split: str) -> list[str]:
    """Return the clips a split list (columns file, person, split) puts into `split`, in its order."""
    if not path.is_file():
        raise FileNotFoundError(f"split list {path} does not exist: give data.split")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    clips = [row["file"] for row in rows if row["split"] == split and row["file"].endswith(".mp4")]
    if not clips:
        raise ValueError(f"split list {path} names no .mp4 clip of split {split!r}")
    return clips


def collect(
    clips: list[str], root: Path, folder: Path, *, teacher_model: str, frames_per_clip: int
) -> Samples:
    """Return the samples of all clips below `root`, making those not yet in `folder` with the teacher."""
    teacher: Teacher | None = None
    for clip in progress(clips, total=len(clips), description="teacher and windows"):
        track_path, sample_path = (folder / kind / (clip.replace("/", "__") + ".npz") for kind in KINDS)
        if not track_path.is_file():
            teacher = teacher or Teacher(teacher_model)
            with atomic_path(track_path) as temporary:
                _write(temporary, teacher.track(root / clip))
        if not sample_path.is_file():
            with atomic_path(sample_path) as temporary:
                _write(temporary, sample_clip(root / clip, dict(np.load(track_path)), frames_per_clip))
    loaded = [dict(np.load(folder / KINDS[1] / (clip.replace("/", "__") + ".npz"))) for clip in clips]
    counts = [len(entry["images"]) for entry in loaded]
    logger.info("%d samples from %d clips, %d clips without a face", sum(counts), len(clips), counts.count(0))
    names = ("images", "points", "rotations", "jaw_open")
    joined = {name: np.concatenate([entry[name] for entry in loaded]) for name in names}
    return Samples(**joined, clips=np.repeat(np.arange(len(clips)), counts))


class Teacher:
    """Follows one face through a clip with MediaPipe, each frame on its own, so that nothing lags."""

    def __init__(self, model: str) -> None:
        self._detector = MediapipeDetector(model or None)
        self._far = CenterFaceDetector()

    def track(self, path: Path) -> dict[str, Array]:
        """Return per-frame arrays of the face that is largest at first, NaN where it is not found.

        box (F 4), points (F 5 2), lips (F 40 2), contour (F 105 2) in pixels, pose (F 3), jaw_open (F,),
        found (F,).
        """
        rows: list[MediapipeFace | None] = []
        box: Array | None = None
        missed = 0
        for frame in read_frames(path, on_damage="warn"):
            found = self._near(frame, box) if box is not None else None
            if found is None and missed % LOOK_AGAIN_EVERY == 0:
                found = self._anywhere(frame, box)
            missed = 0 if found is not None else missed + 1
            box = found.face.box if found is not None else box
            rows.append(found)
        return _arrays(rows)

    def _near(self, frame: Array, box: Array) -> MediapipeFace | None:
        found = self._detector.look(frame, box)
        before = float(np.prod(box[2:] - box[:2]))
        if found is None or not 1 / LARGEST_CHANGE < found.face.area / before < LARGEST_CHANGE:
            return None
        return found

    def _anywhere(self, frame: Array, box: Array | None) -> MediapipeFace | None:
        """Return the face nearest to the last box, or the largest; small ones are seen by CenterFace."""
        faces = self._detector.detect(frame) or self._far.detect(frame)
        if box is not None:
            faces.sort(key=lambda face: float(np.abs(face.box - box).sum()))
        return self._detector.look(frame, faces[0].box) if faces else None


def _arrays(rows: list[MediapipeFace | None]) -> dict[str, Array]:
    def column(name: str, shape: tuple[int, ...]) -> Array:
        values = [getattr(row.face, name) if row is not None else np.full(shape, np.nan) for row in rows]
        return np.array(values, dtype=np.float32).reshape(-1, *shape)

    shapes = {"box": (4,), "points": (5, 2), "lips": (40, 2), "contour": (105, 2), "pose": (3,)}
    arrays = {name: column(name, shape) for name, shape in shapes.items()}
    jaws = [row.jaw_open if row is not None else np.nan for row in rows]
    found = np.array([row is not None for row in rows], dtype=bool)
    return {**arrays, "jaw_open": np.array(jaws, dtype=np.float32), "found": found}


def sample_clip(path: Path, track: dict[str, Array], count: int) -> dict[str, Array]:
    """Return windows and labels of `count` frames of one clip, spread over those with a face."""
    seen = np.flatnonzero(track["found"])
    chosen = set(seen[np.linspace(0, len(seen) - 1, min(count, len(seen))).astype(int)].tolist())
    images, points, rotations = [], [], []
    for index, frame in enumerate(read_frames(path, on_damage="warn") if chosen else ()):
        if index in chosen:
            image, shape, rotation = cut_sample(frame, {name: track[name][index] for name in LABELS})
            images.append(image)
            points.append(shape)
            rotations.append(rotation)
    return {
        "images": np.array(images, dtype=np.uint8).reshape(-1, STORED_SIZE, STORED_SIZE, 3),
        "points": np.array(points, dtype=np.float32).reshape(-1, NUM_POINTS, 2),
        "rotations": np.array(rotations, dtype=np.float32).reshape(-1, 3, 3),
        "jaw_open": track["jaw_open"][sorted(chosen)],
    }


def cut_sample(frame: Array, found: dict[str, Array]) -> tuple[Array, Array, Array]:
    """Return the stored window of one tracked face, its points in window units and its rotation as seen
    there.
    """
    window = window_of(found["points"], scale=STORED_SCALE)
    shape = window.to_window(np.concatenate([found["lips"], found["contour"]]), STORED_SIZE)
    middle = (STORED_SIZE - 1) / 2
    rotation = about_z(window.angle) @ matrix_from_angles(found["pose"])
    return window.cut(frame, STORED_SIZE), (shape - middle) / STORED_SIZE, rotation


def upright_points(shapes: Array) -> Array:
    """Return the five points (N 5 2) among the points (N 145 2) of samples."""
    chosen: Array = shapes[:, list(FIVE)]
    return chosen


def _write(path: Path, arrays: dict[str, Array]) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
