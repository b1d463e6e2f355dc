"""A packed clip as the head-motion training sees it: poses, turned-back landmarks, lids and loudness."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, percentile_filter

from talkvid.face.layout import CONTOUR_PARTS
from talkvid.face.lip_motion import face_frame
from talkvid.model.head_motion import RATE_HZ, ROWS_PER_S, smooth_loudness, standard_loudness
from talkvid.records import NUM_LIP, Array
from talkvid.speech.activity import speech_activity
from talkvid.speech.features import LogMelEncoder
from talkvid.training.mini_data import PackedClip

LEAST_FOUND = 0.98
SHORTEST_S = 2.0
TRACK_SOFT = 1.0
"""Deviation (frames) of the smoothing that takes the teacher's noise off the poses."""
OPEN_PERCENTILE, OPEN_FRAMES = 70, 51
"""An eye is open as far as this percentile of the frames around it says."""
ALIGN_ROUNDS = 3


@dataclass(frozen=True)
class MovingClip:
    """One clip at RATE_HZ."""

    name: str
    person: str
    synced: bool
    poses: Array
    """(F 6) numbers of POSE_NUMBERS, about the clip's mean face."""
    shapes: Array
    """(F 145 2) landmarks in the clip's mean face frame, shift, size and roll taken back."""
    closure: Array
    """(F,) how far the lids are shut, about 0 to 1."""
    loudness: Array
    """(F,) in deviations from its mean in speech."""
    spoken: Array


def moving_clip(clip: PackedClip) -> MovingClip | None:
    """Return the clip, or None where the face is missing too often or the clip is too short."""
    if len(clip.usable) < LEAST_FOUND * len(clip) or len(clip) < SHORTEST_S * RATE_HZ:
        return None
    landmarks = _filled(np.concatenate([clip.lips, clip.contour], axis=1), clip.found)
    mean_face = face_frame(_filled(clip.points, clip.found).mean(axis=0))
    moves, shapes = turned_back(mean_face.to_face(landmarks))
    turns = np.deg2rad(_filled(clip.pose, clip.found))
    poses = np.concatenate([moves, turns[:, 1:2], turns[:, 0:1]], axis=1)
    poses = gaussian_filter1d(poses, TRACK_SOFT, axis=0, mode="nearest")
    spoken = speech_activity(clip.audio, RATE_HZ)[: len(poses)]
    spoken = np.pad(spoken, (0, len(poses) - len(spoken)))
    level = smooth_loudness(LogMelEncoder().encode(clip.audio))
    rows = np.rint(np.arange(len(poses)) * (ROWS_PER_S / RATE_HZ)).astype(int).clip(max=len(level) - 1)
    return MovingClip(
        name=clip.source.id,
        person=clip.source.person,
        synced=clip.source.synced,
        poses=poses,
        shapes=shapes,
        closure=lid_closure(_filled(clip.contour, clip.found)),
        loudness=standard_loudness(level[rows], spoken),
        spoken=spoken,
    )


def turned_back(landmarks: Array) -> tuple[Array, Array]:
    """Return (F 4) shift, log size and roll of the head, and the landmarks (F 145 2) without them.

    `landmarks` (F 145 2) lie in one face frame. Fitted to points that neither speech nor blinks move: the
    corners of the eyes and the nose (similarity, Umeyama 1991), against their own mean.
    """
    mean = landmarks.mean(axis=0)
    for _ in range(ALIGN_ROUNDS):
        turns = [_similarity(mean[_RIGID], points[_RIGID]) for points in landmarks]
        shapes = np.stack(
            [
                (points - shift) @ np.linalg.inv(turn).T
                for points, (turn, shift) in zip(landmarks, turns, strict=True)
            ]
        )
        mean = shapes.mean(axis=0)
    moves = np.array(
        [
            [*shift, 0.5 * np.log(np.linalg.det(turn)), np.arctan2(turn[1, 0], turn[0, 0])]
            for turn, shift in turns
        ]
    )
    return moves, shapes


def lid_closure(contour: Array) -> Array:
    """Return how far the lids of both eyes are shut (F,), from contours (F 105 2): 0 open, about 0.9 shut."""
    gaps = []
    for side in ("image_left_eye", "image_right_eye"):
        ring = contour[:, CONTOUR_PARTS[side]]
        width = np.linalg.norm(ring[:, 0] - ring[:, 8], axis=1)
        gaps.append(np.linalg.norm(ring[:, 2:7] - ring[:, 14:9:-1], axis=2).mean(axis=1) / width)
    gap = np.mean(gaps, axis=0)
    closure: Array = 1 - gap / np.maximum(percentile_filter(gap, OPEN_PERCENTILE, OPEN_FRAMES), 1e-6)
    return closure


def _similarity(source: Array, target: Array) -> tuple[Array, Array]:
    centre, goal = source.mean(axis=0), target.mean(axis=0)
    first, second = source - centre, target - goal
    spread = float((first**2).sum())
    along = float((first * second).sum()) / spread
    across = float((first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum()) / spread
    turn = np.array([[along, -across], [across, along]])
    return turn, goal - turn @ centre


def _filled(track: Array, found: Array) -> Array:
    """Return a track (F …) float64 with frames without a face interpolated in time."""
    known = np.flatnonzero(found)
    flat = np.asarray(track, np.float64).reshape(len(track), -1)
    columns = [np.interp(np.arange(len(flat)), known, flat[known, column]) for column in range(flat.shape[1])]
    return np.stack(columns, axis=-1).reshape(track.shape)


def _rigid_points() -> Array:
    corners = [
        CONTOUR_PARTS[f"image_{side}_eye"].start + index for side in ("left", "right") for index in (0, 8)
    ]
    nose = range(CONTOUR_PARTS["nose_ridge"].start, CONTOUR_PARTS["nose_base"].stop)
    return NUM_LIP + np.array([*corners, *nose])


_RIGID = _rigid_points()
