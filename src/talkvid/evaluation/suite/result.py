"""What a run found, as it lies in `results.json`: every table, plot and page is made from this alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from talkvid.evaluation.suite.metric import Column, LeftOut
from talkvid.evaluation.suite.pair import Pair


@dataclass(frozen=True)
class MetricResult:
    """What one metric gave for one pair."""

    values: Mapping[str, float | None]
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    reason: str = ""
    """Why there are no values; empty when there are."""


@dataclass(frozen=True)
class PairResult:
    """Everything measured of one pair."""

    pair: Pair
    metrics: Mapping[str, MetricResult] = field(default_factory=dict)
    """By metric name; a metric whose needs the pair does not meet is absent."""
    failure: str = ""
    """Why the pair could not be opened at all; empty when it could."""


@dataclass(frozen=True)
class SetResult:
    """What a distance of sets gave for one row, over all its clips or those of one subgroup."""

    row: str
    metric: str
    group: str
    """"" for all clips, else "dimension=value"."""
    num_clips: int
    values: Mapping[str, float | None]
    facts: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Evaluation:
    """A whole run."""

    columns: Mapping[str, tuple[Column, ...]]
    """By metric name, in the order of the tables."""
    pairs: tuple[PairResult, ...]
    sets: tuple[SetResult, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Command, yardstick, versions, machine and file hashes."""
