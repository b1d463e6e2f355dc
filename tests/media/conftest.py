"""Small media made on the spot by ffmpeg: each file is wrong or unusual in one way."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from talkvid.media import ffmpeg

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that writes a file with ffmpeg: make("a.mp4", *arguments before the name)."""

    def build(name: str, *arguments: str) -> Path:
        target = tmp_path / name
        ffmpeg.run(*arguments, target)
        return target

    return build


@pytest.fixture
def clip(make: Make) -> Path:
    """A 2 s, 64 x 48, 25 fps video in which frame n has the grey level 4 n + 16, with a 440 Hz sound."""
    return make(
        "clip.mp4",
        *("-f", "lavfi", "-i", "color=black:s=64x48:r=25:d=2,format=gray,geq=lum='16+4*N'"),
        *("-f", "lavfi", "-i", "sine=440:r=44100:d=2"),
        *(
            "-c:v",
            "libx264",
            "-pix_fmt",
            "yuv420p",
            "-crf",
            "1",
            "-g",
            "12",
            "-c:a",
            "aac",
            "-movflags",
            "+faststart",
        ),
    )


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    """Write float samples (N,) or (N, channels) in [-1, 1] as 16-bit PCM."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(samples.shape[1])
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())
    return path


def clicks(length: int, rate: int, *, every_s: float = 0.5, first_s: float = 0.1) -> np.ndarray:
    """Return silence (N,) with a 1 ms burst at first_s and every `every_s` seconds after it."""
    samples = np.zeros(length, np.float32)
    for start in np.arange(first_s, length / rate, every_s):
        begin = round(start * rate)
        samples[begin : begin + max(1, rate // 1000)] = 0.9
    return samples
