"""A whole bench: rows of several systems, subgroups computed by hand, the same bytes after being killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from talkvid.evaluation.bench.clips import Bench
from talkvid.evaluation.bench.layout import find_bench
from talkvid.evaluation.bench.report import bench_markdown, coverage_lines
from talkvid.evaluation.bench.run import BENCH_FILE, BenchRun, run_bench
from talkvid.evaluation.suite.groups import group_tables
from talkvid.evaluation.suite.pair import Pair
from talkvid.evaluation.suite.result import Evaluation, PairResult
from talkvid.evaluation.suite.store import FILE_NAME, load_evaluation
from talkvid.evaluation.suite.summary import summarise
from tests.evaluation.bench.bench_made_up import clip_groups, clip_name, write_bench, write_outputs
from tests.evaluation.bench.bench_run import OURS, bench_run
from tests.evaluation.bench.makers import Maker
from tests.evaluation.bench.planted import planted_value

CLIPS = 40
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def bench_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bench(tmp_path_factory.mktemp("bench"), clips=CLIPS)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system that has 9 of the first 10 clips."""
    return write_outputs(tmp_path_factory.mktemp("others"), range(9), error=0.3)


@pytest.fixture(scope="module")
def whole(bench_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[BenchRun, Path]:
    """All clips, undisturbed, without controls, in the folder `run`; moved to `whole` when done."""
    folder = tmp_path_factory.mktemp("runs")
    done = bench_run(bench_folder, folder / "run", executor="inline", controls=False)
    (folder / "run").rename(folder / "whole")
    return done, folder


def test_subgroup_means_are_those_computed_by_hand(whole: tuple[BenchRun, Path]) -> None:
    evaluation = load_evaluation(whole[1] / "whole")
    tables = {table.dimension: table for table in group_tables(evaluation, resamples=50)}
    assert set(tables) == {"age", "gender", "ethnicity", "language"}
    num_groups = 0
    for dimension, table in tables.items():
        for group in table.groups:
            names = [
                clip_name(number)
                for number in range(CLIPS)
                if clip_groups(number, of=CLIPS) == {dimension: group.value}
            ]
            values = [planted_value(OURS, name) for name in names]
            known = [value for value in values if value is not None]
            cell = group.cell(OURS, "planted", "planted")
            assert group.num_clips == len(names)
            assert cell.num_clips == len(known) and cell.num_missing == len(values) - len(known)
            assert cell.mean == pytest.approx(sum(known) / len(known), rel=1e-12)
            num_groups += 1
    assert num_groups == 16


def test_real_metrics_see_the_planted_error(whole: tuple[BenchRun, Path]) -> None:
    summary = summarise(whole[0].evaluation, resamples=50)
    l1 = summary.cell(OURS, "pixel", "l1")
    assert l1.num_clips == CLIPS and l1.mean == pytest.approx(10, abs=1.5)
    assert summary.cell(OURS, "duration", "duration_right").mean == 1


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are killed")
def test_a_run_killed_while_making_and_while_scoring_ends_in_the_same_bytes(
    bench_folder: Path, whole: tuple[BenchRun, Path]
) -> None:
    output = whole[1] / "run"
    moments = (("videos.journal.jsonl", 12, "local"), ("journal.jsonl", 10, "inline"))
    for journal, lines, executor in moments:
        kill_when_long(output / journal, lines, [str(bench_folder), str(output), "--executor", executor])
        assert not (output / FILE_NAME).exists()
    done = bench_run(bench_folder, output, executor="inline", controls=False)
    assert done.generated is not None and done.generated.num_earlier == CLIPS
    for name in (FILE_NAME, BENCH_FILE):
        assert (output / name).read_bytes() == (whole[1] / "whole" / name).read_bytes()
    made = Counter(line.split()[0] for line in (output / "calls.txt").read_text().splitlines())
    assert made.total() - made["loaded"] <= CLIPS + 1  # the kill cost at most the video it hit


def kill_when_long(journal: Path, lines: int, words: list[str]) -> None:
    """Run the bench as a program and kill it with its workers as soon as the journal has so many lines."""
    command = [sys.executable, "-m", "tests.evaluation.bench.bench_run", *words, "--no_controls"]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    give_up = time.monotonic() + 300
    while count_lines(journal) < lines and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.02)
    ended = process.poll()
    if ended is None:
        os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, f"it ended with {ended} before it was killed"


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_every_system_is_a_row_and_its_coverage_is_told(
    bench_folder: Path, others: Path, tmp_path: Path
) -> None:
    bench = find_bench(bench_folder).limited(10)
    done = run_bench(bench, told_only, output=tmp_path, outputs=[("Wav2Lip", others), ("V-Express", others)])
    assert list(coverage_lines(done)) == [
        "bench: 10 clips = 10 ready + 0 broken",
        "Wav2Lip: 9 of 10 clips (1 no video of this name)",
        "V-Express: 9 of 10 clips (1 no video of this name)",
    ]
    rows = Counter(result.pair.row for result in done.evaluation.pairs)
    assert rows["Wav2Lip"] == rows["V-Express"] == rows["truth"] == 9
    assert rows["Wav2Lip: wrong sound"] == rows["truth: still frame"] == 9
    text = bench_markdown(done, summarise(done.evaluation, resamples=10))
    assert "| Wav2Lip | 9 of 10 | 0 | 1: no video of this name |" in text
    told = json.loads((tmp_path / BENCH_FILE).read_text())
    assert told["systems"]["Wav2Lip"]["missing"] == {"clip0009": "no video of this name"}
    assert told["bench"]["groups"]["age"] == {"0-19": 2, "19-30": 2, "31-45": 2, "46-60": 2, "60+": 1}


def told_only(pairs: Sequence[Pair]) -> Evaluation:
    """An evaluation without any metric."""
    return Evaluation({}, tuple(PairResult(pair) for pair in pairs))


def test_only_common_clips_are_scored_on_request(bench_folder: Path, others: Path, tmp_path: Path) -> None:
    videos = write_outputs(tmp_path / "few", range(5, 12))
    done = run_bench(
        find_bench(bench_folder), told_only, output=tmp_path / "run",
        outputs=[("a", others), ("b", videos)], controls=False, common=True,
    )  # fmt: skip
    assert [result.pair.id for result in done.evaluation.pairs] == [
        f"{system}/{clip_name(number)}" for system in "ab" for number in range(5, 9)
    ]
    assert [system.coverage for system in done.systems] == [f"9 of {CLIPS}", f"7 of {CLIPS}"]


def test_a_clip_that_cannot_be_made_is_missing_with_its_reason_and_comes_back(
    bench_folder: Path, tmp_path: Path
) -> None:
    small = write_bench(tmp_path / "bench", clips=3)
    (small / "data" / "audios" / "clip0002.wav").write_bytes(b"")
    maker = Maker(tmp_path / "calls.txt", raises="clip0001")
    done = bench_run(small, tmp_path / "run", executor="inline", settings=maker, controls=False)
    told = json.loads((tmp_path / "run" / BENCH_FILE).read_text())
    assert told["bench"]["clips"] == 3 and told["bench"]["ready"] == 2
    assert "empty (0 bytes)" in told["bench"]["broken"]["clip0002"]
    assert told["generated"]["made"] == 1
    assert "no face in this picture" in told["systems"][OURS]["missing"]["clip0001"]
    assert [result.pair.clip for result in done.evaluation.pairs] == ["clip0000"]
    maker = replace(maker, raises="")
    again = bench_run(small, tmp_path / "run", executor="inline", settings=maker, controls=False)
    assert [result.pair.clip for result in again.evaluation.pairs] == ["clip0000", "clip0001"]


def test_what_makes_no_sense_is_refused_before_anything_is_made(bench_folder: Path, tmp_path: Path) -> None:
    bench = find_bench(bench_folder).limited(2)
    with pytest.raises(ValueError, match="nothing to score: generate videos, or give --outputs"):
        run_bench(bench, told_only, output=tmp_path)
    with pytest.raises(ValueError, match="two systems are called 'a'"):
        run_bench(bench, told_only, output=tmp_path, outputs=[("a", tmp_path), ("a", tmp_path)])
    with pytest.raises(ValueError, match="no system can be called 'truth'"):
        run_bench(bench, told_only, output=tmp_path, outputs=[("truth", tmp_path)])
    with pytest.raises(ValueError, match="none of its 2 clips can be used"):
        broken = Bench(bench.root, (), tuple(replace(clip, problem="torn") for clip in bench.clips))
        run_bench(broken, told_only, output=tmp_path, outputs=[("a", tmp_path)])
