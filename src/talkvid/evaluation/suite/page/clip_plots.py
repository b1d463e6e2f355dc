"""Every clip of every row, column by column, as lines of dots."""

import numpy as np

from talkvid.evaluation.suite.gathered import Gathered, MetricColumn
from talkvid.evaluation.suite.page.figures import heading, interval, told
from talkvid.evaluation.suite.page.results import kind, measured_columns
from talkvid.evaluation.suite.page.strips import Strip, strip_plot
from talkvid.evaluation.suite.summary import Summary
from talkvid.page.marks import Html, join, tag
from talkvid.records import Array

WORDS = (
    "A dot is a clip, of all clips of its row; the upright stroke is the mean (the median where 0 is "
    "best), below it its 95 % interval. Blue: systems; grey: truth and controls."
)


def clip_plots(numbers: Gathered, summary: Summary) -> Html:
    """Return a card for every column that single clips have a number in."""
    rows = {pair.row: number for number, pair in enumerate(numbers.rows)}
    places = {column.id: number for number, column in enumerate(numbers.columns)}
    cards = []
    for column in measured_columns(summary):
        values = numbers.values[:, places[column.id]]
        strips = [
            strip
            for row in summary.rows
            if (strip := _strip(numbers, summary, row.name, kind(row), column, values[rows[row.name]]))
        ]
        if strips:
            cards.append(tag("div", tag("h3", heading(column.column)), strip_plot(strips), class_="plotcard"))
    if not cards:
        return tag("p", "No clip has a number.")
    return join([tag("p", WORDS, class_="soft"), tag("div", *cards, class_="plots wide")])


def _strip(
    numbers: Gathered, summary: Summary, row: str, kind_: str, column: MetricColumn, values: Array
) -> Strip | None:
    cell = summary.cell(row, *column.id)
    known = np.flatnonzero(np.isfinite(values))
    if not len(known) or cell.mean is None:
        return None
    digits = column.column.digits
    return Strip(
        label=row,
        kind=kind_,
        clips=[numbers.clips[place] for place in known],
        values=[float(values[place]) for place in known],
        mean=cell.mean,
        low=cell.low,
        high=cell.high,
        told=f"{told(cell.mean, digits)} {interval(cell.low, cell.high, digits)}".rstrip(),
    )
