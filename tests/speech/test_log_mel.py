import math

import numpy as np
import pytest
import torch
from scipy import signal

from talkvid.speech import log_mel
from talkvid.speech.features import LOG_MEL, LogMelEncoder, build_speech_encoder


def noise(length: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(length)).astype(np.float32)


def test_a_row_comes_every_10_ms_for_any_length() -> None:
    encoder = build_speech_encoder(LOG_MEL)
    assert (encoder.rate_hz, encoder.dim, encoder.name) == (100, 80, "log-mel")
    for length in (1, 159, 160, 161, 640, 16000, 22933):
        features = encoder.encode(noise(length))
        assert features.shape == (math.ceil(length / 160), 80)
        assert features.dtype == torch.float32 and bool(torch.isfinite(features).all())
    with pytest.raises(ValueError, match="no samples"):
        encoder.encode(np.zeros(0, np.float32))


def test_numbers_equal_scipy() -> None:
    waveform = noise(4800)
    padded = np.pad(waveform.astype(np.float64), (120, 480))
    window = signal.get_window("hann", 400)
    rows = np.stack([padded[160 * row : 160 * row + 400] * window for row in range(30)])
    power = np.abs(np.fft.rfft(rows, 512)) ** 2 / 100**2
    energy = power @ log_mel.mel_filters(80).double().numpy()
    expected = (np.log10(energy + 1e-8) + 5.9) / 1.45
    found = LogMelEncoder(level=False).encode(waveform).numpy()
    assert np.abs(found - expected).max() < 1e-4


def test_mel_is_linear_to_1_khz_and_logarithmic_above() -> None:
    values = log_mel.mel(np.array([0.0, 200.0, 1000.0, 6400.0]))
    assert values == pytest.approx([0, 3, 15, 42])
    assert log_mel.hertz(values) == pytest.approx([0, 200, 1000, 6400])
    filters = log_mel.mel_filters(80)
    assert filters.shape == (257, 80)
    assert float(filters.max()) <= 1 and bool((filters.sum(0) > 0.5).all())


def test_a_tone_lights_up_its_band_at_the_right_time() -> None:
    waveform = np.zeros(16000, np.float32)
    waveform[8000:] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000)
    features = LogMelEncoder(level=False).encode(waveform)
    corners = log_mel.hertz(np.linspace(log_mel.mel(50.0), log_mel.mel(7600.0), 82))
    band = int(np.argmin(np.abs(corners[1:-1] - 1000)))
    assert abs(int(features[75].argmax()) - band) <= 1
    assert float(features[47, band]) == pytest.approx((-8 + 5.9) / 1.45, abs=1e-3)
    assert float(features[52, band]) > 3


def test_a_full_level_sine_has_energy_one() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    peak = float(LogMelEncoder(level=False).encode(tone)[50].max()) * 1.45 - 5.9
    assert peak == pytest.approx(0, abs=0.2)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    waveform = noise(16000 * 3 + 77)
    whole = LogMelEncoder().encode(waveform)
    assert torch.equal(whole, LogMelEncoder().encode(waveform))
    monkeypatch.setattr(log_mel, "BLOCK_ROWS", 37)
    assert torch.allclose(LogMelEncoder().encode(waveform), whole, atol=2e-5)


def test_recording_volume_does_not_matter_but_silence_stays_silence() -> None:
    waveform = noise(32000)
    loud, quiet = (LogMelEncoder().encode(waveform * gain) for gain in (3.0, 0.1))
    assert torch.allclose(loud, quiet, atol=1e-3)
    silence = LogMelEncoder().encode(np.zeros(1600, np.float32))
    assert float(silence.max()) == pytest.approx((-8 + 5.9) / 1.45, abs=1e-4)
