"""Where the head is in every frame: from the portrait, a key-point file or a driving video."""

import logging
import math
import os

import numpy as np

from talkvid import log
from talkvid.face.detect import FaceDetector
from talkvid.face.keypoints import load_kps
from talkvid.face.retarget import retarget
from talkvid.inference.settings import VideoSettings
from talkvid.media.video import probe, read_frames
from talkvid.records import Array

logger = logging.getLogger(__name__)

NUM_POINTS = 3
"""Eyes and nose: what V-Kps pictures show."""
PLAUSIBLE_RATES = (14.0, 65.0)
"""Frame rates a key-point file may have been made at."""


def pose_track(
    portrait_points: Array,
    settings: VideoSettings,
    *,
    num_frames: int,
    duration_s: float,
    detector: FaceDetector,
) -> Array:
    """Return the key points (num_frames 3 2) float64 of the video, in pixels of its pictures.

    `portrait_points` (5 2) are those of the prepared portrait. Poses of a file or a video keep their speed:
    the pose of time t is shown at time t, whatever the two frame rates.
    """
    driving, driving_fps, driving_size = None, None, None
    if settings.retarget_strategy == "fix_face":
        if settings.kps_path or settings.driving_video:
            logger.warning("retarget strategy fix_face: the given poses are not used, the head stands still")
    elif settings.kps_path:
        driving = load_kps(os.fspath(settings.kps_path))
        driving_fps = settings.kps_fps or implied_rate(len(driving), duration_s, settings.fps)
        driving_size = parse_size(settings.kps_size)
        logger.info("key points: %d poses at %.3g per second", len(driving), driving_fps)
    elif settings.driving_video:
        driving, driving_fps, driving_size = track_head(
            settings.driving_video, detector, end_s=duration_s, fps=settings.fps
        )
    return retarget(
        settings.retarget_strategy,
        portrait_points[:NUM_POINTS],
        driving,
        num_frames=num_frames,
        fps=settings.fps,
        driving_fps=driving_fps,
        driving_size=driving_size,
        output_size=(settings.image_width, settings.image_height),
    )


def implied_rate(num_poses: int, duration_s: float, fps: float) -> float:
    """Return the frame rate of a key-point file that does not say it.

    Such files are made from the video the speech comes from, so they last as long as the speech. Where that
    would be no video's frame rate, the file belongs to another video and the rate `fps` is taken.
    """
    rate = num_poses / duration_s
    low, high = PLAUSIBLE_RATES
    if low <= rate <= high:
        return rate
    logger.warning("key points: %d poses do not fit %.2f s of speech; taken at %g per second (--kps_fps)",
                   num_poses, duration_s, fps)  # fmt: skip
    return fps


def track_head(
    path: str | os.PathLike[str], detector: FaceDetector, *, end_s: float, fps: float
) -> tuple[Array, float, tuple[int, int]]:
    """Return key points (F 3 2), NaN without a face, their rate and the (width, height) of their pictures.

    At most `fps` pictures per second are looked at; of several faces the one nearest to the last is followed.
    """
    info = probe(path)
    rate = min(fps, info.fps) if info.fps > 0 else fps
    points: list[Array] = []
    last: Array | None = None
    expected = math.ceil(min(end_s, info.duration_s or end_s) * rate)
    frames = read_frames(path, end_s=end_s, fps=rate)
    for frame in log.progress(frames, total=expected, description="following the driving head"):
        faces = detector.detect(frame)
        if not faces:
            points.append(np.full((NUM_POINTS, 2), np.nan))
            continue
        centre = last
        face = faces[0] if centre is None else min(
            faces, key=lambda found: float(np.linalg.norm(found.points[2] - centre))
        )  # fmt: skip
        last = face.points[2]
        points.append(np.asarray(face.points[:NUM_POINTS], np.float64))
    found = sum(bool(np.isfinite(pose).all()) for pose in points)
    if not found:
        raise ValueError(f"{path}: no face found in this driving video; give one that shows a face")
    return np.stack(points), rate, (info.width, info.height)


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) of a text like 512x512; raise ValueError for anything else."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise ValueError(f"kps_size: give width x height in pixels such as 512x512, got {text!r}")
    return int(width), int(height)
