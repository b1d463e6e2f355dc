"""Mean opinion scores with intervals over raters and clips."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.raters.agreement import krippendorff_alpha
from talkvid.evaluation.raters.answers import Answer
from talkvid.evaluation.raters.key import Key
from talkvid.evaluation.raters.questions import SCALE, Question
from talkvid.evaluation.raters.resampling import (
    Interval,
    draw_counts,
    percentile_interval,
    positions,
    weighted_means,
)
from talkvid.records import Array

AT_ONCE = 100
"""Draws."""


@dataclass(frozen=True)
class Opinion:
    """The mean opinion score of one system on one question, 1 … 5."""

    system: str
    mean: float | None
    interval: Interval
    answers: int
    raters: int
    clips: int
    counts: tuple[int, ...]
    """How often each of 1 … 5 was given."""


@dataclass(frozen=True)
class Difference:
    """Mean of the first system less that of the second, with the interval of the difference."""

    first: str
    second: str
    mean: float | None
    interval: Interval


@dataclass(frozen=True)
class OpinionTable:
    """What one question gave."""

    question: Question
    opinions: tuple[Opinion, ...]
    differences: tuple[Difference, ...]
    alpha: float | None
    """Krippendorff's, ordinal, over the videos that several raters judged."""
    alpha_units: int
    """Such videos."""


def opinion_table(
    key: Key, answers: Sequence[Answer], question: Question, *, draws: int, generator: np.random.Generator
) -> OpinionTable:
    """Return the scores of all systems on one question.

    Intervals are percentiles of a bootstrap that draws raters and clips, each with replacement and
    independently, an answer weighing as often as its rater times its clip was drawn (Owen 2007, The
    pigeonhole bootstrap, Ann. Appl. Stat. 1): they speak of other raters and other clips. Where there is one
    rater (or clip), it is held.
    """
    trials = [key.trials[answer.trial] for answer in answers]
    names = [key.names(trial)[0] for trial in trials]
    values = np.array([float(answer.values[question.key]) for answer in answers])
    systems = positions(names, key.systems)
    raters, clips = [answer.rater for answer in answers], [trial.clip for trial in trials]
    means = np.concatenate(
        [
            weighted_means(values, systems, weights, len(key.systems))
            for weights in _weights(raters, clips, draws, generator)
        ]
    )
    plain = weighted_means(values, systems, np.ones((1, len(values))), len(key.systems))[0]
    opinions = []
    for number, name in enumerate(key.systems):
        own = np.flatnonzero(systems == number).tolist()
        known_raters = {answers[one].rater for one in own}
        known_clips = {trials[one].clip for one in own}
        alone = len(known_raters) < 2 and len(known_clips) < 2
        opinions.append(
            Opinion(
                system=name,
                mean=_number(plain[number]),
                interval=Interval(None, None) if alone else percentile_interval(means[:, number]),
                answers=len(own),
                raters=len(known_raters),
                clips=len(known_clips),
                counts=tuple(int((values[own] == grade).sum()) for grade in range(1, len(SCALE) + 1)),
            )
        )
    units: dict[tuple[str, str], list[int]] = {}
    for name, trial, value in zip(names, trials, values, strict=True):
        units.setdefault((name, trial.clip), []).append(int(value) - 1)
    return OpinionTable(
        question=question,
        opinions=tuple(opinions),
        differences=_differences(key.systems, plain, means),
        alpha=krippendorff_alpha(list(units.values()), categories=len(SCALE), level="ordinal"),
        alpha_units=sum(len(unit) > 1 for unit in units.values()),
    )


def _weights(
    raters: Sequence[str], clips: Sequence[str], draws: int, generator: np.random.Generator
) -> Iterator[Array]:
    """Yield the weight of each answer, some draws (n, N) at a time: all at once would not fit for many."""
    units = [sorted(set(names)) for names in (raters, clips)]
    at = [positions(names, known) for names, known in zip((raters, clips), units, strict=True)]
    for start in range(0, draws, AT_ONCE):
        number = min(AT_ONCE, draws - start)
        by_rater, by_clip = (draw_counts(len(known), number, generator) for known in units)
        yield by_rater[:, at[0]] * by_clip[:, at[1]]


def _differences(systems: Sequence[str], plain: Array, means: Array) -> tuple[Difference, ...]:
    found = []
    for one, other in itertools.combinations(range(len(systems)), 2):
        spread = means[:, one] - means[:, other]
        interval = percentile_interval(spread) if np.ptp(np.nan_to_num(spread)) > 0 else Interval(None, None)
        found.append(Difference(systems[one], systems[other], _number(plain[one] - plain[other]), interval))
    return tuple(found)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
