"""How each number was made, in one line of text per metric: crop, size, fps, counts, versions and hashes."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from talkvid.evaluation.suite.result import Evaluation

FIRST = ("crop", "size", "fps", "frames")
"""Facts told before all others."""
MOST_DIFFERENT = 3
"""So many different values of one fact are told one by one, the most frequent first."""

MOST_ENTRIES = 40
"""Settings with more, such as the hashes of all videos, are told by their number."""


def facts_of(evaluation: Evaluation, metric: str) -> list[Mapping[str, Any]]:
    """Return the facts of everything that the metric measured."""
    single = [found for result in evaluation.pairs if (found := result.metrics.get(metric)) is not None]
    whole = [found for found in evaluation.sets if found.metric == metric]
    told = [found.facts for found in single if not found.reason]
    return [*told, *(found.facts for found in whole if not found.reason)]


def told_facts(facts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return every fact in words: the one value that all have, a range of numbers, or the frequent values."""
    names = dict.fromkeys(name for found in facts for name in found)
    ordered = [*(name for name in FIRST if name in names), *(name for name in names if name not in FIRST)]
    return {name: _told([found[name] for found in facts if name in found]) for name in ordered}


def told_value(value: Any) -> str:
    """Return one value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (isinstance(value, Mapping | list | tuple | str) and not value):
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping) and len(value) > MOST_ENTRIES:
        return f"{len(value)} entries, in results.json"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {told_value(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(told_value(part) for part in value)
    return str(value)


def _told(values: Sequence[Any]) -> str:
    counts: dict[str, int] = {}
    for value in values:
        text = told_value(value)
        counts[text] = counts.get(text, 0) + 1
    if len(counts) == 1:
        return next(iter(counts))
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values) and all(math.isfinite(number) for number in numbers):
        return f"{told_value(min(numbers))} to {told_value(max(numbers))}"
    frequent = sorted(counts, key=lambda text: (-counts[text], text))
    told = [f"{text} ({counts[text]}x)" for text in frequent[:MOST_DIFFERENT]]
    left = len(counts) - MOST_DIFFERENT
    more = f"{left} other value{'' if left == 1 else 's'}"
    return "; ".join([*told, more] if left > 0 else told)


def facts_json(facts: Mapping[str, Any]) -> str:
    """Return facts as one line of JSON with sorted names; a number that is not finite becomes its name."""
    plain = {
        name: told_value(value) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in facts.items()
    }
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, allow_nan=False, default=str)
