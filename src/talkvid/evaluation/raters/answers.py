"""Reading what raters handed back: files of strangers, so everything is checked."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from talkvid.evaluation.raters.key import Key, KeyTrial
from talkvid.evaluation.raters.questions import CHOICES, SCALE, Kind

FORMAT = "talkvid-study-answers/1"
MOST_BYTES = 4_000_000
"""A file of a thousand trials has a tenth of that."""
MOST_FILES = 10_000

UNKNOWN_TRIAL = "unknown trial"
TWICE = "answered twice"
DAMAGED = "damaged answer"
UNPLAYABLE = "video not playable"


@dataclass(frozen=True)
class Answer:
    """What one rater said in one trial."""

    rater: str
    trial: str
    values: Mapping[str, str | int]
    """By question: "a", "b" or "same" side by side, 1 … 5 on the scale."""
    seconds: float
    """From when the trial appeared until it was answered."""


@dataclass(frozen=True)
class RefusedFile:
    """A file that is not used at all, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class RaterAnswers:
    """What is usable of one rater."""

    rater: str
    file: str
    answers: tuple[Answer, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Number of answers left aside, by reason."""


@dataclass(frozen=True)
class Collected:
    """All files."""

    raters: tuple[RaterAnswers, ...]
    refused: tuple[RefusedFile, ...] = ()


def read_answers(paths: Iterable[Path], key: Key) -> Collected:
    """Return the usable answers of all raters; folders are read for their *.json, in the order of names.

    A file that is no answer file of this study is refused and listed with its reason, in one line. Of two
    files of one rater the one with more answers counts, the earlier name when equal; of two answers to one
    trial the first. Raises FileNotFoundError for a missing path and ValueError when no file can be used.
    """
    refused: list[RefusedFile] = []
    by_rater: dict[str, RaterAnswers] = {}
    files = _files(paths)
    for path in files:
        try:
            found = read_answer_file(path, key)
        except ValueError as error:
            refused.append(RefusedFile(path.name, " ".join(str(error).split())))
            continue
        other = by_rater.get(found.rater)
        if other is not None:
            if len(found.answers) > len(other.answers):
                found, other = other, found
                by_rater[other.rater] = other
            why = f"{found.rater} handed in {other.file} too, with no fewer answers"
            refused.append(RefusedFile(found.file, why))
            continue
        by_rater[found.rater] = found
    if not by_rater:
        reasons = f"; {refused[0].name}: {refused[0].reason}" if refused else ""
        raise ValueError(f"none of {len(files)} answer files can be used{reasons}")
    return Collected(tuple(by_rater[rater] for rater in key.raters if rater in by_rater), tuple(refused))


def _files(paths: Iterable[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: these answers do not exist; check the path")
        inside = sorted(one for one in path.glob("*.json") if one.is_file()) if path.is_dir() else [path]
        if path.is_dir() and not inside:
            raise ValueError(f"{path}: no answer file (*.json) lies in this folder")
        for one in inside:
            found.setdefault(one.resolve(), one)
    if len(found) > MOST_FILES:
        raise ValueError(f"{len(found)} answer files are given, {MOST_FILES} are read at most; give fewer")
    return list(found.values())


def read_answer_file(path: Path, key: Key) -> RaterAnswers:
    """Return what one file holds; ValueError, without the file's name, when it cannot be used."""
    content = _load(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"this is no answer file ({FORMAT})")
    if content.get("study") != key.study:
        raise ValueError("it belongs to another study than the key")
    rater = content.get("rater")
    if not isinstance(rater, str) or rater not in key.raters:
        raise ValueError(f"the rater {str(rater)[:20]!r} is not known to the key")
    given = content.get("answers")
    if not isinstance(given, list):
        raise ValueError("it holds no list of answers")
    dropped: Counter[str] = Counter()
    answers: dict[str, Answer] = {}
    seen: set[str] = set()
    for one in given:
        problem, answer = _answer(one, rater, key, seen)
        if answer is None:
            dropped[problem] += 1
        else:
            answers[answer.trial] = answer
    return RaterAnswers(rater, path.name, tuple(answers.values()), dict(dropped))


def _load(path: Path) -> Any:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"it has {size} bytes; answer files have {MOST_BYTES} at most")
    try:
        with path.open("rb") as stream:
            return json.loads(stream.read(MOST_BYTES).decode("utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep to be an answer file") from error
    except ValueError as error:
        raise ValueError(f"it is not JSON ({error})") from error


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _answer(one: Any, rater: str, key: Key, seen: set[str]) -> tuple[str, Answer | None]:
    """Return the answer, or the reason why there is none; what has been seen is noted."""
    name = one.get("trial") if isinstance(one, dict) else None
    if not isinstance(name, str):
        return DAMAGED, None
    trial: KeyTrial | None = key.trials.get(name)
    if trial is None or trial.rater != rater:
        return UNKNOWN_TRIAL, None
    if name in seen:
        return TWICE, None
    seen.add(name)
    if one.get("unplayable") is True:
        return UNPLAYABLE, None
    seconds, values = one.get("seconds"), one.get("values")
    if not _is_length(seconds) or not isinstance(values, dict) or not _valid(values, key.questions, key.kind):
        return DAMAGED, None
    return "", Answer(rater, name, {question: values[question] for question in key.questions}, float(seconds))


def _is_length(seconds: Any) -> bool:
    """Return whether it is a number of seconds below a year (a bool is an int to Python)."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return False
    return 0 <= seconds < 3e7 and math.isfinite(seconds)


def _valid(values: Mapping[str, Any], questions: Sequence[str], kind: Kind) -> bool:
    for question in questions:
        value = values.get(question)
        if kind == "ab":
            if not isinstance(value, str) or value not in CHOICES:
                return False
        elif isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= len(SCALE):
            return False
    return True
