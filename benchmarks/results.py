"""Writing of RESULTS.md: each benchmark that reports there keeps its own section between two markers."""

import os
import platform
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from talkvid.files import atomic_path

RESULTS = Path(__file__).with_name("RESULTS.md")


def write_section(text: str, benchmark: str, key: str = "", *, path: Path = RESULTS) -> None:
    """Put a section between its markers: in its place, or at the end of the file when it is new."""
    name = f"{benchmark} {key}".strip()
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    block = f"{begin}\n{text.rstrip()}\n{end}\n"
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    if begin in old:
        before, after = old.split(begin, 1)[0], old.split(end, 1)[1].removeprefix("\n")
        new = before + block + after
    else:
        new = f"{old.rstrip()}\n\n{block}" if old.strip() else block
    with atomic_path(path) as temporary:
        temporary.write_text(new, encoding="utf-8")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def made_by(command: str) -> str:
    """Return the line that says how a section was made: command, day, torch, machine."""
    return (
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, torch {torch.__version__}, "
        f"{os.cpu_count()} cores, {processor()}."
    )


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def paragraph(*sentences: str) -> str:
    """Return the sentences as lines of at most 118 letters."""
    return textwrap.fill(" ".join(sentences), 118, break_long_words=False, break_on_hyphens=False)
