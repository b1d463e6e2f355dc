import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from talkvid.speech import transformers_encoder
from talkvid.speech.features import TransformersEncoder, build_speech_encoder

GOLDEN = Path(__file__).parents[1] / "data" / "parity" / "audio_encoder.safetensors"


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny wav2vec2 of the golden numbers as a local folder."""
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    with safe_open(GOLDEN, "pt") as stream:
        model = Wav2Vec2Model(Wav2Vec2Config(**json.loads(stream.metadata()["config"])))
    weights = {key.removeprefix("weights."): value.float() for key, value in load_file(GOLDEN).items()}
    model.load_state_dict({key: value for key, value in weights.items() if key in model.state_dict()})
    folder = tmp_path_factory.mktemp("wav2vec2-tiny")
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    return folder


def test_wav2vec2_equals_the_reference(wav2vec2: Path) -> None:
    golden = load_file(GOLDEN)
    encoder = build_speech_encoder(wav2vec2)
    assert (encoder.rate_hz, encoder.dim) == (50, 48)
    features = encoder.encode(golden["in.waveform"].numpy())
    assert torch.allclose(features, golden["out.last_hidden_state"][0], atol=2e-5)


def test_any_length_gives_rows_and_long_sound_is_cut_with_context(
    wav2vec2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = TransformersEncoder(wav2vec2)
    assert encoder.encode(np.zeros(3, np.float32)).shape == (1, 48)
    waveform = (0.1 * np.random.default_rng(0).standard_normal(16000 * 12 + 5)).astype(np.float32)
    whole = encoder.encode(waveform)
    monkeypatch.setattr(transformers_encoder, "WHOLE_S", 5.0)
    monkeypatch.setattr(transformers_encoder, "CHUNK_S", 3.0)
    monkeypatch.setattr(transformers_encoder, "CONTEXT_S", 2.0)
    pieces = encoder.encode(waveform)
    assert pieces.shape == whole.shape
    assert float((pieces - whole).abs().mean()) < 0.06 * float(whole.std())


def test_whisper_windows_cover_long_sound(tmp_path: Path) -> None:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    config = WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, vocab_size=51865,
    )  # fmt: skip
    torch.manual_seed(0)
    WhisperModel(config).save_pretrained(tmp_path)
    WhisperFeatureExtractor().save_pretrained(tmp_path)
    encoder = TransformersEncoder(tmp_path)
    waveform = (0.1 * np.random.default_rng(0).standard_normal(16000 * 34)).astype(np.float32)
    features = encoder.encode(waveform)
    assert features.shape == (1700, 16) and bool(torch.isfinite(features).all())
    assert torch.allclose(encoder.encode(waveform[: 16000 * 30])[:1000], features[:1000], atol=0.2)
    assert encoder.encode(waveform[:700]).shape == (3, 16)


def test_a_missing_folder_names_the_command_that_fetches_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("model_ckpts/wav2vec2-base-960h", "./facebook/x", "nowhere", str(tmp_path / "none")):
        with pytest.raises(FileNotFoundError, match=r"scripts/download_models\.sh"):
            build_speech_encoder(name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no config\.json.*download_models"):
        build_speech_encoder("empty")


def test_only_a_hub_id_may_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert transformers_encoder.find_model("facebook/hubert-base-ls960") == (
        "facebook/hubert-base-ls960",
        False,
    )
    (tmp_path / "models" / "a").mkdir(parents=True)
    (tmp_path / "models" / "a" / "config.json").write_text("{}")
    assert transformers_encoder.find_model("models/a") == ("models/a", True)
    with pytest.raises(FileNotFoundError):
        transformers_encoder.find_model("models/b")


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=8
    )
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="a bert model is not a speech encoder"):
        TransformersEncoder(tmp_path)
