"""The report: as lines for people, and as JSON whose form does not change within a version of its schema."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import talkvid
from talkvid.cli.checkup import models
from talkvid.cli.checkup.check import JOBS, Check, stoppers
from talkvid.cli.checkup.jobs import extras_of, start_command
from talkvid.cli.checkup.wanted import checkout, install_command

SCHEMA = 1
"""Raised when a field goes or changes its meaning; new fields leave it as it is."""
NAME_WIDTH = 26
COLLAPSED = models.TOPIC
"""Of this topic, what is not there shares a line; it has one remedy but for the name."""


def as_json(checks: Sequence[Check], *, job: str) -> dict[str, Any]:
    """Return the report as plain values, see docs/doctor.md."""
    root = checkout()
    return {
        "schema": SCHEMA,
        "talkvid": talkvid.__version__,
        "job": job,
        "ready": not stoppers(checks, job),
        "jobs": {
            name: {
                "ready": not stoppers(checks, name),
                "stopped_by": [f"{check.topic}: {check.name}" for check in stoppers(checks, name)],
                "command": start_command(name, root=root),
                "install": install_command(extras_of(name), root=root),
            }
            for name in JOBS
        },
        "checks": [{**dataclasses.asdict(check), "stops": list(check.stops)} for check in checks],
    }


def as_lines(checks: Sequence[Check], *, job: str) -> Iterator[str]:
    """Yield the lines of the report by topic, a remedy below what needs one, the verdict last."""
    topics = dict.fromkeys(check.topic for check in checks)
    for topic in topics:
        yield f"\n{topic}"
        yield from _topic_lines(_merged([check for check in checks if check.topic == topic], job), job)
    yield ""
    bad = stoppers(checks, job)
    names = ", ".join(dict.fromkeys(one.name for one in bad))
    yield (
        f"not ready: talkvid {job} cannot run; see {names} above" if bad else f"ready: talkvid {job} can run"
    )


def _merged(checks: Sequence[Check], job: str) -> list[Check]:
    """Return the findings, those of an extra as one where none of its packages is there nor wanted."""
    extras: dict[str, list[Check]] = {}
    for check in checks:
        extra, colon, _ = check.name.partition(": ")
        extras.setdefault(extra if colon else check.name, []).append(check)
    found: list[Check] = []
    for extra, members in extras.items():
        first = members[0]
        if extra == first.name or any(one.status != "absent" or job in one.stops for one in members):
            found += members
        else:
            names = ", ".join(one.name.partition(": ")[2] for one in members)
            detail = first.detail.replace("not installed", f"not installed ({names})", 1)
            found.append(dataclasses.replace(first, name=extra, detail=detail))
    return found


def _topic_lines(checks: Sequence[Check], job: str) -> Iterator[str]:
    """Yield the lines of one topic; what is not there and stops nothing takes one line, or one for all."""
    optional = [check for check in checks if check.status == "absent" and job not in check.stops]
    for check in checks:
        line = f"  {mark(check, job):<7} {check.name:<{NAME_WIDTH}} {check.detail}".rstrip()
        if check not in optional:
            yield line
            if check.remedy and check.status != "ok":
                yield f"  {'':<7} {'':<{NAME_WIDTH}} -> {check.remedy}"
        elif check.topic != COLLAPSED:
            yield f"{line} -> {check.remedy}" if check.remedy else line
    if optional and optional[0].topic == COLLAPSED:
        yield f"  {'-':<7} {'not there':<{NAME_WIDTH}} {', '.join(check.name for check in optional)}"
        yield f"  {'':<7} {'':<{NAME_WIDTH}} -> {optional[0].remedy.rpartition(' ')[0]} NAME"


def mark(check: Check, job: str) -> str:
    """Return the word in front of a line; capitals for what stops the job that was asked for."""
    if job in check.stops:
        return "MISSING" if check.status == "absent" else "BROKEN"
    return {"ok": "ok", "note": "note", "absent": "-", "broken": "broken"}[check.status]


def home_shortened(line: str) -> str:
    """Return a line with the user's own folder as ~, so that a report can be shown to others."""
    home = os.path.expanduser("~")
    return line.replace(home, "~") if len(home) > 1 else line
