"""A run starts from whole sets of weights only, and from a model that reads the data's speech features."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from talkvid.model.bundle import load_bundle
from talkvid.model.checkpoints import NETWORKS, exported_modules, module_file_name
from talkvid.training.run import run_training
from talkvid.training.run_folder import stage_folder
from talkvid.training.start import starting_folder
from tests.training.synthetic import Settings, make_dataset


@pytest.fixture
def first(settings: Settings, tmp_path: Path) -> Path:
    """Folder of a finished stage 1."""
    run_training(settings(1, "run.max_steps=1"))
    return stage_folder(tmp_path / "exp", "drawn", 1)


def half_written(folder: Path, step: int, names: Sequence[str]) -> None:
    """As a run leaves it that was killed between the exports of a step."""
    for name in names:
        state = load_file(folder / module_file_name(name, 1))
        other = {key: torch.full_like(tensor, 9.0) for key, tensor in state.items()}
        save_file(other, folder / module_file_name(name, step))


@pytest.mark.parametrize("written", [NETWORKS[:1], NETWORKS[:3], ("denoising_unet",), NETWORKS[1:]])
def test_a_step_of_which_a_network_is_missing_is_never_mixed_in(first: Path, written: Sequence[str]) -> None:
    half_written(first, 2, written)
    assert list(exported_modules(first)) == [1, 2]
    loaded = load_bundle(first)
    assert {path.name for name, path in loaded.files.items() if name in NETWORKS} == {
        module_file_name(name, 1) for name in NETWORKS
    }


def test_the_next_stage_starts_from_the_latest_whole_step(first: Path, settings: Settings) -> None:
    # 5.3, 5.4: stage N+1 could not find what stage N had written, and nothing said which step is whole.
    half_written(first, 2, NETWORKS[:2])
    config = settings(2, "run.max_steps=1")
    assert starting_folder(config.run, config.model) == str(first)
    run_training(config)
    start = load_file(first / module_file_name("reference_net", 1))
    kept = load_file(stage_folder(config.run.output_root, "drawn", 2) / "reference_net-1.safetensors")
    assert all(torch.equal(start[key], kept[key]) for key in start)


def test_no_whole_step_at_all_names_what_is_missing(first: Path, settings: Settings) -> None:
    (first / module_file_name("v_kps_guider", 1)).unlink()
    with pytest.raises(ValueError, match=r"no step of which every network was written \(step 1 lacks v_kps_"):
        load_bundle(first)
    config = settings(2)
    with pytest.raises(FileNotFoundError, match="holds no step with every network exported: train stage 1"):
        starting_folder(config.run, config.model)


def test_a_step_can_be_chosen_and_one_that_is_not_there_is_named(first: Path) -> None:
    half_written(first, 2, NETWORKS)
    assert load_bundle(first, step=1).files["denoising_unet"].name == "denoising_unet-1.safetensors"
    assert load_bundle(first).files["denoising_unet"].name == "denoising_unet-2.safetensors"
    with pytest.raises(ValueError, match=r"no complete exports of step 5; it has step 1, 2"):
        load_bundle(first, step=5)


def wider(folder: Path, *, dim: int, encoder: str) -> Path:
    """The drawn clips with features of another encoder."""
    path = make_dataset(folder)
    for file in (folder / "audio_embeds").glob("*.safetensors"):
        rows = load_file(file)["global_embeds"].shape[0]
        features = torch.randn(rows, 1, dim, generator=torch.Generator().manual_seed(3))
        save_file({"global_embeds": features}, file, metadata={"speech_encoder": encoder})
    return path


def test_features_of_another_width_need_a_new_audio_projection(
    first: Path, settings: Settings, tmp_path: Path
) -> None:
    data = wider(tmp_path / "wide", dim=20, encoder="facebook/wav2vec2-xls-r-300m")
    common = [f"data.meta_paths=[{data}]", "run.train=other", f"model.start_from={first}", "run.max_steps=1"]
    with pytest.raises(
        ValueError, match=r"20 wide \(facebook/wav2vec2-xls-r-300m\), .* reads 12 .*new_audio_projection=true"
    ):
        run_training(settings(2, *common))
    run_training(settings(2, *common, "model.new_audio_projection=true"))
    folder = stage_folder(tmp_path / "exp", "other", 2)
    config = json.loads((folder / "config.json").read_text())
    assert config["speech_encoder"] == "facebook/wav2vec2-xls-r-300m"
    assert config["modules"]["audio_projection"]["config"]["embedding_dim"] == 20
    loaded = load_bundle(folder)
    assert loaded.audio_projection is not None and loaded.audio_projection.pos_emb.embedding_dim == 20
    # The next stage keeps what was trained: the key is not needed again, and a resumed run ignores it.
    more = [*common, "model.new_audio_projection=true", "run.resume=true", "run.max_steps=2"]
    assert len(run_training(settings(2, *more))) == 1
    assert len(run_training(settings(3, *common[:2], "run.max_steps=1", "data.languages=[]"))) == 1


def test_another_encoder_of_the_same_width_is_not_silent(
    first: Path, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = wider(tmp_path / "same", dim=12, encoder="models/hubert-tiny")
    common = [f"data.meta_paths=[{data}]", f"model.start_from={first}", "run.max_steps=1"]
    with caplog.at_level(logging.WARNING):
        run_training(settings(2, *common, "run.train=other"))
    assert (
        "come from models/hubert-tiny, model 'drawn-stage_1' was trained on those of log_mel" in caplog.text
    )
    folder = stage_folder(tmp_path / "exp", "other", 2)
    assert json.loads((folder / "config.json").read_text())["speech_encoder"] == "models/hubert-tiny"


def test_clips_prepared_with_two_encoders_are_refused(
    settings: Settings, drawn: Path, tmp_path: Path
) -> None:
    data = wider(tmp_path / "wide", dim=20, encoder="big")
    with pytest.raises(ValueError, match=r"prepare all clips with one encoder"):
        run_training(settings(1, f"data.meta_paths=[{drawn / 'train.json'},{data}]"))


@pytest.mark.parametrize("others", [("lora.rank=2",), ("model.audio_projection_path=some.safetensors",)])
def test_a_new_projection_beside_one_that_is_kept_is_refused(
    settings: Settings, others: Sequence[str]
) -> None:
    with pytest.raises(ValueError, match=r"model\.new_audio_projection=true"):
        settings(2, "model.new_audio_projection=true", *others)


def test_held_out_clips_of_another_encoder_are_refused_before_the_first_step(
    settings: Settings, tmp_path: Path
) -> None:
    data = wider(tmp_path / "wide", dim=20, encoder="big")
    with pytest.raises(ValueError, match=r"features are 20 wide, the model reads 12: prepare these clips"):
        run_training(settings(1, f"validation.meta_paths=[{data}]"))
