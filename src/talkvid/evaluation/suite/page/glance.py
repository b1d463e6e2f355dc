"""The leading number of each metric at a glance: one line each, systems and truth side by side."""

from collections.abc import Mapping, Sequence

from talkvid.evaluation.suite.gathered import MetricColumn
from talkvid.evaluation.suite.page.figures import heading
from talkvid.evaluation.suite.page.grid import MOST_COLUMNS, cell_text
from talkvid.evaluation.suite.page.results import best_systems, compared_cell, compared_clips, kind
from talkvid.evaluation.suite.summary import Summary, SummaryRow
from talkvid.page.marks import Html, count, name, tag

WORDS = (
    "At a glance: the leading number of each metric. All numbers, controls and what they mean follow below."
)


def glance_table(summary: Summary, columns: Sequence[MetricColumn]) -> list[Html]:
    """Return the table of each metric's first column with a good side; nothing where all columns are few."""
    leading: dict[str, MetricColumn] = {}
    for column in columns:
        if column.column.better != "none":
            leading.setdefault(column.metric, column)
    if len(columns) <= MOST_COLUMNS or not leading:
        return []
    rows = [row for row in summary.rows if kind(row) != "control"]
    heads = "".join(f'<th class="n {kind(row)}" scope="col">{name(row.name)}</th>' for row in rows)
    best, clips = best_systems(summary, columns), compared_clips(summary)
    lines = "".join(_line(summary, column, rows, best, clips) for column in leading.values())
    return [
        tag("p", WORDS, class_="soft"),
        Html(
            '<div class="results glance"><div class="scroll"><table><thead><tr><th></th>'
            f'{heads}<th class="n">clips compared</th></tr></thead><tbody>{lines}</tbody></table></div></div>'
        ),
    ]


def _line(
    summary: Summary,
    column: MetricColumn,
    rows: Sequence[SummaryRow],
    best: Mapping[tuple[str, str], str],
    clips: Mapping[tuple[str, str], int],
) -> str:
    cells = []
    for row in rows:
        cell = compared_cell(summary, row.name, column, shared=True)
        text = cell_text(cell, column, num_clips=clips.get(column.id, len(row.clips)))
        mark = " best" if best.get(column.id) == row.name else ""
        cells.append(f'<td class="n {kind(row)}{mark}">{text}</td>')
    told = count(clips[column.id]) if column.id in clips else ""
    head = f'<th scope="row">{heading(column.column)}</th>'
    return f'<tr>{head}{"".join(cells)}<td class="n soft">{told}</td></tr>'
