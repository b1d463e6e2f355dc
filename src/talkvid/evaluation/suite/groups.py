"""Tables of subgroups: the same numbers for each age, gender, ethnicity, language and what else is given."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.suite.cells import (
    FEW_CLIPS,
    RESAMPLES,
    Cell,
    CellId,
    Wanted,
    cell_of_set,
    cells_of,
)
from talkvid.evaluation.suite.gathered import Gathered, gather
from talkvid.evaluation.suite.result import Evaluation
from talkvid.records import Array

NOTHING = Cell(mean=None, low=None, high=None, num_clips=0)


@dataclass(frozen=True)
class Group:
    """The clips with one value of a dimension, such as gender: female."""

    value: str
    num_clips: int
    """Different clips, whoever shows them."""
    cells: Mapping[CellId, Cell]

    @property
    def few(self) -> bool:
        """Return whether there are too few clips to say anything about others of their kind."""
        return self.num_clips < FEW_CLIPS

    def cell(self, row: str, metric: str, key: str) -> Cell:
        """Return a cell; one without a number where the row has none."""
        return self.cells.get((row, metric, key), NOTHING)


@dataclass(frozen=True)
class GroupTable:
    """All values of one dimension."""

    dimension: str
    groups: tuple[Group, ...]
    """Sorted by value."""
    num_unstated: int
    """Clips for which the dimension is not told; they are in no group."""


def group_tables(evaluation: Evaluation, *, resamples: int = RESAMPLES, seed: int = 0) -> list[GroupTable]:
    """Return a table for each dimension in the order of its first clip; empty where no pair has groups.

    Means and intervals as in `summary.summarise`, over the clips of the group alone. A row's clip belongs to
    the group that its own pair states. Distances of sets stand where they were measured for the group.
    """
    if resamples < 1:
        raise ValueError(f"{resamples} resamples give no interval; take 1000")
    numbers = gather(evaluation)
    dimensions = dict.fromkeys(name for result in evaluation.pairs for name in result.pair.groups)
    tables = []
    for dimension in dimensions:
        member = _members(evaluation, numbers, dimension)
        groups = tuple(
            _group(evaluation, numbers, dimension, value, shown, resamples=resamples, seed=seed)
            for value, shown in sorted(member.items())
        )
        stated = np.any(list(member.values()), axis=(0, 1))
        unstated = numbers.shown.any(axis=0) & ~stated
        tables.append(GroupTable(dimension, groups, int(unstated.sum())))
    return tables


def _members(evaluation: Evaluation, numbers: Gathered, dimension: str) -> dict[str, Array]:
    """Return by value of the dimension which clips (R, N) bool each row has in it."""
    rows = {pair.row: number for number, pair in enumerate(numbers.rows)}
    clips = {clip: number for number, clip in enumerate(numbers.clips)}
    found: dict[str, Array] = {}
    for result in evaluation.pairs:
        value = result.pair.groups.get(dimension)
        if value is not None:
            shown = found.setdefault(value, np.zeros(numbers.shown.shape, bool))
            shown[rows[result.pair.row], clips[result.pair.clip]] = True
    return found


def _group(
    evaluation: Evaluation,
    numbers: Gathered,
    dimension: str,
    value: str,
    shown: Array,
    *,
    resamples: int,
    seed: int,
) -> Group:
    wanted = [
        Wanted(row, column, shown[row])
        for row in range(len(numbers.rows))
        for column in range(len(numbers.columns))
        if shown[row].any()
    ]
    made = cells_of(numbers, wanted, resamples=resamples, seed=seed)
    cells = {
        (numbers.rows[one.row].row, *numbers.columns[one.column].id): cell
        for one, cell in zip(wanted, made, strict=True)
    }
    for result in evaluation.sets:
        if result.group == f"{dimension}={value}":
            for column in evaluation.columns.get(result.metric, ()):
                name = (result.row, result.metric, column.key)
                cells[name] = cell_of_set(result, column.key, gathered=cells.get(name))
    return Group(value, int(shown.any(axis=0).sum()), cells)
