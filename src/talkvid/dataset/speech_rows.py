"""The stored speech features of a clip, read in the rows that are asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from talkvid.dataset.face_track import load_numbers
from talkvid.records import FeatureRows

AUDIO_KEY = "global_embeds"


class StoredRows:
    """The features (T D) of a `.safetensors` file; indexing reads the rows from the first to the last asked.

    Rows are stored as (T D), (T 1 D) or (1 T D). Raises ValueError for another shape or a damaged file.
    """

    ndim = 2

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as file:
            if AUDIO_KEY not in file.keys():  # noqa: SIM118 -- not a mapping
                raise ValueError(f"{path}: holds no {AUDIO_KEY}; prepare the data again")
            self._stored = tuple(file.get_slice(AUDIO_KEY).get_shape())
        self.shape = _rows_and_width(self._stored, path)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Tensor:
        """Return float32 rows for a slice, or for whole numbers (N,) in any order."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return self._read(start, max(start, stop))[::step]
        numbers = np.asarray(index)
        first = int(numbers.min())
        return self._read(first, int(numbers.max()) + 1)[torch.from_numpy(numbers - first)]

    def _read(self, start: int, stop: int) -> Tensor:
        with _opened(self.path) as file:
            rows = file.get_slice(AUDIO_KEY)
            part = rows[:, start:stop] if self._lies_second else rows[start:stop]
        return torch.as_tensor(part).reshape(stop - start, self.shape[1]).float()

    @property
    def _lies_second(self) -> bool:
        return len(self._stored) == 3 and self._stored[0] == 1


def open_audio_features(path: Path) -> FeatureRows:
    """Return the features (T D) of a clip without reading them yet; pickled ones are read at once."""
    return load_audio_features(path) if path.suffix in (".pt", ".pth") else StoredRows(path)


def load_audio_features(path: Path) -> Tensor:
    """Return the speech features (T D) of a clip, as stored under `global_embeds` by either tool."""
    if path.suffix not in (".pt", ".pth"):
        return StoredRows(path)[:]
    stored: Any = load_numbers(path)
    if not isinstance(stored, dict) or AUDIO_KEY not in stored:
        raise ValueError(f"{path}: holds no {AUDIO_KEY}; prepare the data again")
    features = torch.as_tensor(stored[AUDIO_KEY]).float()
    return features.reshape(_rows_and_width(tuple(features.shape), path))


def _rows_and_width(shape: tuple[int, ...], path: Path) -> tuple[int, int]:
    """Return (T, D) of a stored shape; one of three axes must have length 1."""
    if len(shape) == 3 and 1 in shape[:2]:
        shape = (shape[0] * shape[1], shape[2])
    if len(shape) != 2 or not shape[0]:
        raise ValueError(f"{path}: {AUDIO_KEY} has shape {tuple(shape)}, expected (T, 1, D)")
    return shape[0], shape[1]


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); prepare the data again") from error
