import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from talkvid.cli.generate import add_arguments
from talkvid.cli.main import run_verb
from talkvid.media.image import save_image
from tests.inference.conftest import PlantedDetector, write_sound
from tests.inference.conftest import portrait as portrait
from tests.inference.conftest import tiny_checkpoint as tiny_checkpoint

Run = Callable[..., int]


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "hello.wav", 0.3)


@pytest.fixture
def generate(
    tiny_checkpoint: Path, portrait: Path, speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run the verb in an empty folder with good flags, which the flags given replace."""
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector(60.0))
    monkeypatch.chdir(tmp_path)

    def run(**flags: object) -> int:
        values = {
            "reference_image_path": portrait,
            "audio_path": speech,
            "output_path": tmp_path / "out.mp4",
            "checkpoint_path": tiny_checkpoint,
            "device": "cpu",
            **flags,
        }
        argv = [part for name, value in values.items() if value is not None for part in _words(name, value)]
        return run_verb("generate", argv)

    return run


def _words(name: str, value: object) -> list[str]:
    return [f"--{name}"] if value is True else [f"--{name}", str(value)]


def test_the_path_of_the_video_is_the_only_line_on_stdout(
    generate: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "talkvid"):
        assert generate(label=True, num_inference_steps=1, kps_path="") == 0
    out, _ = capsys.readouterr()
    assert out == f"{tmp_path / 'out.mp4'}\n"
    first = caplog.messages[:4]
    assert [line.split(":")[0] for line in first] == ["model", "face backend", "speech encoder", "device"]
    assert "num_inference_steps 1 instead of 2" in caplog.text
    assert (tmp_path / "out.mp4").is_file() and (tmp_path / "out.mp4.json").is_file()


def test_without_an_output_path_it_is_named_after_both_inputs(generate: Run, tmp_path: Path) -> None:
    assert generate(output_path=None, num_inference_steps=1, guidance_scale=1) == 0
    assert (tmp_path / "output" / "anna_hello.mp4").is_file()


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD_INPUTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing portrait": ("reference_image_path", lambda folder: folder / "no.jpg", "no.jpg"),
    "missing sound": ("audio_path", lambda folder: folder / "no.wav", "no.wav"),
    "empty sound": ("audio_path", lambda folder: _file(folder / "a.wav", b""), "a.wav.*empty"),
    "not a sound": ("audio_path", lambda folder: _file(folder / "a.mp3", b"hello" * 99), "a.mp3"),
    "cut sound": (
        "audio_path",
        lambda folder: _file(folder / "b.wav", b"RIFF\x24\x00\x00\x00WAVEfm"),
        "b.wav",
    ),
    "no samples": ("audio_path", lambda folder: write_sound(folder / "c.wav", 0.0), "c.wav"),
    "not a picture": ("reference_image_path", lambda folder: _file(folder / "p.png", b"x" * 50), "p.png"),
    "wrong key points": ("kps_path", lambda folder: _saved(folder / "k.npy"), "k.npy.*shape"),
    "no such key points": ("kps_path", lambda folder: folder / "no.pth", "no.pth"),
    "no such checkpoint": ("checkpoint_path", lambda folder: folder / "model", "model"),
    "not a checkpoint": ("checkpoint_path", lambda folder: folder, "V-Express"),
    "output is a folder": ("output_path", lambda folder: _folder(folder / "o.mp4"), "o.mp4"),
    "output below a file": (
        "output_path",
        lambda folder: _file(folder / "f", b"x") / "o.mp4",
        "output folder",
    ),
    "output not a video": ("output_path", lambda folder: folder / "o.gif", "mp4"),
    "no such GPU": ("gpu_id", lambda folder: 3, "--gpu_id 3"),
    "no such precision": ("dtype", lambda folder: "fp8", "fp8"),
    "several devices": ("do_multi_devices_inference", lambda folder: True, "do_multi_devices_inference"),
    "no such face": ("face", lambda folder: "4", "no face 4"),
    "window too long": ("context_frames", lambda folder: 33, "8 frames at most"),
    "strategy without poses": ("retarget_strategy", lambda folder: "no_retarget", "needs poses"),
    "non-commercial faces": ("commercial_safe", lambda folder: True, "insightface"),
}


def _saved(path: Path) -> Path:
    np.save(path, np.zeros((5, 4, 2)))
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("case", BAD_INPUTS)
def test_bad_input_gets_one_line_and_exit_code_2(
    case: str, generate: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flag, make, words = BAD_INPUTS[case]
    more = {"face_backend": "insightface"} if case == "non-commercial faces" else {}
    if case != "output is a folder":
        (tmp_path / "out.mp4").write_bytes(b"older")
    flags = {flag: make(tmp_path), **more}
    before = sorted(tmp_path.rglob("*"))
    assert generate(**flags) == 2
    out, err = capsys.readouterr()
    assert out == ""
    complaint = err.splitlines()[-1]
    assert complaint.startswith("talkvid: error: ") and re.search(words, complaint), complaint
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path / "out.mp4").is_file() or (tmp_path / "out.mp4").read_bytes() == b"older"


def test_a_folder_that_cannot_be_written_is_named(
    generate: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    locked = _folder(tmp_path / "locked")
    locked.chmod(0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")
    assert generate(output_path=locked / "out.mp4") == 2
    assert "not writable" in capsys.readouterr().err


REFERENCE_FLAGS = """
unet_config_path vae_path audio_encoder_path insightface_model_path denoising_unet_path reference_net_path
v_kps_guider_path audio_projection_path motion_module_path retarget_strategy dtype device gpu_id
do_multi_devices_inference save_gpu_memory num_pad_audio_frames standard_audio_sampling_rate
reference_image_path audio_path kps_path output_path test_stage audio_embeddings_type image_width image_height
fps seed num_inference_steps guidance_scale context_frames context_overlap reference_attention_weight
audio_attention_weight
"""


def test_all_flags_of_the_reference_are_there() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    known = {action.dest for action in parser._actions}
    assert set(REFERENCE_FLAGS.split()) - known == set()


@pytest.mark.parametrize("folder", [".", "src"])
def test_the_script_runs_from_the_root_and_from_src(root: Path, folder: str) -> None:
    script = os.path.relpath(root / "src" / "inference.py", root / folder)
    result = subprocess.run(
        [sys.executable, script, "--help"], cwd=root / folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0 and "python src/inference.py" in result.stdout, result.stderr


def test_the_script_is_importable_and_the_package_is_loaded_once(root: Path) -> None:
    program = (
        "import sys; from src.inference import TalkVidInference; import talkvid; "
        "assert TalkVidInference is talkvid.TalkVidInference; "
        "assert not [name for name in sys.modules if name.startswith('src.talkvid')]"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_a_real_portrait_with_several_faces_lists_them(
    generate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("talkvid.inference.api.build_detector", lambda *_, **__: PlantedDetector(60, 50))
    save_image(tmp_path / "two.png", np.zeros((100, 100, 3), np.uint8))
    assert generate(reference_image_path=tmp_path / "two.png") == 2
    assert "2 faces" in capsys.readouterr().err.splitlines()[-1]
