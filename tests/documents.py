"""What the documents say, taken apart: commands, settings, links, code; and the parsers they must fit."""

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from talkvid.cli.main import VERBS

ROOT = Path(__file__).resolve().parent.parent
LAUNCHED = {"inference": "generate"}
"""What a script calls a verb -> the verb."""
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Document:
    """One page."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """Return the text without its blocks."""
        return FENCE.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        return [match[3] for match in FENCE.finditer(self.text) if match[2] == language]

    def commands(self) -> list[list[str]]:
        """Return the words of every shell command of its blocks, assignments in front left out."""
        joined = "\n".join(self.blocks("bash")).replace("\\\n", " ")
        found = [shlex.split(line, comments=True) for line in joined.splitlines()]
        parts = [part for words in found for part in _parts(words)]
        return [bare for bare in map(without_variables, parts) if bare]

    def spans(self) -> list[str]:
        """Return what stands between backticks, line breaks as spaces."""
        return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", self.prose)]

    def anchors(self) -> set[str]:
        """Return the names by which its headings can be linked to, made as GitHub makes them."""
        return {anchor_of(title) for title in re.findall(r"^#+ +(.+)$", self.prose, flags=re.MULTILINE)}

    def links(self) -> list[tuple[str, str]]:
        """Return (file, anchor) of every link and picture that is no web address."""
        targets = re.findall(r"\]\(([^)\s]+)\)", self.prose)
        inside = [target for target in targets if not re.match(r"[a-z]+:", target)]
        return [(target.partition("#")[0], target.partition("#")[2]) for target in inside]

    def find(self, path: str) -> Path | None:
        """Return the file that a path of the text means, from the page's folder or the root."""
        places = (self.path.parent / path, ROOT / path)
        return next((place for place in places if place.exists()), None)


def _parts(words: list[str]) -> Iterator[list[str]]:
    """Yield the commands of a line that are joined by && or ;."""
    part: list[str] = []
    for word in words:
        if word in ("&&", ";"):
            yield part
            part = []
        else:
            part.append(word)
    yield part


def without_variables(command: list[str]) -> list[str]:
    """Return a command without the assignments in front of it."""
    while command and re.match(r"[A-Z_]+=", command[0]):
        command = command[1:]
    return command


def anchor_of(title: str) -> str:
    """Return GitHub's anchor of a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@cache
def documents() -> tuple[Document, ...]:
    """Return all pages of the repository that people read."""
    folders = (
        "docs",
        "data_pipeline",
        "test_samples",
        "src/data_preprocess",
        "src/talkvid/weights",
        "benchmarks",
    )
    found = {ROOT / "README.md", ROOT / "CONTRIBUTING.md"}
    found |= {path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix == ".md"}
    return tuple(Document(path) for path in sorted(found))


@cache
def parser_of(verb: str) -> argparse.ArgumentParser:
    """Return the real parser of a verb."""
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    importlib.import_module(f"talkvid.cli.{verb}").add_arguments(parser)
    parser.add_argument("--verbose", action="store_true")
    return parser


@cache
def flags_of(verb: str) -> frozenset[str]:
    """Return every flag that a verb or one of its own verbs has."""
    return frozenset(_flags(parser_of(verb)))


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _flags(inner)


def script_call(script: Path, words: list[str]) -> list[str] | None:
    """Return the talkvid command that one of our scripts stands for; None for those that are something else.

    What follows `train` and `test` is not ours to parse: settings, and flags of pytest.
    """
    match = re.search(r"cli/launch\.py\" (.+)\"\$@\"", script.read_text(encoding="utf-8"))
    if match is None:
        return None
    verb, *fixed = [word for word in shlex.split(match[1].replace("$here", str(script.parent)))]
    verb = LAUNCHED.get(verb, verb)
    return [verb, *fixed, *words] if verb in VERBS and verb != "train" else None


@cache
def other_flags() -> frozenset[str]:
    """Return the flags that benchmarks, scripts and training's own modules define, as their sources say."""
    folders = ("benchmarks", "scripts", "src/talkvid/training", "src/talkvid/curation")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    return frozenset(re.findall(r"[\"'](--[a-z][a-z0-9_-]*)[\"']", text))
