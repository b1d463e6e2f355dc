"""Does a number tell the truth from what must score below it, and is a system better than the truth?"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.lags import ranking_share
from talkvid.evaluation.suite.cells import FEW_CLIPS, intervals
from talkvid.evaluation.suite.gathered import Gathered, MetricColumn
from talkvid.evaluation.suite.metric import Better
from talkvid.evaluation.suite.pair import TRUTH
from talkvid.records import Array

LOWEST_AUC = 0.75
"""Below it a number does not tell two kinds of videos apart."""


@dataclass(frozen=True)
class Separation:
    """How well a column ranks a row above a control made of the same clips."""

    row: str
    control: str
    """The control's row."""
    metric: str
    key: str
    auc: float
    """How often a clip of the row has a better number than one of the control, ties half."""
    num_clips: int
    """Clips with a number in both."""
    same: bool
    """Whether every clip has one and the same number in both: the metric does not see what was done."""

    @property
    def told(self) -> bool | None:
        """Return whether the two are told apart; None when there are too few clips to say."""
        return None if self.num_clips < FEW_CLIPS else self.auc >= LOWEST_AUC


@dataclass(frozen=True)
class BetterThanTruth:
    """A system that beats the true videos beyond chance: then the number rewards something else."""

    row: str
    metric: str
    key: str
    made: float
    truth: float
    """Means over the clips that both have; of absolute values where zero is best, of the distance to one."""
    low: float
    high: float
    """95 % bootstrap interval of how much better, clip by clip; above 0."""
    num_clips: int


def goodness(values: Array, better: Better) -> Array:
    """Return the numbers turned so that the higher is the better."""
    if better == "none":
        raise ValueError("a column without a good side cannot be ranked")
    turned = {"higher": values, "lower": -values, "zero": -np.abs(values), "one": -np.abs(values - 1)}
    found: Array = turned[better]
    return found


def separations(numbers: Gathered) -> tuple[Separation, ...]:
    """Return for every control and column with a good side how well it is told from its original.

    Both sides are the clips that have a number in both, so that neither has the easier ones.
    """
    return tuple(_separations(numbers))


def _separations(numbers: Gathered) -> Iterator[Separation]:
    names = {pair.row: number for number, pair in enumerate(numbers.rows)}
    for control, pair in enumerate(numbers.rows):
        base = names.get(pair.system)
        if base is None or base == control:
            continue
        for number, column in _ranked(numbers):
            ours, theirs = _on_shared(numbers, base, control, number)
            if len(ours):
                better = column.column.better
                auc = ranking_share(goodness(ours, better), goodness(theirs, better))
                same = bool((ours == theirs).all())
                yield Separation(pair.system, pair.row, *column.id, auc, len(ours), same)


def better_than_truth(numbers: Gathered, *, resamples: int, seed: int) -> tuple[BetterThanTruth, ...]:
    """Return every system and column where the mean difference to the truth, clip by clip, is surely above 0.

    Only of five clips or more that both have.
    """
    names = {pair.row: number for number, pair in enumerate(numbers.rows)}
    if TRUTH not in names:
        return ()
    found = []
    for row in numbers.main_rows:
        for number, column in _ranked(numbers):
            ours, truth = _on_shared(numbers, row, names[TRUTH], number)
            if row == names[TRUTH] or len(ours) < FEW_CLIPS:
                continue
            better = column.column.better
            gain = goodness(ours, better) - goodness(truth, better)
            ends = intervals([gain], ["mean"], resamples=resamples, seed=seed)[0]
            if ends is not None and ends[0] > 0:
                means = _told_mean(ours, better), _told_mean(truth, better)
                found.append(
                    BetterThanTruth(numbers.rows[row].row, *column.id, *means, *ends, num_clips=len(ours))
                )
    return tuple(found)


def _told_mean(values: Array, better: Better) -> float:
    """Return the mean of what is compared: as it stands, or its distance to zero or one."""
    return float(np.abs(goodness(values, better)).mean() if better in ("zero", "one") else values.mean())


def _ranked(numbers: Gathered) -> Iterator[tuple[int, MetricColumn]]:
    return ((number, one) for number, one in enumerate(numbers.columns) if one.column.better != "none")


def _on_shared(numbers: Gathered, first: int, second: int, column: int) -> tuple[Array, Array]:
    ours, theirs = numbers.values[first, column], numbers.values[second, column]
    both = ~(np.isnan(ours) | np.isnan(theirs))
    return ours[both], theirs[both]
