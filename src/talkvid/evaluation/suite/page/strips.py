"""Plots of every clip: a line of dots for each row, with its mean and interval, as SVG that fills its box."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.page.marks import Html, name, plural, safe, tag, ticks
from talkvid.records import Array

WIDTH = 1000
HEIGHT = 30
MIDDLE = 10
"""Of the dots; the interval lies below them, so that neither hides the other."""
INTERVAL = 25
BIN = 12
"""Dots nearer than this, in thousandths of the width, are put above each other."""
STEP = 4.0
ROOM = 8.0
"""Dots lie at most this far above and below the middle of their line."""
MOST_IN_TURN = 6
"""Dots of larger heaps are scattered over the heap's height; in turn they would look like arrow heads."""
GOLDEN = (5**0.5 - 1) / 2
FENCE = 4.0
"""Values this many quartile distances outside the quartiles do not widen the plot; they are counted."""
FEWEST_FOR_FENCE = 8
MOST_NAMED = 40
"""With at most this many dots in a line each tells its clip when it is pointed at."""


@dataclass(frozen=True)
class Strip:
    """The clips of one row."""

    label: str
    kind: str
    """Class of the row: system, truth or control."""
    clips: Sequence[str]
    values: Sequence[float]
    mean: float
    low: float | None
    high: float | None
    told: str
    """Mean and interval as they are written in the table."""


def strip_plot(strips: Sequence[Strip]) -> Html:
    """Return the lines of one column over a common axis; nothing where no row has a value."""
    strips = [strip for strip in strips if strip.values]
    if not strips:
        return tag("p", "No clip has this number.", class_="soft")
    low, high = _range(strips)
    marks = ticks(low, high)
    lines = [_line(strip, low, high, marks) for strip in strips]
    beyond = [part for strip in strips for part in _beyond(strip, low, high)]
    below = _axis(marks, low, high)
    rest = [tag("small", f"Drawn at the edge: {'; '.join(beyond)}.", class_="soft")] if beyond else []
    return tag("div", *lines, below, *rest, class_="strips")


def _range(strips: Sequence[Strip]) -> tuple[float, float]:
    lows, highs = [], []
    for strip in strips:
        values = np.asarray(strip.values, np.float64)
        first, third = np.percentile(values, (25, 75))
        reach = FENCE * (third - first)
        if len(values) >= FEWEST_FOR_FENCE and reach > 0:
            values = values[(values >= first - reach) & (values <= third + reach)]
        lows.append(float(values.min()))
        highs.append(float(values.max()))
    low, high = min(lows), max(highs)
    spare = (high - low) * 0.03
    if spare <= 1e-12 * max(abs(low), abs(high)):
        spare = 0.05 * abs(low) or 0.5
    return low - spare, high + spare


def _beyond(strip: Strip, low: float, high: float) -> list[str]:
    outside = [number for number in strip.values if not low <= number <= high]
    if not outside:
        return []
    least, most = f"{min(outside):,.4g}", f"{max(outside):,.4g}"
    told = least if least == most else f"{least} to {most}"
    return [f"{plural(len(outside), 'clip')} of {strip.label}, {told}"]


def _line(strip: Strip, low: float, high: float, marks: Sequence[float]) -> Html:
    places = _places(strip.values, low, high)
    order = np.argsort(places, kind="stable")
    heights = _heights(places[order])
    dots = _dots([strip.clips[index] for index in order], [strip.values[index] for index in order],
                 places[order], heights)  # fmt: skip
    grid = "".join(f"M{_place(mark, low, high)} 0v{HEIGHT}" for mark in marks)
    parts = [f'<path class="grid" d="{grid}"/>', dots]
    if low <= strip.mean <= high:
        parts.append(f'<path class="mean" d="{_mean(strip, low, high)}"/>')
    label = f"{strip.label}: {strip.told}, {plural(len(strip.values), 'clip')}"
    picture = Html(
        f'<span class="dots"><svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{safe(label)}">{"".join(parts)}</svg></span>'
    )
    amount = tag("span", strip.told, class_="amount")
    return tag("div", name(strip.label), amount, picture, class_=f"strip {strip.kind}")


def _mean(strip: Strip, low: float, high: float) -> str:
    path = f"M{_place(strip.mean, low, high)} 1V{HEIGHT - 1}"
    if strip.low is not None and strip.high is not None:
        begin, end = _place(max(strip.low, low), low, high), _place(min(strip.high, high), low, high)
        path += f"M{begin} {INTERVAL}H{end}M{begin} {INTERVAL - 3}v6M{end} {INTERVAL - 3}v6"
    return path


def _dots(clips: Sequence[str], values: Sequence[float], places: Array, heights: Array) -> str:
    """Return the dots: lines of no length with round ends, which stay round however the box is stretched."""
    spots = [f"M{int(place)} {height:.3g}h0" for place, height in zip(places, heights, strict=True)]
    if len(spots) > MOST_NAMED:
        return f'<path class="dot many" d="{"".join(dict.fromkeys(spots))}"/>'
    named = zip(spots, clips, values, strict=True)
    return "".join(
        f'<path class="dot" d="{spot}"><title>{safe(clip)}: {value:.4g}</title></path>'
        for spot, clip, value in named
    )


def _places(values: Sequence[float], low: float, high: float) -> Array:
    inside = np.clip(np.asarray(values, np.float64), low, high)
    return np.rint(WIDTH * (inside - low) / (high - low)).astype(np.int64)


def _place(number: float, low: float, high: float) -> int:
    return int(_places([number], low, high)[0])


def _heights(places: Array) -> Array:
    """Return how high each dot (n,) lies: near ones heap up and down from the middle, many as many.

    `places` are sorted. The largest heap fills the line, unless it is so small that it need not.
    """
    starts = [0]
    for index, place in enumerate(places):
        if place - places[starts[-1]] > BIN:
            starts.append(index)
    sizes = np.diff([*starts, len(places)])
    step = min(STEP, ROOM / max(1, int(sizes.max()) // 2))
    number = np.arange(len(places)) - np.repeat(starts, sizes)
    size = np.repeat(sizes, sizes)
    in_turn = np.where(number % 2, 1, -1) * ((number + 1) // 2)
    scattered = (number * GOLDEN % 1 - 0.5) * size
    found: Array = MIDDLE + step * np.where(size > MOST_IN_TURN, scattered, in_turn)
    return found


def _axis(marks: Sequence[float], low: float, high: float) -> Html:
    texts = []
    for mark in marks:
        place = 100 * (mark - low) / (high - low)
        shift = 0 if place < 4 else 100 if place > 96 else 50
        texts.append(f'<span style="left:{place:.2f}%;transform:translateX(-{shift}%)">{mark:,.10g}</span>')
    return Html(f'<div class="axis">{"".join(texts)}</div>')
