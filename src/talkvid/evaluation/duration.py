"""Does a made video last as long as its sound, at an even frame rate? Counted by decoding, not by headers."""

import os
from dataclasses import dataclass

from talkvid.evaluation.facts import Facts
from talkvid.media.audio import duration_s, num_frames, probe_audio
from talkvid.media.container import open_media, video_stream
from talkvid.media.video import probe
from talkvid.media.video_stream import decoded_frames

VERSION = 2
STEP_SLACK_S = 0.0015
"""How far a picture may lie from its even place: containers keep times to 1 ms or finer."""
FPS_SLACK = 0.0005
"""Share by which a frame rate may differ from the one asked for: 23.976 is not 24, 29.97003 is 29.97."""
CODEC_BLOCK = 1024
"""Samples of an AAC frame: a sound track ends on a whole one."""


@dataclass(frozen=True)
class VideoTiming:
    """Where the pictures of a video lie in time."""

    num_frames: int
    """Decoded."""
    fps: float
    """As the file states it."""
    length_s: float
    """From the first picture's start to the last one's end."""
    largest_step_error_s: float
    """The largest distance of two consecutive pictures from 1 / fps, less that; 0 for a single picture."""

    @property
    def even(self) -> bool:
        """Return whether every picture follows after 1 / fps."""
        return self.largest_step_error_s <= STEP_SLACK_S


@dataclass(frozen=True)
class DurationCheck:
    """A video beside the sound it was made for; `faults` is empty when all is right."""

    timing: VideoTiming
    sound_s: float
    """Decoded samples of the driving sound over their rate."""
    wanted_frames: int
    """floor(sound_s · fps + 0.5), at least 1."""
    missing_frames: int
    """Wanted less decoded pictures; below 0 there are too many."""
    late_s: float
    """Length of the video less that of the sound."""
    track_s: float | None
    """Length of the video's own sound from its first picture on; None without one."""
    faults: tuple[str, ...]
    protocol: Facts

    @property
    def right(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.faults


def video_timing(path: str | os.PathLike[str]) -> VideoTiming:
    """Return where the pictures lie, by decoding all; FileNotFoundError or ValueError for a broken file."""
    fps = probe(path).fps
    name = os.fspath(path)
    if not fps > 0:
        raise ValueError(f"{name}: the file states no frame rate; convert it")
    count, last_s, end_s, largest = 0, 0.0, 0.0, 0.0
    with open_media(path, what="video") as container:
        stream = video_stream(container, name)
        for frame in decoded_frames(container, stream, name, on_damage="raise"):
            if count:
                largest = max(largest, abs(frame.time_s - last_s - 1 / fps))
            count, last_s, end_s = count + 1, frame.time_s, frame.time_s + frame.duration_s
    return VideoTiming(count, fps, end_s, largest)


def check_duration(
    video: str | os.PathLike[str],
    sound: str | os.PathLike[str] | None = None,
    *,
    fps: float | None = None,
) -> DurationCheck:
    """Return whether `video` has the pictures that `sound` asks for, evenly, and a sound track as long.

    Without `sound` it is the video's own track, which ends on a whole block of its codec: one picture more or
    less is then right. `fps` is the rate that was asked for, default the file's own. FileNotFoundError or
    ValueError when a file cannot be decoded.
    """
    timing = video_timing(video)
    sound_s = duration_s(video if sound is None else sound)
    wanted = num_frames(sound_s, timing.fps)
    track_s, slack_s = None, 0.0
    if probe(video).has_audio:
        track_s = duration_s(video)
        slack_s = CODEC_BLOCK / probe_audio(video).rate + 0.5 / timing.fps
    return DurationCheck(
        timing=timing,
        sound_s=sound_s,
        wanted_frames=wanted,
        missing_frames=wanted - timing.num_frames,
        late_s=timing.length_s - sound_s,
        track_s=track_s,
        faults=_faults(
            timing, wanted, slack=int(sound is None), track_s=track_s, slack_s=slack_s, asked_fps=fps
        ),
        protocol={
            "version": VERSION,
            "frames": timing.num_frames,
            "fps": timing.fps,
            "rule": "floor(decoded seconds of sound x fps + 0.5) pictures, at least 1",
            "track_slack_s": slack_s,
            "picture_slack": int(sound is None),
        },
    )


def _faults(
    timing: VideoTiming,
    wanted: int,
    *,
    slack: int,
    track_s: float | None,
    slack_s: float,
    asked_fps: float | None,
) -> tuple[str, ...]:
    """Return what is wrong, one short sentence each, with the numbers."""
    faults: list[str] = []
    if abs(timing.num_frames - wanted) > slack:
        faults.append(f"{timing.num_frames} pictures where the sound asks for {wanted}")
    if not timing.even:
        faults.append(f"pictures lie up to {timing.largest_step_error_s * 1000:.1f} ms off an even rate")
    if asked_fps is not None and abs(timing.fps - asked_fps) > FPS_SLACK * asked_fps:
        faults.append(f"{timing.fps:g} pictures per second where {asked_fps:g} were asked for")
    if track_s is None:
        faults.append("no sound track")
    elif abs(track_s - timing.length_s) > slack_s:
        faults.append(f"a sound track of {track_s:.3f} s beside pictures of {timing.length_s:.3f} s")
    return tuple(faults)
