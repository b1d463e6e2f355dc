"""Videos made for the tests: takes with hard cuts at known pictures, and a buzz that is like speech."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from talkvid.records import Array

RATE = 16000
WIDTH, HEIGHT = 160, 120


def picture(take: int, frame: int) -> Array:
    """Return RGB uint8 (H W 3): a colour and a pattern of the take, with a square that moves a little."""
    generator = np.random.default_rng(take)
    coarse = generator.integers(0, 120, (6, 8, 3)) + generator.integers(0, 130, 3)
    image: Array = np.kron(coarse, np.ones((HEIGHT // 6, WIDTH // 8, 1), np.int64)).astype(np.uint8)
    left = 20 + frame % 60
    image[50:70, left : left + 20] = 255 - image[50:70, left : left + 20]
    return image


def spoken(seconds: float) -> Array:
    """Return a vowel-like buzz (N,): harmonics of a wandering pitch, four syllables a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * time)) / RATE
    voice = sum(np.sin(number * phase) / number for number in range(1, 25))
    buzz: Array = (0.1 * voice * (0.3 + 0.7 * np.abs(np.sin(4 * np.pi * time)))).astype(np.float32)
    return buzz


def sound(*parts: tuple[str, float]) -> Array:
    """Return ("speech" | "silence", seconds) one after another as float32 (N,)."""
    pieces = [
        spoken(length) if kind == "speech" else np.zeros(round(length * RATE)) for kind, length in parts
    ]
    return np.concatenate(pieces).astype(np.float32)


def write_takes(
    path: Path,
    lengths: Sequence[int],
    *,
    fps: int = 25,
    samples: Array | None = None,
    stamps: Sequence[int] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """Write takes of `lengths` pictures, picture k at `stamps[k]` / 1000 s where those are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        quick = {"preset": "ultrafast", "g": "30"}
        stream = container.add_stream(codec, rate=fps, options=options or quick)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        base = Fraction(1, fps) if stamps is None else Fraction(1, 1000)
        stream.codec_context.time_base = base
        # The sound's stream must be there before the first picture is written.
        voice = None if samples is None else container.add_stream("aac", rate=RATE, layout="mono")
        count = 0
        for take, length in enumerate(lengths):
            for frame_number in range(length):
                frame = av.VideoFrame.from_ndarray(picture(take, frame_number), format="rgb24")
                frame.pts = count if stamps is None else stamps[count]
                frame.time_base = base
                container.mux(stream.encode(frame))
                count += 1
        container.mux(stream.encode(None))
        if isinstance(voice, av.AudioStream) and samples is not None:
            sounding = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            sounding.sample_rate, sounding.pts = RATE, 0
            container.mux(voice.encode(sounding))
            container.mux(voice.encode(None))
    return path
