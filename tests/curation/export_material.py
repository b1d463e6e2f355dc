"""Videos whose pictures bear their own number, and manifest rows about them, for export and materialise."""

import wave
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.curation.manifest import ClipRow, span_columns, write_clips
from talkvid.curation.records import KEPT, Span
from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from talkvid.records import Array

RATE = 48000
NUM_BITS = 10
BIT_PX = 8
WIDTH, HEIGHT = 96, 64


def numbered_picture(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> Array:
    """Return a picture (H W 3) that says its number in black and white squares."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for bit in range(NUM_BITS):
        picture[8:24, 8 + bit * BIT_PX : 8 + (bit + 1) * BIT_PX] = 235 if number >> bit & 1 else 20
    picture[40:56, 8:40] = (200, 60, 60)
    return picture


def number_of(picture: Array) -> int:
    """Return the number a picture bears."""
    bits = [picture[10:22, 10 + bit * BIT_PX : 14 + bit * BIT_PX].mean() > 128 for bit in range(NUM_BITS)]
    return sum(1 << bit for bit, is_set in enumerate(bits) if is_set)


def chirp(length_s: float) -> Array:
    """Return a tone (N,) that rises from 200 to 3000 Hz: any shift of it shows."""
    time = np.arange(round(length_s * RATE)) / RATE
    sweep: Array = 0.6 * np.sin(2 * np.pi * (200 * time + (2800 / (2 * length_s)) * time**2))
    return sweep.astype(np.float32)


def numbered_video(
    path: Path, *, count: int = 100, fps: int = 25, sound: bool = True, width: int = WIDTH
) -> Path:
    """Write a video of numbered pictures with few key frames and a rising tone; return its path."""
    audio = None
    path.parent.mkdir(parents=True, exist_ok=True)
    if sound:
        wav = path.with_suffix(".source.wav")
        with wave.open(str(wav), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes((chirp(count / fps) * 32767).astype("<i2").tobytes())
        audio = AudioSource(wav)
    with VideoWriter(path, width, HEIGHT, fps, audio=audio, crf=12, preset="ultrafast", gop=250) as writer:
        for number in range(count):
            writer.write(numbered_picture(number, width=width))
    if audio is not None:
        Path(audio.path).unlink()
    return path


def span_of(
    path: Path, first: int, count: int, *, number: int = 1, fps: int = 25,
    stamps: Sequence[int] | None = None, time_base: tuple[int, int] | None = None, **changes: Any,
) -> Span:  # fmt: skip
    """Return the span of `count` pictures from `first` on; `stamps` are the times of an uneven video."""
    time_base = time_base or (1, fps)
    start, end = (first, first + count) if stamps is None else (stamps[first], stamps[first + count])
    values: dict[str, Any] = {
        "video_id": path.stem, "path": str(path), "number": number, "start_pts": start, "end_pts": end,
        "time_base": time_base, "first_frame": first, "num_frames": count, "width": WIDTH, "height": HEIGHT,
        "fps": float(count / ((end - start) * Fraction(*time_base))), "vfr": stamps is not None,
        "has_audio": True,
    }  # fmt: skip
    return Span(**{**values, **changes})


def row_of(span: Span, status: str = KEPT, **changes: Any) -> ClipRow:
    """Return a manifest row of a span, kept unless told otherwise."""
    row = ClipRow(**span_columns(span), status=status)
    return replace(row, **changes)


def write_manifest(folder: Path, rows: Sequence[ClipRow]) -> Path:
    """Write clips.parquet with all the columns that the rows need; return the run folder."""
    further = {
        f"score.{stage}.{name}" for row in rows for stage, names in row.scores.items() for name in names
    }
    further |= {f"backend.{stage}" for row in rows for stage in row.backends}
    folder.mkdir(parents=True, exist_ok=True)
    write_clips(folder / "clips.parquet", rows, further=sorted(further))
    return folder


def by(value: Any, who: str = "test 1") -> Mapping[str, Any]:
    """Return one annotation."""
    return {"value": value, "by": who, "version": "1"}
