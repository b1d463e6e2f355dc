"""A drawn data set and a tiny model, made once per test session."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from talkvid.config import load_config
from talkvid.training.config import TrainConfig
from tests.training.synthetic import Settings, make_dataset, make_model_config, small_settings


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """Let every test choose its own precision and device."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with train.json and tiny.json."""
    folder = tmp_path_factory.mktemp("drawn")
    make_dataset(folder)
    make_model_config(folder)
    return folder


@pytest.fixture
def settings(drawn: Path, tmp_path: Path, root: Path) -> Settings:
    """Settings of a stage at a size that runs in a second: the shipped YAML, then small values."""

    def build(stage: int = 1, *overrides: str) -> TrainConfig:
        small = small_settings(drawn, tmp_path / "exp", stage=stage)
        yaml = root / "src" / "configs" / f"stage_{stage}.yaml"
        return load_config(TrainConfig, yaml, overrides=[*small, *overrides])

    return build
