"""Fine-tuning on one speaker starts from a copied stage file, or says in one line what it still needs."""

import shutil
from pathlib import Path

import pytest

from talkvid.cli.main import USER_ERROR, run_verb
from talkvid.config import load_config
from talkvid.training.config import TrainConfig
from tests.training.synthetic import make_dataset


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("talkvid: error")][-1]


def test_a_copy_of_stage_3_for_a_speaker_says_what_it_still_needs(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`cp src/configs/stage_3.yaml …/speaker_finetune.yaml`, then `python src/train.py --config` with it."""
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "speaker_finetune.yaml"
    shutil.copy(root / "src" / "configs" / "stage_3.yaml", copy)
    command = ["--config", str(copy), "run.device=cpu", "run.precision=fp32"]
    assert run_verb("train", command) == USER_ERROR
    assert "data/TalkVid-Core.json" in (line := one_line(capsys)) and "data.meta_paths" in line
    (tmp_path / "data").mkdir()
    make_dataset(tmp_path / "data", name="TalkVid-Core", num_frames=40)
    assert run_verb("train", command) == USER_ERROR
    assert "model.start_from" in (line := one_line(capsys)) and "exp/TalkVid-Core/stage_2" in line
    (tmp_path / "exp" / "TalkVid-Core" / "stage_3").mkdir(parents=True, exist_ok=True)
    (tmp_path / "exp" / "TalkVid-Core" / "stage_3" / "losses.csv").touch()
    assert run_verb("train", command) == USER_ERROR
    assert "run.train" in one_line(capsys)


def test_the_speaker_example_names_the_training_it_starts_from(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    example = root / "src" / "configs" / "speaker_finetune_example.yaml"
    config = load_config(TrainConfig, example, overrides=["lora.rank=16"])
    assert config.run.stage == 3 and config.lora.rank == 16
    (tmp_path / "data").mkdir()
    make_dataset(tmp_path / "data", name="my-speaker", num_frames=40)
    assert run_verb("train", ["--config", str(example), "run.device=cpu"]) == USER_ERROR
    assert str(config.model.start_from) in one_line(capsys)
