"""The README cannot rot: its flags, paths, settings, commands and Python exist."""

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
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)
TOP_FOLDERS = ("src/", "scripts/", "tests/", "test_samples/", "tools/", "benchmarks/", "assets/", ".ci/")
OTHERS_FLAGS = {"--help"}
PROGRAMS = {"bash", "python", "pip", "talkvid"}


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


def test_every_flag_exists() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_]+", README))
    assert named and named <= known_flags(), named - known_flags()


def test_every_path_exists() -> None:
    words = re.findall(r"[\w./-]+", README)
    paths = {word.rstrip(".") for word in words if word.startswith(TOP_FOLDERS)}
    paths |= {name for name in re.findall(r"`([\w.-]+)`", README) if name.endswith((".md", ".txt", ".toml"))}
    assert paths
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert not missing


def test_every_setting_exists() -> None:
    from talkvid.training.config import TrainConfig

    sections = "|".join(field.name for field in fields(TrainConfig))
    overrides = re.findall(rf"\b(?:{sections})\.\w+=[\w.-]+", README)
    assert overrides
    load_config(TrainConfig, overrides=overrides)


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
    if program in ("bash", "python"):
        assert (ROOT / rest[0]).is_file()
    if program == "talkvid":
        assert rest[0] in VERBS
    if program == "bash":
        assert shutil.which("bash")


def test_nothing_is_claimed_that_is_not_ours() -> None:
    lowered = README.lower()
    assert "img.shields.io" not in lowered and "star-history" not in lowered
    assert "not the official code" in lowered
