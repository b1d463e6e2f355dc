"""Scores of a head from one look per second: how it moves, turns and fills the picture, in float64.

Formulas and thresholds are those published with the TalkVid data set (head detail filter).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from talkvid.records import Array, Face

PUBLISHED_THRESHOLDS: Mapping[str, float] = {
    "avg_movement": 80.0,
    "min_movement": 60.0,
    "avg_orientation": 70.0,
    "min_orientation": 30.0,
    "avg_completeness": 100.0,
    "min_completeness": 100.0,
    "avg_resolution": 50.0,
    "min_resolution": 40.0,
    "avg_rotation": 70.0,
    "min_rotation": 60.0,
    "face_consistency": 80.0,
}
"""A clip passes when every score is at least this."""
EYES, NOSE, MOUTH = 0.3, 0.4, 0.3
"""What of completeness hangs on each part; the pairs share theirs equally."""
POINT_WEIGHTS = (EYES / 2, EYES / 2, NOSE, MOUTH / 2, MOUTH / 2)
RESOLUTION_PER_PERCENT = 30.0
"""Resolution points for each percent of the picture that the face box covers."""
LOST_PER_BAD_LOOK = 20.0


@dataclass(frozen=True)
class HeadLook:
    """What one look saw: how many faces, and the only one's measures."""

    number: int
    """Which look, from 0; looks with consecutive numbers are one second apart."""
    num_faces: int
    points: Array | None = None
    """(5, 2) float64 in pixels, where exactly one face was seen."""
    box: Array | None = None
    """(4,) float64: x0, y0, x1, y1."""
    pose: Array | None = None
    """(3,) float64: pitch, yaw, roll in degrees."""


def look_of(number: int, faces: Sequence[Face], *, other_face_share: float = 0.0) -> HeadLook:
    """Return what a look saw; boxes below `other_face_share` of the largest one's area do not count."""
    ordered = sorted(faces, key=lambda face: -face.area)
    counted = [face for face in ordered if face.area >= other_face_share * ordered[0].area]
    if len(counted) != 1:
        return HeadLook(number, len(counted))
    face = counted[0]
    if face.pose is None:
        raise ValueError(
            "the face detector gives no pose, which orientation and rotation need: "
            "choose embedded, mediapipe, or insightface with its 1k3d68.onnx"
        )
    points, box, pose = (np.asarray(values, np.float64) for values in (face.points, face.box, face.pose))
    return HeadLook(number, 1, points, box, pose)


def head_scores(
    looks: Sequence[HeadLook], size: tuple[int, int], *, across_gaps: bool = False
) -> dict[str, float]:
    """Return the scores by name, 100 the best, from the looks with exactly one face (at least one of them).

    `size` is (width, height). Movement and rotation compare looks one second apart; a look without exactly
    one face parts its neighbours, unless `across_gaps`, which compares what remains as if nothing had been
    between (as published). Without a pair to compare both are 100, as published for a single look.
    """
    seen = [look for look in looks if look.num_faces == 1]
    assert seen, "no look with exactly one face"
    pairs = [
        (before, after)
        for before, after in pairwise(seen)
        if across_gaps or after.number == before.number + 1
    ]
    bad = len(looks) - len(seen)
    return {
        **_movement([movement_step(before, after, size) for before, after in pairs]),
        **_spread("orientation", [100.0 - turned_away(look) for look in seen]),
        **_spread("completeness", [completeness(look, size) for look in seen]),
        **_spread("resolution", [covered_percent(look, size) for look in seen], RESOLUTION_PER_PERCENT),
        **_spread("rotation", [100.0 - rotation_step(before, after) for before, after in pairs] or [100.0]),
        "face_consistency": max(0.0, 100.0 - LOST_PER_BAD_LOOK * bad),
        "num_looks": float(len(looks)),
        "num_faceless": float(sum(look.num_faces == 0 for look in looks)),
        "num_multiface": float(sum(look.num_faces > 1 for look in looks)),
    }


def movement_step(before: HeadLook, after: HeadLook, size: tuple[int, int]) -> float:
    """Return how far the five points moved, mean over points and axes, in shorter sides of the picture."""
    assert before.points is not None and after.points is not None
    return float(np.abs(after.points - before.points).mean() / min(size))


def rotation_step(before: HeadLook, after: HeadLook) -> float:
    """Return the root of the squared changes of pitch, yaw and roll, in degrees."""
    assert before.pose is not None and after.pose is not None
    return math.sqrt(float(((after.pose - before.pose) ** 2).sum()))


def turned_away(look: HeadLook) -> float:
    """Return the root of the squared angles, each in percent of a half turn; the camera is at 0."""
    assert look.pose is not None
    return math.sqrt(float(((np.abs(look.pose) / 180.0 * 100.0) ** 2).sum()))


def completeness(look: HeadLook, size: tuple[int, int]) -> float:
    """Return 100 with all five points inside the picture, less by the weight of each outside."""
    assert look.points is not None
    x, y = look.points.T
    inside = (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
    if inside.all():
        return 100.0
    return 100.0 * sum(weight for weight, within in zip(POINT_WEIGHTS, inside, strict=True) if within)


def covered_percent(look: HeadLook, size: tuple[int, int]) -> float:
    """Return the area of the face box in percent of the picture's."""
    assert look.box is not None
    left, top, right, bottom = (float(edge) for edge in look.box)
    return (right - left) * (bottom - top) / (size[0] * size[1]) * 100.0


def _movement(steps: Sequence[float]) -> dict[str, float]:
    steps = steps or [0.0]
    return {
        "avg_movement": 100.0 - 100.0 * float(np.mean(steps)),
        "min_movement": 100.0 - 100.0 * max(steps),
    }


def _spread(name: str, values: Sequence[float], factor: float = 1.0) -> dict[str, float]:
    return {f"avg_{name}": float(np.mean(values)) * factor, f"min_{name}": min(values) * factor}
