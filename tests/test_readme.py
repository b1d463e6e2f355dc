"""The README and the page on training cannot rot: their flags, paths, settings, commands and Python exist."""

import argparse
import ast
import importlib
import json
import re
import shlex
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from talkvid.cli.main import VERBS
from talkvid.config import load_config

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
TEXTS = {"README": README, "training": TRAINING}
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README + TRAINING, flags=re.DOTALL)
TOP_FOLDERS = ("src/", "scripts/", "tests/", "test_samples/", "docs/", "benchmarks/", "assets/", ".ci/")
OTHERS_FLAGS = {"--help", "--multi_gpu", "--use_deepspeed", "--logdir"}
"""Of this kind are also those of accelerate and tensorboard."""
PROGRAMS = {"bash", "python", "pip", "talkvid", "cp", "export"}
VARIABLES = {"STAGE", "TRAIN", "GPU", "ENGINE", "CONFIG", "HOST_NUM", "INDEX", "CHIEF_IP", "CHIEF_PORT"}

each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def commands() -> list[list[str]]:
    joined = "\n".join(blocks("bash")).replace("\\\n", " ")
    return [shlex.split(line, comments=True) for line in joined.splitlines() if line.strip()]


def without_variables(command: list[str]) -> list[str]:
    return command[next(place for place, word in enumerate(command) if not re.match(r"[A-Z_]+=", word)) :]


def known_flags() -> set[str]:
    flags: set[str] = {"--verbose", *OTHERS_FLAGS}
    for verb in VERBS:
        parser = argparse.ArgumentParser()
        importlib.import_module(f"talkvid.cli.{verb}").add_arguments(parser)
        flags |= set(re.findall(r"--[a-z_]+", parser.format_help()))
    return flags


def test_the_first_two_commands_are_the_promised_ones() -> None:
    assert commands()[:2] == [["bash", "scripts/inference.sh"], ["bash", "scripts/test.sh"]]


@each_text
def test_every_flag_exists(text: str) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_]+", text))
    assert named and named <= known_flags(), named - known_flags()


@each_text
def test_every_path_exists(text: str) -> None:
    words = re.findall(r"[\w./-]+", text)
    paths = {word.rstrip(".") for word in words if word.startswith(TOP_FOLDERS)}
    paths |= {name for name in re.findall(r"`([\w.-]+)`", text) if name.endswith((".md", ".txt", ".toml"))}
    paths -= {command[2] for command in commands() if command[0] == "cp"}
    assert paths
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert not missing


@each_text
def test_every_setting_exists(text: str) -> None:
    from talkvid.training.config import TrainConfig

    sections = "|".join(field.name for field in fields(TrainConfig))
    overrides = re.findall(rf"\b(?:{sections})\.\w+=(?:\[[\w.,/-]*\]|[\w./-]+)", text)
    assert overrides
    for override in overrides:
        stage_4 = [ROOT / "src" / "configs" / "stage_4.yaml"] if override.startswith("distil.") else []
        load_config(TrainConfig, *stage_4, overrides=[override])
    for section, name in re.findall(rf"`({sections})\.(\w+)`", text):
        assert hasattr(getattr(TrainConfig(), section), name), f"{section}.{name}"


def test_every_variable_of_the_training_script_is_read_and_none_is_left_out() -> None:
    source = (ROOT / "src" / "talkvid" / "cli" / "launch_train.py").read_text(encoding="utf-8")
    used = {word.split("=")[0] for command in commands() for word in command if re.match(r"[A-Z_]+=", word)}
    assert used <= VARIABLES
    assert all(f'"{name}"' in source and f"`{name}`" in TRAINING for name in VARIABLES)


@pytest.mark.parametrize("text", blocks("python"))
def test_python_parses_and_its_names_can_be_imported(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


@pytest.mark.parametrize("text", blocks("json"))
def test_the_sample_entry_has_the_fields_of_the_record(text: str) -> None:
    from talkvid.records import SampleEntry

    assert set(json.loads(text)[0]) == {field.name for field in fields(SampleEntry)}


@pytest.mark.parametrize("command", commands(), ids=shlex.join)
def test_every_shell_command_starts_something_that_exists(command: list[str]) -> None:
    program, *rest = without_variables(command)
    assert program in PROGRAMS
    if program in ("bash", "python", "cp"):
        assert (ROOT / rest[0]).is_file()
    if program == "talkvid":
        assert rest[0] in VERBS
    if program == "bash":
        assert shutil.which("bash")


def test_nothing_is_claimed_that_is_not_ours() -> None:
    lowered = README.lower()
    assert "img.shields.io" not in lowered and "star-history" not in lowered
    assert "not the official code" in lowered
