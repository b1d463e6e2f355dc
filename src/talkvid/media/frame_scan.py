"""One pass over all pictures of a video at a small size: exact numbers, time stamps and damage."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from talkvid.media.container import open_media, reason, video_stream
from talkvid.media.seek import frames_from, start_stamp, tells_times
from talkvid.media.small_picture import SmallPictureReader
from talkvid.media.video_stream import first_frame, missing_end, quarter_turns, stored_size
from talkvid.media.video_window import scan
from talkvid.records import Array


@dataclass(frozen=True)
class SmallFrame:
    """One picture going by."""

    number: int
    """Among all pictures of the file in the order shown, from 0."""
    pts: int
    """When it is shown, in units of the scan's `time_base`, counted from the first picture."""
    duration: int
    """In the same units; what the file says, else the mean distance of the pictures."""
    corrupt: bool
    """Whether the decoder had to patch it."""
    picture: Array
    """(h w 3) RGB uint8, not turned upright; the longer side at most what was asked for."""


class FrameScan:
    """A video being decoded once from front to back; iterate, once, to get its `SmallFrame`s.

    `width` and `height` are those of the upright picture, `damage` is filled when the file breaks off.
    """

    def __init__(
        self, container: InputContainer, name: str, *, longest: int, start_s: float, end_s: float | None
    ) -> None:
        self._container, self._name = container, name
        self._stream = video_stream(container, name)
        # One thread: the same pictures come out of a damaged file every time, and no time is lost between
        # threads where a process per core decodes.
        self._stream.codec_context.thread_count = 1
        frames = container.decode(self._stream)
        first = first_frame(frames, name)
        self._decoded = chain([first], frames)
        self._timed = tells_times(container, self._stream)
        self._base = first.time_base or self._stream.time_base or Fraction(1, 1000)
        stated = start_stamp(container, self._stream)
        self._origin = (first.pts or 0) if stated is None else stated
        width, height = stored_size(first, self._stream)
        turned = quarter_turns(first) % 2 == 1
        self.width, self.height = (height, width) if turned else (width, height)
        self.has_audio = bool(container.streams.audio)
        self.fps = Fraction(self._stream.average_rate or self._stream.guessed_rate or 25)
        self.damage = ""
        self._start = _units(start_s, self._base)
        self._end = None if end_s is None else _units(end_s, self._base)
        self._reader = SmallPictureReader(first, longest=longest)

    @property
    def time_base(self) -> Fraction:
        """Return the seconds per unit of the time stamps."""
        return self._base

    def __iter__(self) -> Iterator[SmallFrame]:
        step = max(1, round(1 / (self.fps * self._base)))
        last = -step
        count = 0
        try:
            for number, frame in self._numbered():
                pts = frame.pts - self._origin if self._timed and frame.pts is not None else last + step
                pts = max(pts, last + 1)  # broken files give the same time twice
                last, count = pts, count + 1
                if self._end is not None and pts >= self._end:
                    return
                if pts >= self._start:
                    picture = self._reader(frame)
                    yield SmallFrame(number, pts, frame.duration or step, frame.is_corrupt, picture)
        except (av.error.FFmpegError, OSError) as error:
            self.damage = reason(error)
        end_s = float((last + step) * self._base)
        if not self.damage and (count or not self._start):
            self.damage = missing_end(self._stream, end_s, count if not self._start else None)
        if self.damage:
            self.damage = f"damaged or cut short after {max(end_s, 0):.2f} s ({self.damage})"

    def _numbered(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the decoded frames with their numbers, from before the start of the span on."""
        table = None
        if self._start > 0:
            with open_media(self._name, what="video") as other:
                table = scan(other, video_stream(other, self._name))
        if table is None:  # all must be decoded to be counted
            yield from enumerate(self._decoded)
            return
        for frame in frames_from(self._container, self._stream, self._start + self._origin):
            if frame.pts is not None and frame.pts >= self._start + self._origin:
                yield int(np.searchsorted(table.stamps, frame.pts)), frame


@contextlib.contextmanager
def scan_frames(
    path: str | os.PathLike[str], *, longest: int = 256, start_s: float = 0.0, end_s: float | None = None
) -> Iterator[FrameScan]:
    """Yield the scan of a video, or of its span from `start_s` up to, not including, `end_s`.

    Time 0 is the first picture. Raises FileNotFoundError or ValueError, one line each, when the file cannot
    be opened, holds no video or not one picture decodes; damage behind the first picture ends the scan and is
    told by its `damage`.
    """
    name = os.fspath(path)
    with open_media(path, what="video") as container:
        yield FrameScan(container, name, longest=longest, start_s=start_s, end_s=end_s)


def _units(seconds: float, base: Fraction) -> int:
    """Return the first time stamp at or behind a moment given in decimal seconds."""
    return -int(-Fraction(str(seconds)) // base)
