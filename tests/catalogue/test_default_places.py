"""What `talkvid models` brings is found by those who use it, without a flag."""

from pathlib import Path

import pytest

from talkvid.catalogue.table import MODEL_FOLDER, MODELS
from talkvid.curation import cotracker
from talkvid.curation.quality import QualityConfig
from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.evaluation.suite.weights import FOLDER
from talkvid.evaluation.weight_files import SYNCNET
from talkvid.face import insightface_backend, mediapipe_backend
from talkvid.model.checkpoints import UNET_CONFIG, VAE_FOLDER


def brought(name: str) -> list[Path]:
    """Return where the files of a model lie below the current folder."""
    return [MODEL_FOLDER / file.place for file in MODELS[name].files]


def test_mediapipes_model_is_looked_for_where_it_is_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(mediapipe_backend.MODEL_VARIABLE, raising=False)
    with pytest.raises(FileNotFoundError, match="talkvid models fetch mediapipe"):
        mediapipe_backend.model_file()
    (place,) = brought("mediapipe")
    place.parent.mkdir(parents=True)
    place.touch()
    assert mediapipe_backend.model_file() == place
    other = tmp_path / "other.task"
    other.touch()
    monkeypatch.setenv(mediapipe_backend.MODEL_VARIABLE, str(other))
    assert mediapipe_backend.model_file() == other
    assert mediapipe_backend.model_file(place) == place


def test_cotrackers_weights_are_taken_from_where_they_are_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (place,) = brought("cotracker")
    place.parent.mkdir(parents=True)
    place.touch()
    assert cotracker.weights_file("") == place
    with pytest.raises(FileNotFoundError, match="talkvid models fetch cotracker"):
        cotracker.weights_file("elsewhere.pth")


def test_the_layout_is_the_one_that_the_loaders_have() -> None:
    assert MODEL_FOLDER / UNET_CONFIG in brought("sd15-unet-config")
    assert {path.parent for path in brought("sd-vae")} == {MODEL_FOLDER / VAE_FOLDER}
    assert {path.parent for path in brought("wav2vec2")} == {Path(PrepareSettings(Path()).speech_encoder)}
    root, pack = insightface_backend.DEFAULT_ROOT, insightface_backend.DEFAULT_PACK
    assert {path.parent for path in brought("insightface")} == {root / "models" / pack}
    assert brought("syncnet") == [FOLDER / SYNCNET.name]
    assert Path(QualityConfig().model_path).parent == brought("dover")[0].parent
