"""The numbers of a run in one block, row by column by clip, and why the missing ones are missing."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.suite.metric import Column
from talkvid.evaluation.suite.pair import TRUTH, Pair
from talkvid.evaluation.suite.result import Evaluation, PairResult
from talkvid.records import Array

NO_SUCH_NUMBER = "this video has no such number"
NOT_FINITE = "the metric gave no finite number"


@dataclass(frozen=True)
class MetricColumn:
    """A column and the metric it belongs to."""

    metric: str
    column: Column

    @property
    def id(self) -> tuple[str, str]:
        """Return what names it in a run: metric and key."""
        return self.metric, self.column.key


@dataclass(frozen=True)
class Gathered:
    """All single videos' numbers; R rows, C columns, N clips."""

    rows: tuple[Pair, ...]
    """One pair of every row, for its name, system and control: systems, truth, its controls, the others'."""
    columns: tuple[MetricColumn, ...]
    clips: tuple[str, ...]
    """Sorted by name."""
    values: Array
    """(R, C, N) float64; NaN where there is none."""
    shown: Array
    """(R, N) bool: the row has a video of the clip."""
    failed: Mapping[tuple[int, int], str]
    """Why a video could not be opened, by row and clip."""
    reasons: Mapping[tuple[int, int, int], str]
    """Why a number that was asked for is missing, by row, column and clip."""

    def why_missing(self, row: int, column: int, clips: Array) -> Counter[str]:
        """Return how often each reason stands for a missing number among the `clips` (N,) bool."""
        where = np.flatnonzero(clips & self.shown[row] & np.isnan(self.values[row, column]))
        found = (self.reasons.get((row, column, int(clip))) for clip in where)
        return Counter(reason for reason in found if reason is not None)

    @property
    def main_rows(self) -> list[int]:
        """Return the rows that are compared with each other: the systems and the truth."""
        return [
            number
            for number, pair in enumerate(self.rows)
            if pair.control is None or pair.control.name == TRUTH
        ]


def gather(evaluation: Evaluation) -> Gathered:
    """Return the numbers of all pairs; the columns of distances of sets stand there without any."""
    pairs = evaluation.pairs
    rows = _rows(pairs)
    names = {pair.row: number for number, pair in enumerate(rows)}
    columns = tuple(
        MetricColumn(metric, column) for metric, found in evaluation.columns.items() for column in found
    )
    clips = tuple(sorted({result.pair.clip for result in pairs}))
    places = {clip: number for number, clip in enumerate(clips)}
    values = np.full((len(rows), len(columns), len(clips)), np.nan)
    shown = np.zeros((len(rows), len(clips)), bool)
    failed: dict[tuple[int, int], str] = {}
    reasons: dict[tuple[int, int, int], str] = {}
    for result in pairs:
        row, clip = names[result.pair.row], places[result.pair.clip]
        assert not shown[row, clip], f"{result.pair.id} was measured twice"
        shown[row, clip] = True
        if result.failure:
            failed[row, clip] = result.failure
        for number, column in enumerate(columns):
            value = number_or_reason(result, column)
            if isinstance(value, float):
                values[row, number, clip] = value
            elif value is not None:
                reasons[row, number, clip] = value
    return Gathered(rows, columns, clips, values, shown, failed, reasons)


def number_or_reason(result: PairResult, column: MetricColumn) -> float | str | None:
    """Return the number, or why there is none, or None where nobody asked for it; never NaN or infinite."""
    if result.failure:
        return f"the video could not be opened: {result.failure}"
    found = result.metrics.get(column.metric)
    if found is None:
        return None
    if found.reason:
        return found.reason
    value = found.values.get(column.column.key)
    if value is None:
        own = f"no {column.column.key}: "
        named = [note.removeprefix(own) for note in found.notes if note.startswith(own)]
        return (named or [*found.notes, NO_SUCH_NUMBER])[0]
    return float(value) if math.isfinite(value) else NOT_FINITE


def _rows(results: Sequence[PairResult]) -> tuple[Pair, ...]:
    """Return the first pair of every row, systems first, each kind in the order it was measured in."""

    def kind(pair: Pair) -> int:
        if pair.control is None:
            return 0
        return 1 if pair.control.name == TRUTH else 2 + (pair.system != TRUTH)

    first: dict[str, Pair] = {}
    for result in results:
        first.setdefault(result.pair.row, result.pair)
    return tuple(sorted(first.values(), key=kind))
