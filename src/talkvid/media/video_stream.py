"""Decoding pictures with PyAV: seeking, time stamps, orientation, colours and damage."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from talkvid.media.container import reason
from talkvid.media.luma import LumaReader, small_luma
from talkvid.media.seek import frames_from, start_stamp, tells_times
from talkvid.records import Array

logger = logging.getLogger(__name__)

UNSPECIFIED_COLOURS = 2
"""AVCOL_SPC_UNSPECIFIED."""
HD_HEIGHT = 720
"""Untagged video of at least this height is taken as BT.709, below as BT.601, as players do."""
EXACT_COLOURS = 0x2 | 0x2000 | 0x40000
"""SWS_BILINEAR | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND: swscale's default darkens all by 1 level."""
TRUNCATION_S = 0.25
"""A file is cut short when it ends this much before the length it states."""


@dataclass(frozen=True)
class Picture:
    """A decoded frame that is converted only when asked for."""

    rgb: Callable[[], Array]
    """Gives uint8 (H W 3), upright."""
    luma: Callable[[int], Array]
    """Gives grey uint8 (h w), upright, of full range, whose longer side is the number it is given."""

    @classmethod
    def of(cls, array: Array) -> "Picture":
        """Return the picture of an RGB (H W 3) uint8 array, of which it gives copies."""
        return cls(array.copy, partial(small_luma, array))


@dataclass(frozen=True)
class TimedFrame:
    """A decoded frame with its place in time; the picture is converted only when asked for."""

    time_s: float
    """Seconds after the first frame of the video."""
    duration_s: float
    picture: Callable[[], Array]
    """Gives RGB uint8 (H W 3), upright."""
    luma: Callable[[int], Array]
    """As that of Picture."""


class PictureReader:
    """Turns decoded frames into upright RGB pictures, reusing one converter."""

    def __init__(self, stream: VideoStream) -> None:
        self._reformatter = VideoReformatter()
        self._luma = LumaReader()
        self._stream = stream

    def __call__(self, frame: VideoFrame) -> Array:
        """Return RGB uint8 (H W 3) with the rotation tag and the pixel aspect applied."""
        width, height = stored_size(frame, self._stream)
        converted = self._reformatter.reformat(
            frame,
            width,
            height,
            "rgb24",
            src_colorspace=_colour_matrix(frame),
            interpolation=EXACT_COLOURS,
            threads=1,
        )
        picture: Array = np.rot90(converted.to_ndarray(), quarter_turns(frame))
        return np.ascontiguousarray(picture)

    def luma(self, frame: VideoFrame, longest: int) -> Array:
        """Return grey uint8 (h w) with the longer side `longest`, upright, of full range."""
        return self._luma(frame, stored_size(frame, self._stream), quarter_turns(frame), longest)

    def picture(self, frame: VideoFrame) -> Picture:
        """Return the frame as a picture that is converted when asked for."""
        return Picture(partial(self, frame), partial(self.luma, frame))


def _colour_matrix(frame: VideoFrame) -> int | None:
    if frame.colorspace != UNSPECIFIED_COLOURS or frame.format.is_rgb:
        return None
    return Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601


def stored_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """Return width and height before rotation, the width stretched where pixels are not square."""
    aspect = stream.sample_aspect_ratio
    if not aspect or aspect == 1:
        return frame.width, frame.height
    return max(1, round(frame.width * aspect)), frame.height


def quarter_turns(frame: VideoFrame) -> int:
    """Return by how many quarter turns, counter-clockwise, the stored picture is turned to stand upright."""
    return round(frame.rotation / 90) % 4


def first_frame(frames: Iterator[VideoFrame], name: str) -> VideoFrame:
    """Return the first of the decoded frames; raise ValueError when there is none."""
    try:
        return next(frames)
    except (av.error.FFmpegError, OSError, StopIteration) as error:
        raise ValueError(
            f"{name}: no frame of this video can be decoded ({reason(error)}); copy it again or convert it"
        ) from error


def decoded_frames(
    container: InputContainer,
    stream: VideoStream,
    name: str,
    *,
    on_damage: Literal["raise", "warn"],
    start_s: float = 0.0,
) -> Iterator[TimedFrame]:
    """Yield the frames in showing order, from at or before `start_s` on.

    A file that breaks off ends in a ValueError naming the last good moment, or in a logged warning.
    """
    stream.thread_type = "AUTO"
    base = stream.time_base or Fraction(1, 1000)
    step = 1 / float(stream.average_rate or stream.guessed_rate or 25)
    origin = start_stamp(container, stream)
    timed = tells_times(container, stream)
    if start_s > 0 and origin is not None:
        frames = frames_from(container, stream, origin + int(start_s / base))
    else:
        frames = container.decode(stream)
    to_picture = PictureReader(stream)
    count = corrupt = 0
    time_s = -step
    damage = ""
    try:
        for frame in frames:
            if timed and frame.pts is not None:
                origin = frame.pts if origin is None else origin
                time_s = float((frame.pts - origin) * base)
            else:
                time_s += step
            count += 1
            corrupt += frame.is_corrupt
            duration_s = float(frame.duration * base) if frame.duration else step
            yield TimedFrame(time_s, duration_s, partial(to_picture, frame), partial(to_picture.luma, frame))
    except (av.error.FFmpegError, OSError) as error:
        damage = reason(error)
    if corrupt:
        logger.warning("%s: %d of %d frames are damaged, the decoder patched them", name, corrupt, count)
    damage = damage or missing_end(stream, time_s + step, count if start_s <= 0 else None)
    if damage:
        good_s = max(time_s + step, 0)
        message = f"{name}: damaged or cut short after {good_s:.2f} s ({damage}); copy it again"
        if on_damage == "raise":
            raise ValueError(message)
        logger.warning("%s", message)


def missing_end(stream: VideoStream, end_s: float, count: int | None) -> str:
    """Return what is missing at the end of the file, or an empty string."""
    if stream.duration is None or stream.time_base is None or not stream.frames:
        return ""
    stated_s = float(stream.duration * stream.time_base)
    if end_s >= stated_s - TRUNCATION_S or (count is not None and count >= stream.frames):
        return ""
    return f"the file states {stated_s:.2f} s and {stream.frames} frames"
