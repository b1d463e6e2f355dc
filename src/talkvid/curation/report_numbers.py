"""What report and statistics count: totals, funnel, codes, rules and distributions; arithmetic on columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from talkvid.curation.records import FAILED, KEPT, REJECTED, UNSCORED
from talkvid.curation.report_table import STATUSES, UNKNOWN, RunTable, stage_place
from talkvid.records import Array

MOST_GROUPS = 20
"""Groups of a distribution by name; rarer ones are one group together."""
OTHERS = "others"
MISSING = ("", None)
DURATION_EDGES = (0, 3, 5, 10, 15, 20, 30, 60)
RATES = (15, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60)
RATE_SLACK = 0.012
"""How far in fps a mean rate may lie from a usual one and still bear its name."""
HEIGHT_NAMES = ((2160, "2160p (4K) and more"), (1440, "1440p"), (1080, "1080p"), (720, "720p"), (480, "480p"))
ANNOTATED = {
    "language": ("language", "Language"),
    "person": ("person_id", "person", "Person ID", "speaker_id"),
    "age": ("age_group", "age", "Age Group"),
    "gender": ("gender", "Gender"),
}
"""Dimension -> the names under which facts and annotations may tell it, the first found counts."""


@dataclass(frozen=True)
class Amount:
    """Rows and their length together."""

    clips: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.clips + other.clips, self.seconds + other.seconds)


@dataclass(frozen=True)
class Step:
    """One stage of the funnel: what came in, what left here and why, what went on."""

    stage: str
    entered: Amount
    left: Mapping[str, Amount]
    """Status -> what left here: rejected, failed, unscored."""
    codes: Mapping[str, Amount]
    """Code -> what left here with it, the most frequent first; the stage that lacks for unscored."""
    passed: Amount


@dataclass(frozen=True)
class RuleCount:
    """How many clips fall on each side of a rule's threshold, among those compared with it."""

    passed: int
    failed: int


@dataclass(frozen=True)
class Group:
    """One bar of a distribution."""

    name: str
    all: Amount
    kept: Amount


@dataclass(frozen=True)
class Distribution:
    """How clips and kept clips spread over one dimension."""

    name: str
    groups: tuple[Group, ...]
    num_values: int
    """Different values, which may be more than there are groups."""
    who: Mapping[str, int] = field(default_factory=dict)
    """Who told the values -> how many clips; empty where the file itself tells."""


def amount(table: RunTable, rows: Array) -> Amount:
    """Return how many rows (N,) bool are set and how long they are together."""
    return Amount(int(np.count_nonzero(rows)), float(table.seconds[rows].sum()))


def totals(table: RunTable) -> dict[str, Amount]:
    """Return `in` and every status -> its amount; `in` is the sum of the others."""
    every = {status: amount(table, table.has(status)) for status in STATUSES}
    whole = Amount(len(table), float(table.seconds.sum()))
    assert sum(found.clips for found in every.values()) == whole.clips, "a row has an unknown status"
    return {"in": whole, **every}


def funnel(table: RunTable) -> list[Step]:
    """Return the stages in order: in of one = passed of the one before, and the last one's are the kept."""
    gone = ~table.has(KEPT)
    stages = sorted({str(stage) for stage in table.stage[gone]} | _scored(table), key=stage_place)
    entered = amount(table, np.ones(len(table), bool))
    steps = []
    for stage in stages:
        here = gone & (table.stage == stage)
        left = {status: amount(table, here & table.has(status)) for status in (REJECTED, FAILED, UNSCORED)}
        out = sum(left.values(), Amount())
        passed = Amount(entered.clips - out.clips, entered.seconds - out.seconds)
        steps.append(Step(stage, entered, left, codes_of(table, here), passed))
        entered = passed
    return steps


def _scored(table: RunTable) -> set[str]:
    return {"scan"} | set(table.by_stage("backend")) | {rule.stage for rule in table.rules}


def codes_of(table: RunTable, rows: Array) -> dict[str, Amount]:
    """Return code -> amount among the rows (N,) bool, the most frequent first."""
    found = {}
    for code in {str(code) for code in table.code[rows]}:
        found[code] = amount(table, rows & (table.code == code))
    return dict(sorted(found.items(), key=lambda item: (-item[1].clips, item[0])))


def rule_counts(table: RunTable) -> list[RuleCount]:
    """Return for every rule of the table how many clips pass and fail it."""
    passed = np.bincount(table.checks.rule[table.checks.passed], minlength=len(table.rules))
    failed = np.bincount(table.checks.rule[~table.checks.passed], minlength=len(table.rules))
    return [RuleCount(int(good), int(bad)) for good, bad in zip(passed, failed, strict=True)]


def distributions(table: RunTable) -> list[Distribution]:
    """Return duration, resolution, frame rate and whatever was told of language, person, age and gender."""
    clips = ~table.whole_file
    height = np.minimum(table.column("width"), table.column("height"))
    rate = table.column("fps")
    found = [
        _binned(table, "duration", table.seconds, clips, edges=DURATION_EDGES, unit="s"),
        _named(table, "resolution", [_resolution(side) for side in height], clips, order=_resolution_order()),
        _named(table, "frame rate", [_rate(fps) for fps in rate], clips, order=_leading_number),
    ]
    for name, keys in ANNOTATED.items():
        pairs = [told_value(told, keys) for told in table.told]
        if any(value != UNKNOWN for value, _ in pairs):
            values = [value for value, _ in pairs]
            who: dict[str, int] = {}
            for row, (value, by) in enumerate(pairs):
                if value != UNKNOWN and clips[row]:
                    who[by] = who.get(by, 0) + 1
            found.append(_named(table, name, values, clips, who=who))
    return found


def _binned(
    table: RunTable, name: str, values: Array, rows: Array, *, edges: Sequence[float], unit: str
) -> Distribution:
    """Return the spread over the spans between edges; a span holds its lower edge."""
    place = np.digitize(values, edges) - 1
    groups = []
    for index, low in enumerate(edges):
        last = index == len(edges) - 1
        title = f"{low:g} {unit} and more" if last else f"{low:g}\N{EN DASH}{edges[index + 1]:g} {unit}"
        groups.append(_group(table, title, rows & (place == index)))
    used = [index for index, group in enumerate(groups) if group.all.clips]
    shown = groups[used[0] : used[-1] + 1] if used else []
    return Distribution(name, tuple(shown), len(shown))


def _named(
    table: RunTable,
    name: str,
    values: Sequence[str],
    rows: Array,
    *,
    order: Callable[[str], Any] | None = None,
    who: Mapping[str, int] | None = None,
) -> Distribution:
    """Return the spread over names, the most frequent first unless there is an order of their own."""
    unique, place = np.unique(np.array(values, dtype=object).astype(str), return_inverse=True)
    clips = np.bincount(place[rows], minlength=len(unique))
    seconds = np.bincount(place[rows], weights=table.seconds[rows], minlength=len(unique))
    kept = rows & table.has(KEPT)
    kept_clips = np.bincount(place[kept], minlength=len(unique))
    kept_seconds = np.bincount(place[kept], weights=table.seconds[kept], minlength=len(unique))
    groups = [
        Group(str(unique[at]), Amount(int(clips[at]), float(seconds[at])),
              Amount(int(kept_clips[at]), float(kept_seconds[at])))
        for at in range(len(unique)) if clips[at]
    ]  # fmt: skip
    num_values = sum(group.name != UNKNOWN for group in groups)
    if order is not None:
        groups.sort(key=lambda group: order(group.name))
    else:
        groups.sort(key=lambda group: (group.name == UNKNOWN, -group.all.clips, group.name))
        groups = _shortened(groups)
    return Distribution(name, tuple(groups), num_values, who or {})


def _shortened(groups: list[Group]) -> list[Group]:
    if len(groups) <= MOST_GROUPS:
        return groups
    unknown = [group for group in groups if group.name == UNKNOWN]
    known = [group for group in groups if group.name != UNKNOWN]
    head, tail = known[: MOST_GROUPS - 2], known[MOST_GROUPS - 2 :]
    if not tail:
        return groups
    together = Group(
        f"{OTHERS} ({len(tail)})",
        sum((group.all for group in tail), Amount()),
        sum((group.kept for group in tail), Amount()),
    )
    return [*head, together, *unknown]


def _group(table: RunTable, name: str, rows: Array) -> Group:
    return Group(name, amount(table, rows), amount(table, rows & table.has(KEPT)))


def _resolution(side: float) -> str:
    """Return the class of a picture by its shorter side."""
    return next((name for least, name in HEIGHT_NAMES if side >= least), "below 480p")


def _rate(fps: float) -> str:
    """Return the name of a usual frame rate, or the span between two of them."""
    nearest = min(RATES, key=lambda usual: abs(usual - fps))
    if abs(nearest - fps) <= RATE_SLACK:
        return f"{nearest:g} fps"
    low = max((usual for usual in RATES if usual < fps), default=0)
    high = min((usual for usual in RATES if usual > fps), default=None)
    return f"above {low:g} fps" if high is None else f"{low:g} to {high:g} fps"


def _leading_number(name: str) -> tuple[float, str]:
    """Return what sorts names by the first number in them."""
    return (next(float(word) for word in name.split() if word[0].isdigit()), name)


def _resolution_order() -> Callable[[str], int]:
    names = ["below 480p", *(name for _, name in reversed(HEIGHT_NAMES))]
    return names.index


def told_value(told: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, str]:
    """Return what is told under the first of the names that is there, and by whom."""
    info = told.get("info")
    for source in (told, info if isinstance(info, Mapping) else {}):
        for key in keys:
            value = source.get(key)
            if isinstance(value, Mapping):
                found, by = value.get("value"), str(value.get("by") or value.get("source") or UNKNOWN)
            else:
                found, by = value, "the source list"
            if found not in MISSING:
                return str(found), by
    return UNKNOWN, ""
