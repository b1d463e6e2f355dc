"""A run from videos to the table of clips, with scorers that behave as the name of the video says."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import curation_jobs
import pytest
from curation_jobs import draw_video

from talkvid.curation import curate
from talkvid.curation.config import load_curate_config
from talkvid.curation.manifest import ClipRow, read_clips, table
from talkvid.curation.results import Tally
from talkvid.curation.sources import VideoSource

QUICK = (
    "rules.scan.duration_s=>=0.5",
    *(f"rules.scan.{name}=off" for name in ("has_audio", "speech_s", "speech_ratio")),
    "run.executor=inline",
)


def make_plan(out: Path, *overrides: str, **changes: Any) -> curate.Plan:
    config = load_curate_config(overrides=[*QUICK, *overrides])
    return curate.make_plan(replace(config, output=str(out), **changes))


def sources_of(folder: Path, names: list[str]) -> list[VideoSource]:
    for number, name in enumerate(names):
        draw_video(folder / f"{name}.mp4", shade=20 * number % 200)
    return [VideoSource(name, str(folder / f"{name}.mp4")) for name in names]


def run_steps(plan: curate.Plan, sources: list[VideoSource], *, build: Any = None) -> Tally:
    curate.prepare(plan, sources)
    curate.scan(plan, sources)
    curate.score(plan, build=build or curation_jobs.builder())
    return curate.write_tables(plan)


def by_video(out: Path) -> dict[str, ClipRow]:
    return {row.video_id: row for row in read_clips(out)}


def calls(path: Path) -> Counter[str]:
    return Counter(path.read_text().splitlines()) if path.exists() else Counter()


BAD = ["good", "head_raises", "head_sees_badly", "quality_nan", "head_low", "quality_low", "head_noface"]


def test_whatever_happens_to_a_clip_it_is_a_row_with_a_code(tmp_path: Path) -> None:
    # Once: failed clips were silently dropped, and one unreadable file ended the whole worker.
    sources = sources_of(tmp_path / "videos", BAD)
    (tmp_path / "videos" / "empty.mp4").touch()
    (tmp_path / "videos" / "text.mp4").write_text("no video at all")
    whole = (tmp_path / "videos" / "good.mp4").read_bytes()
    (tmp_path / "videos" / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    names = ["empty", "text", "cut", "missing"]
    sources += [VideoSource(name, str(tmp_path / "videos" / f"{name}.mp4")) for name in names]
    tally = run_steps(make_plan(tmp_path / "out"), sources)
    rows = by_video(tmp_path / "out")
    assert {name: (row.status, row.code, row.failed_stage) for name, row in rows.items()} == {
        "good": ("kept", "", ""),
        "head_raises": ("failed", "ERROR", "head"),
        "head_sees_badly": ("failed", "ERROR", "head"),
        "quality_nan": ("failed", "ERROR", "quality"),
        "head_low": ("rejected", "HEAD_MOVEMENT", "head"),
        "quality_low": ("rejected", "QUALITY_LOW", "quality"),
        "head_noface": ("rejected", "NO_FACE", "head"),
        "empty": ("failed", "EMPTY_FILE", "scan"),
        "text": ("failed", "NOT_A_VIDEO", "scan"),
        "cut": ("failed", "DECODE_FAIL", "scan"),
        "missing": ("failed", "MISSING_FILE", "scan"),
    }
    assert all(row.reason for row in rows.values() if row.status != "kept")
    assert tally.by_status == Counter(kept=1, rejected=3, failed=7)
    assert json.loads((tmp_path / "out" / "status.json").read_text())["in"] == 11


def test_stages_behind_a_rejection_are_not_computed_unless_all_scores_are_asked_for(tmp_path: Path) -> None:
    sources, log = sources_of(tmp_path, ["head_low"]), tmp_path / "calls"
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    assert calls(log) == {"head head_low-scene1": 1}
    run_steps(make_plan(tmp_path / "out", "score_all=true"), sources, build=curation_jobs.builder(log))
    assert calls(log) == {f"{stage} head_low-scene1": 1 for stage in ("head", "quality", "motion")}
    row = by_video(tmp_path / "out")["head_low"]
    assert (row.status, row.code, set(row.scores)) == (
        "rejected",
        "HEAD_MOVEMENT",
        {"scan", "head", "quality", "motion"},
    )


def test_nothing_is_encoded_before_the_rules_have_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once: all scenes were encoded, with two starts of a program and a picture each, before the rule on their
    # length was applied.
    pytest.importorskip("scenedetect")  # asks ffmpeg once, when it is imported, whether it is there
    sources, log = sources_of(tmp_path / "videos", ["short", "other"]), tmp_path / "calls"
    opened: Callable[..., Any] = av.open

    def reading(file: Any, mode: str = "r", **options: Any) -> Any:
        assert mode == "r", f"{file} is being written"
        return opened(file, mode, **options)

    def started(*command: Any, **_: Any) -> None:
        raise AssertionError(f"{command} is started")

    monkeypatch.setattr(av, "open", reading)
    monkeypatch.setattr(subprocess, "Popen", started)
    plan = make_plan(tmp_path / "out", "rules.scan.duration_s=>=5")
    run_steps(plan, sources, build=curation_jobs.builder(log))
    assert {row.code for row in read_clips(tmp_path / "out")} == {"DUR_SHORT"}
    assert not calls(log)
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    assert {row.status for row in read_clips(tmp_path / "out")} == {"kept"}
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.suffix for path in written} <= {".jsonl", ".json", ".yaml", ".parquet"}


def test_a_second_run_scores_nothing_and_another_setting_only_its_own_stage(tmp_path: Path) -> None:
    # Once: a re-run deleted all finished clips, and the motion stage cleared its own list of what was done.
    sources, log = sources_of(tmp_path, ["a", "b"]), tmp_path / "calls"
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    first, table_before = calls(log), (tmp_path / "out" / "clips.parquet").read_bytes()
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    assert calls(log) == first and len(first) == 6
    assert (tmp_path / "out" / "clips.parquet").read_bytes() == table_before
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log, quality=1))
    assert calls(log) - first == {"quality a-scene1": 1, "quality b-scene1": 1}
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    assert sum(calls(log).values()) == 8, "scores under the settings of before are still known"
    assert (tmp_path / "out" / "clips.parquet").read_bytes() == table_before


def test_another_threshold_only_decides_anew_and_tells_which_scores_it_lacks(tmp_path: Path) -> None:
    sources, log = sources_of(tmp_path, ["good", "head_low"]), tmp_path / "calls"
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    before = calls(log)
    strict = make_plan(tmp_path / "out", "rules.head.avg_movement=>100")
    assert curate.write_tables(strict).by_code == Counter(HEAD_MOVEMENT=2)
    loose = make_plan(tmp_path / "out", *[f"rules.head.{name}=>=0" for name in curation_jobs.GOOD["head"]])
    tally = curate.write_tables(loose)
    assert calls(log) == before
    assert (tally.by_status, by_video(tmp_path / "out")["head_low"].code) == (
        Counter(kept=1, unscored=1),
        "quality",
    )
    run_steps(loose, sources, build=curation_jobs.builder(log))
    assert calls(log) - before == {"quality head_low-scene1": 1, "motion head_low-scene1": 1}


def test_what_failed_by_a_fault_of_the_program_is_tried_again_and_other_results_stay(tmp_path: Path) -> None:
    sources, log = sources_of(tmp_path, ["head_raises", "head_noface"]), tmp_path / "calls"
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    waiting = curate.waiting_clips(make_plan(tmp_path / "out"))
    assert [item.span.video_id for item in waiting] == ["head_raises"]


def test_a_changed_file_under_the_same_name_is_scanned_and_scored_anew(tmp_path: Path) -> None:
    sources, log = sources_of(tmp_path, ["a"]), tmp_path / "calls"
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    before = by_video(tmp_path / "out")["a"].score("head", "mean")
    draw_video(tmp_path / "a.mp4", shade=180)
    run_steps(make_plan(tmp_path / "out"), sources, build=curation_jobs.builder(log))
    assert by_video(tmp_path / "out")["a"].score("head", "mean") != before
    assert calls(log)["head a-scene1"] == 2


@pytest.mark.parametrize("count", [0, 1])
def test_no_clip_and_one_clip_are_data_sets_too(tmp_path: Path, count: int) -> None:
    # Once: an empty input divided by zero and a set of one clip broke the next step's reader.
    tally = run_steps(make_plan(tmp_path / "out"), sources_of(tmp_path, ["only"][:count]))
    assert (sum(tally.by_status.values()), table(tmp_path / "out" / "clips.parquet").num_rows) == (
        count,
        count,
    )


def test_two_files_of_one_name_in_two_folders_stay_two(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        draw_video(tmp_path / folder / "clip.mp4", shade=50 if folder == "a" else 150)
    sources = [VideoSource(f"{folder}__clip", str(tmp_path / folder / "clip.mp4")) for folder in ("a", "b")]
    run_steps(make_plan(tmp_path / "out"), sources)
    rows = read_clips(tmp_path / "out")
    assert len({row.clip_id for row in rows}) == len({row.name for row in rows}) == 2
    assert rows[0].score("head", "mean") != rows[1].score("head", "mean")


def test_a_later_stage_takes_clips_scores_and_rules_from_the_folder_of_the_one_before(tmp_path: Path) -> None:
    # Once: the motion stage read the list of the beginning and not what the quality stage had left.
    sources, log = sources_of(tmp_path, ["good", "quality_low"]), tmp_path / "calls"
    first = make_plan(tmp_path / "1", stages=[])
    run_steps(first, sources)
    config = load_curate_config(overrides=["run.executor=inline", "rules.quality.classical_quality=>=1"])
    config = replace(config, input=str(tmp_path / "1"), output=str(tmp_path / "2"), stages=["quality"])
    second = curate.make_plan(config, scores=["quality"])
    for _ in range(2):
        curate.prepare(second, [])
        curate.score(second, build=curation_jobs.builder(log))
        curate.write_tables(second)
    config = load_curate_config(overrides=["run.executor=inline"])
    config = replace(config, input=str(tmp_path / "2"), output=str(tmp_path / "3"), stages=["motion"])
    third = curate.make_plan(config, scores=["motion"])
    curate.prepare(third, [])
    curate.score(third, build=curation_jobs.builder(log))
    curate.write_tables(third)
    assert calls(log) == {"quality good-scene1": 1, "quality quality_low-scene1": 1, "motion good-scene1": 1}
    rows = by_video(tmp_path / "3")
    assert (rows["good"].status, set(rows["good"].scores)) == ("kept", {"scan", "quality", "motion"})
    assert (rows["quality_low"].code, rows["quality_low"].checks[-1].threshold) == ("QUALITY_LOW", 1.0)


def test_a_dry_run_says_what_it_would_do_and_touches_nothing(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, ["a", "b"])
    plan = make_plan(tmp_path / "out")
    assert list(curate.outlook(plan, sources))[:2] == [
        f"scan  {name}  {tmp_path}/{name}.mp4" for name in "ab"
    ]
    assert not (tmp_path / "out").exists()
    run_steps(plan, sources, build=curation_jobs.builder())
    lines = list(curate.outlook(make_plan(tmp_path / "out", "stages=[head]"), sources))
    assert lines[0].startswith("done before  a") and "head: 0 of the clips" in lines[2]


def test_rows_that_get_lost_are_an_error_and_no_table_of_them_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Once: one clip per worker was lost between two ways of counting, and nobody noticed.
    plan = make_plan(tmp_path / "out")
    run_steps(plan, sources_of(tmp_path, ["a", "b"]))
    monkeypatch.setattr("talkvid.curation.results.Results.num_expected", lambda self: 3)
    before = (tmp_path / "out" / "clips.parquet").read_bytes()
    with pytest.raises(RuntimeError, match="3 clips went in and 2 rows came out"):
        curate.write_tables(make_plan(tmp_path / "out", "rules.head.avg_movement=>=1000"))
    assert (tmp_path / "out" / "clips.parquet").read_bytes() == before
