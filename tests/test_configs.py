"""Every settings file of the repository loads into its schema, and none is forgotten here."""

import importlib
import json
from pathlib import Path

import pytest

from talkvid.config import load_config

CONFIGS = Path(__file__).resolve().parent.parent / "src" / "configs"
SCHEMAS = {
    "stage_1.yaml": ("talkvid.training.config", "TrainConfig"),
    "stage_2.yaml": ("talkvid.training.config", "TrainConfig"),
    "stage_3.yaml": ("talkvid.training.config", "TrainConfig"),
    "mini/autoencoder.yaml": ("talkvid.training.mini_autoencoder", "AutoencoderTraining"),
    "mini/generator.yaml": ("talkvid.training.mini_generator", "GeneratorTraining"),
    "mini/lip_predictor.yaml": ("talkvid.training.mini_lips", "LipTraining"),
    "mini/face_landmarks.yaml": ("talkvid.training.face_landmarks", "FaceLandmarksConfig"),
}
REQUIRED = {"mini/face_landmarks.yaml": ["data.root=MEDIA"]}


def test_every_settings_file_has_a_row_here() -> None:
    assert sorted(str(path.relative_to(CONFIGS)) for path in CONFIGS.rglob("*.yaml")) == sorted(SCHEMAS)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_settings_file_loads_into_its_schema(name: str) -> None:
    module, schema = SCHEMAS[name]
    loaded = load_config(
        getattr(importlib.import_module(module), schema), CONFIGS / name, overrides=REQUIRED.get(name, [])
    )
    assert type(loaded).__name__ == schema


def test_a_stage_file_says_its_own_stage() -> None:
    from talkvid.training.config import TrainConfig

    for stage in (1, 2, 3):
        assert load_config(TrainConfig, CONFIGS / f"stage_{stage}.yaml").run.stage == stage


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.json")), ids=lambda path: path.name)
def test_json_settings_parse(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))
