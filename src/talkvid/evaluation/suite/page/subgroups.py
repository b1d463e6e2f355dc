"""Tables of subgroups: each row for each age, gender, language and what else is told of the clips."""

from collections.abc import Sequence

from talkvid.evaluation.suite.gathered import MetricColumn
from talkvid.evaluation.suite.groups import GroupTable
from talkvid.evaluation.suite.page.grid import Band, Line, blocks, grid
from talkvid.evaluation.suite.page.results import kind, measured_columns
from talkvid.evaluation.suite.summary import Summary
from talkvid.page.marks import Html, join, name, plural, tag


def subgroup_tables(tables: Sequence[GroupTable], summary: Summary) -> Html:
    """Return a folded table for each dimension: under each system and the truth a line for every value.

    Controls are left to `results.csv`.
    """
    if not tables:
        return tag("p", "Nothing is told of the clips by which they could be grouped.")
    columns = measured_columns(summary)
    parts = []
    for number, table in enumerate(tables):
        values = ", ".join(f"{group.value} {group.num_clips}" for group in table.groups)
        told = tag("summary", tag("b", table.dimension), f" ({values})")
        inside = [grid(block, _bands(table, summary, columns), first=table.dimension)
                  for block in blocks(columns)]  # fmt: skip
        if table.num_unstated:
            unstated = f"{plural(table.num_unstated, 'clip')} without {table.dimension} in no line."
            inside.append(tag("p", unstated, class_="soft"))
        parts.append(tag("details", told, *inside, **({"open": ""} if not number else {})))
    return join(parts)


def _bands(table: GroupTable, summary: Summary, columns: Sequence[MetricColumn]) -> list[Band]:
    bands = []
    for row in summary.rows:
        if kind(row) == "control":
            continue
        lines = []
        for group in table.groups:
            cells = {column.id: group.cell(row.name, *column.id) for column in columns}
            below = plural(group.num_clips, "clip") + (": too few to say much" if group.few else "")
            head = join([name(group.value), Html("<br>"), tag("small", below, class_="soft")])
            lines.append(Line(kind(row), head, cells, group.num_clips))
        bands.append(Band(name(row.name), lines))
    return bands
