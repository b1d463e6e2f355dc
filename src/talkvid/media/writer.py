"""Writing an mp4: pictures are piped into one H.264 encode, the sound is laid under it to the sample."""

import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypedDict

import numpy as np

from talkvid.files import atomic_path
from talkvid.media import ffmpeg
from talkvid.media.audio import AudioSource, mix_to_mono
from talkvid.media.audio_stream import AudioPiece, stream_audio
from talkvid.records import Array

logger = logging.getLogger(__name__)

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
AAC_CHANNELS = (1, 2)
"""Channel numbers kept as they are; surround sound is mixed to mono."""
STANDARD_TAGS = frozenset({"title", "artist", "comment", "description", "copyright", "date", "genre"})
"""Tags every mp4 player shows; other keys need the QuickTime key list."""
SILENCE_BLOCK = 65536
RGB_TO_BT709 = (
    "scale=in_range=pc:out_range=tv:out_color_matrix=bt709:flags=bicubic+accurate_rnd+full_chroma_inp,"
    "format=yuv420p,setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
)
"""Rounded to the nearest value, so that no level is lost on average; the file says what its colours are."""


class Encoding(TypedDict):
    """What x264 is told; see `VideoWriter`."""

    preset: str
    crf: int
    chroma_offset: int


QUICK: Encoding = {"preset": "veryfast", "crf": 16, "chroma_offset": -2}
"""Two thirds of the time of the usual way: a little less like the frames (SSIM 0.0015), a tenth larger."""


class VideoWriter:
    """Writes RGB frames to an mp4 that appears under its name only when it is complete.

    Use as a context manager and call `write` for each frame; the video has exactly these frames. The sound of
    `audio` starts at time 0 and is cut or padded with silence to exactly the length of the pictures; its own
    sample rate and mono or stereo are kept. Memory does not grow with the length. `gop` is the largest
    distance of key frames: small where single windows will be read. `preset`, `crf` and `chroma_offset` (of
    the colours' quantiser against that of brightness) are x264's.
    Raises ValueError for an impossible size, rate, folder or sound, FfmpegError when the encoder fails;
    leaving the block with an exception removes whatever was written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        fps: float | Fraction,
        *,
        audio: AudioSource | None = None,
        metadata: Mapping[str, str] | None = None,
        crf: int = 18,
        preset: str = "fast",
        chroma_offset: int = 0,
        gop: int | None = None,
    ) -> None:
        if width % 2 or height % 2 or min(width, height) < 2:
            raise ValueError(f"{path}: {width}x{height} cannot be encoded; width and height must be even")
        if not fps > 0:
            raise ValueError(f"{path}: fps must be above 0, got {fps}")
        if Path(path).suffix.lower() not in (".mp4", ".m4v", ".mov"):
            raise ValueError(f"{path}: only mp4 is written; give an output path that ends in .mp4")
        self.path = Path(path)
        self.size = (width, height)
        # Finds 30000/1001 again where it was handed over as a float.
        self.fps = Fraction(fps).limit_denominator(1001)
        self.num_frames = 0
        self._audio = audio
        self._metadata = dict(metadata or {})
        self._video_options = ["-c:v", "libx264", "-preset", preset, "-crf", str(crf)]
        if chroma_offset:
            self._video_options += ["-chromaoffset", str(chroma_offset)]
        if gop is not None:
            self._video_options += ["-g", str(gop)]
        self._stack = ExitStack()
        self._encoder: _Process | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._target = stack.enter_context(atomic_path(self.path))
            self._pictures = self._target
            if self._audio is not None:
                next(stream_audio(self._audio.path, start_s=self._audio.start_s))
                self._pictures = self._target.with_name(f"{self._target.stem}.pictures.mp4")
                stack.callback(self._pictures.unlink, missing_ok=True)
            self._encoder = stack.enter_context(_Process(self._encode_arguments()))
            self._stack = stack.pop_all()
        return self

    def write(self, frame: Array) -> None:
        """Append one RGB uint8 picture (H W 3)."""
        width, height = self.size
        assert frame.shape == (height, width, 3) and frame.dtype == np.uint8, (frame.shape, frame.dtype)
        assert self._encoder is not None, "write is called outside the with block"
        self._encoder.feed(np.ascontiguousarray(frame))
        self.num_frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def _finish(self) -> None:
        assert self._encoder is not None
        if not self.num_frames:
            raise ValueError(f"{self.path}: no frame was written, so there is no video to finish")
        self._encoder.finish()
        if self._audio is not None:
            length_s = Fraction(self.num_frames) / self.fps
            pictures = ("-i", str(self._pictures))
            lay_sound(pictures, self._target, self._audio, length_s=length_s, metadata=self._metadata)

    def _encode_arguments(self) -> list[str]:
        width, height = self.size
        return [
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(self.fps)),
            *("-i", "pipe:0", "-an", "-vf", RGB_TO_BT709, *self._video_options),
            *(_container_options(self._metadata) if self._audio is None else []),
            str(self._pictures),
        ]


def lay_sound(
    pictures: Sequence[str],
    target: Path,
    audio: AudioSource,
    *,
    length_s: Fraction,
    metadata: Mapping[str, str],
) -> None:
    """Write an mp4 of pictures, copied as they are, and `length_s` of sound; `pictures` is ffmpeg's input."""
    blocks = fitted_audio(audio, length_s)
    first = next(blocks)
    rate, channels = first.rate, first.samples.shape[1]
    output_rate = min((known for known in AAC_RATES if known >= rate), default=AAC_RATES[-1])
    if output_rate != rate:
        logger.info("AAC has no %d Hz, the sound is written with %d Hz", rate, output_rate)
    arguments = [
        *pictures,
        *("-f", "f32le", "-ar", str(rate), "-ac", str(channels), "-i", "pipe:0"),
        *("-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy"),
        *("-c:a", "aac", "-b:a", str(min(96_000, 5 * output_rate) * channels), "-ar", str(output_rate)),
        *_container_options(metadata),
        str(target),
    ]
    with _Process(arguments) as mux:
        mux.feed(first.samples)
        for block in blocks:
            mux.feed(block.samples)
        mux.finish()


def _container_options(metadata: Mapping[str, str]) -> list[str]:
    flags = "+faststart" if STANDARD_TAGS.issuperset(metadata) else "+faststart+use_metadata_tags"
    tags = [part for key, value in metadata.items() for part in ("-metadata", f"{key}={value}")]
    return ["-movflags", flags, *tags, "-f", "mp4"]


def fitted_audio(source: AudioSource, length_s: Fraction) -> Iterator[AudioPiece]:
    """Yield the sound from its time 0 in pieces that together last `length_s` to the sample.

    Mono and stereo are kept, other layouts become mono; what is missing at the end is silence.
    """
    left = -1
    rate = channels = 0
    for piece in stream_audio(source.path, start_s=source.start_s):
        if left < 0:
            rate = piece.rate
            channels = piece.samples.shape[1] if piece.samples.shape[1] in AAC_CHANNELS else 1
            left = max(1, round(length_s * rate))
        samples = piece.samples
        if samples.shape[1] != channels:
            samples = np.repeat(mix_to_mono(piece)[:, None], channels, axis=1)
        samples = np.ascontiguousarray(samples[:left], np.float32)
        left -= len(samples)
        yield AudioPiece(rate, samples, piece.channel_names)
        if not left:
            return
    while left > 0:
        silence = np.zeros((min(left, SILENCE_BLOCK), channels), np.float32)
        left -= len(silence)
        yield AudioPiece(rate, silence, ())


class _Process:
    """One running ffmpeg that is fed through its standard input; killed unless it finishes."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments

    def __enter__(self) -> Self:
        self._messages: IO[bytes] = tempfile.TemporaryFile()
        command = [part for part in ffmpeg.command(*self._arguments) if part != "-nostdin"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            start_new_session=True,
        )
        return self

    def feed(self, data: Array) -> None:
        """Write the bytes of a contiguous array."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data.data)
        except (BrokenPipeError, OSError):
            self.finish()
            raise ffmpeg.FfmpegError("ffmpeg stopped reading before the end of the data") from None

    def finish(self) -> None:
        """Close the input and wait; raise FfmpegError with the last messages when it failed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except (BrokenPipeError, OSError):
            logger.debug("ffmpeg closed its input first")
        code = self._process.wait()
        if code:
            raise ffmpeg.FfmpegError(f"ffmpeg failed ({code}): {ffmpeg.tail_of(self._messages)}")

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except (BrokenPipeError, OSError):
                logger.debug("ffmpeg closed its input first")
        self._messages.close()
