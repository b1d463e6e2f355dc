"""What is not there and why: metrics left out, videos that failed, numbers that lack, notes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from talkvid.evaluation.suite.metric import LeftOut
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import Evaluation
from talkvid.page.marks import Html, count, join, name, plural, table, tag

MOST_LINES = 40
"""Kinds of gaps listed; all are in `results.json`."""
MOST_NAMES = 4
"""Clips named for each kind."""


@dataclass
class Gap:
    """One kind of gap: the same row, metric and reason."""

    row: str
    metric: str
    reason: str
    clips: list[str] = field(default_factory=list)


def left_out_list(left_out: Sequence[LeftOut]) -> Html:
    """Return the metrics that were asked for and not measured, by name, each with its reason."""
    items = [tag("li", tag("b", metric.name), ": ", metric.reason) for metric in left_out]
    return tag("ul", *items, class_="leftout")


def failures(evaluation: Evaluation) -> list[Gap]:
    """Return the videos that could not be opened, those with the same reason together."""
    failed = [result for result in evaluation.pairs if result.failure]
    return _gathered(
        (result.pair.row, "", _without_path(result.failure, result.pair), result.pair.clip)
        for result in failed
    )


def missing(evaluation: Evaluation) -> list[Gap]:
    """Return what opened videos and sets of them lack: whole metrics, and single numbers."""
    return _gathered([*_missing_of_clips(evaluation), *_missing_of_sets(evaluation)])


def notes(evaluation: Evaluation) -> list[Gap]:
    """Return what was noted of videos and sets that were measured."""
    found = [
        (result.pair.row, metric, note, result.pair.clip)
        for result in evaluation.pairs
        for metric, measured in result.metrics.items()
        for note in measured.notes
    ]
    found += [(whole.row, whole.metric, note, _set_name(whole.group)) for whole in evaluation.sets
              for note in whole.notes]  # fmt: skip
    return _gathered(found)


def _without_path(reason: str, pair: Pair) -> str:
    """Return a reason without the path it begins with, so that the same reason of many clips is one."""
    named = {"": pair.made, "the true video: ": pair.reference, "the sound: ": pair.audio,
             "the portrait: ": pair.portrait}  # fmt: skip
    for what, path in named.items():
        if path is not None and reason.startswith(f"{path}: "):
            return f"{what}{reason.removeprefix(f'{path}: ')}"
    return reason


def _missing_of_clips(evaluation: Evaluation) -> Iterable[tuple[str, str, str, str]]:
    headings = {metric: {column.key: column.heading for column in columns}
                for metric, columns in evaluation.columns.items()}  # fmt: skip
    for result in evaluation.pairs:
        for metric, measured in result.metrics.items():
            if measured.reason:
                reason = _without_path(measured.reason, result.pair)
                yield result.pair.row, metric, reason, result.pair.clip
                continue
            told = headings.get(metric, {})
            lacking = [told.get(key, key) for key, value in measured.values.items() if value is None]
            if lacking:
                why = "; ".join(measured.notes) or "this video has no such number"
                yield result.pair.row, metric, f"no {', '.join(lacking)}: {why}", result.pair.clip


def _missing_of_sets(evaluation: Evaluation) -> Iterable[tuple[str, str, str, str]]:
    for whole in evaluation.sets:
        if whole.reason:
            yield whole.row, whole.metric, whole.reason, _set_name(whole.group)


def _set_name(group: str) -> str:
    return f"all clips with {group}" if group else "all clips"


def _gathered(found: Iterable[tuple[str, str, str, str]]) -> list[Gap]:
    gaps: dict[tuple[str, str, str], Gap] = {}
    for row, metric, reason, clip in found:
        gaps.setdefault((row, metric, reason), Gap(row, metric, reason)).clips.append(clip)
    return sorted(gaps.values(), key=lambda gap: -len(gap.clips))


def untried(evaluation: Evaluation) -> list[tuple[str, str, int]]:
    """Return (system, metric, clips) of what was not even tried, as the pairs lack what the metric needs."""
    found: Counter[tuple[str, str]] = Counter()
    of_sets = {whole.metric for whole in evaluation.sets}
    for result in evaluation.pairs:
        if result.pair.control is None and not result.failure:
            lacking = (metric for metric in evaluation.columns if metric not in {*result.metrics, *of_sets})
            found.update((result.pair.system, metric) for metric in lacking)
    return [(system, metric, times) for (system, metric), times in found.items()]


def untried_table(found: Sequence[tuple[str, str, int]]) -> Html:
    """Return who was not tried with which metrics, metrics of one system and count together."""
    together: dict[tuple[str, int], list[str]] = {}
    for system, metric, times in found:
        together.setdefault((system, times), []).append(metric)
    rows = [[name(system), ", ".join(metrics), count(times)] for (system, times), metrics in together.items()]
    return tag("div", table(["row", "metrics", "clips"], rows, numbers=(2,)), class_="gaps")


def gap_table(gaps: Sequence[Gap], *, metric: bool = True) -> Html:
    """Return the gaps with row, metric, reason and clips; many clips are counted, and many gaps as well."""
    rows = [
        [
            name(gap.row),
            *([gap.metric] if metric else []),
            gap.reason,
            count(len(gap.clips)),
            _names(gap.clips),
        ]
        for gap in gaps[:MOST_LINES]
    ]
    heads = ["row", *(["metric"] if metric else []), "why", "times", "clips"]
    parts = [tag("div", table(heads, rows, numbers=(len(heads) - 2,)), class_="gaps")]
    if len(gaps) > MOST_LINES:
        hidden = f"{plural(len(gaps) - MOST_LINES, 'further reason')}: see results.json."
        parts.append(tag("p", hidden, class_="soft"))
    return join(parts)


def _names(clips: Sequence[str]) -> Html:
    named = [name(clip) for clip in clips[:MOST_NAMES]]
    if len(clips) > MOST_NAMES:
        named.append(tag("span", f"and {count(len(clips) - MOST_NAMES)} more", class_="soft"))
    return join(named, ", ")
