"""The bootstrap installs once, repairs what was cut short, and gives every machine the right torch."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from talkvid.cli import launch


class FakeMachine:
    """Stands in for venv and pip: remembers the commands and makes the files that matter."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.fails = False
        self.seconds = 0.0

    def run(self, command: list[str]) -> None:
        self.commands.append(command)
        if "venv" in command:
            python = Path(command[-1], "bin", "python")
            python.parent.mkdir(parents=True)
            python.touch()
        elif self.fails:
            raise subprocess.CalledProcessError(1, command)
        time.sleep(self.seconds)

    @property
    def installs(self) -> list[list[str]]:
        return [command for command in self.commands if "pip" in command]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    fake = FakeMachine()
    monkeypatch.setattr(launch, "run", fake.run)
    monkeypatch.setattr(launch, "is_reachable", lambda url: False)
    monkeypatch.setattr(launch, "has_nvidia", lambda: False)
    return fake


def prepared(folder: Path, *extras: str) -> Path:
    return launch.own_environment(list(extras), {"TALKVID_VENV": str(folder)})


def test_the_first_start_makes_and_installs_and_the_second_does_nothing(
    machine: FakeMachine, tmp_path: Path
) -> None:
    folder = tmp_path / "venv"
    assert prepared(folder) == folder / "bin" / "python"
    assert len(machine.commands) == 2 and machine.installs[0][-2:] == ["-e", str(launch.ROOT)]
    prepared(folder)
    assert len(machine.commands) == 2


def test_a_new_extra_installs_again_and_keeps_the_old_one(machine: FakeMachine, tmp_path: Path) -> None:
    prepared(tmp_path / "venv", "dev")
    prepared(tmp_path / "venv")
    assert len(machine.installs) == 1
    prepared(tmp_path / "venv", "train", "deepspeed")
    assert machine.installs[-1][-1] == f"{launch.ROOT}[deepspeed,dev,train]"
    prepared(tmp_path / "venv", "deepspeed")
    assert len(machine.installs) == 2


def test_a_changed_project_file_installs_again_into_the_same_environment(
    machine: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path / "venv")
    monkeypatch.setattr(launch, "fingerprint", lambda: "other")
    prepared(tmp_path / "venv")
    assert len(machine.installs) == 2 and len(machine.commands) == 3


def test_an_installation_that_was_cut_short_is_made_anew(machine: FakeMachine, tmp_path: Path) -> None:
    machine.fails = True
    with pytest.raises(subprocess.CalledProcessError):
        prepared(tmp_path / "venv")
    (tmp_path / "venv" / "half-written").touch()
    machine.fails = False
    prepared(tmp_path / "venv")
    assert not (tmp_path / "venv" / "half-written").exists() and len(machine.commands) == 4


def test_a_venv_of_the_user_is_installed_into_and_not_deleted(machine: FakeMachine, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "venv" / "theirs").touch()
    prepared(tmp_path / "venv")
    assert (tmp_path / "venv" / "theirs").exists() and len(machine.commands) == 1


def test_two_starts_at_once_install_once(machine: FakeMachine, tmp_path: Path) -> None:
    machine.seconds = 0.1
    starts = [threading.Thread(target=prepared, args=(tmp_path / "venv",)) for _ in range(2)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(machine.installs) == 1


def test_a_stamp_that_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / launch.STAMP).write_text("{half")
    assert launch.read_stamp(tmp_path) == {}
    (tmp_path / launch.STAMP).write_text(json.dumps([1]))
    assert launch.read_stamp(tmp_path) == {}


def test_torch_for_nvidia_is_never_the_cpu_build() -> None:
    assert launch.torch_arguments("2.13.0", nvidia=True, linux=True) == ["torch==2.13.0,!=2.13.0+cpu"]


@pytest.mark.parametrize(
    ("reachable", "linux", "expected"),
    [
        (True, True, ["--extra-index-url", launch.CPU_INDEX, "torch==2.13.0"]),
        (False, True, ["torch==2.13.0"]),
        (True, False, ["torch==2.13.0"]),
    ],
)
def test_torch_without_gpu_takes_the_cpu_index_only_where_it_answers(
    monkeypatch: pytest.MonkeyPatch, reachable: bool, linux: bool, expected: list[str]
) -> None:
    monkeypatch.setattr(launch, "is_reachable", lambda url: reachable)
    assert launch.torch_arguments("2.13.0", nvidia=False, linux=linux) == expected


def test_the_index_that_cannot_be_reached_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    assert launch.is_reachable("https://example.invalid/") is False


def test_pins_are_read_from_the_requirements() -> None:
    text = "# note\ntorch==2.13.0\nimport-linter==2.16  # tool\n-e .\n"
    assert launch.pinned_versions(text) == {"torch": "2.13.0", "import-linter": "2.16"}
    pins = launch.pinned_versions((launch.ROOT / "requirements.txt").read_text())
    assert pins["torch"] == "2.13.0" and len([name for name in pins if name.startswith("opencv")]) == 1


def test_the_active_environment_is_used_only_for_this_checkout(tmp_path: Path) -> None:
    assert launch.active_environment(["json"], {"TALKVID_VENV": "x"}) is None
    assert launch.active_environment(["no_such_module"], {}) is None
    assert launch.active_environment(["json"], {}) == Path(sys.executable)


@pytest.mark.parametrize(
    ("job", "variables", "nvidia", "extras"),
    [
        ("inference", {}, True, []),
        ("train", {"GPU": "cpu,cpu"}, False, ["train"]),
        ("train", {"GPU": "cpu", "ENGINE": "deepspeed"}, False, ["train", "deepspeed"]),
        ("train", {"GPU": "0"}, True, ["train", "deepspeed"]),
        ("curate", {}, True, ["curation"]),
        ("evaluate", {}, True, ["eval"]),
        ("test", {}, False, ["dev"]),
    ],
)
def test_a_job_installs_only_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, job: str, variables: dict[str, str], nvidia: bool, extras: list[str]
) -> None:
    monkeypatch.setattr(os, "environ", variables)
    monkeypatch.setattr(launch, "has_nvidia", lambda: nvidia)
    assert launch.extras_for(job) == extras
    assert set(extras) <= set(launch.NEEDED_MODULES)


def test_an_old_python_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert launch.main(["test"]) == 1
    assert "Python 3.11 to 3.13 is needed" in capsys.readouterr().err


def test_an_unknown_job_gets_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert launch.main(["dance"]) == 1
    assert capsys.readouterr().err.startswith("talkvid: error: usage:")


def test_inference_without_input_takes_the_sample_and_stays_in_the_callers_folder() -> None:
    command, folder = launch.inference_command("python", ["--seed", "3"])
    assert folder is None and command[-2:] == ["--seed", "3"]
    assert str(launch.SAMPLE / "ref.png") in command and str(launch.SAMPLE / "aud.wav") in command
    assert (launch.SAMPLE / "ref.png").is_file() and (launch.SAMPLE / "aud.wav").is_file()


@pytest.mark.parametrize("flag", ["--reference_image_path=a.jpg", "--audio_path", "--portrait"])
def test_inference_with_an_input_of_the_user_adds_none(flag: str) -> None:
    command, _ = launch.inference_command("python", [flag, "x"])
    assert command[2:] == [flag, "x"]


def test_train_runs_in_the_root_whichever_folder_it_is_called_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "environ", {"STAGE": "2", "GPU": "cpu"})
    monkeypatch.chdir(tmp_path)
    command, folder = launch.train_command("python", ["optimizer.learning_rate=1"])
    assert folder == launch.ROOT and "src/configs/stage_2.yaml" in command
    assert command[-1] == "optimizer.learning_rate=1"


def test_a_variable_that_is_wrong_is_named_before_anything_is_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", {"GPU": "all"})
    monkeypatch.setattr(launch, "active_environment", lambda *_: pytest.fail("too late"))
    assert launch.main(["train"]) == 1
    assert capsys.readouterr().err.startswith("talkvid: error: GPU=all:")


def test_the_launcher_runs_as_a_plain_file_without_talkvid(tmp_path: Path) -> None:
    """It is the file beside it that is imported, with an interpreter that has no packages at all."""
    result = subprocess.run(
        [sys.executable, "-E", "-S", str(launch.ROOT / "src" / "talkvid" / "cli" / "launch.py"), "train"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"STAGE": "7", "GPU": "cpu", "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert result.returncode == 1 and result.stderr.startswith("talkvid: error: STAGE=7:")
