"""An analysis as files: JSON, CSV, Markdown, the score for tables of methods, and a page to look at."""

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from talkvid.evaluation.raters.analysis import Analysis
from talkvid.evaluation.raters.analysis_page import page_text
from talkvid.evaluation.raters.analysis_rows import Row, rows
from talkvid.evaluation.raters.resampling import Interval
from talkvid.files import atomic_path

FORMAT = "talkvid-study-analysis/1"
PAGE_NAME = "index.html"


def write_analysis(analysis: Analysis, folder: Path) -> Path:
    """Write analysis.json, .md and .csv, user_scores.json and index.html; return the page's path.

    `user_scores.json` is {system: {mean, low, high, raters, question, unit}}. Older files of these names are
    replaced. ValueError when the folder cannot be made.
    """
    texts = {
        "analysis.json": json_text({"format": FORMAT, **asdict(analysis)}),
        "user_scores.json": json_text({name: asdict(score) for name, score in analysis.scores.items()}),
        "analysis.csv": csv_text(analysis),
        "analysis.md": markdown_text(analysis),
        PAGE_NAME: page_text(analysis),
    }
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return folder / PAGE_NAME


def json_text(content: Any) -> str:
    """Return JSON that every reader takes: no NaN."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def csv_text(analysis: Analysis) -> str:
    """Return one line for each number; an empty field is one that cannot be had."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["question", "measure", "of", "value", "low", "high", "interval", "answers", "raters", "clips"]
    )
    for row in rows(analysis):
        numbers = [_plain(number) for number in (row.value, row.interval.low, row.interval.high)]
        counts = ["" if count is None else count for count in (row.answers, row.raters, row.clips)]
        how = row.how if row.interval.low is not None else ""
        writer.writerow([row.question, row.measure, row.of, *numbers, how, *counts])
    return stream.getvalue()


def _plain(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"


def markdown_text(analysis: Analysis) -> str:
    """Return the report for reading and for pasting into other documents."""
    kind = "side by side" if analysis.kind == "ab" else "mean opinion scores, 1 bad to 5 excellent"
    lines = [
        f"# User study {analysis.study}: {kind}",
        "",
        f"{analysis.kept} raters count of {len(analysis.raters)} who handed in; {analysis.answers} answers "
        f"on {analysis.clips} clips. 95 % intervals; talkvid {analysis.version}, {analysis.draws} draws.",
        "",
        *(f"- **Mind**: {_cell(warning)}" for warning in analysis.warnings),
    ]
    for table in analysis.tables:
        own = [row for row in rows(analysis) if row.question == table.question.key]
        wording = table.question.compare if analysis.kind == "ab" else table.question.rate
        lines += ["", f"## {table.question.heading}", "", f"Asked: {wording}", ""]
        lines += [
            "| Measure | Of | Value | 95 % | Interval by | Answers | Raters |",
            "|---|---|--:|---|---|--:|--:|",
        ]
        lines += [_markdown_row(row) for row in own]
    lines += [
        "",
        "## Raters",
        "",
        "| Rater | Counts | Answered | Catch trials failed | Median s | Why, notes |",
    ]
    lines += ["|---|---|--:|--:|--:|---|"]
    for rater in analysis.raters:
        told = "; ".join((*rater.reasons, *rater.notes, *(f"{n} {why}" for why, n in rater.dropped.items())))
        lines.append(
            f"| {rater.rater} | {'yes' if rater.kept else 'no'} | {rater.answered}/{rater.trials} | "
            f"{rater.failed}/{rater.catches} | {_number(rater.median_seconds, 1)} | {_cell(told)} |"
        )
    if analysis.missing:
        lines += ["", f"Nothing came from {len(analysis.missing)}: {', '.join(analysis.missing)}."]
    if analysis.refused:
        lines += ["", "Files not used:", ""]
        lines += [f"- {_cell(one.name)}: {_cell(one.reason)}" for one in analysis.refused]
    return "\n".join(lines) + "\n"


def _markdown_row(row: Row) -> str:
    how = row.how if row.interval.low is not None else ""
    counts = ["" if count is None else str(count) for count in (row.answers, row.raters)]
    cells = [row.measure, _cell(row.of), _number(row.value), _span(row.interval), how, *counts]
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, digits: int = 3) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.{digits}f}"


def _span(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _cell(text: str) -> str:
    """Return a stranger's text so that it breaks no table and makes no markup."""
    plain = " ".join(text.split())
    for letter in "\\`*_<>[]|":
        plain = plain.replace(letter, "\\" + letter)
    return plain
