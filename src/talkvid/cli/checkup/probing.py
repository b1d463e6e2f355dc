"""Starts the probe, and goes on with the next topic when one of them kills it or does not come back."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import talkvid

DEADLINE_S = 300.0
"""On a crowded machine the first import of torch took more than two minutes."""
LATE = "did not come back within"
_SOURCE = (
    "import sys; sys.path.append(sys.argv[1]); from talkvid.cli.checkup.probe import main; main(sys.argv[2:])"
)


@dataclass(frozen=True)
class Outcome:
    """What came of one topic of the probe."""

    error: str = ""
    """One line; empty when all went well."""
    found: dict[str, Any] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        """Return whether the module could be imported, or the facts be told."""
        return not self.error

    @property
    def is_absent(self) -> bool:
        """Return whether the reason is that a module is not there."""
        return self.error.startswith("ModuleNotFoundError")


def probe(topics: Sequence[str], *, deadline_s: float = DEADLINE_S) -> dict[str, Outcome]:
    """Return topic -> outcome; each topic has `deadline_s` seconds, and none can harm this process."""
    outcomes: dict[str, Outcome] = {}
    left = list(topics)
    while left:
        told, began, ending = _run(left, deadline_s)
        outcomes.update(told)
        if began is not None and began not in told:
            outcomes[began] = Outcome(ending)
        rest = [topic for topic in left if topic not in outcomes]
        if len(rest) == len(left):  # not even the first began: Python itself does not start
            outcomes.update(dict.fromkeys(rest, Outcome(ending)))
            break
        left = rest
    return {topic: outcomes[topic] for topic in topics}


def _run(topics: list[str], deadline_s: float) -> tuple[dict[str, Outcome], str | None, str]:
    """Return what one process told, the topic it was at when it ended, and how it ended."""
    # -P: a file torch.py in the folder one happens to be in is not torch.
    home = str(Path(talkvid.__file__).resolve().parents[1])
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _SOURCE, home, *topics],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore"}, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    told: dict[str, Outcome] = {}
    began, ends_at = None, time.monotonic() + deadline_s
    while True:
        try:
            line = lines.get(timeout=max(0.0, ends_at - time.monotonic()))
        except queue.Empty:
            process.kill()
            process.wait()
            return told, began, f"{LATE} {deadline_s:.0f} s"
        if line is None:
            return told, began, _ending(process.wait())
        said = json.loads(line)
        if said.get("begins"):
            began, ends_at = said["topic"], time.monotonic() + deadline_s
        else:
            told[said["topic"]] = Outcome(said["error"], said["found"])


def _read(stream: IO[str], lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _ending(code: int) -> str:
    if code < 0:
        name = signal.Signals(-code).name
        hint = ": built for another processor" if name == "SIGILL" else ""
        return f"kills Python ({name}{hint})"
    return f"ends Python (exit code {code})"
