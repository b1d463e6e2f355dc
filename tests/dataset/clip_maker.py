"""Clips drawn for the preprocessing tests: a red square is the face, a flash and a click tell the time."""

import json
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from talkvid import runner
from talkvid.dataset import preprocess
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.dataset.sources import Source
from talkvid.media.audio import AudioSource
from talkvid.media.writer import VideoWriter
from talkvid.records import Array, Face

RATE = 16000
BACKGROUND = (60, 90, 60)
CROP_PX = 64


@dataclass
class RedSquareDetector:
    """Finds the red square, wherever it is, and calls it a face."""

    name: str = "red-square"

    def detect(self, image: Array) -> list[Face]:
        box = red_box(image)
        return [] if box is None else [face_of(box)]


def face_of(box: Array, *, score: float = 0.9) -> Face:
    box = np.asarray(box, np.float32)
    size = box[2:] - box[:2]
    five = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    ring = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    lips = np.stack([0.5 + 0.15 * np.cos(ring), 0.8 + 0.08 * np.sin(ring)], axis=1).astype(np.float32)
    pose = np.array([1.0, 2.0, 3.0], np.float32)
    return Face(box, box[:2] + five * size, score, lips=box[:2] + lips * size, pose=pose)


def red_box(image: Array) -> Array | None:
    red = (image[..., 0] > 150) & (image[..., 1] < 110) & (image[..., 2] < 110)
    if red.sum() < 40:
        return None
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def write_sound(path: Path, duration_s: float, *, click_s: float | None = None) -> Path:
    samples = np.zeros(round(duration_s * RATE), np.float32)
    samples[:] = 0.01 * np.sin(np.arange(len(samples)) * 0.1)
    if click_s is not None:
        start = round(click_s * RATE)
        samples[start : start + 400] = 0.9 * np.sin(np.arange(400) * 0.6)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


def write_clip(
    path: Path,
    *,
    num_frames: int = 48,
    fps: float = 24.0,
    size: tuple[int, int] = (192, 128),
    face_at: Callable[[int], tuple[int, int] | None] = lambda _: (96, 64),
    face_px: int = 40,
    flash: int | None = None,
    sound: Path | None = None,
) -> Path:
    width, height = size
    with VideoWriter(path, width, height, fps, audio=AudioSource(sound) if sound else None) as writer:
        for number in range(num_frames):
            picture = np.full((height, width, 3), BACKGROUND, np.uint8)
            centre = face_at(number)
            if centre is not None:
                x, y = centre
                half = face_px // 2
                picture[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = (230, 30, 30)
                if number == flash:
                    picture[max(y - 8, 0) : y + 8, max(x - 8, 0) : x + 8] = 255
            writer.write(picture)
    return path


def prepare(sources: list[Source], settings: PrepareSettings) -> runner.Summary:
    return preprocess.prepare(sources, settings, name="set", executor="inline")


def prepare_one(source: Source, settings: PrepareSettings) -> dict[str, Any]:
    summary = prepare([source], settings)
    assert not summary.failures, summary.failures
    entry: dict[str, Any] = json.loads((settings.output_dir / "set.json").read_text())[0]
    return entry
