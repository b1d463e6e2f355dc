"""A run as columns: what report and statistics count, read once from `clips.parquet`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.curation import manifest
from talkvid.curation.config import STAGES
from talkvid.curation.profiles import SCAN, Rule
from talkvid.curation.records import FAILED, KEPT, REJECTED, UNSCORED
from talkvid.extras import require
from talkvid.records import Array

STATUSES = (KEPT, REJECTED, FAILED, UNSCORED)
ORDER = (SCAN, *STAGES)
"""The stages in the order of work; others come after them by name."""
SCORE_PREFIX = "score."
UNKNOWN = "not known"


@dataclass(frozen=True)
class Checks:
    """All comparisons of a run, C of them, as columns."""

    row: Array
    """(C,) int64: the row of the clip."""
    rule: Array
    """(C,) int64: number of the rule in `RunTable.rules`."""
    value: Array
    margin: Array
    """(C,) float64: negative on the failing side."""
    passed: Array


class RunTable:
    """The N rows of a run: clips, and files that failed whole (number 0, no time).

    Args:
        out: the run folder, or a `clips.parquet`.

    Raises:
        FileNotFoundError: the run has not written `clips.parquet`.
    """

    def __init__(self, out: Path) -> None:
        self._table = manifest.table(out)
        self.names: tuple[str, ...] = tuple(self._table.column_names)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def column(self, name: str) -> Array:
        """Return a column (N,), null as None or NaN."""
        return np.asarray(self._table.column(name).to_numpy())

    @cached_property
    def status(self) -> Array:
        """Return the status of each row (N,)."""
        return self.column("status")

    @cached_property
    def code(self) -> Array:
        """Return the code of each row (N,), empty for kept ones."""
        return self.column("code")

    @cached_property
    def stage(self) -> Array:
        """Return the stage at which each row left (N,), empty for kept ones."""
        return self.column("failed_stage")

    @cached_property
    def seconds(self) -> Array:
        """Return the length of each row (N,) float64; 0 for a file that failed whole."""
        return np.nan_to_num(self.column("duration_s").astype(np.float64))

    @cached_property
    def whole_file(self) -> Array:
        """Return which rows (N,) stand for a file of which no clip was found."""
        return np.asarray(self.column("number") == 0)

    def has(self, status: str) -> Array:
        """Return which rows (N,) have a status."""
        return np.asarray(self.status == status)

    def place(self, row: int) -> dict[str, Any]:
        """Return the plain columns of one row by name."""
        names = [name for name in manifest.COLUMNS if name in self.names]
        return {name: self._table.column(name)[int(row)].as_py() for name in names}

    @cached_property
    def score_columns(self) -> dict[tuple[str, str], Array]:
        """Return (stage, score) -> values (N,) float64, NaN where there is none, in the order of stages."""
        found = {}
        for name in self.names:
            if name.startswith(SCORE_PREFIX):
                stage, _, score = name.removeprefix(SCORE_PREFIX).partition(".")
                found[stage, score] = self.column(name).astype(np.float64)
        return dict(sorted(found.items(), key=lambda item: (stage_place(item[0][0]), item[0])))

    def by_stage(self, prefix: str) -> dict[str, dict[str, int]]:
        """Return stage -> value -> rows of the columns `backend.<stage>` or `signature.<stage>`."""
        found: dict[str, dict[str, int]] = {}
        for name in self.names:
            if name.startswith(f"{prefix}."):
                counts = {
                    pair["values"]: pair["counts"]
                    for pair in self._table.column(name).value_counts().to_pylist()
                }
                known = {str(value): count for value, count in counts.items() if value}
                if known:
                    found[name.removeprefix(f"{prefix}.")] = dict(
                        sorted(known.items(), key=lambda pair: -pair[1])
                    )
        return dict(sorted(found.items(), key=lambda item: stage_place(item[0])))

    @cached_property
    def _checks_and_rules(self) -> tuple[Checks, tuple[Rule, ...]]:
        compute = require("pyarrow.compute", extra="curation")
        column = self._table.column("checks").combine_chunks()
        flat = column.flatten()
        keys = np.zeros(len(flat), np.int64)
        parts = []
        for name in ("stage", "score", "op", "threshold", "code"):
            encoded = flat.field(name).dictionary_encode()
            parts.append(encoded.dictionary.to_pylist())
            keys = keys * len(parts[-1]) + encoded.indices.to_numpy(zero_copy_only=False)
        unique, number = np.unique(keys, return_inverse=True)
        rules = [_rule(int(key), parts) for key in unique]
        order = sorted(range(len(rules)), key=lambda index: _rule_place(rules[index]))
        place = np.empty(len(rules), np.int64)
        place[order] = np.arange(len(rules))
        checks = Checks(
            row=compute.list_parent_indices(column).to_numpy().astype(np.int64),
            rule=place[number] if len(rules) else number,
            value=flat.field("value").to_numpy(zero_copy_only=False).astype(np.float64),
            margin=flat.field("margin").to_numpy(zero_copy_only=False).astype(np.float64),
            passed=flat.field("passed").to_numpy(zero_copy_only=False).astype(bool),
        )
        return checks, tuple(rules[index] for index in order)

    @property
    def checks(self) -> Checks:
        """Return all comparisons of the run."""
        return self._checks_and_rules[0]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return the rules in force, in the order of stages."""
        return self._checks_and_rules[1]

    @cached_property
    def told(self) -> list[Mapping[str, Any]]:
        """Return what is told of each row besides its columns: facts, and over them annotations."""
        pairs = zip(self.column("facts"), self.column("annotations"), strict=True)
        return [{**_object(facts), **_object(annotations)} for facts, annotations in pairs]


def stage_place(stage: str) -> tuple[int, str]:
    """Return the key that sorts stages in the order of work."""
    return (ORDER.index(stage) if stage in ORDER else len(ORDER), stage)


def _rule_place(rule: Rule) -> tuple[Any, ...]:
    return (stage_place(rule.stage), rule.code, rule.score, rule.op, rule.threshold)


def _rule(key: int, parts: list[list[Any]]) -> Rule:
    """Return the rule whose fields' places in `parts` were joined to one number."""
    values = []
    for part in reversed(parts):
        key, place = divmod(key, len(part))
        values.append(part[place])
    code, threshold, op, score, stage = values
    return Rule(stage=stage, score=score, op=op, threshold=float(threshold), code=code)


def _object(text: Any) -> dict[str, Any]:
    loaded = json.loads(text) if text else {}
    return loaded if isinstance(loaded, dict) else {}


def rule_text(rule: Rule) -> str:
    """Return a rule as one reads it: `head.min_rotation >= 60`."""
    return f"{rule.stage}.{rule.score} {rule.op} {rule.threshold:g}"


def holds(rule: Rule, values: Array) -> Array:
    """Return which values (N,) lie on the passing side of a rule."""
    compare = {">=": np.greater_equal, ">": np.greater, "<=": np.less_equal, "<": np.less}
    return np.asarray(compare[rule.op](values, rule.threshold))
