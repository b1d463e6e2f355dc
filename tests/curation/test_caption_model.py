"""A caption by a real network of transformers, tiny and untrained: the way it is loaded, asked and read."""

from pathlib import Path

import pytest
from export_material import numbered_video, row_of, span_of

from talkvid.curation.caption import load_caption_model, model_caption

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "person", "speaks", "red", "wall"]


def tiny_blip(folder: Path) -> Path:
    """Write a captioning model with 2 small layers and 12 words; return its folder."""
    import torch
    from transformers import (
        BertTokenizer,
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessor,
        BlipProcessor,
    )

    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    tokens = {"bos_token_id": 5, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    config = BlipConfig(
        text_config={**sizes, **tokens, "vocab_size": len(WORDS), "encoder_hidden_size": 32},
        vision_config={**sizes, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )
    torch.manual_seed(0)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    tokenizer = BertTokenizer(str(folder / "vocab.txt"))
    BlipProcessor(BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_model_of_transformers_writes_the_caption_and_signs_it(tmp_path: Path) -> None:
    row = row_of(span_of(numbered_video(tmp_path / "v.mp4", count=40, sound=False), 5, 30))
    name = str(tiny_blip(tmp_path / "tiny"))
    captioner = load_caption_model(name, prompt="", most_tokens=6)
    field = model_caption(row, captioner)
    assert field["by"] == "blip tiny"
    assert field["value"] and set(field["value"].split()) <= set(WORDS)
    assert field["version"]
    assert model_caption(row, captioner) == field, "no chance in it"


@pytest.mark.slow
def test_a_name_that_leads_nowhere_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ValueError, match="no vision-language model can be loaded from there") as failure:
        load_caption_model(str(tmp_path / "nothing"), prompt="")
    assert "\n" not in str(failure.value)
