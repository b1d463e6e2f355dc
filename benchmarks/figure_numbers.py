"""Counts of a curated folder that figures are drawn from: no path, no name, no picture of it goes along.

python -m benchmarks.figure_numbers RUN_FOLDER --about 'which clips' -o assets/numbers/research_clips.json
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.curation.records import KEPT
from talkvid.curation.report_numbers import distributions, funnel, totals
from talkvid.curation.report_table import RunTable
from talkvid.files import atomic_path

SCORES = {
    "score.scan.speech_ratio": ("share of speech", 0.0, 1.0),
    "score.head.avg_movement": ("steadiness of the head, 100: still", 80.0, 100.0),
    "score.quality.classical_quality": ("picture quality (classical)", 0.0, 100.0),
}
"""Column of clips.parquet: its name, and the range that is counted; what lies outside counts at its end."""
BINS = 10


def numbers_of(folder: Path, *, about: str) -> dict[str, Any]:
    """Return what figures need of a run folder: totals, the stages with reasons, spreads, scores."""
    table = RunTable(folder)
    kept = table.has(KEPT)
    return {
        "about": about,
        "totals": {status: counted(amount) for status, amount in totals(table).items()},
        "funnel": [
            {
                "stage": step.stage,
                "in": counted(step.entered),
                "codes": {code: amount.clips for code, amount in step.codes.items()},
                "passed": counted(step.passed),
            }
            for step in funnel(table)
        ],
        "spreads": [
            {"name": each.name, "groups": [[one.name, one.all.clips, one.kept.clips] for one in each.groups]}
            for each in distributions(table)
        ],
        "scores": [histogram(table, column, kept) for column in SCORES],
    }  # fmt: skip


def counted(amount: Any) -> list[float]:
    """Return clips and seconds."""
    return [amount.clips, round(amount.seconds, 1)]


def histogram(table: RunTable, column: str, kept: Any) -> dict[str, Any]:
    """Return how many clips, and how many kept ones, lie in each part of a score's range."""
    name, low, high = SCORES[column]
    values = np.asarray(table.column(column), dtype=np.float64)
    known = ~np.isnan(values)
    edges = np.linspace(low, high, BINS + 1)
    inside = np.clip(values, low, high)
    every, good = (np.histogram(inside[known & chosen], edges)[0].tolist() for chosen in (True, kept))
    return {"name": name, "edges": edges.round(3).tolist(), "all": every, "kept": good}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="run folder of talkvid curate")
    parser.add_argument("--about", required=True, help="which clips these are, and where they come from")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    text = json.dumps(numbers_of(arguments.folder, about=arguments.about), indent=1)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    print(arguments.output)


if __name__ == "__main__":
    main()
