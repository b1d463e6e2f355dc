"""Video files: what they hold, and their pictures as upright RGB uint8 (H W 3), decoded when wanted."""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from talkvid.media.container import open_media, video_stream
from talkvid.media.video_stream import (
    PictureReader,
    TimedFrame,
    decoded_frames,
    first_frame,
    quarter_turns,
)
from talkvid.media.video_window import FrameTables, pictures_at
from talkvid.records import Array

Backend = Literal["pyav", "decord"]

TIME_SLACK = 1e-6
"""Seconds by which a time stamp may miss a limit and still count as on it."""


@dataclass(frozen=True)
class VideoInfo:
    """What a video file states; width and height are those of the upright, square-pixel picture."""

    width: int
    height: int
    fps: float
    num_frames: int | None
    """As stated by the file; None where it does not say. Decoding tells for sure."""
    duration_s: float | None
    has_audio: bool
    rotation: int
    """Degrees, counter-clockwise, by which the stored picture is turned: 0, 90, 180 or 270."""


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Return what the file states, after decoding one frame; raise FileNotFoundError or ValueError."""
    name = os.fspath(path)
    with open_media(path, what="video") as container:
        stream = video_stream(container, name)
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        duration = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            duration = container.duration / 1_000_000
        has_audio = bool(container.streams.audio)
        first = first_frame(container.decode(stream), name)
        height, width = PictureReader(stream)(first).shape[:2]
        turned = quarter_turns(first) * 90
        return VideoInfo(width, height, float(rate or 0), stream.frames or None, duration, has_audio, turned)


def read_frames(
    path: str | os.PathLike[str],
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    fps: float | None = None,
    backend: Backend = "pyav",
    on_damage: Literal["raise", "warn"] = "raise",
) -> Iterator[Array]:
    """Yield the pictures from `start_s` up to, not including, `end_s`; time 0 is the first picture.

    Without `fps` every frame comes once, at whatever distance. With `fps` picture k is the one nearest in
    time to start_s + k / fps, and round(length * fps) pictures come, at least one.
    A file that ends early or does not decode gives the pictures before the damage and then a ValueError, or
    with `on_damage="warn"` a logged warning. Raises FileNotFoundError or ValueError, one line each.
    `backend="decord"` decodes with decord (extra "decord"), which refuses damaged and rotated files.
    """
    if start_s < 0 or (end_s is not None and end_s <= start_s):
        raise ValueError(f"{path}: the span from {start_s} s to {end_s} s is empty; give start_s < end_s")
    if fps is not None and not fps > 0:
        raise ValueError(f"fps must be above 0, got {fps}")
    if backend == "decord":
        from talkvid.media.decord_backend import timed_frames as decord_frames

        yield from _selected(decord_frames(path, start_s, end_s), start_s, end_s, fps)
        return
    name = os.fspath(path)
    with open_media(path, what="video") as container:
        stream = video_stream(container, name)
        frames = decoded_frames(container, stream, name, on_damage=on_damage, start_s=start_s)
        yield from _selected(frames, start_s, end_s, fps)


def _selected(
    frames: Iterable[TimedFrame], start_s: float, end_s: float | None, fps: float | None
) -> Iterator[Array]:
    if fps is None:
        for frame in frames:
            if end_s is not None and frame.time_s >= end_s - TIME_SLACK:
                return
            if frame.time_s >= start_s - TIME_SLACK:
                yield frame.picture()
        return
    yield from _resampled(frames, start_s, end_s, fps)


def _resampled(
    frames: Iterable[TimedFrame], start_s: float, end_s: float | None, fps: float
) -> Iterator[Array]:
    """Yield the picture nearest to each tick of the new rate; of two equally near ones the earlier."""
    wanted = math.inf if end_s is None else _ticks(end_s - start_s, fps)
    count = 0
    before: TimedFrame | None = None
    picture: Array | None = None
    for frame in frames:
        while before is not None and count < wanted:
            tick = start_s + count / fps
            if tick - before.time_s > frame.time_s - tick + TIME_SLACK:
                break
            picture = before.picture() if picture is None else picture
            yield picture
            count += 1
        if count >= wanted:
            return
        before, picture = frame, None
    if before is None:
        return
    stop = min(wanted, _ticks(before.time_s + before.duration_s - start_s, fps))
    for _ in range(count, int(stop)):
        picture = before.picture() if picture is None else picture
        yield picture


def _ticks(length_s: float, fps: float) -> int:
    """Return how many pictures a span has; half a one counts, though binary fractions fall short."""
    return max(1, math.floor(length_s * fps + 0.5 + TIME_SLACK))


def read_window(
    path: str | os.PathLike[str],
    first_frame: int,
    count: int,
    *,
    backend: Backend = "pyav",
    tables: FrameTables | None = None,
) -> Array:
    """Return the frames first_frame … first_frame + count - 1 as uint8 (count H W 3)."""
    return read_at(path, range(first_frame, first_frame + count), backend=backend, tables=tables)


def read_at(
    path: str | os.PathLike[str],
    indices: Iterable[int],
    *,
    backend: Backend = "pyav",
    tables: FrameTables | None = None,
) -> Array:
    """Return the frames with these numbers, in the order asked, as uint8 (N H W 3).

    Frames are numbered in the order they are shown, from 0; exact for any spacing of the frames, because the
    numbers are looked up in the time stamps of all packets, which is quick; `tables` remembers them. What is
    decoded is what the frames hang on, see `video_window`. Raises ValueError for a number the video does not
    have.
    """
    wanted = [int(index) for index in indices]
    if not wanted:
        raise ValueError(f"{path}: no frame numbers are given")
    if backend == "decord":
        from talkvid.media.decord_backend import pictures_at as decord_pictures_at

        return decord_pictures_at(path, wanted)
    return pictures_at(path, wanted, tables=tables)
