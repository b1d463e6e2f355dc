"""Run in a process of its own by the doctor: imports modules one by one and tells what each of them says.

A module that crashes the process, or never comes back, then takes nothing with it. Each line written is JSON.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from talkvid.cli.checkup.check import one_line

Say = Callable[[dict[str, Any]], None]


def main(topics: list[str]) -> None:
    """Examine each topic: `module`, `module:name`, or `facts:NAME` for a function of `facts`."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with ours

    def say(line: dict[str, Any]) -> None:
        stream.write(json.dumps(line) + "\n")
        stream.flush()

    examine(topics, say)


def examine(topics: list[str], say: Say) -> None:
    """Say of each topic that it begins, and then what came of it."""
    for topic in topics:
        say({"topic": topic, "begins": True})
        try:
            found = _facts(topic) if topic.startswith("facts:") else _imported(topic)
            say({"topic": topic, "error": "", "found": found})
        except BaseException as error:  # a broken package may raise anything, SystemExit among it
            say({"topic": topic, "error": f"{type(error).__name__}: {one_line(error)}", "found": {}})


def _imported(topic: str) -> dict[str, Any]:
    name, _, attribute = topic.partition(":")
    module = importlib.import_module(name)
    if attribute:
        getattr(module, attribute)
    return {"version": str(vars(module).get("__version__", ""))}


def _facts(topic: str) -> dict[str, Any]:
    from talkvid.cli.checkup import facts

    name, _, argument = topic.removeprefix("facts:").partition("=")
    function = facts.FACTS[name]
    found: dict[str, Any] = function(argument) if argument else function()
    return found
