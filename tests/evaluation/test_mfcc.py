"""Coefficients against stored numbers of python_speech_features 0.6, to 1e-9."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from talkvid.evaluation import mfcc as module
from talkvid.evaluation.mfcc import emphasised, filter_bank, filter_energies, mfcc, num_rows
from talkvid.records import Array

STORED = load_file(Path(__file__).parents[1] / "data" / "evaluation" / "mfcc.safetensors")
SIGNALS = sorted(name.removeprefix("signal_") for name in STORED if name.startswith("signal_"))


@pytest.mark.parametrize("name", SIGNALS)
def test_coefficients_are_those_of_the_stored_signals(name: str) -> None:
    found = mfcc(STORED[f"signal_{name}"])
    assert found.shape == STORED[f"mfcc_{name}"].shape and found.dtype == np.float64
    assert np.abs(found - STORED[f"mfcc_{name}"]).max() < 1e-9


def test_the_stored_signals_cover_a_sound_shorter_than_a_window_and_silence() -> None:
    assert {"short_300", "silence_1600"} <= set(SIGNALS) and len(SIGNALS) == 5
    assert np.isfinite(mfcc(np.zeros(1600, np.int16))).all()


def test_the_filters_and_energies_are_the_stored_ones() -> None:
    assert np.abs(filter_bank() - STORED["filterbanks_26_512"]).max() < 1e-12
    samples = STORED["signal_sine_440_8000"]
    count = num_rows(len(samples))
    step = np.pad(emphasised(samples, 0, len(samples)), (0, 400))
    windows = np.stack([step[160 * row : 160 * row + 400] for row in range(count)])
    bands, whole = filter_energies(windows)
    assert np.abs(bands / STORED["fbank_sine"] - 1).max() < 1e-9
    assert np.abs(whole / STORED["energy_sine"] - 1).max() < 1e-9


def test_working_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = STORED["signal_noise_6401"]
    at_once = mfcc(samples)
    for rows in (1, 7, 38, 39, 40):
        monkeypatch.setattr(module, "BLOCK_ROWS", rows)
        assert np.abs(mfcc(samples) - at_once).max() < 1e-12


@pytest.mark.parametrize(
    ("samples", "rows"), [(1, 1), (400, 1), (401, 2), (560, 2), (561, 3), (80240, 500), (16000, 99)]
)
def test_a_sound_has_a_row_per_ten_milliseconds_and_the_last_window_is_filled_up(
    samples: int, rows: int
) -> None:
    assert num_rows(samples) == rows == len(mfcc(np.ones(samples)))


def test_a_sound_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        mfcc(np.zeros(0, np.int16))


def test_the_sound_of_a_recorded_clip_gives_the_stored_coefficients(shared: Path) -> None:
    stored: dict[str, Array] = load_file(shared / "golden" / "syncnet.safetensors")
    found = mfcc(stored["audio_s16"])
    assert np.abs(found[:50] - stored["mfcc_f64_first50"]).max() < 1e-9
    assert np.abs(found.astype(np.float32) - stored["mfcc"]).max() < 1e-5
