"""Preferences of side-by-side trials: shares of each pair, and one strength for each system."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talkvid.evaluation.raters.agreement import krippendorff_alpha
from talkvid.evaluation.raters.answers import Answer
from talkvid.evaluation.raters.bradley_terry import connected, log_strengths
from talkvid.evaluation.raters.key import Key
from talkvid.evaluation.raters.questions import FIRST, SAME, Question
from talkvid.evaluation.raters.resampling import (
    NO_INTERVAL,
    Interval,
    draw_counts,
    percentile_interval,
    positions,
    wilson,
)
from talkvid.records import Array


@dataclass(frozen=True)
class Share:
    """A share of all answers with Wilson's interval, which takes all answers for independent."""

    number: int
    share: float | None
    interval: Interval


@dataclass(frozen=True)
class PairPreference:
    """What raters said about two systems."""

    first: str
    second: str
    answers: int
    raters: int
    first_better: Share
    same: Share
    second_better: Share
    score: float | None
    """Share of answers for the first, a tie half: 0.5 is even."""
    interval: Interval
    """Of the score, from the bootstrap over raters."""


@dataclass(frozen=True)
class SystemPreference:
    """How one system did against all others."""

    system: str
    answers: int
    raters: int
    score: float | None
    """Share of its comparisons that it won, a tie half."""
    interval: Interval
    """From the bootstrap over raters."""
    strength: float | None
    """Natural log of its Bradley-Terry strength, the mean of all systems being 0."""
    strength_interval: Interval


@dataclass(frozen=True)
class PreferenceTable:
    """What one question gave."""

    question: Question
    pairs: tuple[PairPreference, ...]
    systems: tuple[SystemPreference, ...]
    left: Share
    """Of the decided answers, those for the video on the left; even when nobody has a habit."""
    alpha: float | None
    """Krippendorff's, nominal (first, same, second), over the comparisons that several raters judged."""
    alpha_units: int


@dataclass(frozen=True)
class _Ballots:
    """Arrays over the answers: (N,) each; scores are those of the lower-numbered system of a pair."""

    low: Array
    high: Array
    score: Array
    rater: Array
    num_raters: int


def preference_table(
    key: Key, answers: Sequence[Answer], question: Question, *, draws: int, generator: np.random.Generator
) -> PreferenceTable:
    """Return shares and strengths on one question; bootstrap intervals need two raters."""
    ballots, units = _ballots(key, answers, question)
    size = len(key.systems)
    by_rater = _wins_by_rater(ballots, size)
    wins = by_rater.sum(axis=0)
    drawn = np.tensordot(draw_counts(ballots.num_raters, draws, generator), by_rater, axes=1)
    several = ballots.num_raters > 1
    strengths = log_strengths(wins) if connected(wins) else None
    spread = log_strengths(drawn) if several and strengths is not None else None
    first = sum(answer.values[question.key] == FIRST for answer in answers)
    decided = sum(answer.values[question.key] != SAME for answer in answers)
    return PreferenceTable(
        question=question,
        pairs=tuple(
            _pair(key, ballots, (one, other), drawn if several else None)
            for one, other in itertools.combinations(range(size), 2)
        ),
        systems=tuple(
            _system(key, ballots, number, wins, drawn if several else None, strengths, spread)
            for number in range(size)
        ),
        left=_share(first, decided),
        alpha=krippendorff_alpha(units, categories=3, level="nominal"),
        alpha_units=sum(len(unit) > 1 for unit in units),
    )


def _ballots(key: Key, answers: Sequence[Answer], question: Question) -> tuple[_Ballots, list[list[int]]]:
    """Return the arrays, and the answers (0, 1, 2 half points) grouped by pair and clip."""
    low, high, score = [], [], []
    units: dict[tuple[int, int, str], list[int]] = {}
    for answer in answers:
        trial = key.trials[answer.trial]
        left, right = (key.systems.index(name) for name in key.names(trial))
        value = answer.values[question.key]
        of_left = 0.5 if value == SAME else float(value == FIRST)
        of_low = of_left if left < right else 1 - of_left
        low.append(min(left, right))
        high.append(max(left, right))
        score.append(of_low)
        units.setdefault((low[-1], high[-1], trial.clip), []).append(round(2 * of_low))
    raters = sorted({answer.rater for answer in answers})
    rater = positions([answer.rater for answer in answers], raters)
    ballots = _Ballots(np.array(low, int), np.array(high, int), np.array(score), rater, len(raters))
    return ballots, list(units.values())


def _wins_by_rater(ballots: _Ballots, size: int) -> Array:
    """Return (raters S S) how often the row was preferred to the column, ties half each."""
    wins = np.zeros((ballots.num_raters, size, size))
    np.add.at(wins, (ballots.rater, ballots.low, ballots.high), ballots.score)
    np.add.at(wins, (ballots.rater, ballots.high, ballots.low), 1 - ballots.score)
    return wins


def _share(number: int, of: int) -> Share:
    return Share(number, number / of if of else None, wilson(number, of))


def _ratio(won: Array, met: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Array = np.where(met > 0, won / met, np.nan)
    return ratio


def _pair(key: Key, ballots: _Ballots, pair: tuple[int, int], drawn: Array | None) -> PairPreference:
    one, other = pair
    own = (ballots.low == one) & (ballots.high == other)
    score = ballots.score[own]
    number = len(score)
    interval = NO_INTERVAL
    if drawn is not None:
        interval = percentile_interval(
            _ratio(drawn[:, one, other], drawn[:, one, other] + drawn[:, other, one])
        )
    return PairPreference(
        first=key.systems[one],
        second=key.systems[other],
        answers=number,
        raters=len(set(ballots.rater[own].tolist())),
        first_better=_share(int((score == 1).sum()), number),
        same=_share(int((score == 0.5).sum()), number),
        second_better=_share(int((score == 0).sum()), number),
        score=float(score.mean()) if number else None,
        interval=interval,
    )


def _system(
    key: Key,
    ballots: _Ballots,
    number: int,
    wins: Array,
    drawn: Array | None,
    strengths: Array | None,
    spread: Array | None,
) -> SystemPreference:
    own = (ballots.low == number) | (ballots.high == number)
    met = wins[number].sum() + wins[:, number].sum()
    interval = NO_INTERVAL
    if drawn is not None:
        won = drawn[:, number].sum(axis=1)
        interval = percentile_interval(_ratio(won, won + drawn[:, :, number].sum(axis=1)))
    return SystemPreference(
        system=key.systems[number],
        answers=int(own.sum()),
        raters=len(set(ballots.rater[own].tolist())),
        score=float(wins[number].sum() / met) if met else None,
        interval=interval,
        strength=None if strengths is None else float(strengths[number]),
        strength_interval=NO_INTERVAL if spread is None else percentile_interval(spread[:, number]),
    )
