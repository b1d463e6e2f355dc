"""Mel-frequency cepstral coefficients as SyncNet was trained on: 13 numbers, 100 times a second, at 16 kHz.

The formulas are those of Davis & Mermelstein 1980 (IEEE TASSP 28, 357-366) and of the HTK Book (mel scale
2595 log10(1 + f / 700), pre-emphasis, sine lifter), with the constants that are the defaults of the package
python_speech_features 0.6, down to its habits: filter corners on whole bins of 513, no window function, the
first coefficient replaced by the logarithm of the whole energy.
"""

import functools
import math

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from talkvid.records import Array

RATE_HZ = 16000
WINDOW = 400
"""25 ms."""
HOP = 160
"""10 ms."""
FFT_SIZE = 512
NUM_FILTERS = 26
NUM_COEFFICIENTS = 13
PRE_EMPHASIS = 0.97
LIFTER = 22
BLOCK_ROWS = 3000
"""Rows worked on at a time: 30 s."""


def mfcc(samples: Array) -> Array:
    """Return (R, 13) float64 coefficients of a sound (N,) at 16 kHz, 16-bit steps (-32768 to 32767).

    R = 1 for up to 400 samples, else 1 + ceil((N - 400) / 160), the last window filled up with zeros.  Memory
    beyond input and output does not grow with the length.  ValueError for a sound without samples.
    """
    samples = np.asarray(samples)
    assert samples.ndim == 1, samples.shape
    if not len(samples):
        raise ValueError("the sound holds no samples; give a sound to compute coefficients of")
    count = num_rows(len(samples))
    blocks = [
        _coefficients(_windows(samples, first, min(BLOCK_ROWS, count - first)))
        for first in range(0, count, BLOCK_ROWS)
    ]
    return np.concatenate(blocks)


def num_rows(num_samples: int) -> int:
    """Return how many rows a sound of so many samples has."""
    return 1 + max(0, math.ceil((num_samples - WINDOW) / HOP))


def filter_energies(windows: Array) -> tuple[Array, Array]:
    """Return the energies of the 26 filters (R, 26) and the whole energy (R,) of windows (R, 400).

    Power spectrum |X|² / 512; an energy of zero becomes the smallest step of a float64, to have a logarithm.
    """
    power = np.abs(np.fft.rfft(windows, FFT_SIZE)) ** 2 / FFT_SIZE
    smallest = np.finfo(np.float64).eps
    bands, whole = power @ filter_bank().T, power.sum(axis=1)
    return np.where(bands == 0, smallest, bands), np.where(whole == 0, smallest, whole)


@functools.cache
def filter_bank() -> Array:
    """Return (26, 257) triangles of height 1, corners evenly spaced in mel from 0 to 8 kHz, on whole bins."""
    highest = 2595 * np.log10(1 + RATE_HZ / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, highest, NUM_FILTERS + 2) / 2595) - 1)
    corners = np.floor((FFT_SIZE + 1) * hertz / RATE_HZ)
    left, top, right = (corners[first : first + NUM_FILTERS, None] for first in range(3))
    bins = np.arange(FFT_SIZE // 2 + 1)
    rising = (bins - left) / np.maximum(top - left, 1)
    falling = (right - bins) / np.maximum(right - top, 1)
    bank: Array = np.where(bins < top, rising, falling) * ((bins >= left) & (bins < right))
    bank.setflags(write=False)
    return bank


def emphasised(samples: Array, first: int, stop: int) -> Array:
    """Return samples `first` to `stop` of y[n] = x[n] - 0.97 x[n - 1], float64; y[0] = x[0]."""
    before = samples[max(first - 1, 0) : stop].astype(np.float64)
    if first == 0:
        before = np.concatenate([[0.0], before])
    step: Array = before[1:] - PRE_EMPHASIS * before[:-1]
    return step


def _windows(samples: Array, first_row: int, count: int) -> Array:
    """Return windows (count, 400) from `first_row` on, zeros behind the end of the sound."""
    start = first_row * HOP
    stop = start + (count - 1) * HOP + WINDOW
    part = emphasised(samples, start, min(stop, len(samples)))
    part = np.pad(part, (0, stop - start - len(part)))
    return sliding_window_view(part, WINDOW)[::HOP]


def _coefficients(windows: Array) -> Array:
    bands, whole = filter_energies(windows)
    cepstrum = scipy.fft.dct(np.log(bands), type=2, axis=1, norm="ortho")[:, :NUM_COEFFICIENTS]
    lifted: Array = cepstrum * (1 + LIFTER / 2 * np.sin(np.pi * np.arange(NUM_COEFFICIENTS) / LIFTER))
    lifted[:, 0] = np.log(whole)
    return lifted
