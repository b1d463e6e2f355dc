"""Fits the weights of the mel measure: ridge regression of the mouth's signals on the bands of the sound."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from talkvid.evaluation.mel_measure import LEAST_OPENING_SPREAD, NUM_INPUTS, MelWeights, sound_inputs
from talkvid.evaluation.mouth_signals import SIGNALS, mouth_signals, resampled
from talkvid.evaluation.tracks import FaceTracks
from talkvid.files import atomic_path
from talkvid.records import Array

RIDGE = 0.1
"""Added to the diagonal of the inputs' covariance, whose entries are about 1."""


@dataclass
class MelSums:
    """What the fit needs of all clips: products of inputs (with a column of ones) and signals."""

    inputs: Array
    """(NUM_INPUTS + 1, NUM_INPUTS + 1)"""
    targets: Array
    """(NUM_INPUTS + 1, 3)"""
    num_rows: int = 0
    num_clips: int = 0

    @classmethod
    def empty(cls) -> "MelSums":
        """Return sums over nothing."""
        size = NUM_INPUTS + 1
        return cls(np.zeros((size, size)), np.zeros((size, len(SIGNALS))))

    def add(self, tracks: FaceTracks, sound: Array) -> bool:
        """Add one clip whose `sound` (N,) at 16 kHz fits the mouth; False when it has nothing to teach.

        Every signal counts in its own deviations within the clip, so that no speaker outweighs another.
        """
        signals = mouth_signals(tracks)
        values, known = resampled(signals)
        count = 0 if values.shape[1] < len(SIGNALS) else min(len(values), len(rows := sound_inputs(sound)))
        known = known[:count]
        if not known.any() or np.nanstd(signals.opening) < LEAST_OPENING_SPREAD:
            return False
        told = np.concatenate([rows[:count][known], np.ones((int(known.sum()), 1))], axis=1)
        mouth = values[:count][known]
        mouth = (mouth - mouth.mean(axis=0)) / np.maximum(mouth.std(axis=0), 1e-6)
        self.inputs += told.T @ told
        self.targets += told.T @ mouth
        self.num_rows += len(told)
        self.num_clips += 1
        return True

    def solve(self, *, ridge: float = RIDGE) -> MelWeights:
        """Return the weights with the smallest squared error plus `ridge` times their squares."""
        if not self.num_rows:
            raise ValueError("no clip to fit the mel measure on; give clips in which somebody speaks")
        penalty = ridge * self.num_rows * np.eye(len(self.inputs))
        penalty[-1, -1] = 0.0
        solved = np.linalg.solve(self.inputs + penalty, self.targets)
        return MelWeights(matrix=solved[:-1], offset=solved[-1])


def fit(clips: Iterable[tuple[FaceTracks, Array]], *, ridge: float = RIDGE) -> MelWeights:
    """Return weights fitted on clips (tracks, sound at 16 kHz); the same clips give the same weights."""
    sums = MelSums.empty()
    for tracks, sound in clips:
        sums.add(tracks, sound)
    return sums.solve(ridge=ridge)


def save_weights(weights: MelWeights, path: Path, *, metadata: Mapping[str, str]) -> None:
    """Write the weights as float32 safetensors with `metadata`, whole or not at all."""
    from safetensors.numpy import save_file

    tensors = {"matrix": weights.matrix.astype(np.float32), "offset": weights.offset.astype(np.float32)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata=dict(metadata))
