"""What a `talkvid evaluate` command shows: the metrics there are, and the results as tables and a page."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.cells import Cell
from talkvid.evaluation.suite.groups import group_tables
from talkvid.evaluation.suite.pair import TRUTH
from talkvid.evaluation.suite.registry import build_suite, known_metrics
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.summary import Summary, summarise
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.suite.writers import write_tables

TITLE = "Evaluation"
MOST_NAMED = 20
"""Videos whose failure is printed; the report names all."""
BETTER = {"lower": " (lower)", "higher": " (higher)", "zero": " (near 0)", "one": " (near 1)", "none": ""}


def metrics_table(settings: MetricSettings) -> str:
    """Return two lines per metric: what it is and needs, and whether it can be measured here."""
    lines = []
    for entry in known_metrics().values():
        try:
            left_out = build_suite([entry.name], settings).left_out
            state = left_out[0].reason if left_out else "available"
        except (ValueError, FileNotFoundError) as error:
            state = str(error)
        needs = f"; needs {' and '.join(sorted(entry.needs))}" if entry.needs else ""
        mark = "" if entry.in_default else " (not in default)"
        lines += [f"{entry.name}{mark}: {entry.description}{needs}", f"    {state}"]
    return "\n".join(lines)


def write_results(
    evaluation: Evaluation,
    folder: Path,
    *,
    title: str = TITLE,
    user_scores: Mapping[str, UserScore] | None = None,
) -> tuple[str, Path]:
    """Return the text to show and the path of the report; all tables and the page are in `folder` then."""
    from talkvid.evaluation.suite.page.writer import write_page

    summary, groups = summarise(evaluation), group_tables(evaluation)
    write_tables(evaluation, summary, folder, groups=groups, title=title, user_scores=user_scores)
    page = write_page(evaluation, summary, folder, title=title, groups=groups, user_scores=user_scores)
    lines = [f"warning: {line}" for line in summary.warnings]
    lines += [f"left out: {one.name}: {one.reason}" for one in evaluation.left_out]
    return "\n".join([*shown_table(summary), "", *lines, *_failures(evaluation)]), page


def shown_table(summary: Summary) -> list[str]:
    """Return the means of systems and truth, a line per number; the controls are in the report."""
    rows = [row for row in summary.rows if not row.control or row.control == TRUTH]
    head = [
        "mean over videos; median of what is best near 0",
        *(f"{row.name} ({len(row.clips)})" for row in rows),
    ]
    lines = [head]
    for one in summary.columns:
        cells = [summary.cell(row.name, *one.id) for row in rows]
        if any(cell.mean is not None for cell in cells):
            told = [
                _number(cell, one.column.digits, len(row.clips))
                for cell, row in zip(cells, rows, strict=True)
            ]
            lines.append([one.column.heading + BETTER[one.column.better], *told])
    return _aligned(lines)


def _number(cell: Cell, digits: int, num_clips: int) -> str:
    """Return the mean, with the number of its videos where that is not the row's."""
    if cell.mean is None:
        return "-"
    return f"{cell.mean:.{digits}f}" + (f" ({cell.num_clips})" if cell.num_clips != num_clips else "")


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return the cells of each line in columns, the first on the left and numbers on the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]


def _failures(evaluation: Evaluation) -> Iterator[str]:
    failed = [result for result in evaluation.pairs if result.failure]
    for result in failed[:MOST_NAMED]:
        yield f"failed: {result.pair.id}: {result.failure}"
    if len(failed) > MOST_NAMED:
        yield f"failed: {len(failed) - MOST_NAMED} more, see the report"
