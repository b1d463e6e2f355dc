"""`talkvid doctor` says what is there and whether the job can run, whatever is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from talkvid.cli import doctor, launch
from talkvid.cli.checkup import folders, packages, quick_run, report
from talkvid.cli.checkup.check import JOBS, STATUSES, Check
from talkvid.cli.checkup.probing import Outcome
from talkvid.cli.checkup.wanted import requirements
from talkvid.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
BLOCKER = """
import os, sys
from importlib import metadata

HIDDEN = os.environ["HIDDEN"].split(",")
find = metadata.MetadataPathFinder.find_distributions

class Blocker:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def others(context=metadata.DistributionFinder.Context()):
    return (one for one in find(context) if str(one.name).replace("-", "_") not in HIDDEN)

sys.meta_path.insert(0, Blocker)
metadata.MetadataPathFinder.find_distributions = staticmethod(others)
"""
"""A sitecustomize.py that hides modules and distributions from every process that starts with it."""
FOUND: dict[str, dict[str, Any]] = {
    "facts:torch": {
        "version": "2.13.0", "cuda": None, "hip": None, "gpus": [], "cuda_works": False, "mps": False,
        "threads": 2, "vectors": "AVX2", "bf16": [],
    },
    "facts:pyav": {"libavcodec": "62.1.1", "lacking": []},
    "facts:device": {"device": "cpu", "dtype": "fp32", "autoencoder": None},
    "facts:embedded": {
        "name": "talkvid-mini", "license": "CC-BY-NC-4.0", "width": 512, "height": 512, "fps": 25.0,
        "speech_encoder": "log-mel",
    },
    "facts:curate": {
        "profile": "default", "cuts": "adaptive", "backends": {"head": "embedded"}, "devices": ["cpu"],
    },
    "facts:metrics": {"measured": ["mel"], "lacking": {"fid": "not fetched"}},
}  # fmt: skip


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Outcome]:
    """Have every import work without being tried; what is put in here prevails."""
    changed: dict[str, Outcome] = {}

    def probe(topics: list[str]) -> dict[str, Outcome]:
        return {name: changed.get(name, Outcome("", FOUND.get(name, {}))) for name in topics}

    monkeypatch.setattr(doctor, "probe", probe)
    monkeypatch.setattr(packages, "conflicts", lambda names: [])  # looked for in test_wanted.py
    monkeypatch.chdir(tmp_path)
    return changed


def report_of(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--json", *flags])
    return code, json.loads(capsys.readouterr().out)


def test_a_complete_installation_is_ready(
    probed: dict[str, Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert output.endswith("ready: talkvid generate can run\n") and "talkvid-mini" in output
    assert all(f"\n{topic}\n" in output for topic in ("machine", "folders", "media", "extras", "jobs"))


def test_the_schema_of_the_json_is_the_documented_one(
    probed: dict[str, Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = report_of(capsys)
    assert code == 0 and list(told) == ["schema", "talkvid", "job", "ready", "jobs", "checks"]
    assert told["schema"] == report.SCHEMA == 1 and told["job"] == "generate" and told["ready"] is True
    assert list(told["jobs"]) == list(JOBS)
    for job in told["jobs"].values():
        assert list(job) == ["ready", "stopped_by", "command", "install"] and isinstance(job["ready"], bool)
    for check in told["checks"]:
        assert list(check) == ["topic", "name", "status", "detail", "remedy", "stops"]
        assert check["status"] in STATUSES and set(check["stops"]) <= set(JOBS)
        assert not any("\n" in check[name] for name in ("topic", "name", "detail", "remedy"))
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    fields = {*told, *told["checks"][0], *told["jobs"]["app"], *STATUSES}
    assert all(f"`{name}`" in page for name in fields), fields


def test_a_misfit_of_the_embedded_model_stops_videos_and_not_curation(
    probed: dict[str, Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    probed["facts:embedded"] = Outcome("ValueError: vae.safetensors: 3 unexpected keys")
    assert report_of(capsys)[0] == 1
    code, told = report_of(capsys, "--for", "curate")
    assert code == 0 and told["ready"] and not told["jobs"]["generate"]["ready"]
    assert told["jobs"]["generate"]["stopped_by"] == ["embedded model: talkvid-mini"]


def test_what_stops_the_job_is_in_capitals_with_its_remedy(
    probed: dict[str, Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    probed["cv2"] = Outcome("ImportError: libGL.so.1: cannot open shared object file")
    assert main(["doctor"]) == 1
    output = capsys.readouterr().out
    assert "  BROKEN  OpenCV" in output and "-> apt install libgl1 libglib2.0-0" in output
    assert output.splitlines()[-1].startswith("not ready: talkvid generate cannot run; see OpenCV")


def test_the_report_of_evaluate_counts_the_metrics(
    probed: dict[str, Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    _, told = report_of(capsys, "--for", "evaluate")
    checks = {check["name"]: check for check in told["checks"] if check["topic"] == "used by evaluate"}
    assert (
        checks["metrics"]["detail"] == "1 of 2 can be measured" and checks["fid"]["detail"] == "not fetched"
    )


def test_an_examination_that_fails_is_a_finding_and_the_rest_goes_on(
    probed: dict[str, Outcome], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(folder: Path) -> list[Check]:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(folders, "check_folders", fail)
    code, told = report_of(capsys)
    (failed,) = [check for check in told["checks"] if check["name"] == "examination"]
    assert code == 0 and failed["topic"] == "folders" and "RuntimeError: a fault of ours" in failed["detail"]


def test_imports_are_tried_for_the_job_or_for_all(probed: dict[str, Outcome]) -> None:
    def topics(*flags: str) -> list[str]:
        import argparse

        parser = argparse.ArgumentParser()
        doctor.add_arguments(parser)
        return doctor.topics(parser.parse_args(list(flags)), requirements(ROOT))

    assert "gradio" not in topics() and "torch" in topics()
    assert "gradio" in topics("--for", "app") and {"pytest", "omegaconf"} <= set(topics("--imports"))
    assert "facts:metrics" in topics("--for", "evaluate")


def test_a_video_is_asked_for_without_a_portrait(
    probed: dict[str, Outcome], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(quick_run, "SAMPLE", Path("/nowhere"))
    code, told = report_of(capsys, "--run")
    (check,) = [check for check in told["checks"] if check["topic"] == quick_run.TOPIC]
    assert code == 1 and check["remedy"] == "talkvid doctor --run --portrait face.jpg"


def test_a_video_that_cannot_be_made_is_told_by_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "face.png").write_text("no picture")
    failed = subprocess.CompletedProcess(
        [], 2, "", "model: talkvid-mini\ntalkvid: error: face.png: no picture\n"
    )
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    check = quick_run.check_run(tmp_path / "face.png")
    assert check.status == "broken" and check.stops == ("generate",)
    assert check.detail == "talkvid: error: face.png: no picture"


def test_the_speech_of_a_run_is_a_second_of_the_sample_or_a_hum(tmp_path: Path) -> None:
    import wave

    for sample in (launch.SAMPLE / "aud.wav", Path("/nowhere")):
        quick_run.write_speech(tmp_path / "speech.wav", sample)
        with wave.open(str(tmp_path / "speech.wav")) as sound:
            assert sound.getnframes() == sound.getframerate() and any(sound.readframes(1000))


@pytest.mark.slow
def test_a_video_is_really_made(tmp_path: Path) -> None:
    check = quick_run.check_run(None)
    assert check.status == "ok" and check.detail.startswith("25 frames and sound in ")


@pytest.mark.parametrize("hidden", ["torch", "cv2,opencv_python,torch", "av,packaging,torch"])
def test_it_answers_where_a_package_is_really_missing(tmp_path: Path, hidden: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}", "HIDDEN": hidden}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "talkvid.cli.main", "doctor", "--json"],
        env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 1 and done.stderr == "", done.stderr
    told = json.loads(done.stdout)
    name = "opencv-python" if "cv2" in hidden else hidden.split(",")[0]
    core = {check["name"]: check for check in told["checks"] if check["topic"] == "core packages"}
    assert core[name]["status"] == "absent" and core[name]["stops"] == list(JOBS)
    assert not any(job["ready"] for job in told["jobs"].values())
    assert not [check for check in told["checks"] if check["name"] == "examination"]
