"""Which clips a report shows: those nearest to each threshold, and the rejects of each code."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from talkvid.curation.profiles import Rule
from talkvid.curation.records import FAILED, KEPT, REJECTED
from talkvid.curation.report_table import RunTable
from talkvid.curation.thumbnails import Request
from talkvid.records import Array


@dataclass(frozen=True)
class Pick:
    """One clip to be shown, and the comparison for which it is shown."""

    row: int
    rule: Rule | None = None
    """None where no comparison decided: no face, a damaged file."""
    value: float = float("nan")
    margin: float = float("nan")


@dataclass(frozen=True)
class CloseCalls:
    """The clips nearest to one threshold, the nearest first."""

    rule: Rule
    kept: tuple[Pick, ...]
    rejected: tuple[Pick, ...]
    """Clips that this rule alone or first rejected."""


def deciding_checks(table: RunTable) -> Array:
    """Return for each row (N,) int64 the number of the check that rejected it, -1 where none did."""
    checks = table.checks
    found = np.full(len(table), -1, np.int64)
    if not len(checks.row):
        return found
    codes = np.array([rule.code for rule in table.rules], dtype=object)
    guilty = np.flatnonzero(~checks.passed & (codes[checks.rule] == table.code[checks.row]))
    rows, first = np.unique(checks.row[guilty], return_index=True)
    found[rows] = guilty[first]
    return found


def close_calls(table: RunTable, *, each: int) -> list[CloseCalls]:
    """Return for every rule up to `each` kept and `each` rejected clips with the smallest distance to it."""
    checks = table.checks
    decided = deciding_checks(table)
    decisive = np.zeros(len(checks.row), bool)
    decisive[decided[(decided >= 0) & table.has(REJECTED)]] = True
    kept = table.has(KEPT)[checks.row] & checks.passed
    return [
        CloseCalls(
            rule,
            _nearest(table, np.flatnonzero(kept & (checks.rule == number)), each),
            _nearest(table, np.flatnonzero(decisive & (checks.rule == number)), each),
        )
        for number, rule in enumerate(table.rules)
    ]


def _nearest(table: RunTable, numbers: Array, each: int) -> tuple[Pick, ...]:
    checks = table.checks
    order = np.argsort(np.abs(checks.margin[numbers]), kind="stable")[:each]
    return tuple(_pick(table, int(number)) for number in numbers[order])


def _pick(table: RunTable, number: int) -> Pick:
    checks = table.checks
    rule = table.rules[int(checks.rule[number])]
    return Pick(int(checks.row[number]), rule, float(checks.value[number]), float(checks.margin[number]))


def rejects(table: RunTable, *, each: int) -> dict[str, list[Pick]]:
    """Return code -> up to `each` of its rejected clips, the nearest to the threshold first.

    The codes that rejected most come first.
    """
    decided = deciding_checks(table)
    rejected = np.flatnonzero(table.has(REJECTED))
    by_code: dict[str, list[int]] = {}
    for row in rejected:
        by_code.setdefault(str(table.code[row]), []).append(int(row))
    found = {}
    for code, rows in sorted(by_code.items(), key=lambda item: (-len(item[1]), item[0])):
        numbers = decided[rows]
        distance = (
            np.where(numbers >= 0, np.abs(table.checks.margin[numbers]), np.inf)
            if len(table.checks.row)
            else np.full(len(rows), np.inf)
        )
        order = np.argsort(distance, kind="stable")[:each]
        found[code] = [_pick(table, int(numbers[at])) if numbers[at] >= 0 else Pick(rows[at]) for at in order]
    return found


def failures(table: RunTable, *, most: int) -> list[int]:
    """Return the rows of up to `most` failed files and clips, in the order of code and name."""
    rows = np.flatnonzero(table.has(FAILED))
    keys = [(str(table.code[row]), int(row)) for row in rows]
    return [row for _, row in sorted(keys)[:most]]


def wanted_pictures(
    table: RunTable, calls: Iterable[CloseCalls], by_code: Mapping[str, list[Pick]], *, most: int
) -> list[Request]:
    """Return what is to be drawn, at most `most`: every rule's nearest pair first, then the next nearest."""
    queues = [list(picks) for call in calls for picks in (call.rejected, call.kept)]
    queues += [list(picks) for picks in by_code.values()]
    rows: dict[int, None] = {}
    depth = max((len(queue) for queue in queues), default=0)
    for place in range(depth):
        for queue in queues:
            if place < len(queue):
                rows[queue[place].row] = None
    return [picture_of(table, row) for row in rows if not table.whole_file[row]][:most]


def picture_of(table: RunTable, row: int) -> Request:
    """Return the request of a clip's picture."""
    place = table.place(row)
    return Request(place["clip_id"], place["path"], place["start_s"], place["end_s"])
