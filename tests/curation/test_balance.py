from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from export_material import row_of, span_of

from talkvid.curation.balance import BalanceConfig, balanced_out, balanced_rows
from talkvid.curation.clip_row import ClipRow
from talkvid.curation.config import load_curate_config, section
from talkvid.curation.records import KEPT, REJECTED


def test_surplus_clips_of_a_length_are_named_the_same_in_any_order() -> None:
    lengths = {f"clip{number}": 3 + (number % 40) * 0.1 for number in range(200)}
    lengths |= {"long": 29.0, "out": 90.0}
    config = BalanceConfig(most_per_bin=20, seed=1)
    out = balanced_out(lengths, config)
    assert out == balanced_out(dict(reversed(lengths.items())), config)
    assert out != balanced_out(lengths, BalanceConfig(most_per_bin=20, seed=2))
    kept = [length for name, length in lengths.items() if name not in out]
    counts, _ = np.histogram(kept, bins=9, range=(3, 30))
    assert counts.tolist() == [20, 20, 0, 0, 0, 0, 0, 0, 1] and 90.0 in kept
    assert out[next(iter(out))].endswith("at most 20 are asked for")


def test_the_limit_may_follow_the_median_and_is_off_by_default() -> None:
    groups = {"a": (50, 4.0), "b": (10, 10.0), "c": (4, 20.0)}
    lengths = {f"{name}{n}": length for name, (count, length) in groups.items() for n in range(count)}
    assert balanced_out(lengths, BalanceConfig()) == {}
    out = balanced_out(lengths, BalanceConfig(ratio=2))
    assert len(out) == 30 and all(name.startswith("a") for name in out)
    assert balanced_out({}, BalanceConfig(ratio=2)) == {}


def rows() -> Iterator[ClipRow]:
    for number in range(1, 11):
        span = span_of(Path("v.mp4"), number * 1000, 100, number=number)
        status, code = (REJECTED, "NO_SPEECH") if number <= 3 else (KEPT, "")
        yield row_of(span, status, code=code, reason="as it was" if code else "")


def test_only_clips_that_would_be_kept_are_balanced_and_none_is_lost() -> None:
    assert list(balanced_rows(rows, BalanceConfig())) == list(rows())
    found = list(balanced_rows(rows, BalanceConfig(most_per_bin=2)))
    assert [row.clip_id for row in found] == [row.clip_id for row in rows()]
    assert sum(row.status == KEPT for row in found) == 2
    assert [row.code for row in found[:3]] == ["NO_SPEECH"] * 3 and found[0].reason == "as it was"
    out = [row for row in found if row.code == "BALANCED_OUT"]
    assert len(out) == 5 and {row.status for row in out} == {REJECTED}
    assert out[0].reason == "7 clips of 3 to 6 s, at most 2 are asked for"


def test_the_section_is_part_of_the_settings() -> None:
    config = load_curate_config(overrides=["stages=[]", "balance.ratio=1.5"])
    assert section(config, "balance") == BalanceConfig(ratio=1.5)
    with pytest.raises(ValueError, match="shortest_s < longest_s"):
        load_curate_config(overrides=["stages=[]", "balance.shortest_s=40"])
