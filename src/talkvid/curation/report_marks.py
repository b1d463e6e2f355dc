"""The small parts a report page is made of beside text and tables: bars and histograms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from talkvid.page.marks import DASH, Html, safe, ticks
from talkvid.records import Array

BINS = 36
ROBUST = (0.5, 99.5)
"""Percentiles between which a histogram is drawn where single values far off would squeeze the rest."""
FAR_OFF = 1.5
"""All values are shown unless they span this many times the range between those percentiles."""
PLOT_HEIGHT = 40.0
LEAST_HEIGHT = 1.0
"""So that a single clip among many is seen."""


def stacked(parts: Sequence[tuple[str, float]], total: float) -> Html:
    """Return one bar made of (class, amount) pieces, each its share of the total wide."""
    pieces = "".join(
        f'<i class="{kind}" style="width:{100 * value / total:.3f}%"></i>'
        for kind, value in parts
        if total > 0 and value > 0
    )
    return Html(f'<span class="track">{pieces}</span>')


def value(number: float) -> str:
    """Return a measured value with about four digits that matter."""
    return f"{number:,.{_digits(number)}f}" if math.isfinite(number) else DASH


def with_margin(number: float, margin: float) -> tuple[str, str]:
    """Return a value and its signed distance from a threshold, both with the same digits.

    More digits are given where fewer would show no distance at all.
    """
    if not (math.isfinite(number) and math.isfinite(margin)):
        return value(number), ""
    digits = _digits(number)
    if margin and not round(margin, digits):
        digits = min(9, 1 - math.floor(math.log10(abs(margin))))
    return f"{number:,.{digits}f}", f"{margin:+,.{digits}f}"


def _digits(number: float) -> int:
    """Return how many decimals a value is told with: 0.1234, 1.234, 12.3, 123.4, 1,234."""
    if not math.isfinite(number) or number == 0 or abs(number) >= 1000:
        return 0
    return min(6, max(1, 3 - max(-1, math.floor(math.log10(abs(number))))))


def readable(operator: str) -> str:
    """Return a comparison as one writes it by hand."""
    return {">=": "\N{GREATER-THAN OR EQUAL TO}", "<=": "\N{LESS-THAN OR EQUAL TO}"}.get(operator, operator)


@dataclass(frozen=True)
class Unit:
    """The unit in which all lengths of one page are told."""

    name: str
    seconds: float

    @classmethod
    def fitting(cls, longest_s: float) -> Self:
        """Return hours, or for a small run minutes or seconds."""
        if longest_s >= 3600:
            return cls("h", 3600)
        return cls("min", 60) if longest_s >= 120 else cls("s", 1)

    def text(self, seconds: float) -> str:
        """Return a length with its unit: one or two decimals, more digits where there are few hours."""
        amount = seconds / self.seconds
        digits = 0 if amount >= 1000 else 1 if amount >= 10 else 2
        return f"{amount:,.{digits}f} {self.name}"


def hours(seconds: float) -> str:
    """Return a length in hours without its unit: 1,244 or 15.8 or 0.148."""
    amount = seconds / 3600
    return f"{amount:,.{0 if amount >= 100 else 1 if amount >= 10 else 3}f}"


def clock(seconds: float) -> str:
    """Return a moment of a video as 1:02:03.4 or 2:03.4."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


@dataclass(frozen=True)
class Histogram:
    """Counts of values in equal bins, those that hold apart from those that do not."""

    low: float
    high: float
    good: Array
    """(B,) int64: values on the passing side of every threshold."""
    bad: Array
    below: int
    above: int
    """How many values lie beyond what is shown."""

    def place(self, number: float) -> float:
        """Return where a value stands, in per cent of the width."""
        return 100 * (number - self.low) / (self.high - self.low)


def histogram(values: Array, good: Array, thresholds: Sequence[float]) -> Histogram:
    """Return the spread of finite values (N,), N > 0, over a range that shows every threshold."""
    low, high = float(values.min()), float(values.max())
    inner = [float(edge) for edge in np.percentile(values, ROBUST)]
    if high - low > FAR_OFF * (inner[1] - inner[0]):
        low, high = inner
    low, high = min([low, *thresholds]), max([high, *thresholds])
    spare = (high - low) * 0.04 or max(abs(low), 1.0) * 0.05
    low -= spare if low in thresholds or low == high else 0.0
    high += spare if high in thresholds or high <= low + spare else 0.0
    edges = np.linspace(low, high, BINS + 1)
    shown = np.clip(values, low, high)
    return Histogram(
        low=low,
        high=high,
        good=np.histogram(shown[good], edges)[0],
        bad=np.histogram(shown[~good], edges)[0],
        below=int(np.count_nonzero(values < low)),
        above=int(np.count_nonzero(values > high)),
    )


def axis(shown: Histogram) -> Html:
    """Return round numbers under a histogram, each where it belongs."""
    marks = []
    for tick in ticks(shown.low, shown.high):
        place = shown.place(tick)
        shift = 0 if place < 4 else 100 if place > 96 else 50
        text = f"{tick:,.10g}"
        marks.append(f'<span style="left:{place:.2f}%;transform:translateX(-{shift}%)">{text}</span>')
    return Html(f'<div class="axis">{"".join(marks)}</div>')


def histogram_plot(shown: Histogram, thresholds: Sequence[float], *, title: str) -> Html:
    """Return bars and threshold lines as SVG that fills its box; words stand outside and do not scale."""
    tallest = max(int((shown.good + shown.bad).max()), 1)
    width = 100 / len(shown.good)
    marks = []
    for index, (good, bad) in enumerate(zip(shown.good, shown.bad, strict=True)):
        top = PLOT_HEIGHT
        for kind, number in (("good", good), ("bad", bad)):
            height = max(PLOT_HEIGHT * int(number) / tallest, LEAST_HEIGHT)
            if number:
                top -= height
                marks.append(
                    f'<rect class="{kind}" x="{index * width + width * 0.06:.2f}" y="{top:.2f}" '
                    f'width="{width * 0.88:.2f}" height="{height:.2f}"/>'
                )
    for threshold in thresholds:
        place = shown.place(threshold)
        marks.append(f'<line class="limit" x1="{place:.2f}" x2="{place:.2f}" y1="0" y2="{PLOT_HEIGHT:g}"/>')
    return Html(
        f'<svg class="plot" viewBox="0 0 100 {PLOT_HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{safe(title)}">{"".join(marks)}</svg>'
    )
