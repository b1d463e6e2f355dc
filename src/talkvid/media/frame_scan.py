"""One pass over all pictures of a video at a small size: exact numbers, time stamps and damage."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from talkvid.media.container import open_media, reason, video_stream
from talkvid.media.small_picture import SmallPictureReader
from talkvid.media.video_stream import first_frame, missing_end, quarter_turns, stored_size
from talkvid.media.video_window import FrameTable, scan
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
    """A video being decoded once from front to back; iterate to get its `SmallFrame`s.

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
        first = first_frame(container, self._stream, name)
        self._base = first.time_base or self._stream.time_base or Fraction(1, 1000)
        self._origin = self._stream.start_time
        if self._origin is None:
            self._origin = first.pts or 0
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
                pts = last + step if frame.pts is None else frame.pts - self._origin_pts()
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

    def _origin_pts(self) -> int:
        assert self._origin is not None
        return self._origin

    def _numbered(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the decoded frames with their numbers, from before the start of the span on."""
        table = self._seek_near() if self._start > 0 else None
        if table is None:
            self._container.seek(self._origin_pts(), stream=self._stream)
            yield from enumerate(self._container.decode(self._stream))
            return
        for frame in self._container.decode(self._stream):
            if frame.pts is not None and frame.pts - self._origin_pts() >= self._start:
                yield int(np.searchsorted(table.stamps, frame.pts)), frame

    def _seek_near(self) -> FrameTable | None:
        """Return the table of the file's pictures, the file being placed at the key frame before the start.

        None where the packets have no times of their own: then all must be decoded to be counted.
        """
        self._container.seek(self._origin_pts(), stream=self._stream)
        table = scan(self._container, self._stream)
        if table is not None:
            key = int(np.searchsorted(table.key_stamps, self._start + self._origin_pts(), side="right")) - 1
            self._container.seek(int(table.key_starts[max(key, 0)]), stream=self._stream)
        return table


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
