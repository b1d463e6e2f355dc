"""Where somebody speaks: energy above an adaptive noise floor, and a spectrum less flat than noise."""

import math

import cv2
import numpy as np
import torch

from talkvid.media.audio import num_frames
from talkvid.media.spool import Samples
from talkvid.records import Array

SAMPLE_RATE = 16000
WINDOW, HOP, FFT_SIZE = 400, 160, 512
BAND_HZ = (100.0, 5000.0)
ABOVE_FLOOR_DB = 9.0
"""Speech stands out of the noise by at least this much."""
UNDER_LOUD_DB = 32.0
"""More than this below the loud parts of the sound nothing counts as speech."""
SILENCE_DB = -65.0
"""Below this level (0 dB: full-level sine) everything is silence."""
FLATTEST = 0.3
"""Spectral flatness (1: all bands equal, white noise about 0.56, voiced speech under 0.2)."""
FLOOR_ROWS = 300
"""The noise floor may follow changes within 3 s."""
REACH_ROWS = 20
"""Consonants, which may be flat, count when voiced sound is at most 200 ms away."""
GAP_ROWS = 20
"""Shorter pauses belong to the speech around them (the hang-over)."""
SHORTEST_ROWS = 6
"""Shorter bursts are clicks."""
BLOCK_ROWS = 1000


def speech_activity(waveform: Samples, fps: float) -> Array:
    """Return bool (F,): whether somebody speaks during at least half of each video frame.

    `waveform` is float32 (N,) mono at 16 kHz, F = max(1, floor(N / 16000 * fps + 0.5)). Works in two passes
    over 10 ms rows: level and flatness of 100 to 5000 Hz, then thresholds against the 3 s minimum of
    the level. A steady tone or noise is its own floor and so not speech; music is not told from speech.
    The sound is read in blocks; kept are two numbers per row, so the loudness of the whole sound counts.
    """
    level_db, flatness = level_and_flatness(waveform)
    active = speech_rows(level_db, flatness)
    frames = num_frames(len(waveform) / SAMPLE_RATE, fps)
    edges = np.arange(frames + 1) * (SAMPLE_RATE / HOP / fps)
    spoken = np.interp(edges, np.arange(len(active) + 1), np.concatenate([[0], np.cumsum(active)]))
    share: Array = np.diff(spoken) / np.diff(edges)
    return share >= 0.5


def level_and_flatness(waveform: Samples) -> tuple[Array, Array]:
    """Return per 10 ms row the level in dB (0: full-level sine) and the spectral flatness, both (T,)."""
    rows = max(1, math.ceil(len(waveform) / HOP))
    margin = (WINDOW - HOP) // 2
    window = torch.hann_window(WINDOW)
    bins = torch.arange(FFT_SIZE // 2 + 1) * (SAMPLE_RATE / FFT_SIZE)
    inside = (bins >= BAND_HZ[0]) & (bins <= BAND_HZ[1])
    # Filled block by block: pieces kept in a list would lie between the blocks' memory and hold it.
    levels, flatnesses = np.empty(rows, np.float32), np.empty(rows, np.float32)
    for first in range(0, rows, BLOCK_ROWS):
        start, stop = first * HOP - margin, min(first + BLOCK_ROWS, rows) * HOP + margin
        part = torch.from_numpy(np.ascontiguousarray(waveform[max(start, 0) : stop], np.float32))
        part = torch.nn.functional.pad(part, (max(-start, 0), stop - max(start, 0) - len(part)))
        power = torch.fft.rfft(part.unfold(0, WINDOW, HOP) * window, FFT_SIZE).abs().square()
        power = power[:, inside] / (WINDOW / 4) ** 2 + 1e-12
        done = slice(first, first + BLOCK_ROWS)
        levels[done] = (10 * torch.log10(power.sum(1))).numpy()
        flatnesses[done] = (power.log().mean(1).exp() / power.mean(1)).numpy()
    return levels, flatnesses


def speech_rows(level_db: Array, flatness: Array) -> Array:
    """Return bool (T,) for 10 ms rows from their levels and flatness."""
    smooth = np.convolve(np.pad(level_db.astype(np.float64), 2, mode="edge"), np.full(5, 0.2), mode="valid")
    floor = cv2.erode(smooth[None], np.ones((1, FLOOR_ROWS), np.uint8), borderType=cv2.BORDER_REPLICATE)[0]
    threshold = np.maximum(floor + ABOVE_FLOOR_DB, max(np.percentile(smooth, 95) - UNDER_LOUD_DB, SILENCE_DB))
    loud = smooth > threshold
    voiced = _runs_of_at_least(loud & (flatness < FLATTEST), 3)
    near = cv2.dilate(voiced[None].astype(np.uint8), np.ones((1, 2 * REACH_ROWS + 1), np.uint8))[0] > 0
    spoken = _runs_of_at_least(loud & near, SHORTEST_ROWS)
    return ~_runs_of_at_least(~spoken, GAP_ROWS + 1, keep_ends=True)


def _runs_of_at_least(rows: Array, length: int, *, keep_ends: bool = False) -> Array:
    """Return the rows without runs of True shorter than `length` (those at either end kept if asked)."""
    edges = np.flatnonzero(np.diff(rows, prepend=False, append=False))
    kept = np.zeros(len(rows), bool)
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        at_an_end = start == 0 or stop == len(rows)
        kept[start:stop] = stop - start >= length or (keep_ends and at_an_end)
    return kept
