"""Going to a moment of a file and making sure, by what comes out, that decoding begins early enough.

Seeking alone lands late in many files: MPEG program and transport streams are searched by the times of
packets and come out a group of pictures behind; an index by decoding times leads to a key picture that is
shown after the moment wanted; H.264 with intra refresh calls pictures key that show nothing whole.
"""

import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from talkvid.media.container import open_media, reason

logger = logging.getLogger(__name__)

Packets: TypeAlias = "Iterator[Packet[Any]]"

STEPS_BACK_S = (Fraction(0), Fraction(1, 4), Fraction(1), Fraction(4), Fraction(16))
"""How far before the moment the file is sought, one after the other, before it is read from its beginning."""
CLOCKLESS = frozenset({"avi"})
"""Containers that keep when a picture is decoded and not when it is shown."""
REORDERED_UNTOLD = frozenset({"h264", "hevc"})
"""Codecs for which FFmpeg does not find the order of showing out by itself."""


def start_stamp(container: InputContainer, stream: VideoStream) -> int | None:
    """Return the time stamp that the container states for the first picture, None where it states none."""
    return None if is_clockless(container) else stream.start_time


def tells_times(container: InputContainer, stream: VideoStream) -> bool:
    """Return whether the time stamps of pictures say when they are shown."""
    return not (is_clockless(container) and stream.codec_context.name in REORDERED_UNTOLD)


def is_clockless(container: InputContainer) -> bool:
    """Return whether the container keeps no times of showing."""
    return not CLOCKLESS.isdisjoint(container.format.name.split(","))


def frames_from(
    container: InputContainer,
    stream: VideoStream,
    stamp: int,
    *,
    near: int | None = None,
    decode: Callable[[Packets], Iterator[VideoFrame]] | None = None,
) -> Iterator[VideoFrame]:
    """Yield the decoded pictures from a whole one shown at or before `stamp` on, in showing order.

    The first that comes is a key picture of at most that time stamp, else the file is read from further back
    and at last from its beginning. With `near`, the decoding time of the key picture shown at `stamp`, that
    picture is the first decoded; `decode` turns packets into pictures, the plain way when None.
    """
    for key, packets in _readings(container, stream, stamp, near=near):
        frames = _decoded(stream, packets) if decode is None else decode(packets)
        if key is None:
            yield from frames
            return
        first = next((frame for frame in frames if frame.pts is not None and frame.pts >= key), None)
        if first is not None and first.pts == key and first.key_frame:
            yield first
            yield from frames
            return
        logger.debug("%s: the picture at %d does not stand by itself", container.name, key)


def packets_from(container: InputContainer, stream: AudioStream, stamp: int) -> Packets:
    """Yield the packets from one of at most that time stamp on, or from the first one of the file."""
    return next(packets for _, packets in _readings(container, stream, stamp, near=None))


def _readings(
    container: InputContainer, stream: VideoStream | AudioStream, stamp: int, *, near: int | None
) -> Iterator[tuple[int | None, Packets]]:
    """Yield (time stamp of the key packet it begins with, packets) from ever further back.

    Only readings come that begin at or before `stamp`, with `near` right there. The last one, without a time
    stamp, is the file from its beginning, opened anew: seeking does not find that everywhere either.
    """
    tried: set[int] = set()
    base = stream.time_base or Fraction(1, 1000)
    for back_s in STEPS_BACK_S:
        try:
            container.seek((stamp if near is None else near) - int(back_s / base), stream=stream)
            packets = container.demux(stream)
            keys = (packet for packet in packets if packet.is_keyframe and packet.size)
            if near is not None:
                keys = (packet for packet in keys if packet.pts is None or packet.pts >= stamp)
            first = next(keys, None)
        except (av.error.FFmpegError, OSError) as error:
            logger.debug("%s: seeking failed (%s)", container.name, reason(error))
            continue
        if first is not None and first.pts is not None and first.pts <= stamp and first.pts not in tried:
            tried.add(first.pts)
            yield first.pts, chain([first], packets)
    stream.codec_context.flush_buffers()
    yield None, _from_beginning(container.name, stream.index)


def _from_beginning(name: str, index: int) -> Packets:
    with open_media(name, what="file") as fresh:
        yield from fresh.demux(fresh.streams[index])


def _decoded(stream: VideoStream, packets: Packets) -> Iterator[VideoFrame]:
    for packet in packets:
        yield from stream.codec_context.decode(packet)
