"""The walk from data to a score: its commands parse, what is done is skipped, what changed is made anew."""

import argparse
import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from talkvid.cli import walkthrough_plan, walkthrough_run
from talkvid.cli.main import run_verb
from talkvid.cli.walkthrough_facts import NOTHING, decisions, score_rows
from talkvid.cli.walkthrough_plan import ROOT, Settings, Step, plan
from talkvid.cli.walkthrough_run import Journal, process_arguments, run_steps

OUT = Path("output/walkthrough")
COMMANDS = [command for step in plan(OUT, Settings()) for command in step.commands]
TALKVID = [command for command in COMMANDS if command[0] == "talkvid"]
PYTHON = (
    "import sys; print('ran', sys.argv[1]); open(sys.argv[1], 'a').write('x'); sys.exit(int(sys.argv[2]))"
)


@pytest.mark.parametrize("command", TALKVID, ids=" ".join)
def test_every_command_is_one_that_talkvid_parses(command: tuple[str, ...]) -> None:
    module = importlib.import_module(f"talkvid.cli.{command[1]}")
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    module.add_arguments(parser)
    known = parser.parse_intermixed_args(list(command[2:]))
    assert all((ROOT / path).is_file() for path in getattr(known, "config", None) or ())


def test_the_training_settings_exist() -> None:
    from talkvid.config import load_config
    from talkvid.training.config import TrainConfig

    stages = [command for command in COMMANDS if command[1] == "train"]
    for number, command in enumerate(stages, start=1):
        config = load_config(TrainConfig, ROOT / command[3], overrides=list(command[4:]))
        assert config.run.stage == number and config.run.max_steps == Settings().steps[number - 1]
        assert list(config.data.meta_paths) == [f"{OUT}/4_data/walkthrough.json"]
    assert len(stages) == 3


def test_what_a_step_reads_was_made_by_a_step_before_it() -> None:
    made: list[str] = []
    for step in plan(OUT, Settings()):
        words = [word for command in step.commands for word in command]
        read = {part for word in words for part in word.split(str(OUT) + "/")[1:]}
        folders = {path.split("/")[0].rstrip("]") for path in read}
        assert folders <= {*made, step.folder}, step.name
        made.append(step.folder)


def test_a_dry_run_prints_the_commands_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("walkthrough", ["-o", str(tmp_path / "out"), "--dry_run", "--steps", "3", "2", "1"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("\ntalkvid train ") == 3 and "run.max_steps=3" in printed
    assert not (tmp_path / "out").exists()


def test_an_impossible_number_of_steps_is_a_users_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb("walkthrough", ["--dry_run", "--steps", "3", "0", "1"]) == 2
    assert "must be 1 or more" in capsys.readouterr().err


def test_programs_are_this_pythons() -> None:
    assert process_arguments(("talkvid", "curate", "run"))[:3] == [sys.executable, "-m", "talkvid.cli.main"]
    ffmpeg = process_arguments(("ffmpeg", "-i", "a b.mp4"))
    assert Path(ffmpeg[0]).is_file() and ffmpeg[-2:] == ["-i", "a b.mp4"]


def little_steps(out: Path, *, codes: tuple[int, int, int] = (0, 0, 0)) -> list[Step]:
    """Return three steps of one command each that leaves an x in a file."""
    steps = []
    for number, code in enumerate(codes, start=1):
        folder = f"{number}_step{number}"
        command = ("python", "-c", PYTHON, str(out / folder / "made"), str(code))
        steps.append(Step(folder, f"Step {number}", "", (command,)))
    return steps


@pytest.fixture
def any_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walkthrough_run, "process_arguments", lambda command: [sys.executable, *command[1:]])


def made(out: Path) -> list[str]:
    return [path.read_text() for path in sorted(out.glob("*/made"))]


@pytest.mark.usefixtures("any_program")
def test_what_is_done_is_skipped_and_a_failed_step_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"exit code 3; what it said is in .*2_step2_1\.txt; the same"):
        list(run_steps(little_steps(out, codes=(0, 3, 0)), out))
    assert made(out) == ["x", "x"] and Journal(out).is_done(little_steps(out)[0])
    assert "ran" in (out / "logs" / "2_step2_1.txt").read_text()
    # The same commands: the first is skipped, the second goes on in its folder.
    with pytest.raises(ValueError, match="exit code 3"):
        list(run_steps(little_steps(out, codes=(0, 3, 0)), out))
    assert made(out) == ["x", "xx"]
    assert [step.name for step in run_steps(little_steps(out), out)] == ["step1", "step2", "step3"]
    assert made(out) == ["x", "x", "x"], "another command begins in an empty folder"
    list(run_steps(little_steps(out), out))
    assert made(out) == ["x", "x", "x"]


@pytest.mark.usefixtures("any_program")
def test_a_changed_step_makes_those_behind_it_anew(tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps = little_steps(out)
    list(run_steps(steps, out))
    (out / "3_step3" / "old").touch()
    first = replace(steps[1], commands=((*steps[1].commands[0], "another word"),))
    list(run_steps([steps[0], first, steps[2]], out))
    assert made(out) == ["x", "x", "x"] and not (out / "3_step3" / "old").exists()


def test_manifests_name_files_that_exist(tmp_path: Path) -> None:
    for step in plan(tmp_path, Settings()):
        if step.files and step.files is not walkthrough_plan.write_broken:
            step.files(tmp_path)
    lists = sorted(tmp_path.glob("*/*.jsonl"))
    assert len(lists) == 4
    for path in lists:
        for line in path.read_text().splitlines():
            entry: dict[str, Any] = json.loads(line)
            assert all((path.parent / entry[key]).is_file() for key in ("reference_image", "audio"))
    first, second = (
        {(entry["reference_image"], entry["audio"]) for entry in map(json.loads, text.splitlines())}
        for text in ((tmp_path / "1_sources" / f"{name}.jsonl").read_text() for name in ("train", "held_out"))
    )
    assert not first & second, "what is held out was trained on"


def test_decisions_come_with_their_reasons_and_without_their_paths(tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    lines = {
        "kept": {"id": "a", "path": "/v/a.mp4", "code": None, "reason": None},
        "rejected": {"id": "b", "path": "/v/b.mp4", "code": "DUR_SHORT", "reason": "duration_s 1 < 3"},
        "failed": {"id": "c", "path": "/v/c.mp4", "code": "DECODE_FAIL", "reason": "/v/c.mp4: no frame"},
    }
    for state, row in lines.items():
        (exports / f"{state}.jsonl").write_text(json.dumps(row) + "\n")
    assert [(one.state, one.reason) for one in decisions(tmp_path)] == [
        ("kept", ""),
        ("rejected", "duration_s 1 < 3"),
        ("failed", "no frame"),
    ]


def test_scores_are_shown_as_the_summary_has_them(tmp_path: Path) -> None:
    summary = {
        "columns": [
            {"metric": "ssim", "key": "ssim", "heading": "SSIM", "better": "higher", "digits": 3},
            {"metric": "ssim", "key": "ssim_lowest", "heading": "worst", "better": "higher", "digits": 3},
        ],
        "rows": [{"name": "ours"}, {"name": "truth"}],
        "cells": [{"row": "ours", "metric": "ssim", "number": "ssim", "mean": 0.51249}],
        "warnings": ["few"],
    }
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    heads, rows, warnings = score_rows(tmp_path / "summary.json")
    assert heads == ["SSIM ↑"] and rows == [["ours", "0.512"], ["truth", NOTHING]] and warnings == ["few"]


@pytest.mark.slow
def test_the_whole_walk_ends_in_a_page_that_shows_every_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "walk"
    few = ["-o", str(out), "--steps", "2", "1", "1", "--num_inference_steps", "1"]
    assert run_verb("walkthrough", few) == 0
    page = Path(capsys.readouterr().out.splitlines()[-1])
    text = page.read_text(encoding="utf-8")
    states = {one.clip: (one.state, one.code) for one in decisions(out / "3_curated")}
    assert [clip for clip, found in states.items() if found[0] == "kept"] == ["film-scene1", "film-scene2"]
    codes = {code for state, code in states.values() if state != "kept"}
    assert codes == {"QUALITY_LOW", "DUR_SHORT", "MOTION_STATIC", "DUPLICATE", "DECODE_FAIL"}
    assert all(step.title in text for step in plan(out, Settings()))
    for word in text.split('src="')[1:]:
        assert (page.parent / word.split('"')[0]).is_file()
    journal = json.loads((out / "walkthrough.json").read_text())
    assert run_verb("walkthrough", few) == 0
    assert json.loads((out / "walkthrough.json").read_text()) == journal, "nothing is done twice"
