"""Running the steps of the walk-through: each command printed, timed and logged; what is done is skipped."""

import contextlib
import json
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from talkvid.cli.walkthrough_plan import ROOT, Command, Step
from talkvid.files import atomic_path
from talkvid.media import ffmpeg

JOURNAL = "walkthrough.json"
LOGS = "logs"


class Journal:
    """What is done and how long it took, in one JSON file; written anew after every command."""

    def __init__(self, out: Path) -> None:
        self._path = out / JOURNAL
        self.steps: dict[str, dict[str, Any]] = {}
        with contextlib.suppress(FileNotFoundError):
            self.steps = json.loads(self._path.read_text(encoding="utf-8"))

    def is_same(self, step: Step) -> bool:
        """Return whether the step was begun with just these commands."""
        return self._told(step).get("commands") == [list(command) for command in step.commands]

    def is_done(self, step: Step) -> bool:
        """Return whether all of these commands have come to their end."""
        return self.is_same(step) and bool(self._told(step).get("done"))

    def begin(self, step: Step) -> None:
        """Note that a step begins."""
        self.steps[step.name] = {"commands": step.commands, "done": False, "seconds": {}}
        self._write()

    def took(self, step: Step, place: int, seconds: float) -> None:
        """Note what one command took; a step is done after its last one."""
        told = self.steps[step.name]
        told["seconds"][str(place)] = round(seconds, 1)
        told["done"] = place == len(step.commands) - 1
        self._write()

    def forget(self, step: Step) -> None:
        """Note that a step has to be made anew."""
        self.steps.pop(step.name, None)
        self._write()

    def seconds(self, step: Step) -> list[float]:
        """Return what each command of a finished step took, wall clock."""
        told = self._told(step).get("seconds", {})
        return [float(told[str(place)]) for place in range(len(step.commands)) if str(place) in told]

    def _told(self, step: Step) -> dict[str, Any]:
        return self.steps.get(step.name, {})

    def _write(self) -> None:
        with atomic_path(self._path) as temporary:
            temporary.write_text(json.dumps(self.steps, indent=1) + "\n", encoding="utf-8")
        self.steps = json.loads(self._path.read_text(encoding="utf-8"))


def run_steps(steps: Sequence[Step], out: Path) -> Iterator[Step]:
    """Run what is not done yet and yield each step when it is; raise ValueError when a command fails.

    A step that was begun with these commands goes on where it was; one whose commands have changed is made
    anew from an empty folder, and so are all behind it.
    """
    journal, is_new = Journal(out), False
    for number, step in enumerate(steps, start=1):
        is_new = is_new or not journal.is_same(step)
        say(f"\n[{number}/{len(steps)}] {step.title}")
        if not is_new and journal.is_done(step):
            say("    done before")
        else:
            if is_new:
                shutil.rmtree(out / step.folder, ignore_errors=True)
                for later in steps[number:]:
                    journal.forget(later)
                journal.begin(step)
            (out / step.folder).mkdir(parents=True, exist_ok=True)
            if step.files:
                step.files(out)
            for place, command in enumerate(step.commands):
                seconds = run_command(command, out / LOGS / f"{step.folder}_{place + 1}.txt")
                journal.took(step, place, seconds)
        yield step


def run_command(command: Command, log: Path) -> float:
    """Print a command, run it in the repository's root, keep what it says in a file; return its seconds."""
    say(f"+ {shlex.join(command)}")
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as kept, subprocess.Popen(
        process_arguments(command), cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            kept.write(line)
            say(f"    {line.rstrip()}")
    if process.returncode:
        raise ValueError(
            f"{shlex.join(command)}: ended with exit code {process.returncode}; what it said is in {log}; "
            "the same command goes on from there"
        )
    return time.monotonic() - start


def process_arguments(command: Command) -> list[str]:
    """Return the program and its arguments: this Python's talkvid, the ffmpeg that comes with it."""
    program, *rest = command
    if program == "ffmpeg":
        return ffmpeg.command(*rest)
    assert program == "talkvid"
    return [sys.executable, "-m", "talkvid.cli.main", *rest]


def say(line: str) -> None:
    """Write a line to stderr; stdout holds the path of the page alone."""
    print(line, file=sys.stderr, flush=True)
