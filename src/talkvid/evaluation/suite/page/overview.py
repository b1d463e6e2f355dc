"""The first things a reader sees: how much was measured, what was left out, and what not to believe."""

from talkvid.evaluation.suite.page.gaps import left_out_list
from talkvid.evaluation.suite.page.results import kind, measured_columns, unmeasured_metrics
from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.summary import Summary
from talkvid.page.marks import Html, count, join, name, plural, tag

MOST_WARNINGS = 6
"""Warnings that are seen without unfolding."""


def headline(evaluation: Evaluation, summary: Summary) -> Html:
    """Return the counts as cards, the warnings, who saw the faces, and the metrics left out by name."""
    systems = [row for row in summary.rows if kind(row) == "system"]
    clips = {clip for row in systems for clip in row.clips}
    videos = sum(len(row.clips) for row in systems)
    failed = sum(bool(result.failure) for result in evaluation.pairs)
    columns = measured_columns(summary)
    controls = [row for row in summary.rows if kind(row) == "control"]
    metrics = len({column.metric for column in columns})
    cards = [
        _card("systems", count(len(systems)), join([name(row.name) for row in systems], ", ")),
        _card("clips", count(len(clips)), f"{plural(videos, 'made video')}"),
        _card("numbers", count(len(columns)), f"of {plural(metrics, 'metric')}"),
        _card("controls", count(len(controls)), _truth_words(summary)),
        _card("failed", count(failed), "videos that did not open", "failed" if failed else ""),
    ]
    parts = [tag("div", *cards, class_="cards"), warning_box(summary)]
    parts.append(_what_was_measured(evaluation, summary))
    if summary.left_out:
        number = len(summary.left_out)
        told = f"Left out: {plural(number, 'metric')} asked for, and not measured."
        parts += [tag("p", told), left_out_list(summary.left_out)]
    return join(parts)


def _truth_words(summary: Summary) -> str:
    has_truth = any(kind(row) == "truth" for row in summary.rows)
    return "and the true videos" if has_truth else "no true videos"


def _card(title: str, number: str, below: Html | str, kind_: str = "") -> Html:
    return tag(
        "div", title, tag("b", number), tag("small", below, class_="soft"), class_=f"card {kind_}".strip()
    )


def _what_was_measured(evaluation: Evaluation, summary: Summary) -> Html:
    told = []
    if made_at := evaluation.settings.get("made_at"):
        told.append(f"Measured {made_at}.")
    if yardstick := evaluation.settings.get("yardstick"):
        told.append(f"Faces seen by: {yardstick}.")
    nothing = unmeasured_metrics(summary)
    if nothing:
        told.append(f"Without a number in any row: {', '.join(nothing)}; see what is missing and why.")
    return tag("p", " ".join(told), class_="soft") if told else Html("")


def warning_box(summary: Summary) -> Html:
    """Return the warnings in a box, some at once and the rest folded; nothing where there are none."""
    if not summary.warnings:
        return Html("")
    items = [tag("li", warning) for warning in summary.warnings]
    title = tag("b", f"{plural(len(items), 'warning')}: read the numbers with these in mind")
    parts = [title, tag("ul", *items[:MOST_WARNINGS])]
    if items[MOST_WARNINGS:]:
        more = f"{plural(len(items) - MOST_WARNINGS, 'further warning')}"
        parts.append(tag("details", tag("summary", more), tag("ul", *items[MOST_WARNINGS:])))
    return tag("div", *parts, class_="warn", role="note")
