"""Key points of the video to make: the portrait's own, or a driving person's motion carried over to it."""

import logging

import numpy as np

from talkvid import plugins
from talkvid.records import Array

logger = logging.getLogger(__name__)

STRATEGIES = ("fix_face", "no_retarget", "offset_retarget", "naive_retarget")
SMALLEST_NOSE_DISTANCE = 0.1
"""A nose nearer to the eye line, in eye distances, says nothing about the height of the face."""
LARGEST_STRETCH = 2.0
"""The height of a face is scaled at most this much more or less than its width."""
TINY = 1e-6


def retarget(
    strategy: str,
    reference: Array,
    driving: Array | None = None,
    *,
    num_frames: int,
    fps: float | None = None,
    driving_fps: float | None = None,
    driving_size: tuple[int, int] | None = None,
    output_size: tuple[int, int] | None = None,
) -> Array:
    """Return the key points of `num_frames` output frames, float64 (num_frames P 2), in output pixels.

    `reference` (P 2): eyes, nose (and mouth corners) of the portrait in output pixels. `driving` (F P 2):
    those of the driving video in pixels of `driving_size` (width, height), NaN where no face was found.
    Strategies: `fix_face` keeps the portrait's points; `no_retarget` takes the driving points, scaled from
    `driving_size` to `output_size`; `offset_retarget` moves the portrait's points as the driving nose moves
    from its first frame, in proportion to the face; `naive_retarget` carries over the driving shape as well,
    scaled about the nose, so that the first frame's nose lies on the portrait's. Sizes are compared on the
    driving frame whose head is turned most like the portrait's. With `fps` and `driving_fps` motion keeps its
    speed and its last pose is held; without them the driving track is stretched over the output.
    """
    reference = _points("reference key points", reference, axes=2)
    known = plugins.choices("retarget_strategy", STRATEGIES)
    if strategy not in known:
        raise ValueError(f"unknown retarget strategy {strategy!r}: choose one of {', '.join(known)}")
    if num_frames < 1:
        raise ValueError(f"num_frames must be at least 1, got {num_frames}")
    if not np.isfinite(reference).all():
        raise ValueError("reference key points contain values that are not numbers; no face in the portrait?")
    if strategy == "fix_face":
        return np.repeat(reference[None], num_frames, axis=0)
    if driving is None:
        raise ValueError(f"strategy {strategy} needs driving key points: give --kps_path or --driving_video")
    track = fill_missing(_points("driving key points", driving, axes=3))
    track = track[:, : reference.shape[0]]
    reference = reference[: track.shape[1]]
    moving = resample(track, num_frames, fps=fps, driving_fps=driving_fps)
    if strategy == "no_retarget":
        return moving * _size_ratio(driving_size, output_size)
    if strategy not in STRATEGIES:
        return _own(strategy, reference, moving * _size_ratio(driving_size, output_size))
    scale = face_scale(reference, track[nearest_frame(reference, track)])
    if strategy == "offset_retarget":
        offset: Array = reference + scale * (moving[:, 2:3] - moving[:1, 2:3])
        return offset
    carried: Array = reference[2] + scale * (moving - moving[:1, 2:3])
    return carried


def _own(strategy: str, reference: Array, moving: Array) -> Array:
    """Return what a plug-in makes of the portrait's points (P 2) and the moving (F P 2), output pixels."""
    made: Array = np.asarray(plugins.find("retarget_strategy", strategy)(reference, moving), np.float64)
    if made.shape != moving.shape or not np.isfinite(made).all():
        raise ValueError(
            f"retarget strategy {strategy} must give finite points of shape {moving.shape}, got {made.shape}"
        )
    return made


def resample(
    track: Array, num_frames: int, *, fps: float | None = None, driving_fps: float | None = None
) -> Array:
    """Return (num_frames P 2) points of a (F P 2) track, linear in time.

    Frame i shows time i / fps, the last driving pose being held when the track ends earlier; without both
    rates the track is stretched so that each of its frames takes an equal part of the output.
    """
    last = len(track) - 1
    if fps is not None and driving_fps is not None:
        if fps <= 0 or driving_fps <= 0:
            raise ValueError(f"frame rates must be positive, got {fps} and {driving_fps}")
        position = np.minimum(np.arange(num_frames) * driving_fps / fps, last)
    else:
        position = np.clip((np.arange(num_frames) + 0.5) * len(track) / num_frames - 0.5, 0, last)
    below = np.minimum(np.floor(position).astype(int), last)
    above = np.minimum(below + 1, last)
    share = (position - below)[:, None, None]
    result: Array = track[below] * (1 - share) + track[above] * share
    return result


def fill_missing(track: Array) -> Array:
    """Return a (F P 2) track whose frames with NaN are interpolated in time; ValueError when all have NaN."""
    known = np.isfinite(track).all(axis=(1, 2))
    if known.all():
        return track
    if not known.any():
        raise ValueError(f"driving key points: no face in any of the {len(track)} frames")
    logger.warning("driving key points: %d of %d frames without a face, filled", (~known).sum(), len(track))
    frames = np.arange(len(track))
    flat = track.reshape(len(track), -1)
    columns = [np.interp(frames, frames[known], flat[known, index]) for index in range(flat.shape[1])]
    return np.stack(columns, axis=-1).reshape(track.shape)


def nearest_frame(reference: Array, track: Array) -> int:
    """Return the index of the driving frame whose head is turned most like the reference's.

    The turn is measured as in V-Express: the nose's distance from one eye over that from the other.
    """
    turns = np.array([_turn(points) for points in track])
    return int(np.argmin(np.abs(turns - _turn(reference))))


def face_scale(reference: Array, driving: Array) -> Array:
    """Return (2,): how much wider and higher the reference face is than the driving one.

    Width is the distance of the eyes; height is that of the nose from the eye line, or the width's ratio
    where the nose is too near that line to tell.
    """
    width, height = _extent(reference)
    driving_width, driving_height = _extent(driving)
    across = width / driving_width
    flat = height < SMALLEST_NOSE_DISTANCE * width or driving_height < SMALLEST_NOSE_DISTANCE * driving_width
    down = across if flat else height / driving_height
    return np.array([across, np.clip(down, across / LARGEST_STRETCH, across * LARGEST_STRETCH)])


def _extent(points: Array) -> tuple[float, float]:
    line = points[1] - points[0]
    width = float(np.hypot(*line))
    if width == 0:
        raise ValueError("key points: both eyes lie on the same place")
    to_nose = points[2] - points[0]
    return width, float(abs(line[0] * to_nose[1] - line[1] * to_nose[0])) / width


def _turn(points: Array) -> float:
    left, right = (float(np.hypot(*(points[2] - points[eye]))) for eye in (0, 1))
    return left / max(right, TINY)


def _size_ratio(driving_size: tuple[int, int] | None, output_size: tuple[int, int] | None) -> Array:
    if driving_size is None or output_size is None:
        return np.ones(2)
    return np.array(output_size, dtype=np.float64) / np.array(driving_size, dtype=np.float64)


def _points(name: str, points: Array, *, axes: int) -> Array:
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != axes or array.shape[-1] != 2 or array.shape[-2] < 3 or array.shape[0] == 0:
        expected = "(3, 2)" if axes == 2 else "(frames, 3, 2)"
        raise ValueError(f"{name} must have shape {expected}, got {array.shape}")
    return array
