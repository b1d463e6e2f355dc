"""The head of the embedded model's person, frame by frame: where it is and how far its eyes are shut."""

import numpy as np

from talkvid.face.head_warp import HeadWarp
from talkvid.face.lip_motion import FaceFrame, face_frame
from talkvid.inference.settings import VideoSettings
from talkvid.model.head_motion import POSE_NUMBERS, HeadMotion
from talkvid.records import Array, Face, FeatureRows

STILL_PX = 0.02
"""Poses that move no part of the picture by more than this leave it as it is."""


class HeadTrack:
    """The poses (F 6) and the closure of the lids (F,) of one video, and the picture's places for them."""

    def __init__(
        self,
        face: Face,
        *,
        poses: Array,
        size: tuple[int, int],
        lively: HeadMotion | None,
        settings: VideoSettings,
        speech: FeatureRows,
        spoken: Array | None,
    ) -> None:
        """Take the key points (F 3 2) of the video, the picture's (width, height) and who moves the head.

        Key points that differ from the portrait's are followed; to them comes the natural motion.
        """
        frame, frames = face_frame(face.points), len(poses)
        self.poses = np.stack([pose_of(face.points[: len(points)], points, frame) for points in poses])
        self.closure = np.zeros(frames, np.float32)
        if lively is not None and settings.head_motion == "natural":
            natural = lively.poses(speech, frames, fps=settings.fps, seed=settings.seed, spoken=spoken)
            self.poses = self.poses + settings.head_motion_scale * natural
        if lively is not None and settings.blink:
            self.closure = lively.blinks(frames, fps=settings.fps, seed=settings.seed)
        depth = None if lively is None else lively.depth.double().numpy()
        width, height = size
        self._warp = HeadWarp(face, width=width, height=height, depth=depth)

    def places(self, index: int) -> Array | None:
        """Return where in the portrait the pixels of frame `index` come from (H W 2); None: nothing moves."""
        pose = self.poses[index]
        if float(np.abs(pose).max()) * self._warp.frame.size < STILL_PX:
            return None
        return self._warp.places(pose)


def pose_of(here: Array, there: Array, frame: FaceFrame) -> Array:
    """Return the pose (6,) that brings the points `here` (N 2) px of a face at `frame` nearest to `there`."""
    turn, shift = similarity(here, there)
    x, y = frame.axis
    across, down = np.array([[x, y], [-y, x]]) @ (turn @ frame.origin + shift - frame.origin) / frame.size
    log_scale, roll = 0.5 * np.log(np.linalg.det(turn)), np.arctan2(turn[1, 0], turn[0, 0])
    pose = np.array([across, down, log_scale, roll, 0.0, 0.0])
    assert len(pose) == len(POSE_NUMBERS)
    return pose


def similarity(source: Array, target: Array) -> tuple[Array, Array]:
    """Return turn-and-scale (2, 2) and shift (2,) that bring `source` points (N 2) nearest to `target`.

    Least squares without reflection (Umeyama, 1991), for points in the plane.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    first, second = source - centre, target - goal
    spread = float((first**2).sum())
    along = float((first * second).sum()) / spread
    across = float((first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    return turn, goal - turn @ centre
