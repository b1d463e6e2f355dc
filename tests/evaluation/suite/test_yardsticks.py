"""The right yardstick by its name; none is swapped for another one."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from talkvid.evaluation.embedded_yardstick import EmbeddedYardstick
from talkvid.evaluation.suite.yardsticks import YARDSTICKS, build_yardstick
from talkvid.face.mediapipe_backend import MODEL_VARIABLE


def test_the_default_needs_no_download_and_says_whom_it_cannot_judge() -> None:
    yardstick = build_yardstick()
    assert isinstance(yardstick, EmbeddedYardstick) and yardstick.name == "embedded face networks"
    assert "embedded model" in yardstick.judges_itself and "mediapipe" in yardstick.judges_itself


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'dlib'.*embedded, mediapipe"):
        build_yardstick("dlib")
    assert set(YARDSTICKS) == {"embedded", "mediapipe"}


def test_a_model_file_for_the_embedded_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="takes no model file"):
        build_yardstick("embedded", model_path=tmp_path / "face_landmarker.task")


def test_mediapipe_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(ImportError, match=r"talkvid\[mediapipe\]"):
        build_yardstick("mediapipe")


def test_mediapipe_without_its_model_file_names_the_file_and_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mediapipe", ModuleType("mediapipe"))
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    with pytest.raises(FileNotFoundError, match=MODEL_VARIABLE):
        build_yardstick("mediapipe")
    with pytest.raises(FileNotFoundError, match=r"absent\.task"):
        build_yardstick("mediapipe", model_path=tmp_path / "absent.task")
