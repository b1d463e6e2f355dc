"""Writes a run's tables: results.csv, summary.csv, summary.json, summary.md and groups.md."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.cells import Cell, CellId
from talkvid.evaluation.suite.groups import GroupTable
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.spreadsheets import results_csv, summary_csv
from talkvid.evaluation.suite.summary import Summary
from talkvid.evaluation.suite.summary_page import groups_markdown, summary_markdown
from talkvid.files import atomic_path

RESULTS_CSV, SUMMARY_CSV = "results.csv", "summary.csv"
SUMMARY_JSON, SUMMARY_MD, GROUPS_MD = "summary.json", "summary.md", "groups.md"


def write_tables(
    evaluation: Evaluation,
    summary: Summary,
    folder: Path,
    *,
    groups: Sequence[GroupTable] = (),
    user_scores: Mapping[str, UserScore] | None = None,
    title: str = "Evaluation",
    intervals: bool = True,
) -> list[Path]:
    """Write all tables into `folder` and return their paths; groups.md only where there are groups.

    Every file is whole or not there. `user_scores` by system are those of a study with raters.
    """
    whole = summary_markdown(evaluation, summary, title=title, intervals=intervals, user_scores=user_scores)
    texts = {
        RESULTS_CSV: results_csv(evaluation),
        SUMMARY_CSV: summary_csv(summary, groups),
        SUMMARY_JSON: summary_json(evaluation, summary, groups),
        SUMMARY_MD: whole,
    }
    if groups:
        texts[GROUPS_MD] = groups_markdown(summary, groups, title=f"{title}: subgroups", intervals=intervals)
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def summary_json(evaluation: Evaluation, summary: Summary, groups: Sequence[GroupTable] = ()) -> str:
    """Return everything that the tables say as JSON, null where there is no number."""
    content = {
        "settings": evaluation.settings,
        "columns": [{"metric": one.metric, **dataclasses.asdict(one.column)} for one in summary.columns],
        "rows": [dataclasses.asdict(row) for row in summary.rows],
        "cells": _cells(summary.cells),
        "shared": _cells(summary.shared),
        "controls": [{**dataclasses.asdict(one), "told": one.told} for one in summary.separations],
        "better_than_truth": [dataclasses.asdict(one) for one in summary.better_than_truth],
        "groups": [
            {
                "dimension": table.dimension,
                "num_unstated": table.num_unstated,
                "values": [
                    {
                        "value": group.value,
                        "num_clips": group.num_clips,
                        "few": group.few,
                        "cells": _cells(group.cells),
                    }
                    for group in table.groups
                ],
            }
            for table in groups
        ],
        "warnings": summary.warnings,
        "left_out": [dataclasses.asdict(one) for one in summary.left_out],
        "bootstrap": {"resamples": summary.resamples, "seed": summary.seed, "interval": "95 % percentile"},
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _cells(cells: Mapping[CellId, Cell]) -> list[dict[str, Any]]:
    return [
        {"row": row, "metric": metric, "number": key, **dataclasses.asdict(cell), "few": cell.few}
        for (row, metric, key), cell in cells.items()
        if cell.mean is not None or cell.num_missing
    ]
