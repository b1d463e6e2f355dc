"""The command turns a user's mistake into one line and exit code 2, and hides nothing of ours."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from talkvid.cli import main as command
from talkvid.media.ffmpeg import FfmpegError


def verb_that(outcome: Any) -> SimpleNamespace:
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--count", type=int, default=0)

    def run(args: argparse.Namespace) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return int(outcome)

    return SimpleNamespace(__doc__="A verb for the test.", add_arguments=add_arguments, run=run)


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(outcome: Any) -> None:
        monkeypatch.setattr(importlib, "import_module", lambda name: verb_that(outcome))

    return install


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("ref.png: no face\nfound"), "ref.png: no face found"),
        (FileNotFoundError("aud.wav does not exist"), "aud.wav does not exist"),
        (PermissionError(13, "Permission denied", "/root/out.mp4"), "/root/out.mp4: Permission denied"),
        (ImportError("insightface: pip install 'talkvid[face]'"), "insightface: pip install 'talkvid[face]'"),
        (FfmpegError("ffmpeg failed: no such codec"), "ffmpeg failed: no such codec"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    pretend: Any, capsys: pytest.CaptureFixture[str], error: Exception, line: str
) -> None:
    pretend(error)
    assert command.main(["generate"]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"talkvid: error: {line}\n" and captured.out == ""


def test_verbose_shows_the_traceback_as_well(pretend: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(ValueError("bad"))
    assert command.main(["train", "--verbose"]) == 2
    error = capsys.readouterr().err
    assert "Traceback" in error and error.endswith("talkvid: error: bad\n")


def test_a_missing_system_library_names_the_packages(
    pretend: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(ImportError("libGL.so.1: cannot open shared object file"))
    assert command.main(["generate"]) == 2
    assert "apt install libgl1 libglib2.0-0" in capsys.readouterr().err


def test_a_fault_of_ours_is_not_hidden(pretend: Any) -> None:
    pretend(AssertionError("shapes"))
    with pytest.raises(AssertionError):
        command.main(["generate"])


def test_an_interrupt_is_exit_code_130(pretend: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(KeyboardInterrupt())
    assert command.main(["generate"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_the_verbs_own_exit_code_is_handed_on(pretend: Any) -> None:
    pretend(1)
    assert command.main(["doctor"]) == 1


@pytest.mark.parametrize("argv", [["generate", "--count", "many"], ["generate", "--cuont", "1"], ["generat"]])
def test_a_wrong_argument_is_one_line(
    pretend: Any, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    pretend(0)
    with pytest.raises(SystemExit) as caught:
        command.main(argv)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("talkvid: error: ") and error.count("\n") == 1


def test_settings_may_stand_before_and_behind_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[argparse.Namespace] = []

    def run(args: argparse.Namespace) -> int:
        seen.append(args)
        return 0

    verb = SimpleNamespace(
        __doc__="",
        add_arguments=importlib.import_module("talkvid.cli.train").add_arguments,
        run=run,
    )
    monkeypatch.setitem(sys.modules, "talkvid.cli.train", verb)
    assert command.main(["train", "--config", "a", "x.y=1", "--config", "b", "x.z=2"]) == 0
    assert (seen[0].config, seen[0].overrides) == (["a", "b"], ["x.y=1", "x.z=2"])


def test_help_lists_every_verb_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    output = capsys.readouterr().out
    assert all(verb in output for verb in command.VERBS)
    program = "import sys; from talkvid.cli.main import main; main([]); print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("False\n")


def test_a_command_that_is_told_to_stop_leaves_no_half_written_file(tmp_path: Path) -> None:
    program = """
import sys, time, types
from pathlib import Path
from talkvid.cli import main
from talkvid.files import atomic_path

def run(args):
    with atomic_path(Path(sys.argv[1]) / "video.mp4") as temporary:
        temporary.write_bytes(b"half")
        print("writing", flush=True)
        time.sleep(60)

sys.modules["talkvid.cli.generate"] = types.SimpleNamespace(
    __doc__="", add_arguments=lambda parser: None, run=run
)
sys.exit(main.main(["generate"]))
"""
    command_line = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        process.terminate()
        assert process.wait(30) == 143
    assert not list(tmp_path.iterdir())
