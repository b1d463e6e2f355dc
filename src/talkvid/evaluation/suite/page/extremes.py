"""The best and the worst clips of a few columns, to be looked at and listened to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from talkvid.evaluation.suite.metric import Column
from talkvid.evaluation.suite.page.figures import arrow, badness, told
from talkvid.evaluation.suite.page.links import listener, player
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import Evaluation
from talkvid.page.marks import Html, join, name, plural, tag

PREFERRED = ("sync", "mel", "lips", "lmd", "csim", "identity", "lpips", "sharpness")
"""Metrics whose extremes tell a person most, in this order; others follow in the order of the tables."""
MOST_COLUMNS = 3
RANKS = ("", "second ")
"""Best clips and worst clips shown of every system and column."""
FOLDED_FROM = 1
"""Systems beyond this many are folded up, and their videos not opened before someone asks for them."""


@dataclass(frozen=True)
class Shown:
    """One clip and its value."""

    pair: Pair
    value: float
    notes: tuple[str, ...]


def chosen_columns(evaluation: Evaluation, keys: Sequence[str] = ()) -> list[tuple[str, Column]]:
    """Return (metric, column) of the columns whose extremes are shown.

    Args:
        keys: columns by key; none: the first column of each of three metrics that has good and bad values.

    Raises:
        ValueError: a key is no column of this run.
    """
    every = [(metric, column) for metric, columns in evaluation.columns.items() for column in columns]
    unknown = set(keys) - {column.key for _, column in every}
    if unknown:
        known = ", ".join(column.key for _, column in every)
        raise ValueError(f"{', '.join(sorted(unknown))}: no such column; this run has {known}")
    if keys:
        return [next(pair for pair in every if pair[1].key == key) for key in keys]
    order = [name for name in PREFERRED if name in evaluation.columns]
    order += [name for name in evaluation.columns if name not in PREFERRED]
    found = []
    for metric in order:
        judged = [column for column in evaluation.columns[metric] if column.better != "none"]
        measured = [column for column in judged if any(by_system(evaluation, metric, column).values())]
        found += [(metric, column) for column in measured[:1]]
    return found[:MOST_COLUMNS]


def by_system(evaluation: Evaluation, metric: str, column: Column) -> dict[str, list[Shown]]:
    """Return system -> its clips that have this number, the best first; controls are no systems."""
    found: dict[str, list[Shown]] = {}
    for result in evaluation.pairs:
        if result.pair.control is not None:
            continue
        clips = found.setdefault(result.pair.system, [])
        measured = result.metrics.get(metric)
        value = None if measured is None else measured.values.get(column.key)
        if measured is not None and value is not None:
            clips.append(Shown(result.pair, value, measured.notes))
    for clips in found.values():
        clips.sort(key=lambda shown: (badness(shown.value, column.better), shown.pair.clip))
    return found


def extremes(evaluation: Evaluation, folder: Path, keys: Sequence[str] = ()) -> Html:
    """Return for each chosen column the best and worst clips of every system, made beside true."""
    parts = []
    shown = chosen_columns(evaluation, keys)
    if not keys and _most_clips(evaluation) < 2:
        shown = shown[:1]  # the same single clips under every column
    for metric, column in shown:
        systems = {system: clips for system, clips in by_system(evaluation, metric, column).items() if clips}
        title = tag("h3", f"{column.heading} ", arrow(column.better))
        parts += [title, tag("p", column.meaning, class_="soft"), _systems(systems, column, folder)]
    if not parts:
        return tag("p", "No system has a number that is better or worse for some clip.")
    return join(parts)


def _most_clips(evaluation: Evaluation) -> int:
    counts = Counter(result.pair.system for result in evaluation.pairs if result.pair.control is None)
    return max(counts.values(), default=0)


def _systems(systems: Mapping[str, Sequence[Shown]], column: Column, folder: Path) -> Html:
    parts = []
    for number, (system, clips) in enumerate(systems.items()):
        early = number < FOLDED_FROM
        told_clips = plural(len(clips), "clip")
        inside = _best_and_worst(clips, column, folder, early=early)
        if early:
            parts.append(tag("p", tag("b", name(system)), f", {told_clips}", class_="systemname"))
            parts.append(inside)
        else:
            parts.append(tag("details", tag("summary", tag("b", name(system)), f", {told_clips}"), inside))
    return join(parts)


def _best_and_worst(clips: Sequence[Shown], column: Column, folder: Path, *, early: bool) -> Html:
    each = min(len(RANKS), len(clips) // 2)
    if not each:
        return tag("div", _card("the only clip", clips[0], column, folder, early=early), class_="extremes")
    shown = [(f"{RANKS[place]}best", clips[place]) for place in range(each)]
    shown += [(f"{RANKS[place]}worst", clips[-1 - place]) for place in range(each)]
    cards = [_card(rank, one, column, folder, early=early) for rank, one in shown]
    return tag("div", *cards, class_="extremes")


def _card(rank: str, shown: Shown, column: Column, folder: Path, *, early: bool) -> Html:
    pair = shown.pair
    head = tag("p", tag("b", rank), " ", tag("span", told(shown.value, column.digits), class_="figure value"),
               " ", name(pair.clip), class_="rank")  # fmt: skip
    videos = tag(
        "div",
        player(pair.made, folder, caption=f"made by {pair.system}", early=early),
        player(pair.reference, folder, caption="true video", early=early),
        class_="pair",
    )
    remarks = [tag("p", note, class_="soft") for note in shown.notes]
    return tag("div", head, videos, listener(pair.audio, folder), *remarks, class_="extreme")
