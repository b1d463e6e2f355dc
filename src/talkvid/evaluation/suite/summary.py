"""A run's table: what every row has in every column, with intervals, and which numbers not to believe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.suite.cells import RESAMPLES, Cell, CellId, Wanted, cell_of_set, cells_of
from talkvid.evaluation.suite.gathered import Gathered, MetricColumn, gather
from talkvid.evaluation.suite.metric import LeftOut
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.separation import BetterThanTruth, Separation, better_than_truth, separations
from talkvid.evaluation.suite.warned import warnings_of
from talkvid.records import Array

NOTHING = Cell(mean=None, low=None, high=None, num_clips=0)


@dataclass(frozen=True)
class SummaryRow:
    """One row of the table."""

    name: str
    system: str
    control: str
    """"" for a system, else "truth", "shifted sound by 0.6 s", "wrong sound" or "still frame"."""
    clips: tuple[str, ...]
    failed: tuple[str, ...]
    """Those that could not be opened."""
    lacks: tuple[str, ...]
    """Clips that a system or the truth has and this row has not: its means are of other clips."""


@dataclass(frozen=True)
class Summary:
    """The table of a run."""

    rows: tuple[SummaryRow, ...]
    """Systems, the truth, its controls, the systems' controls."""
    columns: tuple[MetricColumn, ...]
    """Those of left-out metrics are not among them."""
    cells: Mapping[CellId, Cell]
    """Over each row's own clips."""
    shared: Mapping[CellId, Cell]
    """Of systems and truth, column by column over the clips that all of them have a number for, rows without
    any number aside: what may be compared. A distance of sets is there when its rows have the same clips."""
    separations: tuple[Separation, ...]
    better_than_truth: tuple[BetterThanTruth, ...]
    warnings: tuple[str, ...]
    """One line each."""
    left_out: tuple[LeftOut, ...]
    resamples: int
    seed: int

    def cell(self, row: str, metric: str, key: str, *, shared: bool = False) -> Cell:
        """Return a cell; one without a number where the row has none."""
        return (self.shared if shared else self.cells).get((row, metric, key), NOTHING)

    def column(self, metric: str, key: str) -> MetricColumn:
        """Return a column; KeyError when there is none of this name."""
        return {one.id: one for one in self.columns}[metric, key]


def summarise(evaluation: Evaluation, *, resamples: int = RESAMPLES, seed: int = 0) -> Summary:
    """Return the run's table: means over clips with 95 % percentile bootstrap intervals, and warnings.

    The same numbers and seed give the same intervals, whatever the order of the pairs. Distances of sets join
    their row without an interval. A value that is not finite counts as missing. ValueError for no resamples.
    """
    if resamples < 1:
        raise ValueError(f"{resamples} resamples give no interval; take 1000")
    numbers = gather(evaluation)
    rows = tuple(_row(numbers, row) for row in range(len(numbers.rows)))
    every = np.ones(len(numbers.clips), bool)
    whole = [Wanted(r, c, every) for r in range(len(numbers.rows)) for c in range(len(numbers.columns))]
    compared = [
        Wanted(row, column, clips)
        for column in range(len(numbers.columns))
        for clips in [_shared_clips(numbers, column)]
        for row in numbers.main_rows
        if not np.isnan(numbers.values[row, column]).all()
    ]
    made = cells_of(numbers, [*whole, *compared], resamples=resamples, seed=seed)
    cells = _named(numbers, whole, made[: len(whole)])
    shared = _named(numbers, compared, made[len(whole) :])
    _join_sets(evaluation, numbers, rows, cells, shared)
    apart = separations(numbers)
    above = better_than_truth(numbers, resamples=resamples, seed=seed)
    return Summary(
        rows=rows,
        columns=numbers.columns,
        cells=cells,
        shared=shared,
        separations=apart,
        better_than_truth=above,
        warnings=tuple(warnings_of(numbers, apart, above)),
        left_out=evaluation.left_out,
        resamples=resamples,
        seed=seed,
    )


def _row(numbers: Gathered, row: int) -> SummaryRow:
    pair, shown = numbers.rows[row], numbers.shown[row]
    main = numbers.shown[numbers.main_rows].any(axis=0)
    failed = (clip for (where, clip) in numbers.failed if where == row)
    return SummaryRow(
        name=pair.row,
        system=pair.system,
        control="" if pair.control is None else pair.control.label,
        clips=_clips(numbers, np.flatnonzero(shown)),
        failed=_clips(numbers, sorted(failed)),
        lacks=_clips(numbers, np.flatnonzero(main & ~shown)),
    )


def _clips(numbers: Gathered, places: Iterable[int]) -> tuple[str, ...]:
    return tuple(numbers.clips[place] for place in places)


def _shared_clips(numbers: Gathered, column: int) -> Array:
    """Return which clips (N,) have a number in every main row that has any."""
    known = ~np.isnan(numbers.values[numbers.main_rows, column])
    shared: Array = np.all(known[known.any(axis=1)], axis=0)
    return shared


def _named(numbers: Gathered, wanted: list[Wanted], cells: list[Cell]) -> dict[CellId, Cell]:
    return {
        (numbers.rows[one.row].row, *numbers.columns[one.column].id): cell
        for one, cell in zip(wanted, cells, strict=True)
    }


def _join_sets(
    evaluation: Evaluation,
    numbers: Gathered,
    rows: tuple[SummaryRow, ...],
    cells: dict[CellId, Cell],
    shared: dict[CellId, Cell],
) -> None:
    """Put distances of sets into their rows' cells."""
    main = {numbers.rows[row].row for row in numbers.main_rows}
    whole = [result for result in evaluation.sets if not result.group]
    for result in whole:
        beside = [other for other in whole if other.metric == result.metric and other.row in main]
        behind = {(other.num_clips, _opened(rows, other.row)) for other in beside if not other.reason}
        for column in evaluation.columns.get(result.metric, ()):
            name = (result.row, result.metric, column.key)
            cells[name] = cell_of_set(result, column.key, gathered=cells.get(name))
            if len(behind) <= 1 and result.row in main:
                shared[name] = cells[name]


def _opened(rows: tuple[SummaryRow, ...], name: str) -> tuple[str, ...]:
    row = next((row for row in rows if row.name == name), None)
    return () if row is None else tuple(clip for clip in row.clips if clip not in row.failed)
