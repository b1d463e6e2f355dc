from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from talkvid.media.audio import load_audio, num_frames
from talkvid.speech.activity import FLOOR_ROWS, speech_activity, speech_rows

RATE = 16000


def spoken(seconds: float) -> np.ndarray:
    """Return a vowel-like buzz: harmonics of a wandering pitch, four syllables a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 20 * np.sin(2 * np.pi * 0.7 * time)) / RATE
    voice = sum(np.sin(number * phase) / number for number in range(1, 25))
    return (0.1 * voice * (0.3 + 0.7 * np.abs(np.sin(2 * np.pi * 2 * time)))).astype(np.float32)


def hiss(seconds: float, level: float) -> np.ndarray:
    samples = np.random.default_rng(0).standard_normal(round(seconds * RATE))
    return (level * samples).astype(np.float32)


@pytest.mark.parametrize("fps", [24, 25, 30])
@pytest.mark.parametrize("level", [0.0, 1e-4, 2e-3])
def test_speech_between_pauses_is_found_on_the_frame(fps: float, level: float) -> None:
    waveform = np.concatenate([np.zeros(RATE), spoken(2), np.zeros(RATE), spoken(1.5), np.zeros(RATE // 2)])
    found = speech_activity(waveform.astype(np.float32) + hiss(6, level), fps)
    seconds = (np.arange(num_frames(6, fps)) + 0.5) / fps
    expected = ((seconds > 1) & (seconds < 3)) | ((seconds > 4) & (seconds < 5.5))
    near_an_edge = np.min([np.abs(seconds - edge) for edge in (1, 3, 4, 5.5)], axis=0) < 0.12
    assert found.dtype == bool and len(found) == len(expected)
    assert np.array_equal(found[~near_an_edge], expected[~near_an_edge])


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(RATE * 4, np.float32),
        hiss(4, 0.1),
        hiss(4, 1e-4),
        hiss(4, 0.1) * (np.arange(4 * RATE) // RATE % 2).astype(np.float32),
        0.3 * np.sin(np.arange(4 * RATE) * 0.3).astype(np.float32),
        np.zeros(5, np.float32),
    ],
    ids=["silence", "noise", "quiet noise", "bursts of noise", "a steady tone", "five samples"],
)
def test_silence_noise_and_a_steady_tone_are_not_speech(waveform: np.ndarray) -> None:
    assert not speech_activity(waveform, 25).any()


def test_volume_does_not_matter() -> None:
    waveform = np.concatenate([np.zeros(RATE), spoken(2), np.zeros(RATE)]).astype(np.float32)
    assert np.array_equal(speech_activity(waveform, 25), speech_activity(waveform * 0.05, 25))


def test_the_recordings_at_hand(shared: Path) -> None:
    for path in sorted((shared / "media/dev/audio").iterdir()):
        assert 0.6 < speech_activity(load_audio(path), 25).mean() <= 1
    for path in sorted((shared / "media/dev/audio_bad").glob("*sine*")):
        assert not speech_activity(load_audio(path), 25).any()


@pytest.mark.parametrize("rows", [1, 4, 50, 299, 5000])
def test_rows_of_speech_are_those_of_scipys_filters(rows: int) -> None:
    random = np.random.default_rng(rows)
    level = 30 * np.sin(np.arange(rows) / 40) + 6 * random.standard_normal(rows) - 40
    flatness = random.random(rows) * 0.6
    smooth = ndimage.uniform_filter1d(level, 5, mode="nearest")
    floor = ndimage.minimum_filter1d(smooth, FLOOR_ROWS, mode="nearest")
    loud = smooth > np.maximum(floor + 9, max(np.percentile(smooth, 95) - 32, -65))
    near = ndimage.binary_dilation(long_runs(loud & (flatness < 0.3), 3), np.ones(41))
    silent = ~long_runs(loud & near, 6)
    ends = np.isin(ndimage.label(silent)[0], ndimage.label(silent)[0][[0, -1]]) & silent
    assert np.array_equal(speech_rows(level, flatness), ~(long_runs(silent, 21) | ends))


def long_runs(rows: np.ndarray, length: int) -> np.ndarray:
    labels, _ = ndimage.label(rows)
    return rows & (np.bincount(labels)[labels] >= length)
