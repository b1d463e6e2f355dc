"""Every settings file of the repository loads into its schema, and none is forgotten here."""

import importlib
import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from talkvid.config import load_config
from talkvid.model.bundle import EMBEDDED_FOLDER
from talkvid.model.checkpoints import NETWORKS
from talkvid.training.config import TrainConfig
from talkvid.training.run_folder import RunFolder
from talkvid.training.speech_fit import SpeechFeatures
from talkvid.training.start import starting_model

CONFIGS = Path(__file__).resolve().parent.parent / "src" / "configs"
SCHEMAS = {
    "stage_1.yaml": ("talkvid.training.config", "TrainConfig"),
    "stage_2.yaml": ("talkvid.training.config", "TrainConfig"),
    "stage_3.yaml": ("talkvid.training.config", "TrainConfig"),
    "stage_4.yaml": ("talkvid.training.config", "TrainConfig"),
    "speaker_finetune_example.yaml": ("talkvid.training.config", "TrainConfig"),
    "mini/stage_1.yaml": ("talkvid.training.config", "TrainConfig"),
    "mini/stage_2.yaml": ("talkvid.training.config", "TrainConfig"),
    "mini/stage_3.yaml": ("talkvid.training.config", "TrainConfig"),
    "mini/stage_4.yaml": ("talkvid.training.config", "TrainConfig"),
    "mini/autoencoder.yaml": ("talkvid.training.mini_autoencoder", "AutoencoderTraining"),
    "mini/generator.yaml": ("talkvid.training.mini_generator", "GeneratorTraining"),
    "mini/head_motion.yaml": ("talkvid.training.mini_motion", "MotionTraining"),
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


@pytest.mark.parametrize("folder", ["", "mini"])
@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_a_stage_file_says_its_own_stage(folder: str, stage: int) -> None:
    assert load_config(TrainConfig, CONFIGS / folder / f"stage_{stage}.yaml").run.stage == stage


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.json")), ids=lambda path: path.name)
def test_json_settings_parse(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))


def test_the_small_model_is_found_and_loads_its_autoencoder_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(TrainConfig, CONFIGS / "mini" / "stage_1.yaml")
    speech = SpeechFeatures(dim=80, encoder="log-mel")
    bundle = starting_model(
        config.run, config.model, folder=RunFolder(tmp_path), resuming=False, speech=speech
    )
    assert bundle.config.width == config.data.width and bundle.config.height == config.data.height
    trained = sum(entry.numel() for name in NETWORKS for entry in bundle.modules[name].parameters())
    assert 5.5e6 < trained < 6.5e6
    embedded = load_file(EMBEDDED_FOLDER / "vae.safetensors")
    loaded = bundle.vae.state_dict()
    assert all(loaded[name].equal(tensor) for name, tensor in embedded.items())
