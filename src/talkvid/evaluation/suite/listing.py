"""The table of all metrics, as the documentation shows it."""

from collections.abc import Iterator

from talkvid.evaluation.suite.entry import Entry
from talkvid.evaluation.suite.metric import Need
from talkvid.evaluation.suite.registry import METRICS

BETTER = {"lower": "lower", "higher": "higher", "zero": "near 0", "one": "near 1", "none": "-"}
HEAD = ("Name", "Number", "Better", "What it is", "Needs", "Weights (`talkvid models fetch`)")


def as_markdown() -> str:
    """Return a markdown table with a line for every number of every metric, in the order of METRICS."""
    lines = [HEAD, ("---",) * len(HEAD), *(row for entry in METRICS.values() for row in _rows(entry))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _rows(entry: Entry) -> Iterator[tuple[str, ...]]:
    needs = ", ".join(need.value for need in Need if need in entry.needs)
    for number, column in enumerate(entry.columns):
        first = (f"`{entry.name}`", needs or "-", entry.weights or "-") if not number else ("", "", "")
        yield first[0], column.heading, BETTER[column.better], column.meaning, *first[1:]
