"""Prepared training clips that are drawn, not filmed, for benchmarks that must run anywhere."""

import json
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import save_file

from talkvid.dataset.face_info import FaceInfo, save_face_info
from talkvid.media.writer import VideoWriter
from talkvid.records import Array, SampleEntry

FPS = 24.0
GOP = 12
"""Key-frame distance, as `talkvid preprocess` writes it."""


def draw_clips(folder: Path, *, count: int, num_frames: int, size: int, speech_dim: int) -> Path:
    """Write `count` clips in the layout of `talkvid preprocess` and return their list; features are noise."""
    entries = []
    background = noisy_background(size)
    for number in range(count):
        entry = SampleEntry(
            id=f"drawn{number}",
            video=f"videos/drawn{number}.mp4",
            face_info=f"face_info/drawn{number}.safetensors",
            audio_embeds=f"audio_embeds/drawn{number}.safetensors",
            num_frames=num_frames,
            fps=FPS,
        )
        faces = [face_at(frame + 7 * number, size) for frame in range(num_frames)]
        with VideoWriter(folder / entry.video, size, size, FPS, audio=None, gop=GOP) as writer:
            for points, lips in faces:
                writer.write(draw_face(background, points, lips))
        values = {
            "box": np.tile(np.array([0.2, 0.2, 0.8, 0.8], np.float32) * size, (num_frames, 1)),
            "points": np.stack([points for points, _ in faces]),
            "lips": np.stack([lips for _, lips in faces]),
            "score": np.ones(num_frames, np.float32),
        }
        save_face_info(folder / entry.face_info, FaceInfo(np.ones(num_frames, bool), values), {})
        features = np.random.default_rng(number).standard_normal((2 * num_frames, 1, speech_dim))
        target = folder / entry.audio_embeds
        target.parent.mkdir(parents=True, exist_ok=True)
        save_file({"global_embeds": features.astype(np.float32)}, target)
        entries.append(asdict(entry))
    path = folder / "drawn.json"
    path.write_text(json.dumps(entries))
    return path


def noisy_background(size: int) -> Array:
    """Return a picture (size size 3) uint8 with detail at several scales, as hard to code as a filmed one."""
    rng = np.random.default_rng(0)
    picture = np.zeros((size, size, 3))
    for cells in (4, 16, 64):
        noise = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC) / 3
    return np.clip(picture, 0, 255).astype(np.uint8)


def face_at(frame: int, size: int) -> tuple[Array, Array]:
    """Return five points (5 2) and 40 lip points (40 2) of a face that sways and speaks, in pixels."""
    centre = 0.5 + 0.05 * np.sin(frame / 9)
    five = np.array([[-0.1, 0.4], [0.1, 0.4], [0, 0.5], [-0.08, 0.62], [0.08, 0.62]])
    five += np.array([centre, 0])
    angles = np.pi - np.arange(20) / 20 * 2 * np.pi
    ring = np.stack([np.cos(angles), -np.sin(angles) * (0.4 + 0.3 * np.sin(frame))], axis=1)
    lips = np.concatenate([ring * 0.09, ring * 0.06]) + np.array([centre, 0.62])
    return (five * size).astype(np.float32), (lips * size).astype(np.float32)


def draw_face(background: Array, points: Array, lips: Array) -> Array:
    """Return the background (H W 3) with a face drawn over it."""
    picture, size = background.copy(), len(background)
    nose = tuple(int(value) for value in points[2])
    cv2.ellipse(picture, nose, (size // 4, size // 3), 0, 0, 360, (200, 160, 130), -1)
    for eye in points[:2]:
        cv2.circle(picture, tuple(int(value) for value in eye), size // 30, (20, 20, 40), -1)
    cv2.fillPoly(picture, [lips[:20].astype(np.int32)], (180, 30, 40))
    cv2.fillPoly(picture, [lips[20:].astype(np.int32)], (60, 10, 20))
    return picture
