"""A data set in the page: filtered by what was measured, played, explained, and never run."""

from pathlib import Path

import numpy as np
import pytest
from curated_run import write_run

from talkvid.app.curated import CuratedSet, counted, rounded
from talkvid.app.report_view import report_page, report_view
from talkvid.curation.manifest import read_clips
from talkvid.curation.records import FAILED, KEPT, REJECTED
from talkvid.media.video import probe
from talkvid.media.writer import VideoWriter

pytest.importorskip("pyarrow", reason="the extra curation is not installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 14 videos, one of them broken, the first of them there as a file."""
    folder = tmp_path_factory.mktemp("curated")
    video = folder / "there.mp4"
    with VideoWriter(video, 64, 36, 25, preset="ultrafast", gop=10) as writer:
        for number in range(520):
            writer.write(np.full((36, 64, 3), number % 250, np.uint8))
    write_run(folder / "run", videos=14, clips=3, paths=[str(video)])
    return folder / "run"


def test_clips_are_selected_by_status_reason_and_every_slider(run: Path, tmp_path: Path) -> None:
    chosen, rows = CuratedSet(run, tmp_path), read_clips(run)
    assert len(chosen.select()) == len(rows)
    for status in (KEPT, REJECTED, FAILED):
        found = chosen.select(statuses=[status])
        assert [rows[row].status for row in found] == [status] * sum(row.status == status for row in rows)
    code = chosen.codes[0]
    assert {rows[row].code for row in chosen.select(code=code)} == {code}
    for one in chosen.ranges:
        middle = (one.low + one.high) / 2
        passed = chosen.select(bounds={one.key: middle})
        values = [rows[row].score(one.stage, one.score) for row in passed]
        expected = [
            value for row in rows
            if (value := row.score(one.stage, one.score)) is not None
            and (value >= middle if one.at_least else value <= middle)
        ]  # fmt: skip
        assert values == expected and 0 < len(values) < len(rows)
        assert len(chosen.select(bounds={one.key: one.open_end})) == len(rows)
    assert counted(chosen).endswith("1 failed")


def test_a_slider_encloses_its_scores_and_knows_the_rule_of_the_run(run: Path, tmp_path: Path) -> None:
    ranges = {one.score: one for one in CuratedSet(run, tmp_path).ranges}
    movement = ranges["avg_movement"]
    assert (
        movement.at_least and movement.threshold == 80.0 and ranges["classical_sharpness"].threshold is None
    )
    low, high, step = rounded(0.123456, 7.98765)
    assert (low, high, step) == (0.12, 7.99, 0.01) and rounded(3, 20)[2] == 0.1


def test_the_reason_is_told_with_every_comparison_and_nothing_in_it_runs(run: Path, tmp_path: Path) -> None:
    chosen, rows = CuratedSet(run, tmp_path), read_clips(run)
    row = int(chosen.select(statuses=[REJECTED])[0])
    told = chosen.why(row)
    assert rows[row].code in told and told.count("<tr>") == len(rows[row].checks) + 1
    assert told.count("<b>failed</b>") == sum(not check.passed for check in rows[row].checks) >= 1
    broken = int(chosen.select(statuses=[FAILED])[0])
    assert "/nowhere" not in chosen.why(broken) and "cannot be decoded" not in chosen.caption(broken)
    evil = {"name": "<script>alert(1)</script>", "reason": "<script>", "path": "/x/<script>.mp4"}
    place = {**chosen.table.place(row), **evil}
    chosen.table.place = lambda row: place  # type: ignore[method-assign]
    assert "<script>" not in chosen.why(row) and "&lt;script&gt;" in chosen.why(row)


def test_a_clip_is_cut_to_its_span_and_pictures_of_missing_files_are_left_out(
    run: Path, tmp_path: Path
) -> None:
    chosen, rows = CuratedSet(run, tmp_path), read_clips(run)
    clip = rows[0]
    place = {
        **chosen.table.place(0),
        "width": 64,
        "height": 36,
        "has_audio": False,
        "num_frames": clip.num_frames,
    }
    chosen.table.place = lambda row: place  # type: ignore[method-assign]
    played = chosen.clip(0)
    assert played.parent == tmp_path and probe(played).duration_s == pytest.approx(clip.duration_s, abs=0.05)
    assert chosen.clip(0) == played
    fresh = CuratedSet(run, tmp_path)
    assert set(fresh.pictures([0, len(rows) - 1])) == {0}
    assert fresh.blank().is_file()


def test_a_file_without_clips_and_an_endless_clip_are_explained_not_played(run: Path, tmp_path: Path) -> None:
    chosen = CuratedSet(run, tmp_path)
    with pytest.raises(ValueError, match="No clip was found"):
        chosen.clip(int(np.flatnonzero(chosen.table.whole_file)[0]))
    place = {**chosen.table.place(0), "duration_s": 500.0}
    chosen.table.place = lambda row: place  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="too long to be cut"):
        chosen.clip(0)


def test_a_folder_without_a_run_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="talkvid curate run"):
        CuratedSet(tmp_path, tmp_path)


def test_a_report_is_framed_without_rights_or_its_table_is_shown(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither report\.html nor summary\.csv"):
        report_page(tmp_path)
    (tmp_path / "summary.csv").write_text("system,mel\n<b>x</b>,1\n", encoding="utf-8")
    assert report_page(tmp_path) is None
    assert "&lt;b&gt;x" in report_view(tmp_path) and "<table>" in report_view(tmp_path)
    (tmp_path / "report.html").write_text("<h1>x</h1>", encoding="utf-8")
    assert 'sandbox=""' in report_view(tmp_path) and report_page(tmp_path) == tmp_path / "report.html"
