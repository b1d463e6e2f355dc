"""How well and how fast does the embedded face backend see what its teacher sees?

python benchmarks/faces.py --media MEDIA --teacher face_landmarker_v2_with_blendshapes.task

Frames spread over the `val` clips of MEDIA/split.csv where MediaPipe FaceLandmarker sees a face; errors are
distances to its points over its eye distance, and degrees. The detector's own five points are the baseline.
Time is CPU time of one thread for the head of each frame as a 512 x 512 picture, median.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch

from talkvid.face.centerface import CenterFaceDetector
from talkvid.face.crop import face_square, fit_inside, square_crop
from talkvid.face.detect import FaceDetector
from talkvid.face.embedded import EmbeddedDetector
from talkvid.face.mediapipe_backend import MediapipeDetector
from talkvid.media.video import probe, read_at
from talkvid.records import Array, Face

SIZE = 512


@dataclass
class Tally:
    """Errors of one clip, or of all."""

    seen: int = 0
    found: int = 0
    five: list[float] = field(default_factory=list)
    rough: list[float] = field(default_factory=list)
    lips: list[float] = field(default_factory=list)
    pose: list[Array] = field(default_factory=list)
    cost_s: list[float] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Take in the errors of another tally."""
        self.seen, self.found = self.seen + other.seen, self.found + other.found
        for name in ("five", "rough", "lips", "pose", "cost_s"):
            getattr(self, name).extend(getattr(other, name))

    def row(self, name: str) -> str:
        """Return one line of the table."""
        pose = np.mean(self.pose, axis=0) if self.pose else np.full(3, np.nan)
        share = 100 * self.found / max(self.seen, 1)
        return (
            f"{name[-44:]:44} {self.seen:6} {share:7.1f} {_mean(self.five):8.4f} {_mean(self.rough):8.4f} "
            f"{_mean(self.lips):8.4f} {pose[0]:6.2f} {pose[1]:6.2f} {pose[2]:6.2f} "
            f"{1000 * float(np.median(self.cost_s)):7.1f}"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--weights", type=Path, help="folder of a trained network; the package's by default")
    parser.add_argument("--split", default="val")
    parser.add_argument("--frames", type=int, default=25, help="frames of each clip")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    ours, rough = EmbeddedDetector(weights=arguments.weights), CenterFaceDetector()
    teacher = MediapipeDetector(arguments.teacher)
    heads = ("frames", "found %", "5 points", "detector", "lips", "pitch", "yaw", "roll", "CPU ms")
    widths = (6, 7, 8, 8, 8, 6, 6, 6, 7)
    print(
        " ".join([f"{'clip':44}", *(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))])
    )
    total = Tally()
    for clip in _clips(arguments.media / "split.csv", arguments.split):
        tally = measure(arguments.media / clip, arguments.frames, ours, rough, teacher)
        total.add(tally)
        print(tally.row(clip), flush=True)
    print(total.row("all"))


def measure(
    path: Path, count: int, ours: EmbeddedDetector, rough: CenterFaceDetector, teacher: MediapipeDetector
) -> Tally:
    """Return the errors over `count` frames of one clip."""
    tally = Tally()
    for frame in _frames(path, count):
        truths = teacher.detect(frame)
        if not truths:
            continue
        truth = truths[0]
        tally.seen += 1
        found, coarse = _nearest(ours, frame, truth), _nearest(rough, frame, truth)
        tally.cost_s.append(_cost(ours, frame, truth))
        if found is None or coarse is None:
            continue
        tally.found += 1
        tally.five.append(_error(found.points, truth.points, truth))
        tally.rough.append(_error(coarse.points, truth.points, truth))
        assert found.lips is not None and truth.lips is not None
        assert found.pose is not None and truth.pose is not None
        tally.lips.append(_error(found.lips, truth.lips, truth))
        tally.pose.append(np.abs(found.pose - truth.pose))
    return tally


def _nearest(detector: FaceDetector, frame: Array, truth: Face) -> Face | None:
    """Return the face found at the true one's place."""
    faces = detector.detect(frame)
    eyes = float(np.linalg.norm(truth.points[1] - truth.points[0]))
    near = [(float(np.abs(face.points - truth.points).max()), face) for face in faces]
    best = min(near, key=lambda pair: pair[0], default=(np.inf, None))
    return best[1] if best[0] < 2 * eyes else None


def _cost(detector: FaceDetector, frame: Array, truth: Face) -> float:
    """Return the CPU seconds of one look at the head, 512 x 512, as preprocessing crops it."""
    square = fit_inside(face_square(truth), frame.shape[1], frame.shape[0])
    crop = square_crop(frame, square, SIZE)
    start = time.process_time()
    detector.detect(crop)
    return time.process_time() - start


def _error(points: Array, truth: Array, face: Face) -> float:
    eyes = np.linalg.norm(face.points[1] - face.points[0])
    return float(np.linalg.norm(points - truth, axis=-1).mean() / eyes)


def _frames(path: Path, count: int) -> Iterator[Array]:
    total = probe(path).num_frames or count
    yield from read_at(path, np.unique(np.linspace(0, total - 1, count).astype(int)).tolist())


def _clips(split_list: Path, split: str) -> list[str]:
    with split_list.open(newline="") as file:
        return [row["file"] for row in csv.DictReader(file) if row["split"] == split]


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


if __name__ == "__main__":
    main()
