"""Pictures drawn by formula, and weights drawn by name, as when the stored numbers were recorded."""

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from talkvid.records import Array

DATA = Path(__file__).parents[1] / "data" / "evaluation"


def stored(name: str) -> Any:
    """The numbers of one JSON file."""
    return json.loads((DATA / name).read_text())


def drawn_pair(height: int = 72, width: int = 88) -> tuple[Array, Array]:
    """Two RGB uint8 pictures: waves, and the same moved, paler and noisy."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = np.stack([127 + 100 * np.sin(x / 9 + c) * np.cos(y / (7 + c)) for c in range(3)], -1)
    noise = np.random.RandomState(3).randn(height, width, 3)
    other = 0.9 * np.roll(waves, 2, axis=1) + 8 + 6 * noise
    first, second = (np.clip(np.rint(picture), 0, 255).astype(np.uint8) for picture in (waves, other))
    return first, second


def noise_frames(count: int, *, seed: int = 0, size: int = 32) -> list[Array]:
    """Random RGB uint8 pictures."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(count)]


def drawn_weights(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Weights by name and shape: variance kept by convolutions, norms near one, counters zero."""
    return {name: _drawn(name, shape) for name, shape in shapes.items()}


def _drawn(name: str, shape: list[int]) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    values = torch.randn(shape, generator=generator)
    if name.endswith("running_var"):
        return 1 + 0.1 * values.abs()
    if len(shape) >= 2:
        return values * math.sqrt(2) / math.sqrt(math.prod(shape[1:]))
    if name.endswith("weight"):
        return 1 + 0.1 * values
    return 0.1 * values
