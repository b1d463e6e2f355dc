"""Figures that are drawn from numbers: what a curated set holds, what the filter turned down, data sets."""

import json
import textwrap
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from talkvid.curation.comparison import PUBLISHED
from talkvid.files import atomic_path

NUMBERS = Path(__file__).resolve().parents[1] / "assets" / "numbers" / "research_clips.json"
KEPT, REJECTED, FAILED, ALL = "#1d8a63", "#d99a2b", "#c4392d", "#c9d0d8"
INK, SOFT, LINE = "#1b2026", "#5a646e", "#d9dee4"
DPI = 130
TALKVID = "README of FreedomIntelligence/TalkVid, 2025"
REASONS = {
    "DUR_SHORT": "shorter than 3 s",
    "HEAD_ROTATION": "head turned too far",
    "QUALITY_LOW": "picture quality low",
    "MOTION_LOW": "points lost too often",
}
STAGES = {"scan": "cuts, lengths, speech", "head": "head", "quality": "picture quality", "motion": "motion"}
HEADS = ("Data set", "Speakers", "Hours", "Languages", "Resolution", "Shows", "Ages", "Source of these facts")


def data_distribution(target: Path, _walk: Path) -> None:
    """Draw how lengths, sizes, rates and scores of a curated set spread."""
    found = json.loads(NUMBERS.read_text(encoding="utf-8"))
    figure = new_figure(11.5, 5.6)
    grid = figure.subplots(2, 3, gridspec_kw={"wspace": 0.42, "hspace": 0.5})
    figure.subplots_adjust(left=0.11, right=0.985, top=0.83, bottom=0.13)
    for axes, spread in zip(grid[0], found["spreads"], strict=True):
        _bars(axes, spread)
    for axes, score in zip(grid[1], found["scores"], strict=True):
        _histogram(axes, score)
    clips, seconds = found["totals"]["in"]
    kept, kept_s = found["totals"]["kept"]
    figure.suptitle(
        f"{clips} clips, {seconds / 60:.1f} minutes in; {kept} clips, {kept_s / 60:.1f} minutes kept",
        fontsize=13, color=INK, x=0.012, ha="left",
    )  # fmt: skip
    figure.text(0.012, 0.905, found["about"], fontsize=9, color=SOFT)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, fontsize=9, frameon=False)
    save(figure, target)


def _bars(axes: Any, spread: dict[str, Any]) -> None:
    names, every, kept = zip(*spread["groups"], strict=True)
    places = range(len(names))
    axes.barh(places, every, color=ALL, height=0.72, label="all clips")
    axes.barh(places, kept, color=KEPT, height=0.72, label="kept")
    for place, (all_, good) in enumerate(zip(every, kept, strict=True)):
        axes.text(all_ + max(every) * 0.02, place, f"{good} of {all_}", va="center", fontsize=8, color=INK)
    axes.set_yticks(places, names, fontsize=9, color=INK)
    axes.set_xlim(0, max(every) * 1.32)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(spread["name"], fontsize=10.5, loc="left", color=INK)


def _histogram(axes: Any, score: dict[str, Any]) -> None:
    edges = score["edges"]
    width = edges[1] - edges[0]
    for counts, colour in ((score["all"], ALL), (score["kept"], KEPT)):
        axes.bar(edges[:-1], counts, width=width * 0.9, align="edge", color=colour)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylabel("clips", fontsize=8.5, color=SOFT)
    axes.tick_params(labelsize=8.5, colors=SOFT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(score["name"], fontsize=10.5, loc="left", color=INK)


def data_filter(target: Path, _walk: Path) -> None:
    """Draw what goes into each stage, what it lets pass, and why the rest is turned down."""
    found = json.loads(NUMBERS.read_text(encoding="utf-8"))
    steps = found["funnel"]
    figure = new_figure(11.5, 0.9 + 0.78 * (len(steps) + 1))
    axes = figure.add_axes((0.155, 0.02, 0.835, 0.8))
    most = steps[0]["in"][0]
    rows: list[tuple[str, int, dict[str, int], float]] = [("in", most, {}, steps[0]["in"][1])]
    rows += [(STAGES[step["stage"]], step["passed"][0], step["codes"], step["passed"][1]) for step in steps]
    for place, (_, passed, codes, seconds) in enumerate(rows):
        axes.barh(place, passed, color=KEPT, height=0.62)
        axes.barh(place, sum(codes.values()), left=passed, color=REJECTED, height=0.62)
        told = f"{passed} clips, {seconds / 60:.1f} min"
        axes.text(most * 0.012, place, told, va="center", fontsize=10, color="white", weight="bold")
        reasons = "; ".join(f"{count} {REASONS[code]}" for code, count in codes.items())
        if reasons:
            axes.text(passed + sum(codes.values()) + most * 0.012, place, f"rejected: {reasons}", va="center",
                      fontsize=10, color="#8a5a08")  # fmt: skip
    axes.set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=10, color=INK)
    axes.set_xlim(0, most * 1.27)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="y", length=0)
    failed = found["totals"]["failed"][0]
    figure.suptitle(
        f"From {most} clips to {rows[-1][1]}: what passed each stage and why not the rest; {failed} failed",
        fontsize=13, color=INK, x=0.012, ha="left",
    )  # fmt: skip
    figure.text(0.012, 0.865, found["about"], fontsize=9, color=SOFT)
    save(figure, target)


def compare_table(target: Path, _walk: Path) -> None:
    """Draw the table of data sets; every row says whose claim it is."""
    rows = [
        (one.name, one.speakers, one.hours, one.languages, one.resolution, one.body, one.ages,
         one.source.removeprefix("as published: ").replace(TALKVID, "TalkVid's README, 2025"))
        for one in PUBLISHED
    ]  # fmt: skip
    widths = (*(18,) * 7, 30)
    wrapped = [[textwrap.fill(text, width) for text, width in zip(row, widths, strict=True)] for row in rows]
    lines = [max(text.count("\n") + 1 for text in row) for row in wrapped]
    heights = [0.36, *(0.16 + 0.17 * count for count in lines)]
    total = sum(heights) + 0.62
    figure = new_figure(11.5, total)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 1)
    axes.set_ylim(total, 0)
    axes.set_axis_off()
    lefts = (0.012, 0.105, 0.205, 0.305, 0.435, 0.575, 0.69, 0.8)
    title = "Data sets of talking heads, in their authors' words or TalkVid's README's; not measured here"
    axes.text(0.012, 0.28, title, fontsize=12, color=INK, va="center_baseline")
    top = 0.5
    for number, (row, height) in enumerate(zip([HEADS, *wrapped], heights, strict=True)):
        is_head = number == 0
        if not is_head and number % 2:
            axes.axhspan(top, top + height, color="#f5f6f8", linewidth=0)
        for left, text in zip(lefts, row, strict=True):
            bold = is_head or left == lefts[0]
            axes.text(
                left, top + height / 2, text, fontsize=8.6, va="center", linespacing=1.25, parse_math=False,
                color=SOFT if is_head else INK, weight="bold" if bold else "normal",
            )  # fmt: skip
        axes.plot((0.006, 0.994), (top + height, top + height), color=LINE, linewidth=0.8)
        top += height
    save(figure, target)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that many inches on white."""
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, target: Path) -> None:
    """Write a figure."""
    with atomic_path(target) as temporary:
        figure.savefig(temporary, dpi=DPI, facecolor="white")
