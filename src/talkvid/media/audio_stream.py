"""Decoding sound in pieces: float32 samples with time 0 where the picture (or the file) starts."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from talkvid.media.container import audio_stream, find_video_stream, open_media, reason
from talkvid.media.seek import Packets, packets_from
from talkvid.records import Array

logger = logging.getLogger(__name__)

GAP_S = 0.02
"""A jump of the time stamps that is larger, half a frame of 25, is a real hole, filled with silence; smaller
ones are rounding (containers keep times to 1 ms or finer).
"""
LONGEST_GAP_S = 600.0
"""A jump that is larger is taken for a broken time stamp."""
SEEK_AFTER_S = 20.0
"""From here on the beginning is not decoded, where the file has an index with exact times."""
SEEK_MARGIN_S = 2.0
"""Decoding begins this much earlier: codecs need some sound before they are exact."""
INDEXED = frozenset({"mp4", "matroska"})
TRUNCATION_S = 0.5
"""Sound that ends this much before the length the file states is cut short."""


@dataclass(frozen=True)
class AudioPiece:
    """Some consecutive sound."""

    rate: int
    """Samples per second."""
    samples: Array
    """(N, channels) float32, full scale 1."""
    channel_names: tuple[str, ...]
    """Loudspeakers as ffmpeg names them: FL, FR, FC, LFE …"""


def stream_audio(path: str | os.PathLike[str], *, start_s: float = 0.0) -> Iterator[AudioPiece]:
    """Yield the sound of a file piece by piece, from `start_s` on; a negative one puts silence in front.

    Encoder priming is dropped. The sound of a video is shifted so that its time 0 is the first picture: a
    late sound gets silence in front, an early one is cut. Holes in the time stamps become silence.
    Raises FileNotFoundError or ValueError (no audio stream, no samples, rate changing inside the file,
    an mp4 or mov that is cut short). A late start in an mp4, mov, mkv or webm is sought, not decoded up to.
    """
    name = os.fspath(path)
    with open_media(path, what="audio file") as container:
        stream = audio_stream(container, name)
        length = 0
        piece = None
        for begin, piece in _placed(container, stream, name, start_s=start_s):
            if not length and start_s < 0:
                silence = np.zeros((round(-start_s * piece.rate), piece.samples.shape[1]), np.float32)
                yield AudioPiece(piece.rate, silence, piece.channel_names)
            first = max(round(max(start_s, 0.0) * piece.rate) - begin, 0)
            length = begin + len(piece.samples)
            if first < len(piece.samples):
                yield AudioPiece(piece.rate, piece.samples[first:], piece.channel_names)
        if piece is None:
            raise ValueError(f"{name}: this audio holds no samples; record or export it again")
        _check_length(container, stream, length / piece.rate, name)
        if length <= start_s * piece.rate:
            length_s = length / piece.rate
            raise ValueError(f"{name}: {start_s:g} s lies behind the end of the sound at {length_s:.2f} s")


def _placed(
    container: InputContainer, stream: AudioStream, name: str, *, start_s: float
) -> Iterator[tuple[int, AudioPiece]]:
    """Yield (place of the first sample, piece): silence is put into holes, early sound is cut."""
    origin = _picture_start(container)
    position = rate = 0
    packets = _from_shortly_before(container, stream, origin, start_s)
    sought = packets is not None
    for frame in _decoded(packets or container.demux(stream), stream, name):
        if rate and frame.sample_rate != rate:
            raise ValueError(
                f"{name}: the sample rate changes from {rate} to {frame.sample_rate} Hz; convert the file"
            )
        samples = to_float(frame)
        names = tuple(channel.name for channel in frame.layout.channels)
        missing = 0
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * frame.time_base
            origin = time if origin is None else origin
            missing = round((time - origin) * frame.sample_rate) - position
        first = rate == 0
        rate = frame.sample_rate
        if first and sought and 0 < missing <= start_s * rate:
            position, missing = missing, 0
        if abs(missing) > LONGEST_GAP_S * rate or (not first and missing <= GAP_S * rate):
            missing = 0
        if missing > 0:
            logger.log(
                logging.INFO if first else logging.WARNING,
                "%s: no sound from %.3f s on for %.3f s; silence is put there",
                name,
                position / rate,
                missing / rate,
            )
            silence = missing - min(max(-position, 0), missing)
            if silence:
                quiet = np.zeros((silence, samples.shape[1]), np.float32)
                yield max(position, 0), AudioPiece(rate, quiet, names)
        # `position` turns negative while sound from before the first picture is being cut.
        position += missing
        cut = min(max(-position, 0), len(samples))
        begin = max(position, 0)
        position += len(samples)
        if cut < len(samples):
            yield begin, AudioPiece(rate, samples[cut:], names)


def _from_shortly_before(
    container: InputContainer, stream: AudioStream, origin: Fraction | None, start_s: float
) -> "Packets | None":
    """Return the packets from shortly before a late start on, None where times are not told exactly."""
    indexed = INDEXED.intersection(container.format.name.split(","))
    if start_s < SEEK_AFTER_S or origin is None or stream.time_base is None or not indexed:
        return None
    if stream.duration is not None and start_s > stream.duration * stream.time_base:
        return None
    stamp = int((origin + Fraction(start_s - SEEK_MARGIN_S)) / stream.time_base)
    return packets_from(container, stream, stamp)


def _picture_start(container: InputContainer) -> Fraction | None:
    video = find_video_stream(container)
    if video is None or video.start_time is None or video.time_base is None:
        return None
    return video.start_time * video.time_base


def _decoded(packets: Packets, stream: AudioStream, name: str) -> Iterator[AudioFrame]:
    """Yield what decodes; damaged packets are counted and reported, never silently lost."""
    damaged = 0
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError) as error:
            logger.warning("%s: the sound is cut short (%s)", name, reason(error))
            break
        if packet is None:
            break
        try:
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            break
        except av.error.FFmpegError:
            damaged += 1
    if damaged:
        logger.warning("%s: %d damaged audio packets could not be decoded", name, damaged)


def _check_length(container: InputContainer, stream: AudioStream, length_s: float, name: str) -> None:
    """Raise ValueError for sound that ends early where the file states its length for certain, else warn."""
    if stream.duration is None or stream.time_base is None:
        return
    origin = _picture_start(container)
    # Sound from before the first picture was cut: it is not missing.
    early = Fraction(0) if origin is None else origin - (stream.start_time or 0) * stream.time_base
    early = early if 0 < early <= LONGEST_GAP_S else Fraction(0)
    stated_s = float(stream.duration * stream.time_base - early)
    if length_s >= stated_s - TRUNCATION_S:
        return
    what = f"{name}: the sound ends at {length_s:.2f} s, the file states {stated_s:.2f} s"
    if "mp4" in container.format.name.split(","):  # has an index; elsewhere the length can be an estimate
        raise ValueError(f"{what}: it is cut short; copy it again, or convert it to keep what is there")
    logger.warning("%s", what)


def to_float(frame: AudioFrame) -> Array:
    """Return the samples of one decoded frame as float32 (N, channels), full scale 1."""
    array = frame.to_ndarray()
    samples = array.T if frame.format.is_planar else array.reshape(-1, frame.layout.nb_channels)
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128) / 128
    if samples.dtype.kind == "i":
        full_scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
        return (samples / full_scale).astype(np.float32)
    return np.nan_to_num(samples.astype(np.float32))
