"""The numbers of an analysis as rows, for tables of every kind."""

from collections.abc import Iterator
from dataclasses import dataclass

from talkvid.evaluation.raters.analysis import Analysis
from talkvid.evaluation.raters.opinion import OpinionTable
from talkvid.evaluation.raters.preference import PreferenceTable
from talkvid.evaluation.raters.resampling import NO_INTERVAL, Interval

BOTH = "bootstrap over raters and clips"
RATERS = "bootstrap over raters"
WILSON = "Wilson"
NONE = ""


@dataclass(frozen=True)
class Row:
    """One number."""

    question: str
    measure: str
    of: str
    """A system, or "A against B"."""
    value: float | None
    interval: Interval
    how: str
    """How the interval was made."""
    answers: int | None = None
    raters: int | None = None
    clips: int | None = None


def rows(analysis: Analysis) -> Iterator[Row]:
    """Yield every number of every question."""
    for table in analysis.tables:
        if isinstance(table, OpinionTable):
            yield from _opinion_rows(table)
        else:
            yield from _preference_rows(table)


def _opinion_rows(table: OpinionTable) -> Iterator[Row]:
    name = table.question.key
    for one in table.opinions:
        yield Row(
            name, "mean opinion score", one.system, one.mean, one.interval, BOTH, one.answers, one.raters,
            one.clips,
        )  # fmt: skip
    for difference in table.differences:
        of = f"{difference.first} less {difference.second}"
        yield Row(name, "difference", of, difference.mean, difference.interval, BOTH)
    yield _alpha(name, "ordinal", table.alpha, table.alpha_units)


def _preference_rows(table: PreferenceTable) -> Iterator[Row]:
    name = table.question.key
    for one in table.systems:
        told = (one.answers, one.raters)
        yield Row(name, "share preferred", one.system, one.score, one.interval, RATERS, *told)
        yield Row(
            name, "Bradley-Terry log strength", one.system, one.strength, one.strength_interval, RATERS, *told
        )
    for pair in table.pairs:
        of = f"{pair.first} against {pair.second}"
        told = (pair.answers, pair.raters)
        yield Row(name, "share preferred, ties half", of, pair.score, pair.interval, RATERS, *told)
        for measure, share in (
            ("first better", pair.first_better),
            ("no difference", pair.same),
            ("second better", pair.second_better),
        ):
            yield Row(name, measure, of, share.share, share.interval, WILSON, *told)
    yield Row(name, "left chosen", "decided answers", table.left.share, table.left.interval, WILSON)
    yield _alpha(name, "nominal", table.alpha, table.alpha_units)


def _alpha(name: str, level: str, alpha: float | None, units: int) -> Row:
    of = f"{units} judged by several"
    return Row(name, f"Krippendorff's alpha, {level}", of, alpha, NO_INTERVAL, NONE)
