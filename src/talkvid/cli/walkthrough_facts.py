"""What the steps of the walk-through left behind, in few numbers: decisions, losses, scores."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from talkvid.training.logbook import read_losses

STATES = ("kept", "rejected", "failed")
SCORES = (
    ("mel", "mel"),
    ("mel", "mel_control"),
    ("lips", "lip_distance"),
    ("lips", "opening_r"),
    ("ssim", "ssim"),
    ("sharpness", "sharpness_ratio"),
    ("faces", "one_face"),
)
"""Columns of the evaluation that the page shows; its report has all."""
ARROWS = {"higher": " ↑", "lower": " ↓", "zero": " →0", "one": " →1", "none": ""}
NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Decided:
    """What became of one clip."""

    clip: str
    state: str
    code: str
    reason: str


def decisions(curated: Path) -> list[Decided]:
    """Return what a curation kept, rejected and failed on, from its exported lists."""
    found = []
    for state in STATES:
        text = (curated / "exports" / f"{state}.jsonl").read_text(encoding="utf-8")
        for line in text.splitlines():
            row = json.loads(line)
            # A path at the beginning says nothing here that the name does not.
            reason = str(row.get("reason") or "").rpartition(f"{row.get('path')}: ")[2]
            found.append(Decided(str(row["id"]), state, str(row.get("code") or ""), reason))
    return found


def loss_lines(path: Path) -> tuple[str, str, str, str]:
    """Return steps, mean loss of the first and of the last tenth, and median seconds per step."""
    rows = read_losses(path)
    if not rows:
        return "0", NOTHING, NOTHING, NOTHING
    tenth = max(1, len(rows) // 10)
    losses = [row["loss"] for row in rows]
    return (
        f"{rows[-1]['step']:.0f}",
        f"{fmean(losses[:tenth]):.2f}",
        f"{fmean(losses[-tenth:]):.2f}",
        f"{median(row['seconds'] for row in rows):.1f}",
    )


def score_rows(summary: Path) -> tuple[list[str], list[list[str]], list[str]]:
    """Return headings, rows (name and cells as text) and warnings of an evaluation's summary.json."""
    found: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    columns = {(one["metric"], one["key"]): one for one in found["columns"]}
    shown = [columns[wanted] for wanted in SCORES if wanted in columns]
    cells = {(one["row"], one["metric"], one["number"]): one["mean"] for one in found["cells"]}
    heads = [one["heading"] + ARROWS[one["better"]] for one in shown]
    rows = []
    for row in found["rows"]:
        numbers = [cells.get((row["name"], one["metric"], one["key"])) for one in shown]
        texts = [
            NOTHING if number is None else f"{number:.{one['digits']}f}"
            for number, one in zip(numbers, shown, strict=True)
        ]
        rows.append([row["name"], *texts])
    return heads, rows, list(found["warnings"])
