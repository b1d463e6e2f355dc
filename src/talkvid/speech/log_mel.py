"""Log-mel features: 80 bands, 100 rows per second, made here and the same on every machine."""

import functools
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from talkvid.media.spool import Samples, blocks
from talkvid.records import Array

SAMPLE_RATE = 16000
WINDOW = 400
"""25 ms."""
HOP = 160
"""10 ms."""
FFT_SIZE = 512
LOWEST_HZ, HIGHEST_HZ = 50.0, 7600.0
FLOOR = 1e-8
"""Added to the band energy before the logarithm: 80 dB under a full-level sine."""
LOG_MEAN, LOG_SPREAD = -5.9, 1.45
"""Fixed shift and scale of log10 energies, so that levelled speech has about mean 0 and deviation 1."""
SPEECH_LEVEL = 0.1
"""Root mean square (-20 dBFS) to which the loud parts are brought before analysis."""
LARGEST_GAIN = 30.0
"""Quiet noise is not blown up to speech."""
BLOCK_ROWS = 1000
"""Rows worked on at a time: 10 s."""
LEVELS_AT_ONCE = 400


class LogMelEncoder:
    """80 log-mel bands of 25 ms windows, one row per 10 ms.

    Row i is centred on sample 160 i + 80, so T = ceil(N / 160) rows cover the sound exactly; outside there is
    silence. Periodic Hann window, power spectrum scaled so that a full-level sine peaks at 1, triangular
    filters of equal height on Slaney's mel scale (linear to 1 kHz, logarithmic above), then
    (log10(energy + 1e-8) - LOG_MEAN) / LOG_SPREAD. With `level` one gain for the whole waveform first brings
    its loud parts to -20 dBFS, so that recording volume does not matter.
    """

    name = "log-mel"
    rate_hz = SAMPLE_RATE / HOP
    dim = 80

    def __init__(self, *, level: bool = True) -> None:
        self.level = level

    def encode(self, waveform: Samples) -> Tensor:
        """Return (T, 80) float32; memory beyond input and output does not grow with the length."""
        return torch.cat(list(self.stream(waveform)))

    def stream(self, waveform: Samples) -> Iterator[Tensor]:
        """Yield the rows of `encode` in blocks (at most BLOCK_ROWS, 80), reading the sound slice by slice."""
        if not len(waveform):
            raise ValueError("the waveform holds no samples")
        gain = speech_gain(waveform) if self.level else 1.0
        for rows in blocks(math.ceil(len(waveform) / HOP), BLOCK_ROWS):
            yield self._rows(waveform, rows.start, rows.stop - rows.start, gain)

    def _rows(self, waveform: Samples, first: int, count: int, gain: float) -> Tensor:
        start = HOP * first + HOP // 2 - WINDOW // 2
        stop = start + HOP * (count - 1) + WINDOW
        part = torch.from_numpy(np.ascontiguousarray(waveform[max(start, 0) : stop], np.float32))
        part = torch.nn.functional.pad(part, (max(-start, 0), stop - max(start, 0) - len(part)))
        windows = part.unfold(0, WINDOW, HOP) * (torch.hann_window(WINDOW) * gain)
        power = torch.fft.rfft(windows, FFT_SIZE).abs().square() / (WINDOW / 4) ** 2
        energy = power @ mel_filters(self.dim)
        return (torch.log10(energy + FLOOR) - LOG_MEAN) / LOG_SPREAD


def speech_gain(waveform: Samples) -> float:
    """Return the factor that brings the loud parts (90th percentile of 25 ms levels) to SPEECH_LEVEL.

    It is one number of the whole sound, which is read once for it, in blocks; kept is a level per 25 ms.
    """
    num_windows = max(1, len(waveform) // WINDOW)
    levels = np.empty(num_windows, np.float32)
    for part in blocks(num_windows, LEVELS_AT_ONCE):
        samples = waveform[part.start * WINDOW : part.stop * WINDOW].astype(np.float32)
        windows = samples.reshape(part.stop - part.start, -1)
        levels[part] = np.sqrt(np.einsum("nw,nw->n", windows, windows) / windows.shape[1])
    loud = float(np.percentile(levels, 90))
    return float(min(SPEECH_LEVEL / max(loud, 1e-9), LARGEST_GAIN))


def mel(hertz: float | Array) -> Array:
    """Return Slaney's mel: 3 mel per 200 Hz up to 1 kHz, from there 27 mel per factor 6.4."""
    hertz = np.asarray(hertz, dtype=np.float64)
    above = 15 + 27 * np.log(np.maximum(hertz, 1000) / 1000) / np.log(6.4)
    return np.where(hertz < 1000, hertz * 3 / 200, above)


def hertz(mels: Array) -> Array:
    """Return the frequency of a mel value, the inverse of `mel`."""
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))


@functools.cache
def mel_filters(num_bands: int) -> Tensor:
    """Return (257, num_bands) float32 triangles of height 1, evenly spaced in mel."""
    corners = hertz(np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), num_bands + 2))
    bins = np.arange(FFT_SIZE // 2 + 1)[:, None] * (SAMPLE_RATE / FFT_SIZE)
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    return torch.from_numpy(np.clip(np.minimum(rising, falling), 0, None).astype(np.float32))
