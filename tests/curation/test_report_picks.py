from pathlib import Path

import numpy as np
from curated_run import FURTHER, broken_file, write_run

from talkvid.curation.manifest import CLIPS, write_clips
from talkvid.curation.records import KEPT, REJECTED
from talkvid.curation.report_picks import (
    close_calls,
    deciding_checks,
    failures,
    rejects,
    wanted_pictures,
)
from talkvid.curation.report_table import RunTable


def test_close_calls_are_the_clips_nearest_to_each_threshold(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=60, clips=5)
    for call in close_calls(RunTable(tmp_path), each=4):
        kept = sorted(
            check.margin
            for row in rows
            if row.status == KEPT
            for check in row.checks
            if (check.score, check.op) == (call.rule.score, call.rule.op)
        )
        assert [pick.margin for pick in call.kept] == kept[:4]
        assert all(rows[pick.row].status == KEPT for pick in call.kept)
        assert all(rows[pick.row].status == REJECTED and pick.margin <= 0 for pick in call.rejected)
        distances = [abs(pick.margin) for pick in call.rejected]
        assert distances == sorted(distances)


def test_a_reject_is_shown_with_the_comparison_that_gave_it_its_code(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=60, clips=5)
    run = RunTable(tmp_path)
    decided = deciding_checks(run)
    for number, row in enumerate(rows):
        failed = [check for check in row.checks if not check.passed]
        if row.status != REJECTED or not failed:
            assert decided[number] == -1
            continue
        rule = run.rules[int(run.checks.rule[decided[number]])]
        assert (rule.code, rule.score) == (row.code, failed[0].score)
        assert run.checks.value[decided[number]] == failed[0].value


def test_every_reject_is_listed_under_its_code_while_there_is_room(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=30, clips=4)
    found = rejects(RunTable(tmp_path), each=10_000)
    listed = sorted(pick.row for picks in found.values() for pick in picks)
    assert listed == [number for number, row in enumerate(rows) if row.status == REJECTED]
    for code, picks in found.items():
        assert {rows[pick.row].code for pick in picks} == {code}
    assert all(len(picks) <= 2 for picks in rejects(RunTable(tmp_path), each=2).values())


def test_rejects_without_a_comparison_are_listed_too(tmp_path: Path) -> None:
    # Once: a clip without any face had no value and was therefore left out of the list of rejects.
    rows = write_run(tmp_path, videos=60, clips=5)
    faceless = [number for number, row in enumerate(rows) if row.code == "NO_FACE"]
    assert faceless
    picks = rejects(RunTable(tmp_path), each=1000)["NO_FACE"]
    assert [pick.row for pick in picks] == faceless
    assert all(pick.rule is None and np.isnan(pick.value) for pick in picks)


def test_no_picture_is_asked_for_of_a_file_that_failed_and_each_only_once(tmp_path: Path) -> None:
    write_run(tmp_path, videos=60, clips=5)
    run = RunTable(tmp_path)
    calls, by_code = close_calls(run, each=6), rejects(run, each=25)
    wanted = wanted_pictures(run, calls, by_code, most=1000)
    assert len({request.id for request in wanted}) == len(wanted)
    shown = {pick.row for call in calls for pick in (*call.kept, *call.rejected)}
    shown |= {pick.row for picks in by_code.values() for pick in picks}
    assert len(wanted) == len(shown)
    assert [request.id for request in wanted_pictures(run, calls, by_code, most=5)] == [
        request.id for request in wanted[:5]
    ]


def test_a_run_of_failed_files_alone_has_nothing_to_pick(tmp_path: Path) -> None:
    rows = [broken_file("b", "/b.mp4", code="EMPTY_FILE"), broken_file("a", "/a.mp4")]
    write_clips(tmp_path / CLIPS, rows, further=FURTHER)
    run = RunTable(tmp_path)
    assert close_calls(run, each=3) == [] and rejects(run, each=3) == {}
    assert failures(run, most=10) == [1, 0]
    assert failures(run, most=1) == [1]
