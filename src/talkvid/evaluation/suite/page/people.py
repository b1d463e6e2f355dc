"""What raters of a study gave the systems, beside what was measured."""

from collections.abc import Mapping

from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.page.figures import interval, told
from talkvid.page.marks import Html, count, join, name, table, tag

DIGITS = 2


def user_score_table(scores: Mapping[str, UserScore]) -> Html:
    """Return the score of every system with its interval and raters, below what these were asked."""
    rows = [
        [
            name(system),
            told(score.mean, DIGITS),
            interval(score.low, score.high, DIGITS),
            score.unit,
            count(score.raters),
        ]
        for system, score in scores.items()
    ]
    questions = dict.fromkeys(score.question for score in scores.values())
    asked = [tag("p", "They were asked: ", tag("q", question), class_="soft") for question in questions]
    heads = ["system", "score", "95 % interval", "unit", "raters"]
    shown = tag("div", table(heads, rows, numbers=(1, 2, 4)), class_="gaps")
    return join([*asked, shown])
