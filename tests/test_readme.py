"""The documents cannot rot: their commands, flags, settings, paths, links, variables and Python exist."""

import argparse
import ast
import functools
import importlib
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from talkvid.cli.main import VERBS
from tests.document_settings import check_settings
from tests.documents import (
    ROOT,
    Document,
    documents,
    flags_of,
    other_flags,
    parser_of,
    script_call,
)

README = Document(ROOT / "README.md")
TRAINING = Document(ROOT / "docs" / "training.md")
EXTENDING = Document(ROOT / "docs" / "extending.md")
"""Its commands need its own parts; tests/test_extending.py runs them."""
TOP_FOLDERS = (
    "src/",
    "scripts/",
    "tests/",
    "test_samples/",
    "docs/",
    "benchmarks/",
    "assets/",
    "data_pipeline/",
    ".ci/",
)
OTHERS_FLAGS = {"--help", "--multi_gpu", "--use_deepspeed", "--logdir", "--check", "--user", "--directory"}
"""Flags of accelerate, tensorboard, sha256sum, docker and http.server that sentences name."""
PROGRAMS = {
    "bash",
    "python",
    "pip",
    "talkvid",
    "cp",
    "export",
    "source",
    "make",
    "git",
    "apt",
    "conda",
    "docker",
    "sha256sum",
}
TRAIN_VARIABLES = {"STAGE", "TRAIN", "GPU", "ENGINE", "CONFIG", "HOST_NUM", "INDEX", "CHIEF_IP", "CHIEF_PORT"}

each_page = pytest.mark.parametrize("page", documents(), ids=lambda page: page.name)


def test_the_first_two_commands_are_the_promised_ones() -> None:
    assert README.commands()[:2] == [["bash", "scripts/inference.sh"], ["bash", "scripts/test.sh"]]


def test_the_readme_can_be_read_in_minutes() -> None:
    words = len(re.findall(r"\w+", re.sub(r"\|.*", "", README.prose)))
    assert words < 1200, f"{words} words beside tables and commands: move detail to docs/"


@each_page
def test_every_shell_block_parses(page: Document) -> None:
    bash = shutil.which("bash")
    for text in page.blocks("bash"):
        subprocess.run([str(bash), "-n"], input=text, text=True, check=True)


@each_page
def test_every_shell_command_starts_something_that_exists(page: Document) -> None:
    for command in page.commands():
        program, *rest = command
        assert program in PROGRAMS, command
        if program in ("bash", "cp") or (program == "python" and not rest[0].startswith("-")):
            assert page.find(rest[0]), f"{page.name}: {shlex.join(command)}"
        if program == "python" and rest[0] == "-m":
            assert importlib.util.find_spec(rest[1]), command
        if program == "make":
            targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
            assert set(rest) <= targets, command


@pytest.mark.parametrize(
    "page", [page for page in documents() if page != EXTENDING], ids=lambda page: page.name
)
def test_the_real_parser_takes_every_command(page: Document) -> None:
    for command in page.commands():
        called = command[1:] if command[0] == "talkvid" else None
        if command[0] == "bash" and (script := page.find(command[1])) is not None:
            called = script_call(script, command[2:])
        if called is not None:
            assert called[0] in VERBS, command
            try:
                parsed, left = parser_of(called[0]).parse_known_intermixed_args(called[1:])
            except (argparse.ArgumentError, SystemExit) as error:
                pytest.fail(f"{page.name}: {shlex.join(command)}: {error}")
            assert not left, f"{page.name}: {shlex.join(command)}: not known: {left}"
            if called[0] == "curate":
                check_settings(parsed.words)


@each_page
def test_every_command_in_a_sentence_names_a_verb_and_flags_of_it(page: Document) -> None:
    for span in page.spans():
        words = span.split()
        if words[0] == "talkvid" and len(words) > 1 and words[1].isalpha() and words[1].islower():
            assert words[1] in VERBS, f"{page.name}: {span}"
            named = set(re.findall(r"(?<!\S)--[a-z][a-z_]+", span))
            assert named <= flags_of(words[1]) | {"--help"}, f"{page.name}: {span}"
        if words[:2] == ["python", "-m"]:
            assert importlib.util.find_spec(words[2]), f"{page.name}: {span}"


@each_page
def test_every_flag_exists(page: Document) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z_]+(?![\w-])", page.text))
    known = frozenset().union(*map(flags_of, VERBS)) | other_flags() | OTHERS_FLAGS
    named -= {word.partition("=")[0] for command in page.commands() if is_others(command) for word in command}
    assert named <= known, f"{page.name}: {named - known}"


def is_others(command: list[str]) -> bool:
    """Return whether a command starts somebody else's program."""
    return command[0] in PROGRAMS - {"bash", "python", "talkvid"} or command[:3] == [
        "python",
        "-m",
        "http.server",
    ]


@each_page
def test_every_path_exists(page: Document) -> None:
    words = {word.rstrip(".") for word in re.findall(r"(?<![\w./])[\w.-]+/[\w./-]+", page.text)}
    paths = {word for word in words if word.startswith(TOP_FOLDERS)}
    paths |= {
        span for span in page.spans() if re.fullmatch(r"[\w.-]+\.(md|txt|toml)", span) and span[0].isupper()
    }
    made = {command[2] for command in page.commands() if command[0] == "cp"}
    known = {"LICENSE", "README.md", "NAME.txt", "CLIP.txt"}
    missing = [path for path in paths - made - known if not page.find(path.replace("_N.", "_1."))]
    assert not missing, f"{page.name}: {missing}"


@each_page
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Document) -> None:
    for file, anchor in page.links():
        target = page if not file else Document((page.path.parent / file).resolve())
        assert target.path.exists(), f"{page.name}: {file}"
        assert not anchor or anchor in target.anchors(), f"{page.name}: {file}#{anchor}"


@each_page
def test_every_setting_exists(page: Document) -> None:
    check_settings(word for span in page.spans() for word in _split(span))
    check_settings(word for command in page.commands() for word in command if page != EXTENDING)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # An apostrophe.
        return text.split()


@each_page
def test_every_variable_is_read_somewhere(page: Document) -> None:
    named = set(re.findall(r"`\$?([A-Z][A-Z_]{3,})`", page.prose)) & all_variables()
    named |= {word for text in page.blocks("bash") for word in re.findall(r"(?<![\w$])([A-Z_]{2,})=", text)}
    sources = "\n".join(path.read_text(encoding="utf-8") for path in sources_with_variables())
    unknown = {name for name in named if not re.search(rf"\b{name}\b", sources)}
    assert not unknown, f"{page.name}: {unknown}"


@functools.cache
def sources_with_variables() -> tuple[Path, ...]:
    return (*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").iterdir(), *(ROOT / "benchmarks").glob("*.py"))


@functools.cache
def all_variables() -> set[str]:
    """Return what the pages call a variable: everything that is set in front of a command or exported."""
    text = "\n".join(page.text for page in documents())
    return set(re.findall(r"(?:^|[ `])([A-Z][A-Z_]{2,})=", text)) | {"TALKVID_PLUGINS", "TALKVID_VENV"}


def test_every_variable_of_the_training_script_is_read_and_none_is_left_out() -> None:
    source = (ROOT / "src" / "talkvid" / "cli" / "launch_train.py").read_text(encoding="utf-8")
    assert all(f'"{name}"' in source and f"`{name}`" in TRAINING.text for name in TRAIN_VARIABLES)


@each_page
def test_python_parses_and_its_names_can_be_imported(page: Document) -> None:
    for text in page.blocks("python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module:
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names)


@each_page
def test_every_name_of_the_package_exists(page: Document) -> None:
    for span in page.spans():
        if re.fullmatch(r"talkvid(\.\w+)+", span) and not span.endswith((".json", ".parquet")):
            assert resolve(span) is not None, f"{page.name}: {span}"


def resolve(dotted: str) -> object:
    """Return what a dotted name means; None for nothing."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            found = getattr(found, part, None)
        return found
    return None


@each_page
def test_json_and_yaml_parse(page: Document) -> None:
    for text in page.blocks("json"):
        json.loads(text)
    for text in page.blocks("yaml"):
        yaml.safe_load(text)


def test_nothing_is_claimed_that_is_not_ours() -> None:
    lowered = README.text.lower()
    assert "img.shields.io" not in lowered and "star-history" not in lowered
    assert "not the official code" in lowered
