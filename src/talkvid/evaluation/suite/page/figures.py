"""How numbers are written on the page, and where good ones lie."""

import math
from collections.abc import Sequence

from talkvid.evaluation.suite.metric import Better, Column
from talkvid.page.marks import DASH, Html, join, tag

ARROWS = {"lower": "\N{DOWNWARDS ARROW}", "higher": "\N{UPWARDS ARROW}", "zero": "\N{RIGHTWARDS ARROW}0",
          "one": "\N{RIGHTWARDS ARROW}1", "none": ""}  # fmt: skip
GOOD = {
    "lower": "lower is better",
    "higher": "higher is better",
    "zero": "near 0 is better",
    "one": "near 1 is better",
    "none": "neither high nor low is better",
}


def told(number: float | None, digits: int) -> str:
    """Return a number with its digits; a dash where there is none."""
    if number is None or not math.isfinite(number):
        return DASH
    text = f"{number:,.{digits}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


def interval(low: float | None, high: float | None, digits: int) -> str:
    """Return an interval in brackets; nothing where there is none."""
    if low is None or high is None:
        return ""
    return f"[{told(low, digits)}, {told(high, digits)}]"


def arrow(better: Better) -> Html:
    """Return the mark that says where good values lie."""
    if better == "none":
        return Html("")
    return tag(
        "span", ARROWS[better], class_="arrow", title=GOOD[better], role="img", aria_label=GOOD[better]
    )


def heading(column: Column) -> Html:
    """Return what stands above a column."""
    words = tag("span", column.heading, title=column.meaning)
    return words if column.better == "none" else join([words, arrow(column.better)], "\N{NO-BREAK SPACE}")


def badness(number: float, better: Better) -> float:
    """Return a number that grows the worse a value is; 0 for all where there is no better."""
    return {
        "lower": number,
        "higher": -number,
        "zero": abs(number),
        "one": abs(number - 1),
        "none": 0.0,
    }[better]


def badness_range(low: float, high: float, better: Better) -> tuple[float, float]:
    """Return the least and the greatest badness of the values of an interval."""
    ends: Sequence[float] = (badness(low, better), badness(high, better))
    goal = {"zero": 0.0, "one": 1.0}.get(better)
    least = 0.0 if goal is not None and low <= goal <= high else min(ends)
    return least, max(ends)
