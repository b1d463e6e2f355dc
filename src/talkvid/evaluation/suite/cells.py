"""One number of a table: a mean over clips, its interval, and how many clips are behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from talkvid.evaluation.suite.gathered import Gathered
from talkvid.evaluation.suite.metric import Column
from talkvid.evaluation.suite.result import SetResult
from talkvid.records import Array

RESAMPLES = 1000
LEVEL = 0.95
FEW_CLIPS = 5
"""Fewer say nothing about others."""
Statistic = Literal["mean", "median", "whole set"]
CellId = tuple[str, str, str]
"""Row, metric, column key."""


@dataclass(frozen=True)
class Cell:
    """What one row has in one column."""

    mean: float | None
    """The number, see `statistic`; None where no clip has one."""
    low: float | None
    """Where the interval that holds 95 % of the resampled numbers begins; None below 2 clips and for sets."""
    high: float | None
    num_clips: int
    """Clips behind the number."""
    num_missing: int = 0
    """Clips that were measured and gave no number."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why, with counts, the most frequent first."""
    num_unasked: int = 0
    """Clips that were not measured: they lack what the metric needs, or differ from another row in sound
    alone and the metric does not hear."""
    statistic: Statistic = "mean"
    """The median for columns that are best at zero, which one chance lag does not move; "whole set" for a
    distance of two sets, which is no mean over clips."""

    @property
    def few(self) -> bool:
        """Return whether there is a number of too few clips to say anything about others."""
        return self.mean is not None and self.num_clips < FEW_CLIPS


def statistic_of(column: Column) -> Statistic:
    """Return how a column is summed up over clips."""
    return "median" if column.better == "zero" else "mean"


@dataclass(frozen=True)
class Wanted:
    """A cell to be made: the clips (N,) bool of one row and column."""

    row: int
    column: int
    clips: Array


def cells_of(numbers: Gathered, wanted: Sequence[Wanted], *, resamples: int, seed: int) -> list[Cell]:
    """Return the cells; an interval depends on the cell's own numbers and the seed, on no other cell."""
    cells = [_cell(numbers, one) for one in wanted]
    chosen = [numbers.values[one.row, one.column][one.clips] for one in wanted]
    known = [values[~np.isnan(values)] for values in chosen]
    ends = intervals(known, [cell.statistic for cell in cells], resamples=resamples, seed=seed)
    return [
        cell if found is None else replace(cell, low=found[0], high=found[1])
        for cell, found in zip(cells, ends, strict=True)
    ]


def _cell(numbers: Gathered, one: Wanted) -> Cell:
    values = numbers.values[one.row, one.column]
    known = values[one.clips & ~np.isnan(values)]
    asked = int((one.clips & numbers.shown[one.row]).sum())
    reasons = numbers.why_missing(one.row, one.column, one.clips)
    statistic = statistic_of(numbers.columns[one.column].column)
    mean = None
    if len(known):
        mean = float(np.median(known) if statistic == "median" else known.mean())
    return Cell(
        mean=mean,
        low=None,
        high=None,
        num_clips=len(known),
        num_missing=reasons.total(),
        reasons=dict(reasons.most_common()),
        num_unasked=asked - len(known) - reasons.total(),
        statistic=statistic,
    )


def intervals(
    samples: Sequence[Array], statistics: Sequence[Statistic], *, resamples: int, seed: int
) -> list[tuple[float, float] | None]:
    """Return the 95 % percentile bootstrap interval of each sample's mean or median; None below two values.

    Samples (n,) of clips without NaN. Efron 1979: n values are drawn from n with replacement, `resamples`
    times; samples of one size share their draws.
    """
    found: list[tuple[float, float] | None] = [None] * len(samples)
    for count in sorted({len(sample) for sample in samples if len(sample) > 1}):
        draws = np.random.default_rng([seed, count]).integers(count, size=(resamples, count))
        for number, (sample, statistic) in enumerate(zip(samples, statistics, strict=True)):
            if len(sample) == count:
                drawn = sample[draws]
                summed = np.median(drawn, axis=1) if statistic == "median" else drawn.mean(axis=1)
                low, high = np.percentile(summed, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
                found[number] = float(low), float(high)
    return found


def cell_of_set(result: SetResult, key: str, *, gathered: Cell | None = None) -> Cell:
    """Return a number of two whole sets as a cell: it has no interval, since nothing was resampled.

    `gathered` tells which clips gave no features; they are missing from the set.
    """
    value = result.values.get(key)
    finite = value is not None and bool(np.isfinite(value))
    reasons = dict(gathered.reasons) if gathered is not None else {}
    if not finite:
        reason = result.reason or (result.notes[0] if result.notes else "the metric gave no such number")
        reasons[reason] = reasons.get(reason, 0) + result.num_clips
    return Cell(
        mean=value if finite else None,
        low=None,
        high=None,
        num_clips=result.num_clips if finite else 0,
        num_missing=sum(reasons.values()),
        reasons=reasons,
        statistic="whole set",
    )
