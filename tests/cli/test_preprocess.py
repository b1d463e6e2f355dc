import json
from pathlib import Path
from typing import Any

import pytest

from talkvid.cli.main import run_verb
from talkvid.dataset import preprocess
from talkvid.dataset.prepare_clip import Tools
from talkvid.speech.features import LogMelEncoder
from tests.dataset.clip_maker import RedSquareDetector, write_clip, write_sound


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one clip that shows a face and one that does not."""
    tools = Tools(RedSquareDetector(), LogMelEncoder())
    monkeypatch.setattr(preprocess, "load_tools", lambda *_args, **_kwargs: tools)
    sound = write_sound(tmp_path / "sound.wav", 2.0)
    folder = tmp_path / "MySet"
    folder.mkdir()
    write_clip(folder / "good.mp4", sound=sound)
    write_clip(folder / "faceless.mp4", face_at=lambda _: None, sound=sound)
    return folder


def run(*arguments: Any) -> int:
    return run_verb("preprocess", [*map(str, arguments), "--executor", "inline", "--workers", "1"])


def test_the_last_line_is_the_list_and_a_failure_shows_in_the_exit_code(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "data"
    options = ["--output_dir", output, "--size", 64, "--speech_encoder", "log-mel", "--language", "en"]
    assert run("--input_dir", raw, *options) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == str(output / "MySet.json")
    assert "2 clips = 1 done + 0 done before + 1 failed" in shown.err
    assert [entry["language"] for entry in json.loads((output / "MySet.json").read_text())] == ["en"]
    assert run("--input_dir", raw, *options, "--exclude", "faceless") == 0
    assert "1 clips = 0 done + 1 done before + 0 failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --input_dir DIR or --input_list FILE"),
        (["--input_dir", "missing"], "no such folder"),
        (["--input_list", "missing.json"], "no such list"),
        (["--input_dir", ".", "--output_dir", "data"], "choose an output folder outside"),
        (["--input_dir", ".", "--output_dir", "/x", "--size", "15"], "size must be an even number"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


def test_a_missing_speech_encoder_stops_the_run_before_any_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    write_clip(folder / "a.mp4")
    model = tmp_path / "wav2vec2"
    assert run("--input_dir", folder, "--output_dir", tmp_path / "out", "--audio_encoder_path", model) == 2
    error = capsys.readouterr().err
    assert str(model) in error
    assert "give --speech_encoder log-mel" in error
