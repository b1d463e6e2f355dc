"""The table of a run: systems, truth and controls, and which system is best in a column beyond doubt."""

from collections.abc import Sequence
from itertools import groupby

from talkvid.evaluation.suite.cells import Cell
from talkvid.evaluation.suite.gathered import MetricColumn
from talkvid.evaluation.suite.page.figures import badness_range
from talkvid.evaluation.suite.page.grid import Band, Line, blocks, grid, meanings
from talkvid.evaluation.suite.pair import TRUTH
from talkvid.evaluation.suite.summary import Summary, SummaryRow
from talkvid.page.marks import Html, count, join, name, plural, tag

BANDS = {
    "system": Html(""),
    "truth": Html("the true videos"),
    "control": Html("controls: known to be wrong"),
}


def kind(row: SummaryRow) -> str:
    """Return what a row is: system, truth or control."""
    return "system" if not row.control else "truth" if row.control == TRUTH else "control"


def measured_columns(summary: Summary) -> list[MetricColumn]:
    """Return the columns that some row has a number in."""
    known = {(metric, key) for (_, metric, key), cell in summary.cells.items() if cell.mean is not None}
    return [column for column in summary.columns if column.id in known]


def unmeasured_metrics(summary: Summary) -> list[str]:
    """Return the metrics without any number in any row."""
    known = {column.metric for column in measured_columns(summary)}
    return [metric for metric in dict.fromkeys(column.metric for column in summary.columns)
            if metric not in known]  # fmt: skip


def best_systems(summary: Summary, columns: Sequence[MetricColumn]) -> dict[tuple[str, str], str]:
    """Return column -> the system whose interval meets no other system's, over the clips that all have.

    A column has none with a single system, without a good side, and where an interval is lacking or stands on
    too few clips.
    """
    found = {column.id: _best(summary, column) for column in columns}
    return {place: row for place, row in found.items() if row}


def _best(summary: Summary, column: MetricColumn) -> str:
    better = column.column.better
    systems = [row.name for row in summary.rows if kind(row) == "system"]
    cells = {row: summary.cell(row, *column.id, shared=True) for row in systems}
    known = {row: cell for row, cell in cells.items() if cell.mean is not None}
    if better == "none" or len(known) < 2:
        return ""
    ranges = {}
    for row, cell in known.items():
        if cell.low is None or cell.high is None or cell.few:
            return ""
        ranges[row] = badness_range(cell.low, cell.high, better)
    first = min(ranges, key=lambda row: ranges[row][1])
    apart = all(ranges[first][1] < least for row, (least, _) in ranges.items() if row != first)
    return first if apart else ""


def result_tables(summary: Summary) -> Html:
    """Return the table in blocks, each with what its columns mean.

    Systems and truth are shown over the clips that all of them have a number for, column by column.
    """
    columns = measured_columns(summary)
    if not columns:
        return tag("p", "No row has a number in any column; what failed is told below.")
    bands = _bands(summary, columns, best_systems(summary, columns), shared=True)
    compared = compared_clips(summary)
    parts = []
    for block in blocks(columns):
        parts += [grid(block, bands, first="row", compared=compared), meanings(block)]
    if _differ(summary):
        told = tag("summary", "The same over each row's own clips: more clips, but not the same ones")
        own = [grid(block, _bands(summary, columns, {}, shared=False), first="row")
               for block in blocks(columns)]  # fmt: skip
        parts.append(tag("details", told, *own))
    return join(parts)


def compared_clips(summary: Summary) -> dict[tuple[str, str], int]:
    """Return by column over how many clips its rows are compared; distances of sets tell their own."""
    return {
        (metric, key): cell.num_clips
        for (_, metric, key), cell in summary.shared.items()
        if cell.mean is not None and cell.statistic != "whole set"
    }


def _differ(summary: Summary) -> bool:
    return any(summary.cells[place].num_clips != cell.num_clips for place, cell in summary.shared.items())


def _bands(
    summary: Summary,
    columns: Sequence[MetricColumn],
    best: dict[tuple[str, str], str],
    *,
    shared: bool,
) -> list[Band]:
    bands = []
    for row_kind, rows in groupby(summary.rows, key=kind):
        lines = []
        for row in rows:
            cells = {column.id: compared_cell(summary, row.name, column, shared=shared) for column in columns}
            wins = frozenset(place for place, system in best.items() if system == row.name)
            lines.append(Line(row_kind, _head(row), cells, len(row.clips), wins))
        bands.append(Band(BANDS[row_kind], lines))
    return bands


def compared_cell(summary: Summary, row: str, column: MetricColumn, *, shared: bool) -> Cell:
    """Return the cell that may be compared; where there is none, such as of controls, the row's own."""
    compared = summary.cell(row, *column.id, shared=True)
    return compared if shared and compared.mean is not None else summary.cell(row, *column.id)


def _head(row: SummaryRow) -> Html:
    below = plural(len(row.clips), "clip")
    below += f", {count(len(row.failed))} failed" if row.failed else ""
    below += f", {count(len(row.lacks))} lacking" if row.lacks else ""
    return join([name(row.name), Html("<br>"), tag("small", below, class_="soft")])
