"""Intervals: Wilson's for a share, and the bootstrap over raters, or over raters and clips."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.records import Array

Z_95 = 1.959963984540054
LEAST_FINITE = 0.9
"""Share of the draws that must give a number, else there is no interval."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval; None where it cannot be had."""

    low: float | None
    high: float | None


NO_INTERVAL = Interval(None, None)


def wilson(successes: float, number: float) -> Interval:
    """Return Wilson's 95 % interval of a share, in 0 … 1 (Wilson 1927, J. Am. Stat. Assoc. 22, eq. for p)."""
    if number <= 0:
        return NO_INTERVAL
    share = successes / number
    spread = Z_95**2 / number
    middle = (share + spread / 2) / (1 + spread)
    half = Z_95 * math.sqrt(share * (1 - share) / number + spread / (4 * number)) / (1 + spread)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def draw_counts(num_units: int, draws: int, generator: np.random.Generator) -> Array:
    """Return (draws, units) how often each unit is in each resample; ones where there is a single unit.

    One unit alone cannot be resampled, so it is held.
    """
    if num_units < 2:
        return np.ones((draws, num_units))
    return generator.multinomial(num_units, np.full(num_units, 1 / num_units), size=draws).astype(float)


def percentile_interval(values: Array) -> Interval:
    """Return the 2.5 % and 97.5 % quantiles of bootstrap values (draws,), the undefined ones left aside."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0 or len(finite) < LEAST_FINITE * len(values):
        return NO_INTERVAL
    low, high = np.quantile(finite, [0.025, 0.975])
    return Interval(float(low), float(high))


def positions(names: Sequence[str], order: Sequence[str]) -> Array:
    """Return the index in `order` of each name, (N,) int."""
    table = {name: number for number, name in enumerate(order)}
    return np.array([table[name] for name in names], dtype=int)


def weighted_means(values: Array, groups: Array, weights: Array, num_groups: int) -> Array:
    """Return (draws, groups) the weighted mean of the values of each group, NaN where nothing was drawn.

    values (N,), groups (N,) int, weights (draws, N).
    """
    member = (groups[:, None] == np.arange(num_groups)).astype(float)
    total = weights @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Array = np.where(total > 0, (weights @ (member * values[:, None])) / total, np.nan)
    return means
