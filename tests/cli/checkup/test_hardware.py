"""Torch's build, GPUs, ffmpeg, PyAV and OpenCV are told with what they mean and what to do."""

import shutil
import subprocess
from typing import Any

import pytest

from talkvid.cli.checkup import processors, programs
from talkvid.cli.checkup.check import JOBS, Check
from talkvid.cli.checkup.facts import has_code
from talkvid.cli.checkup.probing import Outcome
from talkvid.media import ffmpeg

GPU = {"name": "NVIDIA H200", "capability": "9.0", "memory_gb": 150.0, "bf16": True, "has_code": True}
OLD_GPU = {"name": "GTX 1080", "capability": "6.1", "memory_gb": 8.5, "bf16": False, "has_code": False}


def facts(**changed: Any) -> dict[str, Outcome]:
    found = {
        "version": "2.13.0", "cuda": "13.0", "hip": None, "gpus": [], "cuda_works": False, "mps": False,
        "threads": 4, "vectors": "AVX512", "bf16": ["amx_bf16"], **changed,
    }  # fmt: skip
    return {"facts:torch": Outcome("", found)}


def torch_checks(monkeypatch: pytest.MonkeyPatch, *, driver: list[str], **changed: Any) -> dict[str, Check]:
    monkeypatch.setattr(processors, "driver_lines", lambda: driver)
    return {
        check.name: check for check in processors.check_torch(facts(**changed), install="pip install -e .")
    }


def test_every_gpu_is_told_with_memory_and_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = torch_checks(monkeypatch, driver=["NVIDIA H200"], gpus=[GPU, OLD_GPU], cuda_works=True)
    assert "150.0 GB, compute capability 9.0, bf16 native" in checks["GPU 0"].detail
    assert checks["GPU 1"].status == "note" and "no bf16" in checks["GPU 1"].detail
    assert "CUDA 13.0" in checks["torch"].detail and "amx_bf16" in checks["processor"].detail


@pytest.mark.parametrize(
    ("architectures", "capability", "runs"),
    [
        (["sm_75", "sm_80", "sm_90"], (8, 6), True),
        (["sm_75", "sm_80", "sm_90"], (6, 1), False),
        (["sm_90"], (8, 0), False),
        (["sm_80", "compute_90"], (12, 0), True),
        (["sm_90a", "sm_120"], (9, 0), True),
        (["gfx90a"], (9, 0), True),
        ([], (9, 0), False),
    ],
)
def test_whether_a_build_has_code_for_a_gpu(
    architectures: list[str], capability: tuple[int, int], runs: bool
) -> None:
    assert has_code(architectures, *capability) is runs


def test_a_cpu_build_beside_a_driver_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = torch_checks(monkeypatch, driver=["NVIDIA H200, 143771 MiB"], cuda=None, bf16=[])
    assert checks["GPU"].status == "note" and "this torch is a CPU build" in checks["GPU"].detail
    assert checks["GPU"].remedy == processors.DEFAULT_TORCH
    assert "bf16 not native" in checks["processor"].detail


def test_a_gpu_that_torch_does_not_see_is_noted_with_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    check = torch_checks(monkeypatch, driver=["NVIDIA H200"])["GPU"]
    assert check.status == "note" and "CUDA_VISIBLE_DEVICES" in check.detail and "driver" in check.remedy
    assert torch_checks(monkeypatch, driver=[])["GPU"].status == "absent"


def test_a_torch_that_does_not_import_stops_everything_and_the_driver_is_still_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processors, "driver_lines", lambda: ["NVIDIA H200"])
    monkeypatch.setattr(processors, "installed_version", lambda name: "2.13.0")
    probed = {"facts:torch": Outcome("OSError: libcudart.so.13: cannot open shared object file")}
    torch, gpu = processors.check_torch(probed, install="pip install -e .")
    assert torch.status == "broken" and torch.stops == JOBS and "libcudart" in torch.detail
    assert gpu.detail == "NVIDIA H200"


def test_a_driver_program_that_fails_is_a_line_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    assert "nvidia-smi fails" in processors.driver_lines()[0]


@pytest.mark.parametrize(("gpus", "compiler"), [(2, "/usr/bin/c++"), (0, None)])
def test_training_names_devices_optimiser_and_compiler(
    monkeypatch: pytest.MonkeyPatch, gpus: int, compiler: str | None
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: compiler)
    monkeypatch.setattr(processors, "installed_version", lambda name: "1")
    checks = {check.name: check for check in processors.check_training(facts(gpus=[GPU] * gpus))}
    assert ("GPU=0,1" if gpus else "GPU=cpu") in checks["devices"].detail
    assert checks["8-bit optimiser"].status == ("ok" if gpus else "absent")
    assert checks["C++ compiler"].status == ("ok" if compiler else "note")
    assert compiler or checks["C++ compiler"].remedy == "apt install g++"


def ffmpeg_checks() -> dict[str, Check]:
    return {check.name: check for check in programs.check_ffmpeg()}


def test_the_ffmpeg_that_is_used_is_named_with_licence_and_encoders() -> None:
    checks = ffmpeg_checks()
    assert checks["ffmpeg"].status == "ok" and ffmpeg.executable() in checks["ffmpeg"].detail
    assert checks["encoders"].detail == "libx264, aac" and "GPL, version" in checks["ffmpeg's licence"].detail


def test_an_ffmpeg_without_an_encoder_stops_every_job(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"-version": "ffmpeg version 7", "-encoders": " V....D libx264rgb  x\n A....D aac   AAC\n"}
    monkeypatch.setattr(programs, "_answer", lambda program, flag: answers[flag])
    check = ffmpeg_checks()["encoders"]
    assert check.status == "broken" and check.stops == JOBS and "lacks libx264" in check.detail


def test_an_ffmpeg_that_does_not_run_stops_every_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "executable", lambda: "/nowhere/ffmpeg")
    assert ffmpeg_checks()["ffmpeg"].stops == JOBS
    monkeypatch.setattr(ffmpeg, "executable", lambda: "/bin/false")
    check = ffmpeg_checks()["ffmpeg"]
    assert check.status == "broken" and "does not run" in check.detail
    monkeypatch.setenv(programs.OVERRIDE, "/bin/false")
    assert ffmpeg_checks()["ffmpeg"].remedy == f"unset {programs.OVERRIDE}"
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda *args, **kwargs: (_ for _ in ()).throw(subprocess.TimeoutExpired("ffmpeg", 1)),
    )
    assert ffmpeg_checks()["ffmpeg"].status == "broken"


@pytest.mark.parametrize(
    ("switches", "licence"),
    [
        ("--enable-gpl --enable-version3", "GPL, version 3"),
        ("--enable-gpl", "GPL, version 2"),
        ("", "LGPL, version 2.1"),
        ("--enable-version3", "LGPL, version 3"),
        ("--enable-gpl --enable-nonfree", "must not be passed on"),
    ],
)
def test_the_licence_follows_from_the_switches(switches: str, licence: str) -> None:
    assert licence in programs.licence(f"ffmpeg version 7\nconfiguration: {switches}\n")


def test_a_pyav_that_lacks_decoders_is_noted() -> None:
    probed = {"facts:pyav": Outcome("", {"libavcodec": "62.1.1", "lacking": ["hevc"]})}
    assert "cannot decode hevc" in programs.check_pyav(probed).detail
    assert programs.check_pyav({"facts:pyav": Outcome("ImportError: x")}).stops == JOBS


def test_opencv_that_lacks_a_system_library_names_the_packages() -> None:
    check = programs.check_opencv({"cv2": Outcome("ImportError: libGL.so.1: cannot open shared object file")})
    assert check.status == "broken" and check.remedy == "apt install libgl1 libglib2.0-0"
    absent = programs.check_opencv({"cv2": Outcome("ModuleNotFoundError: No module named 'cv2'")})
    assert absent.status == "absent" and absent.stops == JOBS
