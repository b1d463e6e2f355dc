"""SyncNet's numbers of pictures that come one at a time, whole or by face; only features are kept."""

import logging
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from talkvid.evaluation.facts import Fact, checked_frame
from talkvid.evaluation.mfcc import RATE_HZ, mfcc
from talkvid.evaluation.sync_crop import TrackCrop, whole_frame
from talkvid.evaluation.sync_distance import (
    SAMPLES_PER_FRAME,
    SyncScores,
    distances,
    num_windows,
    require_windows,
    sync_scores,
)
from talkvid.evaluation.sync_report import SyncReport, TrackSync
from talkvid.evaluation.sync_settings import FPS, SyncSettings, settings_facts, tracking_facts
from talkvid.evaluation.sync_shots import ShotWatch
from talkvid.evaluation.sync_tracks import FaceTrack, Tracking, track_faces
from talkvid.evaluation.syncnet import LipStream, SyncEncoder
from talkvid.face.detect import FaceDetector
from talkvid.media.jpeg_pass import JpegPass
from talkvid.records import Array

logger = logging.getLogger(__name__)

UNEQUAL_S = 0.2
"""A larger difference between the lengths of picture and sound is worth a warning."""

Pictures = Callable[[], Iterable[Array]]
"""Gives the pictures from the beginning, RGB (H W 3) uint8, 25 a second, each time it is called."""


def sync_of_pictures(
    pictures: Pictures,
    samples: Array,
    encoder: SyncEncoder,
    *,
    settings: SyncSettings,
    detector: FaceDetector | None = None,
    fps: float = FPS,
    more_facts: Mapping[str, Fact] | None = None,
) -> SyncReport:
    """Return the scores of pictures with the 16-bit samples (N,) at 16 kHz that sound with them.

    The pictures are read once, for `tracked` twice; only features and face boxes are kept. ValueError as in
    `sync_of_video`, and for an `fps` that is not 25.
    """
    if fps != FPS:
        raise ValueError(f"the pictures come {fps:g} a second, SyncNet knows {FPS}: read them with fps={FPS}")
    if not np.any(samples):
        raise ValueError(f"the sound is silent: all its {len(samples)} samples are 0")
    facts = settings_facts(settings, encoder) | dict(more_facts or {})
    if settings.crop == "whole_frame":
        tracks = [_whole(pictures, samples, encoder, settings)]
        num_frames = tracks[0].num_frames
    else:
        if detector is None:
            raise ValueError("the crop `tracked` needs a face detector; build one, or take `whole_frame`")
        boxes, shots = _seen(pictures, detector, settings.cuts)
        tracking = track_faces(boxes, settings.rules, shots=shots)
        chosen = _with_sound(_usable(tracking, boxes, detector, settings), samples, settings)
        tracks = _tracked(pictures, samples, encoder, settings, chosen)
        num_frames = len(boxes)
        facts |= tracking_facts(detector.name, boxes, len(shots), tracking)
        facts["tracks_without_sound"] = len(tracking.tracks) - len(chosen)
    _warn_if_unequal(num_frames, len(samples))
    facts |= {"frames": num_frames, "samples": len(samples), "tracks": len(tracks)}
    facts["windows"] = sum(track.scores.windows for track in tracks)
    return SyncReport(tuple(tracks), encoder.published, facts)


def _warn_if_unequal(num_frames: int, num_samples: int) -> None:
    pictures_s, sound_s = num_frames / FPS, num_samples / RATE_HZ
    if abs(pictures_s - sound_s) > UNEQUAL_S:
        logger.warning(
            "the pictures last %.2f s, the sound %.2f s; the shorter one counts", pictures_s, sound_s
        )


def score_features(
    stream: LipStream, samples: Array, num_frames: int, encoder: SyncEncoder, *, reach: int
) -> SyncScores:
    """Return the scores of the pictures taken by a stream with their sound; ValueError when too short."""
    windows = require_windows(num_frames, len(samples), reach=reach)
    lip = stream.finish()[:windows]
    return sync_scores(distances(lip, encoder.sound_features(mfcc(samples), windows), reach=reach))


def _whole(pictures: Pictures, samples: Array, encoder: SyncEncoder, settings: SyncSettings) -> TrackSync:
    stream, jpeg = encoder.lip_stream(), JpegPass(fps=FPS) if settings.legacy_jpeg else None
    count = side = 0
    for picture in pictures():
        picture = checked_frame(picture)
        side = max(picture.shape[:2])
        stream.add(whole_frame(picture if jpeg is None else jpeg(picture)))
        count += 1
    scores = score_features(stream, samples, count, encoder, reach=settings.reach_frames)
    return TrackSync(0, count, count, float(side), scores)


def _seen(pictures: Pictures, detector: FaceDetector, cuts: str) -> tuple[list[Array], list[tuple[int, int]]]:
    """Return the boxes (N, 4) of the faces of every picture, and the shots."""
    watch = ShotWatch(cuts)
    boxes: list[Array] = []
    for picture in pictures():
        watch.see(checked_frame(picture))
        faces = detector.detect(picture)
        boxes.append(np.array([face.box for face in faces], np.float64).reshape(-1, 4))
    return boxes, watch.shots()


def _usable(
    tracking: Tracking, boxes: list[Array], detector: FaceDetector, settings: SyncSettings
) -> tuple[FaceTrack, ...]:
    """Return the tracks to score; ValueError with the numbers when there are none."""
    rules = settings.rules
    with_face = sum(len(found) > 0 for found in boxes)
    if not with_face:
        raise ValueError(f"{detector.name} finds no face in any of the {len(boxes)} frames")
    if not tracking.tracks:
        raise ValueError(
            f"no face track to score: {detector.name} finds faces in {with_face} of {len(boxes)} frames, "
            f"the longest track has {tracking.longest} (more than {rules.min_track} are needed), the largest "
            f"long one is {tracking.largest_px:.0f} px wide or high (more than {rules.min_face_px:g} are "
            "needed); lower min_track or min_face_px, or take `whole_frame`"
        )
    return tracking.tracks


def _with_sound(
    tracks: tuple[FaceTrack, ...], samples: Array, settings: SyncSettings
) -> tuple[FaceTrack, ...]:
    """Return the tracks during which there is sound enough; ValueError with the numbers without any."""
    lengths = [num_windows(len(track), len(_part(samples, track))) for track in tracks]
    heard = tuple(
        track for track, windows in zip(tracks, lengths, strict=True) if windows > settings.reach_frames
    )
    if not heard:
        longest = max(tracks, key=lambda track: len(_part(samples, track)))
        require_windows(len(longest), len(_part(samples, longest)), reach=settings.reach_frames)
    return heard


def _tracked(
    pictures: Pictures,
    samples: Array,
    encoder: SyncEncoder,
    settings: SyncSettings,
    tracks: tuple[FaceTrack, ...],
) -> list[TrackSync]:
    """Return the scores of every track, all made in one pass over the pictures."""
    crops = [TrackCrop(track, crop_scale=settings.crop_scale) for track in tracks]
    streams = [encoder.lip_stream() for _ in tracks]
    jpegs = [JpegPass(fps=FPS) if settings.legacy_jpeg else None for _ in tracks]
    for number, picture in enumerate(pictures()):
        for track, crop, stream, jpeg in zip(tracks, crops, streams, jpegs, strict=True):
            index = number - track.first_frame
            if 0 <= index < len(track):
                face = crop(picture, index)
                stream.add(face if jpeg is None else jpeg(face))
    scored = []
    for track, stream in zip(tracks, streams, strict=True):
        scores = score_features(
            stream, _part(samples, track), len(track), encoder, reach=settings.reach_frames
        )
        scored.append(TrackSync(track.first_frame, len(track), track.num_seen, track.size_px, scores))
    return scored


def _part(samples: Array, track: FaceTrack) -> Array:
    """Return the sound of a track's own time."""
    stop = track.first_frame + len(track)
    return samples[track.first_frame * SAMPLES_PER_FRAME : stop * SAMPLES_PER_FRAME]
