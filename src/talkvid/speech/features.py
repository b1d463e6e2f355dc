"""Speech encoders: a 16 kHz mono waveform becomes feature rows at a stated rate."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from talkvid import plugins
from talkvid.media.spool import Samples, Spool
from talkvid.speech.log_mel import LogMelEncoder
from talkvid.speech.transformers_encoder import TransformersEncoder

SAMPLE_RATE = 16000
LOG_MEL = "log-mel"

__all__ = [
    "LOG_MEL",
    "SAMPLE_RATE",
    "LogMelEncoder",
    "SpeechEncoder",
    "SpooledFeatures",
    "TransformersEncoder",
    "build_speech_encoder",
]


class SpeechEncoder(Protocol):
    """Turns speech into feature rows."""

    @property
    def name(self) -> str:
        """What the first lines of output call it."""
        ...

    @property
    def rate_hz(self) -> float:
        """Feature rows per second."""
        ...

    @property
    def dim(self) -> int:
        """Numbers per row."""
        ...

    def encode(self, waveform: Samples) -> Tensor:
        """Return (T, dim) float32 on the CPU from float32 (N,) mono at 16 kHz; T is at least 1."""
        ...

    def stream(self, waveform: Samples) -> Iterator[Tensor]:
        """Yield the rows of `encode` piece by piece, in memory that does not grow with the length."""
        ...


class SpooledFeatures:
    """Feature rows (T, D) float32 on disk that are read where they are asked for (`records.FeatureRows`)."""

    ndim = 2

    def __init__(self, pieces: Iterable[Tensor], *, dim: int) -> None:
        """Take the rows piece by piece, (n, dim) each, onto disk: 32 kB per second of log-mel rows."""
        self._rows = Spool((dim,))
        for piece in pieces:
            self._rows.append(piece.numpy())

    @property
    def shape(self) -> tuple[int, int]:
        """Return (T, D)."""
        return (len(self._rows), self._rows.row_shape[0])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any, /) -> Tensor:
        """Return the rows of a slice, or those of row numbers in an array or tensor of any shape (…, D)."""
        if isinstance(index, slice):
            return torch.from_numpy(self._rows[index])
        numbers = torch.as_tensor(index)
        first, last = int(numbers.min()), int(numbers.max())
        return torch.from_numpy(self._rows[first : last + 1])[numbers - first]

    def close(self) -> None:
        """Give the disk space back."""
        self._rows.close()


def build_speech_encoder(
    name_or_path: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
) -> SpeechEncoder:
    """Return the log-mel encoder for "log-mel", a plug-in's, or transformers' from a folder or hub id.

    Raises FileNotFoundError naming the fetch command when a local folder is not there.
    """
    if os.fspath(name_or_path) == LOG_MEL:
        return LogMelEncoder()
    if os.fspath(name_or_path) in plugins.choices("speech_encoder", (LOG_MEL,)):
        encoder: SpeechEncoder = plugins.find("speech_encoder", os.fspath(name_or_path))(device=str(device))
        return encoder
    return TransformersEncoder(name_or_path, device=device, dtype=dtype)
