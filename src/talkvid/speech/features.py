"""Speech encoders: a 16 kHz mono waveform becomes feature rows at a stated rate."""

import os
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from talkvid.records import Array
from talkvid.speech.log_mel import LogMelEncoder
from talkvid.speech.transformers_encoder import TransformersEncoder

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 16000
LOG_MEL = "log-mel"

__all__ = [
    "LOG_MEL",
    "SAMPLE_RATE",
    "LogMelEncoder",
    "SpeechEncoder",
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

    def encode(self, waveform: Array) -> Tensor:
        """Return (T, dim) float32 on the CPU from float32 (N,) mono at 16 kHz; T is at least 1."""
        ...


def build_speech_encoder(
    name_or_path: str | os.PathLike[str],
    *,
    device: "str | torch.device" = "cpu",
    dtype: "torch.dtype | None" = None,
) -> SpeechEncoder:
    """Return the log-mel encoder for "log-mel", else a transformers encoder from a folder or a hub id.

    Raises FileNotFoundError naming the fetch command when a local folder is not there.
    """
    if os.fspath(name_or_path) == LOG_MEL:
        return LogMelEncoder()
    return TransformersEncoder(name_or_path, device=device, dtype=dtype)
