"""The folder `statistics` of a run: figures, the numbers behind them, and the data-set card."""

import csv
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from talkvid.curation.comparison import PUBLISHED, comparison_markdown, measured, write_comparison
from talkvid.curation.data_card import data_card
from talkvid.curation.figures import distribution_figure, funnel_figure
from talkvid.curation.figures_sheet import draw_sheet, sheet_pictures
from talkvid.curation.report_numbers import (
    Amount,
    Distribution,
    Step,
    codes_of,
    distributions,
    funnel,
    rule_counts,
    totals,
)
from talkvid.curation.report_settings import ReportConfig
from talkvid.curation.report_table import RunTable
from talkvid.curation.thumbnails import make_thumbnails
from talkvid.files import atomic_path

logger = logging.getLogger(__name__)

FOLDER = "statistics"


def write_statistics(out: Path, *, config: ReportConfig | None = None) -> Path:
    """Write `statistics/` into a run folder and return its path.

    data_distribution.png, data_filter.png, diversity.png (where there are pictures of kept clips), numbers as
    CSV and JSON, comparison.md and dataset_card.md. FileNotFoundError without `clips.parquet`.
    """
    config = config or ReportConfig()
    out = Path(out)
    table = RunTable(out)
    folder = out / FOLDER
    name = config.title or out.resolve().name
    spreads, steps, whole = distributions(table), funnel(table), totals(table)
    _write_numbers(folder, table, whole=whole, steps=steps, spreads=spreads)
    distribution_figure(spreads, folder / "data_distribution.png", title=f"What the clips of {name} are")
    funnel_figure(steps, folder / "data_filter.png", title=f"What each stage let pass: {name}")
    rows = [measured(table, name=name), *PUBLISHED]
    write_comparison(rows, folder / "comparison.csv")
    _write(folder / "comparison.md", comparison_markdown(rows))
    card = data_card(
        table,
        name=name,
        totals=whole,
        spreads=spreads,
        rules=rule_counts(table),
        comparison=rows,
        sheet=_write_sheet(folder / "diversity.png", table, config),
    )
    _write(folder / "dataset_card.md", card)
    return folder


def _write_sheet(target: Path, table: RunTable, config: ReportConfig) -> bool:
    """Write the diversity sheet, remove an old one where there is no picture; return whether it is there."""
    wanted = sheet_pictures(table, most=config.sheet)
    found = make_thumbnails(wanted, **config.drawing())
    if found:
        draw_sheet({request.id: found[request.id] for request in wanted if request.id in found}, target)
        return True
    target.unlink(missing_ok=True)
    if wanted:
        logger.warning("%s: no picture of the %d kept clips could be drawn", target, len(wanted))
    return False


def _write_numbers(
    folder: Path,
    table: RunTable,
    *,
    whole: Mapping[str, Amount],
    steps: Sequence[Step],
    spreads: Sequence[Distribution],
) -> None:
    counted = zip(table.rules, rule_counts(table), strict=True)
    numbers: dict[str, Any] = {
        "totals": {status: asdict(amount) for status, amount in whole.items()},
        "codes": {code: asdict(found) for code, found in codes_of(table, table.code != "").items()},
        "funnel": [asdict(step) for step in steps],
        "rules": [{**asdict(rule), **asdict(found)} for rule, found in counted],
        "backends": table.by_stage("backend"),
        "distributions": [asdict(spread) for spread in spreads],
    }
    _write(folder / "statistics.json", json.dumps(numbers, indent=1, ensure_ascii=False) + "\n")
    _write_csv(
        folder / "data_distribution.csv",
        ("dimension", "value", "clips", "seconds", "kept_clips", "kept_seconds"),
        (
            (spread.name, group.name, *_cells(group.all), *_cells(group.kept))
            for spread in spreads
            for group in spread.groups
        ),
    )
    _write_csv(
        folder / "data_filter.csv",
        ("stage", "what", "clips", "seconds"),
        (
            (step.stage, what, *_cells(amount))
            for step in steps
            for what, amount in (("in", step.entered), *step.left.items(), ("passed", step.passed))
        ),
    )


def _cells(amount: Amount) -> tuple[int, float]:
    return amount.clips, round(amount.seconds, 3)


def _write_csv(target: Path, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(heads)
        writer.writerows(rows)


def _write(target: Path, text: str) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")
