"""Distances of whole sets, per row and per subgroup, from the features that lie on disk."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.evaluation.feature_moments import FeatureMoments
from talkvid.evaluation.suite.measure_pair import finite, plain
from talkvid.evaluation.suite.metric import SetMetric
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import SetResult
from talkvid.runner.outcome import one_line

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptFeatures:
    """The features of one pair."""

    pair: Pair
    made: Path
    truth: Path
    facts: Mapping[str, Any]


def set_results(metric: SetMetric, kept: Iterable[KeptFeatures]) -> Iterator[SetResult]:
    """Yield the distances of each row, over all its clips and then over those of each subgroup.

    One set's moments are in memory at a time, whatever the number of clips, rows and subgroups.
    """
    rows: dict[str, list[KeptFeatures]] = {}
    for one in kept:
        rows.setdefault(one.pair.row, []).append(one)
    for row, clips in rows.items():
        for group, members in subgroups(clips):
            yield _result(metric, row, group, members)


def subgroups(clips: Sequence[KeptFeatures]) -> Iterator[tuple[str, list[KeptFeatures]]]:
    """Yield ("", all clips), then ("dimension=value", those clips), sorted."""
    yield "", list(clips)
    found: dict[str, list[KeptFeatures]] = {}
    for clip in clips:
        for dimension, value in clip.pair.groups.items():
            found.setdefault(f"{dimension}={value}", []).append(clip)
    yield from sorted(found.items())


def _result(metric: SetMetric, row: str, group: str, clips: Sequence[KeptFeatures]) -> SetResult:
    values: Mapping[str, float | None] = {column.key: None for column in metric.columns}
    facts, reason = _shared([clip.facts for clip in clips]), ""
    notes: Sequence[str] = ()
    try:
        made, truth = FeatureMoments(metric.dims), FeatureMoments(metric.dims)
        for clip in clips:
            made.add(np.load(clip.made, allow_pickle=False), num_clips=1)
            truth.add(np.load(clip.truth, allow_pickle=False), num_clips=1)
        found = metric.distance(made, truth)
        values, notes = finite(found.values, found.notes)
        facts |= found.facts
    except Exception as error:
        reason = one_line(error)
        logger.debug("%s of %s %s failed", metric.name, row, group, exc_info=True)
    return SetResult(row, metric.name, group, len(clips), values, plain(facts), tuple(notes), reason)


def _shared(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the facts that are the same for all clips; counts that differ are summed up by the metric."""
    first = facts[0]
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in facts)}
