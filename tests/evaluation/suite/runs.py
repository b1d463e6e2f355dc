"""Runs of one metric with one number, told clip by clip, and what is found in a table of them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from talkvid.evaluation.suite.metric import Better, Column, LeftOut
from talkvid.evaluation.suite.pair import STILL, TRUTH, WRONG, Control, Pair
from talkvid.evaluation.suite.result import Evaluation, MetricResult, PairResult, SetResult

Values = Mapping[str, float | None]
CONTROLS = {WRONG: Control(WRONG), STILL: Control(STILL, still=True)}


def pair_of(row: str, clip: str) -> Pair:
    """Return a pair of a row such as "ours", "truth" or "ours: wrong sound"."""
    system, _, name = row.partition(": ")
    control = CONTROLS[name] if name else (Control(TRUTH) if system == TRUTH else None)
    return Pair(system, clip, Path(f"/{system}/{clip}.mp4"), control=control)


def clips(*values: float | None) -> dict[str, float | None]:
    """Return the values by clip: c0, c1, ..."""
    return {f"c{number}": value for number, value in enumerate(values)}


def run(
    rows: Mapping[str, Values], *, better: Better = "higher", sets: Sequence[SetResult] = ()
) -> Evaluation:
    """Return a run of the metric m with the number n, by row and clip, and of the distances `sets`."""
    column = Column("n", "Number", better, "A number.")
    fid = Column("fid", "FID", "lower", "A distance.")
    return Evaluation(
        columns={"m": (column,), "fid": (fid,)},
        pairs=tuple(
            PairResult(pair_of(row, clip), {"m": MetricResult({"n": value}, {})})
            for row, values in rows.items()
            for clip, value in values.items()
        ),
        sets=tuple(sets),
    )


def one_column(column: Column, *, left_out: tuple[LeftOut, ...] = (), metric: str = "m") -> Evaluation:
    pairs = [Pair(system, clip, Path("/v.mp4")) for system in ("ours", "theirs") for clip in "abcdef"]
    results = tuple(PairResult(pair, {metric: MetricResult({column.key: 1.25}, {})}) for pair in pairs)
    return Evaluation({metric: (column,)}, results, left_out=left_out)


def cells_of_line(text: str, name: str) -> list[str]:
    """Return the cells of the first table line that begins with the name."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {name}"))
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]]
