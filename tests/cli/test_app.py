"""The door of the web page: what its flags refuse before anything is served."""

import argparse
import re
from pathlib import Path

import pytest

from talkvid.cli import app
from talkvid.cli.main import main


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--port", "70000"], "port: must be from 0 to 65535"),
        (["--workers", "0"], "workers: must be from 1 to 64"),
        (["--longest_sound", "0"], "sound_s: must be more than 0"),
        (["--commercial_safe"], "forbid commercial use"),
        (["--report", "/nowhere"], "neither report.html nor summary.csv"),
        (["--checkpoint_path", "/nowhere/model"], "/nowhere/model"),
    ],
)
def test_mistakes_are_one_line(flags: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "/nowhere" in flags:
        pytest.importorskip("gradio", reason="the extra app (gradio) is not installed")
    assert main(["app", *flags]) == 2
    captured = capsys.readouterr()
    assert told in captured.err.splitlines()[-1] and captured.out == ""


@pytest.mark.parametrize("name", ["GRADIO_SHARE", "GRADIO_ALLOWED_PATHS", "GRADIO_SERVER_NAME"])
def test_a_variable_does_not_open_the_server_behind_the_flags(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "True")
    assert main(["app"]) == 2
    assert f"{name} is set; only the flags --share and --host open the server" in capsys.readouterr().err


def test_the_documentation_names_every_flag_and_no_other(root: Path) -> None:
    parser = argparse.ArgumentParser(add_help=False)
    app.add_arguments(parser)
    told = set(re.findall(r"--[a-z_]+", (root / "docs" / "app.md").read_text(encoding="utf-8")))
    assert told == set(re.findall(r"--[a-z_]+", parser.format_usage()))
