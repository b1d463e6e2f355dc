"""LMD: how far landmarks are from the true video's, each set taken about its own centre.

As RAD-NeRF and ER-NeRF measure it: 68 points, mouth 48 to 67, in pixels, so a video of twice the size has
twice the distance. The normalised forms are ours. `lip_distance` has our own measure on 40 lip points.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from talkvid.evaluation.facts import Facts
from talkvid.evaluation.tracks import FaceTracks
from talkvid.records import Array

VERSION = 1
NUM_POINTS = 68
MOUTH = slice(48, 68)
EYES = (slice(36, 42), slice(42, 48))
OUTER_CORNERS = (36, 45)
Part = Literal["mouth", "face"]


@dataclass(frozen=True)
class LandmarkDistance:
    """Distances over the pictures with a face on both sides; None where there is no such picture."""

    name: str
    """ "LMD" for the mouth of 68 points in pixels, "F-LMD" for the face, other names for other points."""
    pixels: float | None
    over_eye_centres: float | None
    """Each picture's distance over the true face's inter-ocular distance in it, then mean."""
    over_outer_corners: float | None
    """The same over the distance of the outer eye corners; None where the points have none."""
    num_frames: int
    num_measured: int
    missing_made: tuple[int, ...]
    """Pictures in which the made face was not found."""
    missing_truth: tuple[int, ...]
    protocol: Facts


def landmark_distance(
    made: Array, truth: Array, *, part: Part = "mouth", size: tuple[int, int] | None = None
) -> LandmarkDistance:
    """Return the LMD of 68 landmarks (F, 68, 2) in pixels; rows with NaN are pictures without a face.

    `size` is width and height of the pictures, told with the result because pixels mean nothing without it.
    ValueError for other shapes or different numbers of pictures.
    """
    for points, what in ((made, "made"), (truth, "true")):
        if points.ndim != 3 or points.shape[1:] != (NUM_POINTS, 2):
            raise ValueError(f"the {what} landmarks have the shape {points.shape}, not (pictures, 68, 2)")
    chosen = MOUTH if part == "mouth" else slice(0, NUM_POINTS)
    ours, theirs = np.asarray(made, np.float64), np.asarray(truth, np.float64)
    left, right = (theirs[:, eye].mean(axis=1) for eye in EYES)
    return _measured(
        ours[:, chosen],
        theirs[:, chosen],
        found=(_complete(ours), _complete(theirs)),
        scales=(
            np.linalg.norm(right - left, axis=-1),
            np.linalg.norm(theirs[:, OUTER_CORNERS[1]] - theirs[:, OUTER_CORNERS[0]], axis=-1),
        ),
        name="LMD" if part == "mouth" else "F-LMD",
        facts={
            "points": "68 landmarks, mouth 48 to 67" if part == "mouth" else "68 landmarks, all",
            "size": "" if size is None else f"{size[0]}x{size[1]}",
        },
    )


def lip_landmark_distance(made: FaceTracks, truth: FaceTracks) -> LandmarkDistance:
    """Return the same distance on the 40 lip points of our face tracks, picture k beside picture k.

    Not comparable with LMD, whose mouth is 20 of 68 points, and named so. ValueError when the tracks differ
    in length, frame rate or picture size: cut or resample them first (`FaceTracks.at`).
    """
    if len(made) != len(truth) or made.fps != truth.fps or made.size != truth.size:
        raise ValueError(
            f"{len(made)} pictures of {made.size} at {made.fps:g} fps and {len(truth)} of {truth.size} at "
            f"{truth.fps:g} cannot be compared in pixels; bring them to one length, rate and size"
        )
    distance = truth.eye_distance.astype(np.float64)
    return _measured(
        made.lips[..., :2].astype(np.float64),
        truth.lips[..., :2].astype(np.float64),
        found=(made.found, truth.found),
        scales=(distance, np.full(len(truth), np.nan)),
        name="LMD form, 40 lip points",
        facts={
            "points": "40 lip points, inter-ocular distance in 3-D",
            "size": f"{truth.size[0]}x{truth.size[1]}",
        },
    )


def _complete(points: Array) -> Array:
    return np.asarray(np.isfinite(points).all(axis=(1, 2)))


def _measured(
    ours: Array,
    theirs: Array,
    *,
    found: tuple[Array, Array],
    scales: tuple[Array, Array],
    name: str,
    facts: Facts,
) -> LandmarkDistance:
    """Return the distance of points (F, N, 2), each set about its own centre, with two `scales` (F,)."""
    if len(ours) != len(theirs):
        raise ValueError(
            f"{len(ours)} made and {len(theirs)} true pictures have landmarks; align the videos first"
        )
    both = found[0] & found[1]
    away = _centred(ours[both]) - _centred(theirs[both])
    per_picture = np.linalg.norm(away, axis=-1).mean(axis=-1)
    missing = [tuple(int(number) for number in np.flatnonzero(~one)) for one in found]
    return LandmarkDistance(
        name=name,
        pixels=_mean(per_picture),
        over_eye_centres=_mean_over(per_picture, scales[0][both]),
        over_outer_corners=_mean_over(per_picture, scales[1][both]),
        num_frames=len(ours),
        num_measured=int(both.sum()),
        missing_made=missing[0],
        missing_truth=missing[1],
        protocol={"version": VERSION, **facts, "frames": len(ours), "measured": int(both.sum())},
    )


def _centred(points: Array) -> Array:
    centred: Array = points - points.mean(axis=1, keepdims=True)
    return centred


def _mean(values: Array) -> float | None:
    return float(values.mean()) if len(values) else None


def _mean_over(values: Array, scale: Array) -> float | None:
    """Return the mean of values over scale, None when a scale is unknown or zero."""
    usable = bool(len(values)) and bool(np.isfinite(scale).all()) and bool((scale > 0).all())
    return float((values / scale).mean()) if usable else None
