"""What a study says: who counted, the tables of every question, and what a reader must know."""

from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from talkvid.evaluation.raters.answers import Collected, RefusedFile
from talkvid.evaluation.raters.key import Key
from talkvid.evaluation.raters.opinion import OpinionTable, opinion_table
from talkvid.evaluation.raters.preference import PreferenceTable, preference_table
from talkvid.evaluation.raters.questions import Kind
from talkvid.evaluation.raters.screening import RaterReport, Rules, screen

DEFAULT_DRAWS = 2000
LEAST_DRAWS = 200
FEW_RATERS = 10
"""Below that a bootstrap over raters gives intervals that are too narrow."""
FEW_SUBJECTS = 15
"""ITU-T P.910 (04/2008): at least 15 observers should take part."""
OVERALL = "overall"


@dataclass(frozen=True)
class UserScore:
    """The one number of a system for a table of methods."""

    mean: float
    low: float | None
    high: float | None
    raters: int
    question: str
    unit: str


@dataclass(frozen=True)
class Analysis:
    """Everything found, in the order of the report."""

    study: str
    kind: Kind
    systems: tuple[str, ...]
    raters: tuple[RaterReport, ...]
    missing: tuple[str, ...]
    """Codes that handed in nothing."""
    refused: tuple[RefusedFile, ...]
    dropped: dict[str, int]
    """Number of answers left aside by reason, of all raters."""
    rules: Rules
    draws: int
    answers: int
    clips: int
    tables: tuple[PreferenceTable | OpinionTable, ...]
    scores: dict[str, UserScore]
    warnings: tuple[str, ...]
    version: str

    @property
    def kept(self) -> int:
        """Return how many raters count."""
        return sum(rater.kept for rater in self.raters)

    def summary_lines(self) -> list[str]:
        """Return what to print: who counted, the score of each system, the warnings."""
        excluded = len(self.raters) - self.kept
        lines = [
            f"{self.kept} raters count, {excluded} excluded, {len(self.missing)} handed in nothing, "
            f"{len(self.refused)} files refused; {self.answers} answers on {self.clips} clips"
        ]
        for name, score in self.scores.items():
            span = "" if score.low is None else f" [{score.low:.2f}, {score.high:.2f}]"
            lines.append(f"{name}: {score.mean:.2f}{span} ({score.question}, {score.unit})")
        return lines + [f"warning: {warning}" for warning in self.warnings]


def analyse(
    key: Key, collected: Collected, *, rules: Rules | None = None, draws: int = DEFAULT_DRAWS, seed: int = 0
) -> Analysis:
    """Return the analysis; the same files give the same numbers.

    ValueError for too few draws, or when no rater is left, with the reasons.
    """
    if draws < LEAST_DRAWS:
        raise ValueError(f"draws must be {LEAST_DRAWS} or more for intervals, got {draws}")
    rules = rules or Rules()
    screened = screen(key, collected, rules)
    if not screened.answers:
        why = "; ".join(f"{rater.rater}: {', '.join(rater.reasons)}" for rater in screened.raters[:3])
        raise ValueError(f"no rater is left of {len(screened.raters)} ({why})")
    generator = np.random.default_rng(seed)
    tables: list[PreferenceTable | OpinionTable] = []
    for question in key.asked:
        build = preference_table if key.kind == "ab" else opinion_table
        tables.append(build(key, screened.answers, question, draws=draws, generator=generator))
    handed_in = {rater.rater for rater in screened.raters}
    dropped: Counter[str] = Counter()
    for rater in screened.raters:
        dropped.update(rater.dropped)
    return Analysis(
        study=key.study,
        kind=key.kind,
        systems=key.systems,
        raters=screened.raters,
        missing=tuple(code for code in key.raters if code not in handed_in),
        refused=collected.refused,
        dropped=dict(dropped),
        rules=rules,
        draws=draws,
        answers=len(screened.answers),
        clips=len({key.trials[answer.trial].clip for answer in screened.answers}),
        tables=tuple(tables),
        scores=user_scores(tables),
        warnings=tuple(_warnings(key, tables, sum(rater.kept for rater in screened.raters))),
        version=version("talkvid"),
    )


def user_scores(tables: list[PreferenceTable | OpinionTable]) -> dict[str, UserScore]:
    """Return one score by system: of the question "overall", without it of the first question asked.

    On the scale it is the mean opinion score, side by side the share of comparisons won (ties half).
    """
    table = next((one for one in tables if one.question.key == OVERALL), tables[0])
    heading = table.question.heading
    scores = {}
    if isinstance(table, OpinionTable):
        for opinion in table.opinions:
            if opinion.mean is not None:
                span = opinion.interval
                scores[opinion.system] = UserScore(
                    opinion.mean, span.low, span.high, opinion.raters, heading, "mean opinion score, 1 to 5"
                )
    else:
        for system in table.systems:
            if system.score is not None:
                span = system.interval
                scores[system.system] = UserScore(
                    system.score, span.low, span.high, system.raters, heading, "share preferred, 0 to 1"
                )
    return scores


def _warnings(key: Key, tables: list[PreferenceTable | OpinionTable], kept: int) -> list[str]:
    warnings = []
    if kept == 1:
        warnings.append("a single rater counts: intervals say nothing about other people")
    elif kept < FEW_RATERS:
        warnings.append(f"{kept} raters count: intervals from so few are too narrow; have {FEW_SUBJECTS}")
    elif kept < FEW_SUBJECTS:
        warnings.append(f"{kept} raters count; ITU-T P.910 asks for {FEW_SUBJECTS} at least")
    if not any(trial.catch for trial in key.trials.values()):
        warnings.append("the study has no catch trials: nobody's attention was checked")
    for table in tables:
        heading = table.question.heading
        if table.alpha is None:
            warnings.append(f"{heading}: agreement unknown, no two raters differ or judged the same thing")
        elif table.alpha <= 0:
            warnings.append(f"{heading}: raters agree no more than by chance (alpha {table.alpha:.2f})")
        if isinstance(table, PreferenceTable):
            low, high = table.left.interval.low, table.left.interval.high
            if low is not None and high is not None and not low <= 0.5 <= high:
                warnings.append(
                    f"{heading}: the left video was chosen in {table.left.share:.0%} of the decided answers; "
                    "sides are balanced, so no system gains by it"
                )
    return warnings
