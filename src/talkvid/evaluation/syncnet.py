"""Lip and sound features of SyncNet, made in batches from pictures that come one at a time."""

from typing import Protocol

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from talkvid.evaluation.mfcc import NUM_COEFFICIENTS
from talkvid.evaluation.syncnet_network import (
    NUM_FEATURES,
    PICTURE_SIDE,
    ROWS_PER_FRAME,
    WINDOW_FRAMES,
    WINDOW_ROWS,
)
from talkvid.evaluation.syncnet_weights import SyncNetWeights
from talkvid.records import Array

BATCH = 8
"""Windows computed at a time: one layer's numbers are 37 MB; larger batches are no faster on a CPU."""


class LipStream(Protocol):
    """Takes the pictures of one mouth and keeps nothing but their features."""

    def add(self, picture: Array) -> None:
        """Take the next picture, RGB (224 224 3) uint8."""
        ...

    def finish(self) -> Tensor:
        """Return (F - 4, D) float32 features of the F pictures taken."""
        ...


class SyncEncoder(Protocol):
    """Makes features of lips and of sound that are near each other when both are in step."""

    name: str
    published: bool
    """Whether these are the published SyncNet weights, so that results may bear the official names."""
    sha256: str

    def lip_stream(self) -> LipStream:
        """Return a fresh stream."""
        ...

    def sound_features(self, coefficients: Array, count: int) -> Tensor:
        """Return (count, D) float32 features of coefficients (R, 13) as `mfcc` gives them."""
        ...


class SyncNetEncoder:
    """SyncNet with the weights of a file, on the CPU."""

    name = "SyncNet"

    def __init__(self, weights: SyncNetWeights, *, batch: int = BATCH) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1, got {batch}")
        self._network = weights.network
        self._batch = batch
        self.published = weights.published
        self.sha256 = weights.sha256

    def lip_stream(self) -> "SyncNetStream":
        """Return a fresh stream."""
        return SyncNetStream(self)

    @torch.inference_mode()
    def lip_features(self, pictures: Array) -> Tensor:
        """Return (F - 4, 1024) of RGB pictures (F 224 224 3) uint8, all at once."""
        frames = torch.from_numpy(np.ascontiguousarray(pictures[..., ::-1])).permute(0, 3, 1, 2)
        return self._network.lip_features(frames.float())

    @torch.inference_mode()
    def sound_features(self, coefficients: Array, count: int) -> Tensor:
        """Return (count, 1024) of coefficients (R, 13); feature t hears the rows 4 t … 4 t + 19."""
        assert coefficients.shape[1] == NUM_COEFFICIENTS, coefficients.shape
        assert len(coefficients) >= (count - 1) * ROWS_PER_FRAME + WINDOW_ROWS, (coefficients.shape, count)
        windows = sliding_window_view(coefficients, WINDOW_ROWS, axis=0)[::ROWS_PER_FRAME][:count]
        batch = 8 * self._batch
        parts = [
            self._network.sound_features(torch.from_numpy(windows[first : first + batch].astype(np.float32)))
            for first in range(0, count, batch)
        ]
        return torch.cat(parts)


class SyncNetStream:
    """Pictures wait until a batch of windows is full; then only the four go on waiting that overlap it."""

    def __init__(self, encoder: SyncNetEncoder) -> None:
        self._encoder = encoder
        self._full = encoder._batch + WINDOW_FRAMES - 1
        self._waiting: list[Array] = []
        self._features: list[Tensor] = []

    def add(self, picture: Array) -> None:
        """Take the next picture, RGB (224 224 3) uint8."""
        assert picture.shape == (PICTURE_SIDE, PICTURE_SIDE, 3) and picture.dtype == np.uint8, picture.shape
        self._waiting.append(picture)
        if len(self._waiting) == self._full:
            self._compute()

    def finish(self) -> Tensor:
        """Return (F - 4, 1024) float32; (0, 1024) for fewer than five pictures."""
        if len(self._waiting) >= WINDOW_FRAMES:
            self._compute()
        return torch.cat(self._features) if self._features else torch.zeros(0, NUM_FEATURES)

    def _compute(self) -> None:
        self._features.append(self._encoder.lip_features(np.stack(self._waiting)))
        del self._waiting[: 1 - WINDOW_FRAMES]
