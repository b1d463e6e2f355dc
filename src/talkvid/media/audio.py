"""Sound of a file: its length, its kind, and as a mono waveform at the rate a speech encoder wants."""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from talkvid.media.audio_stream import AudioPiece, stream_audio
from talkvid.media.container import audio_stream, open_media
from talkvid.media.spool import Spool
from talkvid.records import Array

MIX_WEIGHTS = {"FL": 0.7, "FR": 0.7, "FC": 1.0, "LFE": 0.0, "LFE2": 0.0}
"""Share of a loudspeaker in the mono mix (others 0.5), divided by their sum: speech sits in the centre."""


@dataclass(frozen=True)
class AudioInfo:
    """What the sound of a file is."""

    rate: int
    """Samples per second."""
    channels: int
    codec: str


@dataclass(frozen=True)
class AudioSource:
    """The sound of a video: a file with sound, and which of its moments is the video's time 0.

    A negative `start_s` delays the sound: that much silence comes first.
    """

    path: str | os.PathLike[str]
    start_s: float = 0.0


def num_frames(duration_s: float, fps: float) -> int:
    """Return how many video frames a sound has: duration times frame rate, rounded, at least one."""
    return max(1, math.floor(duration_s * fps + 0.5))


def probe_audio(path: str | os.PathLike[str]) -> AudioInfo:
    """Return rate, channels and codec of the first audio stream; raise ValueError when there is none."""
    with open_media(path, what="audio file") as container:
        stream = audio_stream(container, os.fspath(path))
        return AudioInfo(stream.sample_rate, stream.channels, stream.codec_context.name)


def duration_s(path: str | os.PathLike[str]) -> float:
    """Return the length of the sound in seconds by counting decoded samples (headers are often wrong)."""
    count = rate = 0
    for piece in stream_audio(path):
        count += len(piece.samples)
        rate = piece.rate
    return count / rate


def load_audio(
    path: str | os.PathLike[str], *, rate: int = 16000, start_s: float = 0.0, length_s: float | None = None
) -> Array:
    """Return the sound as mono float32 (N,) at `rate`; N = decoded samples times the ratio of rates, rounded.

    With `length_s` no more than that is decoded; there may be less.

    Works for any sound PyAV decodes and for the sound of a video, whose time 0 is the first picture.
    Raises FileNotFoundError or ValueError with one line, see `stream_audio`.
    """
    pieces: list[Array] = []
    wanted = _decode_mono(path, pieces.append, rate=rate, start_s=start_s, length_s=length_s)
    waveform = np.concatenate(pieces)[:wanted]
    return np.pad(waveform, (0, wanted - len(waveform)))


def spool_audio(path: str | os.PathLike[str], *, rate: int = 16000) -> Spool:
    """Return the same samples as `load_audio` on disk, decoded in memory that does not grow with the length.

    Raises what `load_audio` raises, and ValueError when the temporary folder is full.
    """
    waveform = Spool()
    waveform.resize(_decode_mono(path, waveform.append, rate=rate))
    return waveform


def _decode_mono(
    path: str | os.PathLike[str],
    put: Callable[[Array], None],
    *,
    rate: int,
    start_s: float = 0.0,
    length_s: float | None = None,
) -> int:
    """Hand the mono sound (n,) at `rate` to `put` piece by piece; return how many samples it lasts."""
    import soxr

    resampler = None
    received = source_rate = 0
    for piece in stream_audio(path, start_s=start_s):
        mono = mix_to_mono(piece)
        received += len(mono)
        source_rate = piece.rate
        if source_rate != rate:
            resampler = resampler or soxr.ResampleStream(source_rate, rate, 1, dtype="float32", quality="VHQ")
            mono = resampler.resample_chunk(mono)
        put(mono)
        if length_s is not None and received >= length_s * source_rate:
            received = round(length_s * source_rate)
            break
    if resampler is not None:
        put(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    return max(1, math.floor(received * rate / source_rate + 0.5))


def stream_mono(path: str | os.PathLike[str], *, rate: int = 16000, start_s: float = 0.0) -> Iterator[Array]:
    """Yield the sound as mono float32 (N,) pieces at `rate`, as they come; time 0 is the first picture.

    Raises FileNotFoundError or ValueError with one line, see `stream_audio`.
    """
    import soxr

    resampler = None
    for piece in stream_audio(path, start_s=start_s):
        mono = mix_to_mono(piece)
        if piece.rate != rate:
            resampler = resampler or soxr.ResampleStream(piece.rate, rate, 1, dtype="float32", quality="VHQ")
            mono = resampler.resample_chunk(mono)
        yield mono
    if resampler is not None:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def mix_to_mono(piece: AudioPiece) -> Array:
    """Return float32 (N,): the mean of a stereo pair, of more channels their mean by MIX_WEIGHTS."""
    if piece.samples.shape[1] == 1:
        return np.ascontiguousarray(piece.samples[:, 0])
    weights = np.array([MIX_WEIGHTS.get(name, 0.5) for name in piece.channel_names], np.float32)
    mixed: Array = piece.samples @ (weights / weights.sum())
    return mixed
