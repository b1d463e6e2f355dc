"""Which raters count: stated rules that look at attention, never at which system somebody prefers."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from talkvid.evaluation.raters.answers import Answer, Collected, RaterAnswers
from talkvid.evaluation.raters.key import Key
from talkvid.evaluation.raters.questions import FIRST, SAME, SECOND, catch_question, caught

FAST = "faster than its videos last"
MET = 0.95
"""Share of the videos' length that an answer must have taken: browsers round the last pictures."""


@dataclass(frozen=True)
class Rules:
    """When a rater is excluded."""

    least_share: float = 0.5
    """Of the rated trials that must have been answered."""
    failed_catches: int = 0
    """Catch trials that may be failed."""
    fast_share: float = 0.2
    """Of the answers that may be faster than the videos; such answers never count."""
    one_sided_p: float = 0.001
    """Side by side: two-sided exact binomial probability of the left-right count, sides being balanced."""
    monotone_from: int = 10
    """On the scale: from so many trials on, the same number to every question everywhere excludes."""

    def __post_init__(self) -> None:
        if not 0 <= self.least_share <= 1:
            raise ValueError(f"least_share must lie between 0 and 1, got {self.least_share}")
        if self.failed_catches < 0:
            raise ValueError(f"failed_catches must be 0 or more, got {self.failed_catches}")


@dataclass(frozen=True)
class RaterReport:
    """What is known of one rater's care."""

    rater: str
    file: str
    kept: bool
    reasons: tuple[str, ...]
    """Why excluded; empty when kept."""
    trials: int
    """Rated trials that the rater was given."""
    answered: int
    catches: int
    """Catch trials that were answered."""
    failed: int
    first: int
    """Answers to the first question that chose the left video."""
    second: int
    same: int
    median_seconds: float | None
    dropped: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Screened:
    """The answers that count, and what became of everybody."""

    answers: tuple[Answer, ...]
    """Of kept raters, without catch trials."""
    raters: tuple[RaterReport, ...]


def screen(key: Key, collected: Collected, rules: Rules) -> Screened:
    """Return the answers of the raters that no rule excludes, with a report for each rater."""
    kept: list[Answer] = []
    reports = []
    for found in collected.raters:
        report, answers = _judged(key, found, rules)
        reports.append(report)
        if report.kept:
            kept += answers
    return Screened(tuple(kept), tuple(reports))


def _judged(key: Key, found: RaterAnswers, rules: Rules) -> tuple[RaterReport, list[Answer]]:
    slow = [one for one in found.answers if one.seconds >= MET * key.seconds(key.trials[one.trial])]
    num_fast = len(found.answers) - len(slow)
    rated = [one for one in slow if not key.trials[one.trial].catch]
    catches = [one for one in slow if key.trials[one.trial].catch]
    given = [trial for trial in key.trials.values() if trial.rater == found.rater]
    num_given = sum(not trial.catch for trial in given)
    failed = sum(_failed(key, one) for one in catches)
    choices = [one.values[key.questions[0]] for one in rated]
    reasons = []
    if len(rated) < rules.least_share * num_given:
        reasons.append(f"answered {len(rated)} of {num_given} trials")
    if failed > rules.failed_catches:
        reasons.append(f"failed {failed} of {len(catches)} catch trials")
    if len(given) > num_given and not catches:
        reasons.append("answered no catch trial")
    if num_fast > rules.fast_share * len(found.answers):
        reasons.append(f"{num_fast} of {len(found.answers)} answers faster than the videos last")
    reasons += _habit(key, choices, rated, rules)
    report = RaterReport(
        rater=found.rater,
        file=found.file,
        kept=not reasons,
        reasons=tuple(reasons),
        trials=num_given,
        answered=len(rated),
        catches=len(catches),
        failed=failed,
        first=choices.count(FIRST),
        second=choices.count(SECOND),
        same=choices.count(SAME),
        median_seconds=round(statistics.median(one.seconds for one in slow), 1) if slow else None,
        dropped={**found.dropped, **({FAST: num_fast} if num_fast else {})},
        notes=_notes(key, choices, len(rated), num_given, rules),
    )
    return report, rated


def _failed(key: Key, answer: Answer) -> bool:
    trial = key.trials[answer.trial]
    question = catch_question(key.asked)
    assert question is not None, "a study with catch trials has a question for them"
    still_at = FIRST if key.files[trial.files[0]].still else SECOND
    return caught(key.kind, answer.values[question.key], still_at)


def _habit(key: Key, choices: Sequence[str | int], rated: Sequence[Answer], rules: Rules) -> list[str]:
    """Return what tells of clicking without looking: one side all the time, one number all the time."""
    if key.kind == "mos":
        numbers = {value for answer in rated for value in answer.values.values()}
        if len(rated) >= rules.monotone_from and len(numbers) == 1:
            return [f"gave {numbers.pop()} to everything"]
        return []
    from scipy.stats import binomtest

    first, decided = choices.count(FIRST), choices.count(FIRST) + choices.count(SECOND)
    if not decided:
        return []
    chance = float(binomtest(first, decided, 0.5).pvalue)
    if chance < rules.one_sided_p:
        return [f"chose the left video in {first} of {decided} decided trials (p = {chance:.1g})"]
    return []


def _notes(
    key: Key, choices: Sequence[str | int], num_rated: int, num_given: int, rules: Rules
) -> tuple[str, ...]:
    notes = []
    if num_rated < num_given:
        notes.append(f"incomplete: {num_rated} of {num_given}")
    if key.kind == "ab" and num_rated >= rules.monotone_from and choices.count(SAME) == num_rated:
        notes.append("always no difference")
    return tuple(notes)
