"""Every family of speech encoders the readme names loads by its folder and gives rows of its width."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from talkvid.speech.features import build_speech_encoder

SMALL: dict[str, Any] = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
    "vocab_size": 8,
}  # fmt: skip
LARGE: dict[str, Any] = {
    **SMALL,
    "do_stable_layer_norm": True,
    "feat_extract_norm": "layer",
    "conv_bias": True,
}
FAMILIES = {
    "wav2vec2-base-960h": ("Wav2Vec2", SMALL),
    "wav2vec2-xls-r-300m, mms-300m": ("Wav2Vec2", LARGE),
    "hubert-base-ls960": ("Hubert", SMALL),
    "mHuBERT-147": ("Hubert", {**SMALL, "feat_proj_layer_norm": False}),
    "hubert-large-ls960-ft": ("Hubert", LARGE),
    "wavlm-base-plus": ("WavLM", SMALL),
    "wavlm-large": ("WavLM", LARGE),
    "unispeech-sat-base": ("UniSpeechSat", SMALL),
    "data2vec-audio-base": ("Data2VecAudio", {**SMALL, "conv_pos_kernel_size": 3}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_of_encoders_gives_fifty_rows_of_its_width_per_second(tmp_path: Path, family: str) -> None:
    import transformers

    kind, settings = FAMILIES[family]
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**settings)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path)
    is_large = settings.get("feat_extract_norm") == "layer"
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=is_large).save_pretrained(tmp_path)
    encoder = build_speech_encoder(tmp_path)
    assert (encoder.rate_hz, encoder.dim) == (50, 24)
    wave = (0.1 * np.random.default_rng(0).standard_normal(16000)).astype(np.float32)
    rows = encoder.encode(wave)
    assert rows.shape == (49, 24)
    assert bool(torch.isfinite(rows).all())
    # Recording volume does not matter, what is said does.
    assert torch.allclose(encoder.encode(0.5 * wave), rows, atol=1e-3)
    assert not torch.allclose(encoder.encode(wave[::-1].copy()), rows, atol=1e-2)
