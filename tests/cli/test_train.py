"""The settings of a training can be seen as they will be, before anything is built."""

from pathlib import Path

import pytest

from talkvid.cli.main import USER_ERROR, run_verb
from talkvid.config import load_config
from talkvid.training.config import TrainConfig


def test_the_printed_settings_load_back_to_the_same(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [root / "src" / "configs" / name for name in ("stage_3.yaml", "mini/stage_3.yaml")]
    overrides = ["run.train=mine", "data.languages=[de, fr]"]
    command = [word for path in files for word in ("--config", str(path))]
    assert run_verb("train", [*command, "--print_config", *overrides]) == 0
    printed = tmp_path / "printed.yaml"
    printed.write_text(capsys.readouterr().out)
    config = load_config(TrainConfig, printed)
    assert config == load_config(TrainConfig, *files, overrides=overrides)
    assert config.data.width == 128 and config.run.precision == "fp16"


def test_a_misspelled_setting_is_named_before_anything_is_built(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = root / "src" / "configs" / "stage_1.yaml"
    assert run_verb("train", ["--config", str(config), "data.train_sb=2"]) == USER_ERROR
    assert "Did you mean: 'train_bs'?" in capsys.readouterr().err
