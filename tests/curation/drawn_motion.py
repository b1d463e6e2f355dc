"""Drawn clips for the motion scores: a textured room with a head that moves, and ways to spoil it."""

import cv2
import numpy as np

from talkvid.curation.records import Span
from talkvid.records import Array

HEIGHT, WIDTH = 180, 320


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> Array:
    """Return a smooth random pattern (height width) uint8 with much to hold on to."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height // 6 + 2, width // 6 + 2)).astype(np.float32)
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 255).astype(np.uint8)


def room(num_frames: int = 120, *, seed: int = 0, sway: float = 16.0, head: bool = True) -> Array:
    """Return (F, H, W) uint8: a textured wall, and before it a textured head swaying by `sway` pixels."""
    wall, face = texture(seed), texture(seed + 100, 80, 60)
    frames = np.repeat(wall[None], num_frames, axis=0)
    for number, frame in enumerate(frames):
        if head:
            left = 130 + round(sway * np.sin(number / 6))
            frame[60:140, left : left + 60] = face
            frame[115:122, left + 20 : left + 40] = 30 + 60 * (number // 3 % 2)
    return frames


def shaken(frames: Array, amplitude: float, *, seed: int = 0) -> Array:
    """Return the frames as a trembling hand films them, moved by about `amplitude` pixels."""
    noise = np.random.default_rng(seed).normal(0, amplitude, (len(frames), 2))
    moved = []
    for frame, (right, down) in zip(frames, noise, strict=True):
        matrix = np.array([[1, 0, right], [0, 1, down]])
        moved.append(cv2.warpAffine(frame, matrix, frame.shape[::-1], borderMode=cv2.BORDER_REFLECT))
    return np.stack(moved)


def clip_of(num_frames: int, fps: float = 25.0) -> Span:
    """Return the span of a drawn clip."""
    return Span(
        video_id="drawn",
        path="drawn.mp4",
        number=1,
        start_pts=0,
        end_pts=num_frames,
        time_base=(1000, round(fps * 1000)),
        first_frame=0,
        num_frames=num_frames,
        width=WIDTH,
        height=HEIGHT,
        fps=fps,
    )
