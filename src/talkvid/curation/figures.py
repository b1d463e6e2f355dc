"""The figures of a data set as PNG: how its clips spread, and what each stage of the filter let pass."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from talkvid.curation.records import FAILED, KEPT, REJECTED, UNSCORED
from talkvid.curation.report_marks import Unit
from talkvid.curation.report_numbers import Amount, Distribution, Step
from talkvid.extras import require
from talkvid.files import atomic_path
from talkvid.page.marks import count

COLOURS = {KEPT: "#1d8a63", REJECTED: "#d99a2b", FAILED: "#c4392d", UNSCORED: "#9aa3ae"}
ALL_COLOUR = "#c9d0d8"
COLUMNS = 3
ROW_INCHES = 0.27
LONGEST_NAME = 30
DPI = 140


def distribution_figure(found: Sequence[Distribution], target: Path, *, title: str) -> Path:
    """Draw one panel of bars per dimension, all clips pale and the kept ones strong; return the path."""
    columns = min(COLUMNS, max(len(found), 1))
    rows = [found[begin : begin + columns] for begin in range(0, len(found), columns)]
    heights = [max(len(spread.groups) for spread in row) * ROW_INCHES + 0.95 for row in rows]
    figure = _figure(4.4 * columns, sum(heights, 0.7))
    grid = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw={"height_ratios": heights})
    for number, row in enumerate(rows):
        for column in range(columns):
            axes = grid[number][column]
            if column < len(row):
                most = max(1, *(len(spread.groups) for spread in row))
                _draw_distribution(axes, row[column], most=most)
            else:
                axes.set_axis_off()
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    figure.suptitle(title, fontsize=12, parse_math=False)
    return _save(figure, target)


def _draw_distribution(axes: Any, spread: Distribution, *, most: int) -> None:
    names = [_short(group.name) for group in spread.groups]
    places = range(len(names))
    totals = [group.all.clips for group in spread.groups]
    kept = [group.kept.clips for group in spread.groups]
    axes.barh(places, totals, color=ALL_COLOUR, height=0.72, label="all clips")
    axes.barh(places, kept, color=COLOURS[KEPT], height=0.72, label=KEPT)
    _name_bars(
        axes,
        names,
        [f"{count(good)} of {count(all_)}" for good, all_ in zip(kept, totals, strict=True)],
        totals,
    )
    axes.set_ylim(most - 0.5, -0.5)
    axes.set_title(spread.name, fontsize=10, loc="left")


def funnel_figure(steps: Sequence[Step], target: Path, *, title: str) -> Path:
    """Draw the stages of the filter in clips (left) and in length (right); return the path."""
    unit = Unit.fitting(steps[0].entered.seconds if steps else 0.0)
    figure = _figure(11, 1.5 + 0.55 * (len(steps) + 1))
    left, right = figure.subplots(1, 2)
    _draw_funnel(left, steps, "clips", lambda amount: float(amount.clips), lambda value: count(round(value)))
    _draw_funnel(right, steps, f"length ({unit.name})", lambda amount: amount.seconds, unit.text)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    figure.suptitle(title, fontsize=12, parse_math=False)
    return _save(figure, target)


def _draw_funnel(axes: Any, steps: Sequence[Step], title: str, measure: Any, text: Any) -> None:
    first = steps[0].entered if steps else Amount()
    names = ["in", *(f"after {step.stage}" for step in steps)]
    passed = [measure(first), *(measure(step.passed) for step in steps)]
    places = range(len(names))
    axes.barh(places, passed, color=COLOURS[KEPT], height=0.66, label="passed on")
    begin = list(passed)
    for status in (REJECTED, FAILED, UNSCORED):
        left = [0.0, *(measure(step.left[status]) for step in steps)]
        if any(left):
            axes.barh(places, left, left=begin, color=COLOURS[status], height=0.66, label=f"{status} here")
        begin = [start + length for start, length in zip(begin, left, strict=True)]
    whole = passed[0] or 1.0
    told = [f"{text(value)}  ({100 * value / whole:.0f} %)" for value in passed]
    _name_bars(axes, names, told, begin)
    axes.set_title(title, fontsize=10, loc="left")


def _name_bars(axes: Any, names: Sequence[str], told: Sequence[str], ends: Sequence[float]) -> None:
    """Write the names before the bars and the figures behind them, with room on the right."""
    longest = max(ends, default=0.0) or 1.0
    axes.set_yticks(range(len(names)), names, fontsize=9)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    for place, (text, end) in enumerate(zip(told, ends, strict=True)):
        axes.text(end + longest * 0.015, place, text, va="center", fontsize=8, parse_math=False)
    axes.set_xlim(0, longest * 1.42)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"


def _figure(width: float, height: float) -> Any:
    """Return an empty figure of that many inches that belongs to no window."""
    figure = require("matplotlib.figure", extra="curation").Figure(
        figsize=(width, height), layout="constrained"
    )
    require("matplotlib.backends.backend_agg", extra="curation").FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, target: Path) -> Path:
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=DPI, facecolor="white")
    return target
