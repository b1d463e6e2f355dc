"""LSE-D, LSE-C and A/V offset of a video: pictures at 25 a second, sound at 16 kHz, nothing on disk.

Two protocols, which give different numbers and which papers rarely name:

* `whole_frame`: every frame is stretched to 224 x 224, for videos that show a cropped face already;
* `tracked`: faces are found, followed and cropped by the rules of SyncNet's published pipeline, and every
  track is scored with the sound of its own time. The published pipeline finds faces with S3FD; ours are other
  detectors, with other boxes, so the detector's name belongs to the number.

Both convert as `talkvid.media` does: of the pictures the one nearest in time to each 25th of a second, the
sound mixed to mono, resampled by soxr, time 0 at the first picture, rounded to 16 bits. The published scripts
convert with ffmpeg and write JPEG files (and for tracks XviD files) in between; `legacy_jpeg` imitates the
JPEG files that SyncNet reads, at native size before the frame is stretched, or of the finished crop; XviD is
not imitated.

The published weights are not part of this project, and no number here was ever made with them: what is shown
is that the same weights, whichever, give the published code's features, distances and scores.
"""

import logging
import os

import numpy as np

from talkvid.evaluation.mfcc import RATE_HZ
from talkvid.evaluation.sync_pictures import sync_of_pictures
from talkvid.evaluation.sync_report import SyncReport
from talkvid.evaluation.sync_settings import FPS, SyncSettings
from talkvid.evaluation.syncnet import SyncEncoder
from talkvid.face.detect import FaceDetector
from talkvid.media.audio import load_audio
from talkvid.media.video import probe, read_frames
from talkvid.records import Array

logger = logging.getLogger(__name__)


def sync_of_video(
    path: str | os.PathLike[str],
    encoder: SyncEncoder,
    *,
    settings: SyncSettings,
    detector: FaceDetector | None = None,
    sound: str | os.PathLike[str] | None = None,
) -> SyncReport:
    """Return the scores of a video file with its own sound, or with the file `sound` from time 0 on.

    Any frame rate is brought to 25 and stated in the facts. Raises FileNotFoundError, or ValueError for a
    video without sound or face, a silent or a too short one, each with the numbers.
    """
    info = probe(path)
    if sound is None and not info.has_audio:
        raise ValueError(
            f"{path}: has no sound to compare the lips with; give the sound as a file of its own"
        )
    if abs(info.fps - FPS) > 0.01:
        logger.info("%s: %.3f pictures a second are brought to %d", path, info.fps, FPS)
    samples = sixteen_bits(load_audio(path if sound is None else sound, rate=RATE_HZ))
    try:
        return sync_of_pictures(
            lambda: read_frames(path, fps=FPS),
            samples,
            encoder,
            settings=settings,
            detector=detector,
            more_facts={"source_fps": info.fps, "source_size": f"{info.width}x{info.height}"},
        )
    except ValueError as error:
        raise ValueError(f"{error}" if f"{path}" in f"{error}" else f"{path}: {error}") from error


def sixteen_bits(samples: Array) -> Array:
    """Return a float sound (full scale 1) as int16, rounded to the nearest step and clipped."""
    return np.clip(np.rint(np.asarray(samples, np.float64) * 32768), -32768, 32767).astype(np.int16)
