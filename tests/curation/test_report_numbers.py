import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from curated_run import FURTHER, broken_file, judged, write_run

from talkvid.curation.manifest import CLIPS, ClipRow, write_clips
from talkvid.curation.records import FAILED, KEPT, REJECTED, UNSCORED, Span
from talkvid.curation.report_numbers import (
    MOST_GROUPS,
    Amount,
    Distribution,
    codes_of,
    distributions,
    funnel,
    rule_counts,
    totals,
)
from talkvid.curation.report_table import RunTable


def table_of(rows: list[ClipRow], folder: Path) -> RunTable:
    write_clips(folder / CLIPS, rows, further=FURTHER)
    return RunTable(folder)


def clip(number: int, *, facts: dict[str, object] | None = None, frames: int = 250) -> ClipRow:
    """Return a row of 10 s that no stage has scored yet."""
    span = Span(
        "v", "/v.mp4", number, 0, frames, (1, 25), 0, frames, 1280, 720, 25.0,
        facts={"speech_ratio": 0.9, **(facts or {})},
    )  # fmt: skip
    return judged(span, {})


def spread_of(found: list[Distribution], name: str) -> dict[str, tuple[int, int]]:
    spread = next(spread for spread in found if spread.name == name)
    return {group.name: (group.all.clips, group.kept.clips) for group in spread.groups}


def test_in_is_kept_and_rejected_and_failed_and_unscored(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=30, clips=4)
    found = totals(RunTable(tmp_path))
    for status in (KEPT, REJECTED, FAILED, UNSCORED):
        mine = [row for row in rows if row.status == status]
        assert found[status].clips == len(mine)
        assert found[status].seconds == pytest.approx(sum(row.duration_s for row in mine))
    assert found["in"].clips == len(rows) == sum(found[status].clips for status in found if status != "in")
    assert found[KEPT].clips > 0 < found[REJECTED].clips


def test_a_status_that_nobody_knows_is_not_counted_as_something_else(tmp_path: Path) -> None:
    rows = [clip(1), replace(clip(2), status="pending")]
    with pytest.raises(AssertionError, match="unknown status"):
        totals(table_of(rows, tmp_path))


def test_every_stage_of_the_funnel_passes_on_what_the_next_one_gets(tmp_path: Path) -> None:
    write_run(tmp_path, videos=60, clips=5)
    run = RunTable(tmp_path)
    steps = funnel(run)
    assert [step.stage for step in steps] == ["scan", "head", "quality", "motion"]
    assert steps[0].entered == totals(run)["in"]
    for step, following in itertools.pairwise(steps):
        assert following.entered == step.passed
    for step in steps:
        gone = sum(step.left.values(), Amount())
        assert gone.clips + step.passed.clips == step.entered.clips
        assert gone.seconds + step.passed.seconds == pytest.approx(step.entered.seconds)
        assert sum(found.clips for found in step.codes.values()) == gone.clips
    assert steps[-1].passed.clips == totals(run)[KEPT].clips
    assert steps[-1].passed.seconds == pytest.approx(totals(run)[KEPT].seconds)


def test_unscored_clips_leave_the_funnel_at_the_stage_that_has_not_scored_them(tmp_path: Path) -> None:
    steps = funnel(table_of([clip(1), clip(2)], tmp_path))
    at_head = next(step for step in steps if step.stage == "head")
    assert at_head.left[UNSCORED].clips == 2
    assert at_head.passed.clips == 0


def test_duplicates_leave_the_funnel_after_all_scores(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=20, clips=4)
    first = next(number for number, row in enumerate(rows) if row.status == KEPT)
    rows[first] = replace(rows[first], status=REJECTED, code="DUPLICATE", failed_stage="annotate")
    last = funnel(table_of(rows, tmp_path))[-1]
    assert last.stage == "annotate"
    assert (last.left[REJECTED].clips, list(last.codes)) == (1, ["DUPLICATE"])


def test_a_rule_counts_each_clip_it_was_compared_with_once(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=40, clips=5)
    run = RunTable(tmp_path)
    for rule, found in zip(run.rules, rule_counts(run), strict=True):
        checks = [
            check
            for row in rows
            for check in row.checks
            if (check.stage, check.score, check.op) == (rule.stage, rule.score, rule.op)
        ]
        assert found.passed == sum(check.passed for check in checks)
        assert found.failed == sum(not check.passed for check in checks)
    assert {rule.stage for rule in run.rules} == {"scan", "head", "quality", "motion"}


def test_codes_come_with_the_most_frequent_first(tmp_path: Path) -> None:
    write_run(tmp_path, videos=60, clips=5)
    run = RunTable(tmp_path)
    found = codes_of(run, run.has(REJECTED))
    counts = [amount.clips for amount in found.values()]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == totals(run)[REJECTED].clips


def test_facts_and_annotations_are_told_apart_by_who_told_them(tmp_path: Path) -> None:
    rows = [
        clip(1, facts={"language": "en"}),
        replace(clip(2), annotations={"language": {"value": "fr", "by": "faster-whisper"}}),
        clip(3, facts={"info": {"Language": "de", "Gender": "female"}}),
        clip(4),
        broken_file("w", "/w.mp4"),
    ]
    found = distributions(table_of(rows, tmp_path))
    assert spread_of(found, "language") == {"de": (1, 0), "en": (1, 0), "fr": (1, 0), "not known": (1, 0)}
    assert spread_of(found, "gender") == {"female": (1, 0), "not known": (3, 0)}
    language = next(spread for spread in found if spread.name == "language")
    assert language.who == {"the source list": 2, "faster-whisper": 1}
    assert "age" not in {spread.name for spread in found}


def test_a_file_that_failed_whole_is_in_no_distribution(tmp_path: Path) -> None:
    found = distributions(table_of([clip(1), broken_file("w", "/w.mp4")], tmp_path))
    assert spread_of(found, "duration") == {"10\N{EN DASH}15 s": (1, 0)}
    assert spread_of(found, "resolution") == {"720p": (1, 0)}


def test_usual_frame_rates_bear_their_names_and_others_their_span(tmp_path: Path) -> None:
    rates = (25.0, 24.9999, 29.97003, 23.976024, 26.4, 90.0)
    rows = [replace(clip(number), fps=rate) for number, rate in enumerate(rates, start=1)]
    found = spread_of(distributions(table_of(rows, tmp_path)), "frame rate")
    assert list(found) == ["23.976 fps", "25 fps", "25 to 29.97 fps", "29.97 fps", "above 60 fps"]
    assert found["25 fps"] == (2, 0)


def test_rare_values_are_one_bar_and_none_is_lost(tmp_path: Path) -> None:
    rows = [clip(number, facts={"person": f"p{number}"}) for number in range(1, 51)]
    found = distributions(table_of(rows, tmp_path))
    people = next(spread for spread in found if spread.name == "person")
    assert people.num_values == 50
    assert len(people.groups) < MOST_GROUPS
    assert sum(group.all.clips for group in people.groups) == 50


def test_a_run_without_any_clip_has_figures_too(tmp_path: Path) -> None:
    run = table_of([], tmp_path)
    assert totals(run)["in"] == Amount()
    assert [step.passed.clips for step in funnel(run)] == [0]
    assert rule_counts(run) == []
    assert all(not np.any([group.all.clips for group in spread.groups]) for spread in distributions(run))
