"""What raters gave each system, as a study's analysis leaves it in `user_scores.json`."""

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

from talkvid.evaluation.raters.analysis import UserScore

REMEDY = "give the user_scores.json of a study's analysis"


def read_user_scores(path: Path) -> dict[str, UserScore]:
    """Return the scores by system; FileNotFoundError or ValueError, one line, for another file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; {REMEDY}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); {REMEDY}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds no scores by system; {REMEDY}")
    return {system: _score(told, f"{path}: {system}") for system, told in content.items()}


def _score(told: Any, where: str) -> UserScore:
    names = {field.name for field in fields(UserScore)}
    if not isinstance(told, dict) or set(told) != names:
        raise ValueError(f"{where}: must have {', '.join(sorted(names))}; {REMEDY}")
    if not _is_number(told["mean"]) or not all(
        told[end] is None or _is_number(told[end]) for end in ("low", "high")
    ):
        raise ValueError(f"{where}: mean, low and high must be numbers; {REMEDY}")
    texts = all(isinstance(told[name], str) for name in ("question", "unit"))
    if not texts or not isinstance(told["raters"], int) or isinstance(told["raters"], bool):
        raise ValueError(f"{where}: raters must be a count, question and unit texts; {REMEDY}")
    return UserScore(**told)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
