"""What one visitor may ask for, checked before any network is run."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talkvid.media.audio_stream import stream_audio
from talkvid.media.image import probe_image
from talkvid.media.video import probe

MEGABYTE = 1_000_000
SILENCE = 0.001
"""Of full scale; a sound that never goes beyond (-60 dB) is taken for silent."""
MOST_PIXELS = 50_000_000
"""Of a portrait; more than any camera phone makes by default."""


@dataclass(frozen=True)
class SoundFacts:
    """What was heard of a sound."""

    seconds: float
    is_silent: bool


@dataclass(frozen=True)
class Limits:
    """The bounds of one server."""

    sound_s: float = 60.0
    """Longest speech and longest driving video in seconds."""
    upload_mb: float = 50.0
    """Largest file, in millions of bytes."""
    steps: int = 100
    side: int = 1024
    """Longest side of a video in pixels."""
    waiting: int = 32
    """Videos that may wait in all."""
    waiting_each: int = 2
    """Videos that one visitor may have waiting or in the making."""
    keep_minutes: float = 60.0
    """How long uploads and videos stay on the server."""

    def __post_init__(self) -> None:
        for name in ("sound_s", "upload_mb", "steps", "side", "waiting", "waiting_each", "keep_minutes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be more than 0, got {getattr(self, name):g}")

    @property
    def upload_bytes(self) -> int:
        """Return the largest file in bytes."""
        return int(self.upload_mb * MEGABYTE)

    def check_size(self, path: Path) -> None:
        """Raise ValueError for a file that is too large."""
        size = path.stat().st_size
        if size > self.upload_bytes:
            raise ValueError(
                f"{path}: {size / MEGABYTE:.1f} MB, more than the {self.upload_mb:g} MB allowed here"
            )

    def check_portrait(self, path: Path) -> None:
        """Raise ValueError for a picture that is too large; its pixels are not unpacked."""
        self.check_size(path)
        width, height = probe_image(path)
        if width * height > MOST_PIXELS:
            raise ValueError(
                f"{path}: {width}x{height} pixels, more than {MOST_PIXELS / 1e6:g} million; make it smaller"
            )

    def check_sound(self, path: Path) -> SoundFacts:
        """Return how long and whether audible it is; raise ValueError for a sound that is too long.

        Samples are counted, for headers are often wrong, and no further than the limit.
        """
        self.check_size(path)
        seconds, peak = 0.0, 0.0
        for piece in stream_audio(path):
            seconds += len(piece.samples) / piece.rate
            peak = max(peak, float(np.abs(piece.samples).max(initial=0.0)))
            if seconds > self.sound_s:
                raise ValueError(f"{path}: the speech is longer than the {self.sound_s:g} s allowed; cut it")
        return SoundFacts(seconds, peak < SILENCE)

    def check_driving(self, path: Path) -> None:
        """Raise ValueError for a driving video that is too large or too long."""
        self.check_size(path)
        seconds = probe(path).duration_s
        if seconds is None:
            raise ValueError(f"{path}: the driving video does not tell how long it is; save it as mp4")
        if seconds > self.sound_s:
            raise ValueError(
                f"{path}: the driving video lasts {seconds:.0f} s, "
                f"longer than the {self.sound_s:g} s allowed; cut it"
            )
