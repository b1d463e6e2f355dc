"""How well two signals go together at every lag, and which lag is best."""

from dataclasses import dataclass

import numpy as np

from talkvid.records import Array

SHORTEST_ROWS = 50
"""A correlation over fewer known rows says nothing and counts as 0."""


@dataclass(frozen=True)
class LagCurve:
    """Correlations at lags -reach … reach rows, (2 reach + 1,); positive lags mean a late first signal."""

    values: Array
    rate_hz: float

    @property
    def reach(self) -> int:
        """Return the largest lag in rows."""
        return len(self.values) // 2

    @property
    def best(self) -> float:
        """Return the highest correlation."""
        return float(self.values.max())

    @property
    def best_lag_s(self) -> float:
        """Return the lag of the highest correlation in seconds; NaN when no lag has any."""
        if not self.values.any():
            return float("nan")
        return (int(self.values.argmax()) - self.reach) / self.rate_hz

    def rise(self, *, within_s: float) -> float:
        """Return how far the highest correlation lies above the highest further than `within_s` from it.

        0 when the highest lies at either end: there it may go on rising.
        """
        top = int(self.values.argmax())
        if top in (0, len(self.values) - 1):
            return 0.0
        far = np.abs(np.arange(len(self.values)) - top) > round(within_s * self.rate_hz)
        return float(self.values[top] - self.values[far].max()) if far.any() else 0.0

    @property
    def at_zero(self) -> float:
        """Return the correlation without any lag."""
        return float(self.values[self.reach])


def correlations(first: Array, second: Array) -> Array:
    """Return Pearson's r (S,) of each column of (T, S) and (T, S); 0 where one of them does not move."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    spread = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    together = (first * second).sum(axis=0)
    result: Array = np.where(spread > 1e-9, together / np.maximum(spread, 1e-9), 0.0)
    return result


def lag_curve(mouth: Array, told: Array, known: Array, *, rate_hz: float, reach_s: float) -> LagCurve:
    """Return, at lags within `reach_s`, the mean over columns of r between mouth[t + lag] and told[t].

    `mouth`, `told` (T, S) at `rate_hz`, the longer one cut; only rows where `known` (T,) for the mouth count.
    """
    count, reach = min(len(mouth), len(told)), round(reach_s * rate_hz)
    values = np.zeros(2 * reach + 1)
    for place, lag in enumerate(range(-reach, reach + 1)):
        late, early = max(lag, 0), max(-lag, 0)
        if count - late - early < SHORTEST_ROWS:
            continue
        rows = known[late : count - early]
        if rows.sum() >= SHORTEST_ROWS:
            ours, theirs = mouth[late : count - early][rows], told[early : count - late][rows]
            values[place] = correlations(ours, theirs).mean()
    return LagCurve(values, rate_hz)


def ranking_share(above: Array, below: Array) -> float:
    """Return the area under the ROC curve: how often a value of `above` exceeds one of `below`, ties half."""
    above, below = np.asarray(above, np.float64).ravel(), np.asarray(below, np.float64).ravel()
    if not len(above) or not len(below):
        return float("nan")
    wins = (above[:, None] > below).mean() + 0.5 * (above[:, None] == below).mean()
    return float(wins)
