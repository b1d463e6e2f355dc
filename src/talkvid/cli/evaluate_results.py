"""What a `talkvid evaluate` command shows: the metrics there are, and the results as tables."""

from pathlib import Path

from talkvid.evaluation.suite.registry import METRICS, build_suite
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.store import FILE_NAME
from talkvid.evaluation.suite.weights import MetricSettings


def metrics_table(settings: MetricSettings) -> str:
    """Return a line per metric, what it needs, and whether it can be measured here."""
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


def write_results(evaluation: Evaluation, folder: Path) -> Path:
    """Print the summary's table, write tables and the page below `folder`, and return the report's path."""
    for left_out in evaluation.left_out:
        print(f"left out: {left_out.name}: {left_out.reason}")
    for result in evaluation.pairs:
        told = [
            f"{key} {value:.3f}"
            for found in result.metrics.values()
            for key, value in found.values.items()
            if value is not None
        ]
        print(f"{result.pair.id}: {result.failure or ', '.join(told)}")
    return folder / FILE_NAME
