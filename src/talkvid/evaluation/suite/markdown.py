"""Tables in Markdown: rows by columns with arrows, intervals and counts."""

from collections.abc import Callable, Collection, Iterable, Sequence
from html import escape

from talkvid.evaluation.suite.cells import Cell
from talkvid.evaluation.suite.gathered import MetricColumn
from talkvid.evaluation.suite.metric import Column

ARROWS = {"lower": " ↓", "higher": " ↑", "zero": " →0", "one": " →1", "none": ""}
DASH = "\N{EN DASH}"
FEW = "°"
OTHER_CLIPS = "*"
MOST_COLUMNS = 8
"""A wider table is broken into several."""
MARKS = (
    f"Arrows: where good values lie. {DASH}: not measured, or no number. A count in brackets: clips behind "
    f"the number, where they are others than the row's. {FEW}: fewer than five clips. Square brackets: 95 % "
    "bootstrap interval over clips; a distance of sets has none."
)
CellOf = Callable[[str, MetricColumn], Cell]


def plain(text: str) -> str:
    """Return a text that shows as it is, on one line, in a table or elsewhere in Markdown."""
    line = escape(" ".join(text.split()), quote=False).replace("\\", "\\\\")
    for letter in "|`*[]":
        line = line.replace(letter, f"\\{letter}")
    return line


def heading(column: Column) -> str:
    """Return a column's heading with its arrow."""
    return f"{plain(column.heading)}{ARROWS[column.better]}"


def number(value: float | None, digits: int) -> str:
    """Return a number with so many digits behind the point, a dash for none; never "-0.00"."""
    return DASH if value is None else f"{value:z.{digits}f}"


def told(cell: Cell, column: Column, *, clips: int | None = None, intervals: bool = False) -> str:
    """Return a cell's text; its count where it has not the row's `clips`."""
    if cell.mean is None:
        return DASH
    digits = max(column.digits, 1) if column.better != "none" else column.digits
    text = number(cell.mean, digits)
    if intervals and cell.low is not None:
        text += f" [{number(cell.low, digits)}, {number(cell.high, digits)}]"
    if clips is not None and cell.num_clips != clips:
        text += f" ({cell.num_clips})"
    return text + (FEW if cell.few else "")


def counted(count: int, what: str) -> str:
    """Return "1 clip", "2 clips"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def table(heads: Iterable[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table of texts that are plain already, all but the first column to the right."""
    heads = list(heads)
    rule = "|---|" + "---:|" * (len(heads) - 1)
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([f"| {' | '.join(heads)} |", rule, *rows]) + "\n"


def chunks(columns: Sequence[MetricColumn]) -> list[list[MetricColumn]]:
    """Return the columns in portions of a readable width; those of one metric stay together if they can."""
    found: list[list[MetricColumn]] = []
    for metric in dict.fromkeys(one.metric for one in columns):
        own = [one for one in columns if one.metric == metric]
        for start in range(0, len(own), MOST_COLUMNS):
            portion = own[start : start + MOST_COLUMNS]
            if found and len(found[-1]) + len(portion) <= MOST_COLUMNS:
                found[-1] += portion
            else:
                found.append(portion)
    return found


def cell_tables(
    names: Sequence[tuple[str, str, int]],
    columns: Sequence[MetricColumn],
    cell_of: CellOf,
    *,
    intervals: bool = False,
    first: str = "",
    droppable: Collection[str] = (),
) -> str:
    """Return tables of the rows `names`: how the row is called, what it shows as, how many clips it has.

    Columns without any number are left out, and so are rows of `droppable` from a table where they have none.
    """
    shown = [one for one in columns if any(cell_of(name, one).mean is not None for name, _, _ in names)]
    parts = []
    for portion in chunks(shown):
        lines = [
            [
                label,
                *(told(cell_of(name, one), one.column, clips=clips, intervals=intervals) for one in portion),
            ]
            for name, label, clips in names
            if name not in droppable or any(cell_of(name, one).mean is not None for one in portion)
        ]
        parts.append(table([first, *(heading(one.column) for one in portion)], lines))
    return "\n".join(parts)
