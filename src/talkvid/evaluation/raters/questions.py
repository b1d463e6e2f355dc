"""What raters are asked, word for word, and the scales they answer on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ab", "mos"]
KINDS: tuple[Kind, ...] = ("ab", "mos")
"""Two videos side by side, or one video on a scale."""

SCALE = ("bad", "poor", "fair", "good", "excellent")
"""Labels of 1 … 5: the absolute category rating scale of ITU-T P.910 (10/2023) 8.1 and P.800 (08/1996)."""
FIRST, SECOND, SAME = "a", "b", "same"
CHOICES = (FIRST, SECOND, SAME)
"""Answers to a side-by-side trial: the first video (left, or above), the second, no difference."""


@dataclass(frozen=True)
class Question:
    """One question, asked in every trial."""

    key: str
    heading: str
    """In tables."""
    compare: str
    """Asked about two videos; the answers are A, B and no difference."""
    rate: str
    """Asked about one video; the answers are those of SCALE."""
    still_is_worst: bool = True
    """Whether a video that shows one picture all the time can only do badly here: catch trials use it."""
    needs_person: bool = False
    """Whether raters must be shown who the person is."""


QUESTIONS = {
    question.key: question
    for question in (
        Question(
            "lip_sync",
            "Lip synchronisation",
            "In which video do the lips fit the speech better?",
            "How well do the lips fit the speech?",
        ),
        Question(
            "naturalness",
            "Naturalness",
            "Which person moves and looks more natural?",
            "How natural does the person move and look?",
        ),
        Question(
            "identity",
            "Identity",
            "Which video looks more like the person in the picture?",
            "How much does the video look like the person in the picture?",
            still_is_worst=False,
            needs_person=True,
        ),
        Question("overall", "Overall", "Which video is better overall?", "How good is the video overall?"),
    )
}
ANSWER_WORDS = {FIRST: "A", SECOND: "B", SAME: "no difference"}


def chosen(keys: Sequence[str] | None, *, with_person: bool) -> tuple[Question, ...]:
    """Return the questions of the given keys, without keys all that can be asked.

    `with_person` says whether raters are shown a true picture of the person. ValueError for an unknown or
    repeated key, or for one that needs the picture when there is none.
    """
    if keys is None:
        return tuple(one for one in QUESTIONS.values() if with_person or not one.needs_person)
    unknown = [key for key in keys if key not in QUESTIONS]
    if unknown or not keys:
        raise ValueError(f"questions: {', '.join(unknown) or 'none'} given; known are {', '.join(QUESTIONS)}")
    if len(set(keys)) < len(keys):
        raise ValueError(f"questions: {', '.join(keys)} names one of them twice; name each once")
    found = tuple(QUESTIONS[key] for key in keys)
    if not with_person:
        for question in found:
            if question.needs_person:
                raise ValueError(
                    f"questions: {question.key} cannot be judged without seeing the person; "
                    "give the true videos with --reference DIR"
                )
    return found


def catch_question(questions: Sequence[Question]) -> Question | None:
    """Return the first question on which a still video is certainly worst, None where there is none."""
    return next((question for question in questions if question.still_is_worst), None)


def caught(kind: Kind, answer: object, still_at: str) -> bool:
    """Return whether an answer to a catch trial is one that nobody who watched and listened would give.

    Side by side, one of the two is still: anything but the moving one is wrong. On the scale, a still video
    that speaks is 1 or 2.
    """
    if kind == "ab":
        return answer != (SECOND if still_at == FIRST else FIRST)
    return not (isinstance(answer, int) and answer <= 2)
