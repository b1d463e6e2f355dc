"""A run's numbers for spreadsheets and scripts: every single one, and every cell of the table."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from talkvid.evaluation.suite.cells import Cell, CellId
from talkvid.evaluation.suite.gathered import MetricColumn, number_or_reason
from talkvid.evaluation.suite.groups import GroupTable
from talkvid.evaluation.suite.result import Evaluation, PairResult
from talkvid.evaluation.suite.summary import Summary
from talkvid.evaluation.suite.told_facts import facts_json

OWN_FACTS = ("version", "crop", "size", "fps", "frames")
"""Facts with a column of their own, whatever the metrics; `facts` has all of them as JSON."""
RESULT_FIELDS = (
    *(
        "row",
        "system",
        "control",
        "clip",
        "metric",
        "number",
        "heading",
        "better",
        "value",
        "reason",
        "notes",
    ),
    *OWN_FACTS,
    *("facts", "groups", "made", "reference", "audio"),
)
SUMMARY_FIELDS = (
    *("group", "row", "metric", "number", "heading", "better", "statistic", "value", "low", "high"),
    *("num_clips", "num_missing", "num_unasked", "reasons", "clips"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins so is a formula to spreadsheet programs."""


def results_csv(evaluation: Evaluation) -> str:
    """Return one line per pair and number that was asked for; an empty value has its reason beside it.

    A pair that could not be opened has one line, without a metric. Columns are RESULT_FIELDS in every run.
    Text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    return _csv(RESULT_FIELDS, _result_lines(evaluation))


def _result_lines(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    columns = [MetricColumn(metric, one) for metric, found in evaluation.columns.items() for one in found]
    for result in evaluation.pairs:
        if result.failure:
            yield {**_of_pair(result), "reason": result.failure}
        for column in columns:
            if column.metric in result.metrics and not result.failure:
                yield {**_of_pair(result), **_of_number(result, column)}


def _of_pair(result: PairResult) -> dict[str, Any]:
    pair = result.pair
    return {
        "row": pair.row,
        "system": pair.system,
        "control": "" if pair.control is None else pair.control.label,
        "clip": pair.clip,
        "groups": facts_json(pair.groups),
        "made": str(pair.made),
        "reference": "" if pair.reference is None else str(pair.reference),
        "audio": "" if pair.audio is None else str(pair.audio),
    }


def _of_number(result: PairResult, column: MetricColumn) -> dict[str, Any]:
    found, value = result.metrics[column.metric], number_or_reason(result, column)
    return {
        "metric": column.metric,
        "number": column.column.key,
        "heading": column.column.heading,
        "better": column.column.better,
        "value": value if isinstance(value, float) else None,
        "reason": value if isinstance(value, str) else "",
        "notes": "; ".join(found.notes),
        "facts": facts_json(found.facts),
        **{name: found.facts.get(name) for name in OWN_FACTS},
    }


def summary_csv(summary: Summary, groups: Sequence[GroupTable] = ()) -> str:
    """Return one line per cell: of the table, of its shared clips, and of every subgroup.

    `group` is empty or "dimension=value"; `clips` is "own" or, on the clips that all have, "shared".
    """
    return _csv(SUMMARY_FIELDS, _summary_lines(summary, groups))


def _summary_lines(summary: Summary, groups: Sequence[GroupTable]) -> Iterator[dict[str, Any]]:
    columns = {one.id: one for one in summary.columns}
    yield from _cell_lines(columns, summary.cells, group="", clips="own")
    yield from _cell_lines(columns, summary.shared, group="", clips="shared")
    for table in groups:
        for group in table.groups:
            yield from _cell_lines(
                columns, group.cells, group=f"{table.dimension}={group.value}", clips="own"
            )


def _cell_lines(
    columns: Mapping[tuple[str, str], MetricColumn], cells: Mapping[CellId, Cell], *, group: str, clips: str
) -> Iterator[dict[str, Any]]:
    for (row, metric, key), cell in cells.items():
        if cell.mean is None and not cell.num_missing:
            continue  # nobody asked for it
        column = columns[metric, key].column
        yield {
            "group": group,
            "row": row,
            "metric": metric,
            "number": key,
            "heading": column.heading,
            "better": column.better,
            "statistic": cell.statistic,
            "value": cell.mean,
            "low": cell.low,
            "high": cell.high,
            "num_clips": cell.num_clips,
            "num_missing": cell.num_missing,
            "num_unasked": cell.num_unasked,
            "reasons": "; ".join(f"{reason} ({count})" for reason, count in cell.reasons.items()),
            "clips": clips,
        }


def _csv(names: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", restval="")
    writer.writeheader()
    for line in lines:
        writer.writerow({name: _safe(value) for name, value in line.items()})
    return text.getvalue()


def _safe(value: Any) -> Any:
    """Return numbers as they are; texts on one line, those that look like a formula made plain text."""
    if not isinstance(value, str):
        return value
    return " ".join((f"'{value}" if value.startswith(FORMULA) else value).splitlines())
