"""How each number was made, and with which settings, command and machine the run was."""

from collections.abc import Mapping
from typing import Any

from talkvid.evaluation.suite.result import Evaluation
from talkvid.evaluation.suite.told_facts import FIRST, facts_of, told_facts, told_value
from talkvid.page.marks import Html, count, join, name, table, tag

SHORT_HASH = 12
HEX = set("0123456789abcdef")
NOT_FINITE = ("nan", "inf", "-inf")


def protocol_table(evaluation: Evaluation) -> Html:
    """Return for each metric its columns, how many videos or sets it measured, and all their facts.

    Metrics that measured nothing have no line.
    """
    rows = []
    for metric, columns in evaluation.columns.items():
        facts = facts_of(evaluation, metric)
        if not facts:
            continue
        told = told_facts(facts)
        headings = join([tag("b", metric), Html("<br>"), ", ".join(column.heading for column in columns)])
        rest = [tag("div", tag("span", f"{_words(key)}: ", class_="soft"), _shown(text))
                for key, text in told.items() if key not in FIRST]  # fmt: skip
        first = [_shown(told.get(key, "")) for key in FIRST]
        rows.append([headings, count(len(facts)), *first, join(rest)])
    if not rows:
        return tag("p", "Nothing was measured.")
    heads = ["metric and columns", "measured", *FIRST, "everything else"]
    return tag("div", table(heads, rows, numbers=(1,)), class_="protocol")


def _shown(text: str, *, whole: bool = False) -> Html:
    """Return a value; a hash is shortened unless wanted whole, which it is when it is pointed at."""
    if not text:
        return Html("")
    if not whole and len(text) >= 32 and set(text) <= HEX:
        return tag("code", f"{text[:SHORT_HASH]}\N{HORIZONTAL ELLIPSIS}", title=text)
    return name("not a number" if text in NOT_FINITE else text)


def _words(key: str) -> str:
    return key.replace("_", " ").replace("sha256", "SHA-256")


def settings_list(settings: Mapping[str, Any]) -> Html:
    """Return the command as it was given, and everything else that was set, by name."""
    parts: list[Html] = []
    if command := settings.get("command"):
        parts.append(tag("pre", str(command)))
    rows = [[_words(key), _told_setting(value)] for key, value in settings.items() if key != "command"]
    if rows:
        parts.append(tag("div", table(["setting", "value"], rows), class_="settings"))
    return join(parts) if parts else tag("p", "The run has noted no settings.")


def _told_setting(value: Any) -> Html:
    if not isinstance(value, Mapping):
        return _shown(told_value(value), whole=True)
    lines = [tag("div", tag("span", f"{key}: ", class_="soft"), _told_setting(part))
             for key, part in value.items()]  # fmt: skip
    return join(lines)
