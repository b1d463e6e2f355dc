"""Tables whose columns are the run's: blocks that fit a page's width, lines in bands, intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from talkvid.evaluation.suite.cells import Cell
from talkvid.evaluation.suite.gathered import MetricColumn
from talkvid.evaluation.suite.page.figures import heading, interval, told
from talkvid.page.marks import DASH, Html, count, join, safe, tag

MOST_COLUMNS = 7
"""Columns of one block, so that a block fits a desktop's width; a metric's columns stay together."""
Block = Mapping[str, Sequence[MetricColumn]]
"""Metric -> its columns."""


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    kind: str
    """Class of the line: system, truth or control."""
    head: Html
    cells: Mapping[tuple[str, str], Cell]
    """By metric and column key."""
    num_clips: int
    """Clips that a number should stand on; a cell of another count tells its own."""
    best: frozenset[tuple[str, str]] = frozenset()
    """Columns in which this line is best beyond doubt."""


@dataclass(frozen=True)
class Band:
    """Lines that belong together, under a title of their own where there is one."""

    title: Html
    lines: Sequence[Line]


def blocks(columns: Sequence[MetricColumn]) -> list[Block]:
    """Return the columns, metric by metric, in blocks that fit a page's width."""
    families: dict[str, list[MetricColumn]] = {}
    for column in columns:
        families.setdefault(column.metric, []).append(column)
    found: list[dict[str, Sequence[MetricColumn]]] = []
    for metric, family in families.items():
        if not found or sum(map(len, found[-1].values())) + len(family) > MOST_COLUMNS:
            found.append({})
        found[-1][metric] = family
    return list(found)


def grid(
    block: Block,
    bands: Sequence[Band],
    *,
    first: str,
    compared: Mapping[tuple[str, str], int] | None = None,
) -> Html:
    """Return one table; `first` stands above the heads of the lines.

    Controls without anything in this block have no line.

    Args:
        compared: by column the clips that the numbers of systems and truth stand on, told once above them.
    """
    compared = compared or {}
    columns = [column for family in block.values() for column in family]
    starts = {family[0].id for family in block.values()}
    edges = [" edge" if column.id in starts else "" for column in columns]
    families = "".join(
        f'<th class="edge" colspan="{len(family)}" scope="colgroup">{safe(metric)}</th>'
        for metric, family in block.items()
    )
    heads = "".join(
        f'<th class="n{edge}" scope="col">{heading(column.column)}</th>'
        for column, edge in zip(columns, edges, strict=True)
    )
    lines = []
    for band in bands:
        shown = [line for line in band.lines if line.kind != "control" or _has_any(line, columns)]
        if band.title and shown:
            kind = shown[0].kind
            lines.append(f'<tr class="band {kind}"><th colspan="{len(columns) + 1}">{band.title}</th></tr>')
        lines += [_line(line, columns, edges, compared) for line in shown]
    titles = f'<th scope="col">{safe(first)}</th>{heads}'
    return Html(
        '<div class="results"><div class="scroll"><table><thead>'
        f'<tr class="family"><th></th>{families}</tr><tr>{titles}</tr>{_counts(columns, edges, compared)}'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div></div>"
    )


def _has_any(line: Line, columns: Sequence[MetricColumn]) -> bool:
    cells = (line.cells.get(column.id) for column in columns)
    return any(cell is not None and (cell.mean is not None or cell.num_missing) for cell in cells)


def _counts(
    columns: Sequence[MetricColumn], edges: Sequence[str], compared: Mapping[tuple[str, str], int]
) -> str:
    """Return the line of how many clips are compared in each column; nothing where it is not wanted."""
    if not any(column.id in compared for column in columns):
        return ""
    told = [count(compared[column.id]) if column.id in compared else "" for column in columns]
    cells = "".join(f'<th class="n{edge}">{text}</th>' for text, edge in zip(told, edges, strict=True))
    return f'<tr class="counts"><th scope="row">clips compared</th>{cells}</tr>'


def _line(
    line: Line,
    columns: Sequence[MetricColumn],
    edges: Sequence[str],
    compared: Mapping[tuple[str, str], int],
) -> str:
    cells = []
    for column, edge in zip(columns, edges, strict=True):
        best = " best" if column.id in line.best else ""
        cell = line.cells.get(column.id)
        known = line.num_clips if line.kind == "control" else compared.get(column.id, line.num_clips)
        text = "" if cell is None else cell_text(cell, column, num_clips=known)
        cells.append(f'<td class="n{edge}{best}">{text}</td>')
    return f'<tr class="{line.kind}"><th scope="row">{line.head}</th>{"".join(cells)}</tr>'


def cell_text(cell: Cell, column: MetricColumn, *, num_clips: int) -> Html:
    """Return a number, its interval, and the count behind it where that is not every clip of the line.

    Nothing where nobody asked for the number, a dash that tells why where it is missing.
    """
    if cell.mean is None:
        if not cell.num_missing:
            return Html("")
        why = "; ".join(f"{reason} ({count(times)})" for reason, times in cell.reasons.items())
        return join([tag("span", DASH, title=why), tag("small", f"{count(cell.num_missing)} missing")])
    digits = column.column.digits
    parts = [tag("span", told(cell.mean, digits), class_="figure")]
    ends = interval(cell.low, cell.high, digits)
    if ends:
        parts.append(tag("small", ends))
    if cell.num_clips != num_clips:
        parts.append(tag("small", f"n = {count(cell.num_clips)}"))
    return join(parts)


def meanings(block: Block) -> Html:
    """Return what the columns of a block mean, one sentence each."""
    lines = [
        Html(f"<div><dt>{heading(column.column)}</dt> <dd>{safe(_meaning(column))}</dd></div>")
        for family in block.values()
        for column in family
    ]
    return Html(f'<dl class="meanings">{"".join(lines)}</dl>')


def _meaning(column: MetricColumn) -> str:
    return column.column.meaning + (" Median over clips." if column.column.better == "zero" else "")
