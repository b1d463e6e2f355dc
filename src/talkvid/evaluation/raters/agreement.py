"""How far raters agree: Krippendorff's alpha."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from talkvid.records import Array

Level = Literal["nominal", "ordinal"]


def krippendorff_alpha(units: Sequence[Sequence[int]], *, categories: int, level: Level) -> float | None:
    """Return alpha: 1 where all agree, 0 where they agree as by chance, below 0 where they disagree more.

    `units` holds, for each thing judged, the categories (0 … categories - 1) that its raters gave, in any
    order; things judged once say nothing. None where nothing was judged twice or only one category occurs.
    Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, sections C and the metrics of D.
    """
    coincidences = np.zeros((categories, categories))
    for unit in units:
        counts = np.bincount(unit, minlength=categories).astype(float) if len(unit) else np.zeros(categories)
        if len(unit) >= 2:
            coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    totals = coincidences.sum(axis=1)
    apart = _squared_distances(totals, level)
    expected = float((np.outer(totals, totals) * apart).sum())
    if expected == 0:
        return None
    return float(1 - (totals.sum() - 1) * (coincidences * apart).sum() / expected)


def _squared_distances(totals: Array, level: Level) -> Array:
    """Return (C C) the squared difference of each two categories; ordinal ones count what lies between."""
    number = len(totals)
    if level == "nominal":
        return 1 - np.eye(number)
    reached = np.cumsum(totals)
    squared = np.zeros((number, number))
    for one in range(number):
        for other in range(one + 1, number):
            between = reached[other] - reached[one] + totals[one] - (totals[one] + totals[other]) / 2
            squared[one, other] = squared[other, one] = between**2
    return squared
