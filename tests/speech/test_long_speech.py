"""Sound of any length is heard block by block from disk; what comes out is that of the whole."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from talkvid.media.spool import Spool
from talkvid.speech import activity, log_mel, transformers_encoder
from talkvid.speech.activity import level_and_flatness, speech_activity
from talkvid.speech.align import FrameAligner
from talkvid.speech.features import LogMelEncoder, SpooledFeatures, TransformersEncoder
from talkvid.speech.log_mel import speech_gain
from talkvid.speech.transformers_encoder import mean_and_deviation


def voice(seconds: float) -> np.ndarray:
    """Return something with loud and quiet parts, so that statistics of a part are not those of the whole."""
    rng = np.random.default_rng(0)
    times = np.arange(round(16000 * seconds)) / 16000
    loudness = 0.05 + 0.3 * (np.sin(2 * np.pi * times / 7.3) > 0.2)
    tone = sum(np.sin(2 * np.pi * 140 * harmonic * times) / harmonic for harmonic in range(1, 9))
    return (loudness * tone * 0.5 + 0.001 * rng.standard_normal(len(times)) + 0.01).astype(np.float32)


def on_disk(waveform: np.ndarray) -> Spool:
    spool = Spool()
    spool.append(waveform)
    return spool


def test_log_mel_rows_of_a_sound_on_disk_are_those_of_the_whole_to_the_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waveform = voice(23.007)
    whole, gain = LogMelEncoder().encode(waveform), speech_gain(waveform)
    monkeypatch.setattr(log_mel, "LEVELS_AT_ONCE", 7)
    assert speech_gain(on_disk(waveform)) == gain
    pieces = list(LogMelEncoder().stream(on_disk(waveform)))
    assert len(pieces) == 3 and torch.equal(torch.cat(pieces), whole)
    monkeypatch.setattr(log_mel, "BLOCK_ROWS", 37)
    assert torch.allclose(torch.cat(list(LogMelEncoder().stream(on_disk(waveform)))), whole, atol=2e-5)


def test_speech_is_found_by_the_loudness_of_the_whole_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    waveform = voice(23.007)
    whole = speech_activity(waveform, 25)
    assert 0 < whole.mean() < 1
    assert np.array_equal(speech_activity(on_disk(waveform), 25), whole)
    monkeypatch.setattr(activity, "BLOCK_ROWS", 61)
    assert np.array_equal(speech_activity(on_disk(waveform), 25), whole)
    levels = level_and_flatness(on_disk(waveform))
    assert all(part.dtype == np.float32 and len(part) == 2301 for part in levels)


def test_features_on_disk_are_read_as_a_tensor_is() -> None:
    rows = torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
    stored = SpooledFeatures(rows.split(64), dim=5)
    assert (stored.ndim, stored.shape, len(stored)) == (2, (300, 5), 300)
    for index in (slice(0, 300), slice(290, 400), torch.tensor([[3, 250], [250, 4]]), np.array([7, 7, 2])):
        assert torch.equal(stored[index], rows[index])
    frames = torch.tensor([0, 9, 74])
    on_tensor, on_file = FrameAligner(rows, 75), FrameAligner(stored, 75)
    assert torch.equal(on_tensor.windows_at(frames), on_file.windows_at(frames))


@pytest.fixture(scope="module", params=["group", "layer"])
def wav2vec2(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random wav2vec2: its first layer normalises over time ("group", as the base model) or not."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, conv_dim=[16] * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, feat_extract_norm=request.param,
        do_stable_layer_norm=request.param == "layer",
    )  # fmt: skip
    folder = tmp_path_factory.mktemp(f"wav2vec2-{request.param}")
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=False).save_pretrained(folder)
    return folder


def test_wav2vec2_in_pieces_with_context_is_near_to_one_pass(
    wav2vec2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once: the reference implementation encoded any length in one pass, memory growing with its square.
    encoder, waveform = TransformersEncoder(wav2vec2), voice(24.0)
    whole = encoder.encode(waveform)
    monkeypatch.setattr(transformers_encoder, "WHOLE_S", 10.0)
    monkeypatch.setattr(transformers_encoder, "CHUNK_S", 8.0)
    monkeypatch.setattr(transformers_encoder, "CONTEXT_S", 5.0)
    pieces = list(encoder.stream(on_disk(waveform)))
    assert len(pieces) == 3
    difference = (torch.cat(pieces) - whole).abs() / whole.std()
    if "group" in wav2vec2.name:
        assert float(difference.mean()) < 0.06  # the norm of the first layer sees a piece, not the whole
        return
    assert float(difference.mean()) < 0.02
    monkeypatch.setattr(transformers_encoder, "CONTEXT_S", 0.0)
    without = (encoder.encode(waveform) - whole).abs() / whole.std()
    assert float(without.mean()) > 1.2 * float(difference.mean())


def test_long_sound_is_normalised_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    waveform = voice(9.0)
    monkeypatch.setattr(transformers_encoder, "BLOCK_SAMPLES", 1000)
    mean, deviation = mean_and_deviation(on_disk(waveform))
    assert mean == pytest.approx(float(waveform.mean()), abs=1e-6)
    assert deviation == pytest.approx(float(np.sqrt(waveform.var() + 1e-7)), rel=1e-5)


def test_hearing_a_long_sound_takes_no_more_memory_than_a_short_one() -> None:
    peaks = []
    for seconds in (20.0, 80.0):
        waveform = on_disk(voice(seconds))
        tracemalloc.start()
        features = SpooledFeatures(LogMelEncoder().stream(waveform), dim=80)
        speech_activity(waveform, 25)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(features) == seconds * 100
    # Numpy's share: the slices of the sound, and a few numbers per 10 ms; 80 s of sound are 5 MB.
    assert peaks[1] < peaks[0] + 1_000_000
