"""What a `talkvid evaluate` command shows: the metrics there are, and the results as tables and a page."""

from collections.abc import Iterator
from pathlib import Path

from talkvid.evaluation.suite.groups import group_tables
from talkvid.evaluation.suite.markdown import cell_tables, plain
from talkvid.evaluation.suite.page.writer import write_page
from talkvid.evaluation.suite.registry import METRICS, build_suite
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.summary import Summary, summarise
from talkvid.evaluation.suite.weights import MetricSettings
from talkvid.evaluation.suite.writers import write_tables

TITLE = "Evaluation"
MOST_NAMED = 20
"""Videos whose failure is printed; the report names all."""


def metrics_table(settings: MetricSettings) -> str:
    """Return two lines per metric: what it is and needs, and whether it can be measured here."""
    lines = []
    for entry in METRICS.values():
        try:
            left_out = build_suite([entry.name], settings).left_out
            state = left_out[0].reason if left_out else "available"
        except (ValueError, FileNotFoundError) as error:
            state = str(error)
        needs = f"; needs {' and '.join(sorted(entry.needs))}" if entry.needs else ""
        mark = "" if entry.in_default else " (not in default)"
        lines += [f"{entry.name}{mark}: {entry.description}{needs}", f"    {state}"]
    return "\n".join(lines)


def write_results(evaluation: Evaluation, folder: Path) -> tuple[str, Path]:
    """Return the text to show and the path of the report; all tables and the page are in `folder` then."""
    summary, groups = summarise(evaluation), group_tables(evaluation)
    write_tables(evaluation, summary, folder, groups=groups, title=TITLE)
    page = write_page(evaluation, summary, folder, title=TITLE)
    lines = [f"warning: {line}" for line in summary.warnings]
    lines += [f"left out: {one.name}: {one.reason}" for one in evaluation.left_out]
    lines += list(_failures(evaluation))
    return "\n".join([_table(summary), *lines]), page


def _table(summary: Summary) -> str:
    """Return means without intervals: rows with their number of videos, a column per number."""
    rows = [(row.name, f"{plain(row.name)} ({len(row.clips)})", len(row.clips)) for row in summary.rows]
    return cell_tables(rows, summary.columns, lambda row, one: summary.cell(row, *one.id), intervals=False)


def _failures(evaluation: Evaluation) -> Iterator[str]:
    failed = [result for result in evaluation.pairs if result.failure]
    for result in failed[:MOST_NAMED]:
        yield f"failed: {result.pair.id}: {result.failure}"
    if len(failed) > MOST_NAMED:
        yield f"failed: {len(failed) - MOST_NAMED} more, see the report"
