"""Single frames of a video by number: only what they hang on is decoded, and what comes out is exact."""

import logging
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from talkvid.media.container import open_media, reason, video_stream
from talkvid.media.seek import Packets, frames_from, tells_times
from talkvid.media.video_stream import Picture, PictureReader, decoded_frames
from talkvid.records import Array

logger = logging.getLogger(__name__)

SKIPS_EXACTLY = ("h264",)
"""Codecs whose unreferenced frames can be left out: in H.264 nothing at all hangs on one (nal_ref_idc 0)."""


@dataclass(frozen=True)
class FrameTable:
    """Where the frames of a video are: time stamps in the order of showing, and those of the key frames."""

    stamps: Array
    """(F,) int64, ascending."""
    key_stamps: Array
    """(K,) int64: when each key frame is shown, ascending."""
    key_starts: Array
    """(K,) int64: the decoding stamp to seek for each."""

    def runs(self, indices: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """Yield (number of a key frame, frame numbers to decode from it), ascending."""
        keys = np.searchsorted(self.key_stamps, self.stamps[list(indices)], side="right") - 1
        for key in np.unique(keys):
            yield int(key), [index for index, own in zip(indices, keys, strict=True) if own == key]


class FrameTables:
    """The tables of the `size` files read last, so that a file read often is scanned once."""

    def __init__(self, size: int = 1024) -> None:
        self.size = size
        self._tables: OrderedDict[tuple[str, int, int], FrameTable | None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tables)

    def of(self, container: InputContainer, stream: VideoStream) -> FrameTable | None:
        """Return the table of an opened file, scanned at most once while the file stays as it is."""
        state = os.stat(container.name)
        key = (container.name, state.st_size, state.st_mtime_ns)
        if key in self._tables:
            self._tables.move_to_end(key)
            return self._tables[key]
        table = scan(container, stream)
        self._tables[key] = table
        while len(self._tables) > self.size:
            self._tables.popitem(last=False)
        return table


def scan(container: InputContainer, stream: VideoStream) -> FrameTable | None:
    """Return the table of a video from its packets, nothing decoded; None where packets have no own times."""
    if not tells_times(container, stream):
        return None
    stamps: list[int | None] = []
    keys: list[tuple[int, int]] = []
    try:
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            stamps.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append((packet.pts, packet.pts if packet.dts is None else packet.dts))
    except (av.error.FFmpegError, OSError) as error:
        logger.warning("%s: cut short (%s)", container.name, reason(error))
    known = sorted(stamp for stamp in stamps if stamp is not None)
    if not known or len(set(known)) != len(stamps) or not keys or min(keys)[0] > known[0]:
        return None
    places = np.array(sorted(keys), np.int64)
    return FrameTable(np.array(known, np.int64), places[:, 0], places[:, 1])


def pictures_at(
    path: str | os.PathLike[str], wanted: Sequence[int], *, tables: FrameTables | None = None
) -> Array:
    """Return the frames with these numbers, in the order asked, as uint8 (N H W 3).

    The file is opened once, its packets' times are looked up (or remembered in `tables`), and decoding goes
    from the key frame before each frame to that frame and no further, on one thread. Files whose packets do
    not tell are decoded from the beginning. Raises FileNotFoundError or ValueError.
    """
    name = os.fspath(path)
    indices = sorted(set(wanted))
    found: dict[int, Array] = {}
    with open_media(path, what="video") as container:
        stream = video_stream(container, name)
        stream.codec_context.thread_count = 1
        table = scan(container, stream) if tables is None else tables.of(container, stream)
        if table is not None:
            check_range(name, indices, len(table.stamps))
            try:
                for key, run in table.runs(indices):
                    decoded = decode_run(container, stream, table, key=key, run=run)
                    found.update((index, picture.rgb()) for index, picture in decoded)
            except (av.error.FFmpegError, OSError) as error:
                logger.debug("%s: decoding from the beginning (%s)", name, reason(error))
    missing = [index for index in indices if index not in found]
    if missing:
        found.update(_counted(path, missing))
    return np.stack([found[index] for index in wanted])


def decode_run(
    container: InputContainer, stream: VideoStream, table: FrameTable, *, key: int, run: list[int]
) -> Iterator[tuple[int, Picture]]:
    """Yield (number, picture) of `run` from a key frame on, behind which all of them are shown, ascending."""
    reader = PictureReader(stream)
    by_stamp = {int(table.stamps[index]): index for index in run}
    stamp, near = int(table.key_stamps[key]), int(table.key_starts[key])

    def decode(packets: Packets) -> Iterator[VideoFrame]:
        return _needed(stream, packets, set(by_stamp))

    for frame in frames_from(container, stream, stamp, near=near, decode=decode):
        if frame.pts in by_stamp:
            _warn_if_patched(container.name, by_stamp[frame.pts], frame.is_corrupt)
            yield by_stamp[frame.pts], reader.picture(frame)


def _needed(stream: VideoStream, packets: Packets, left: set[int | None]) -> Iterator[VideoFrame]:
    """Yield what decodes of the packets until nothing is `left`; pictures nothing hangs on may be missing."""
    context = stream.codec_context
    for packet in packets:
        if not packet.size:
            continue
        if context.name in SKIPS_EXACTLY:
            context.skip_frame = "DEFAULT" if packet.pts in left else "NONREF"
        yield from context.decode(packet)
        left.discard(packet.pts)
        if not left:  # the rest is in the decoder already, waiting for its turn to be shown
            yield from context.decode(None)
            return


def _counted(path: str | os.PathLike[str], indices: Sequence[int]) -> dict[int, Array]:
    """Return frames by counting what is shown from the beginning on."""
    name = os.fspath(path)
    wanted, found, count = set(indices), {}, 0
    with open_media(path, what="video") as container:
        stream = video_stream(container, name)
        for number, frame in enumerate(decoded_frames(container, stream, name, on_damage="raise")):
            count = number + 1
            if number in wanted:
                found[number] = frame.picture()
            if len(found) == len(wanted):
                return found
    check_range(name, indices, count)
    raise AssertionError((name, indices, count))


def check_range(name: str, indices: Sequence[int], count: int) -> None:
    """Raise ValueError when a video of `count` frames does not have all that are asked for."""
    if min(indices) < 0 or max(indices) >= count:
        raise ValueError(f"{name}: frames {min(indices)} to {max(indices)} are asked for, it has {count}")


def _warn_if_patched(name: str, index: int, corrupt: bool) -> None:
    if corrupt:
        logger.warning("%s: frame %d is damaged, the decoder patched it", Path(name), index)
