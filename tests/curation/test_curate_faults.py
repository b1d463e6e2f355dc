"""Workers that die, hang or are killed, a disk that is full: what a run has found out is not lost."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import curation_jobs
import pytest
from curation_jobs import draw_video
from test_curate import by_video, calls, make_plan, run_steps, sources_of

from talkvid.curation import curate
from talkvid.curation.manifest import read_clips
from talkvid.curation.sources import VideoSource
from talkvid.runner.journal import Journal, read_journal

LOCAL = ("run.executor=local", "run.workers=2")


def score_locally(plan: curate.Plan, sources: list[VideoSource], **options: Any) -> None:
    """Scan in this process, which saves the start of workers, and score as the plan says."""
    curate.prepare(plan, sources)
    curate.scan(make_plan(plan.folder.path, "run.executor=inline"), sources)
    curate.score(plan, **{"build": curation_jobs.builder(), **options})
    curate.write_tables(plan)


def test_a_dead_or_late_worker_is_replaced_its_clip_retried_and_then_a_row(tmp_path: Path) -> None:
    # Once: one decoder that hung stopped a whole share of the work for ever, and exit codes were ignored.
    names = ["a", "b", "head_dies", "motion_hangs", "quality_once"]
    log = tmp_path / "calls"
    plan = make_plan(tmp_path / "out", *LOCAL, "run.deadline_s=5", "run.attempts=2")
    begin = time.monotonic()
    score_locally(plan, sources_of(tmp_path, names), build=curation_jobs.builder(log))
    assert time.monotonic() - begin < 120
    rows = by_video(tmp_path / "out")
    assert {name: (row.status, row.code) for name, row in rows.items()} == {
        "a": ("kept", ""),
        "b": ("kept", ""),
        "head_dies": ("failed", "WORKER_DIED"),
        "motion_hangs": ("failed", "TIMEOUT"),
        "quality_once": ("kept", ""),
    }
    attempts = {record.id: record.attempts for record in read_journal(plan.folder.score_journal)}
    assert {name: attempts[row.clip_id] for name, row in rows.items()} == {
        "a": 1, "b": 1, "head_dies": 2, "motion_hangs": 2, "quality_once": 2,
    }  # fmt: skip


def test_the_table_is_the_same_to_the_byte_for_any_number_of_workers(tmp_path: Path) -> None:
    # Once: ten clips on four workers gave six, and one clip on any number gave none.
    sources = sources_of(tmp_path, ["good", "head_low", "quality_nan", "head_dies", *"abc"])
    for count in (1, 2, 4):
        plan = make_plan(
            tmp_path / str(count), "run.executor=local", f"run.workers={count}", "run.attempts=1"
        )
        score_locally(plan, sources)
    tables = {(tmp_path / str(count) / "clips.parquet").read_bytes() for count in (1, 2, 4)}
    assert len(tables) == 1
    assert Counter(row.status for row in read_clips(tmp_path / "1")) == Counter(kept=4, rejected=1, failed=2)


def test_another_number_of_workers_takes_up_what_the_others_left(tmp_path: Path) -> None:
    # Once: files to resume from were named by the range of clips of a worker, so that another number of
    # workers began anew and every clip was merged twice.
    sources, log = sources_of(tmp_path / "videos", list("abcde")), tmp_path / "calls"
    build = curation_jobs.builder(log)
    for count, share in ((2, sources[:3]), (3, sources), (1, sources)):
        plan = make_plan(tmp_path / "out", "run.executor=local", f"run.workers={count}")
        score_locally(plan, share, build=build)
        assert {path.name for path in (tmp_path / "out" / "journal").iterdir()} == {
            "scan.jsonl", "score.jsonl", "sources.jsonl",
        }  # fmt: skip
    assert calls(log) == {f"{stage} {name}-scene1": 1 for stage in curation_jobs.GOOD for name in "abcde"}
    assert [row.video_id for row in read_clips(tmp_path / "out")] == list("abcde")


@pytest.fixture(scope="module")
def ray() -> Any:
    module = pytest.importorskip("ray", reason="the extra `ray` is not installed: pip install 'talkvid[ray]'")
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}  # where the scorers of the tests are
    module.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": paths})
    yield
    module.shutdown()


@pytest.mark.usefixtures("ray")
def test_ray_gives_the_same_table_to_the_byte_as_processes(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, ["good", "head_low", "quality_nan", "head_dies", "a", "b"])
    for executor in ("local", "ray"):
        plan = make_plan(tmp_path / executor, f"run.executor={executor}", "run.workers=2", "run.attempts=1")
        score_locally(plan, sources)
    local, by_ray = ((tmp_path / name / "clips.parquet").read_bytes() for name in ("local", "ray"))
    assert local == by_ray


RUN = """
import sys
from pathlib import Path
import curation_jobs
from test_curate import make_plan, run_steps
from talkvid.curation.sources import VideoSource

if __name__ == "__main__":
    folder, out, log = map(Path, sys.argv[1:])
    sources = [VideoSource(path.stem, str(path)) for path in sorted(folder.glob("*.mp4"))]
    run_steps(make_plan(out), sources, build=curation_jobs.builder(log))
"""


def test_a_killed_run_goes_on_to_the_same_bytes_and_scores_at_most_one_clip_twice(tmp_path: Path) -> None:
    # Once: results were written in place, and a killed run left half a file on which the next one choked.
    names = [f"quality_slow{number}" for number in range(8)]
    sources = sources_of(tmp_path / "videos", names)
    run_steps(make_plan(tmp_path / "whole"), sources)
    script, out, log = tmp_path / "run.py", tmp_path / "out", tmp_path / "calls"
    script.write_text(RUN)
    tests = str(Path(__file__).parent)
    command = [sys.executable, str(script), str(tmp_path / "videos"), str(out), str(log)]
    kills = 0
    for wanted in (1, 3, 6):
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": tests}, stderr=subprocess.PIPE)
        while (
            process.poll() is None
            and sum(name.startswith("quality") for name in calls(log).elements()) < wanted
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        assert process.stderr is not None
        process.stderr.close()
    assert kills == 3
    subprocess.run(command, env={**os.environ, "PYTHONPATH": tests}, check=True, capture_output=True)
    assert (out / "clips.parquet").read_bytes() == (tmp_path / "whole" / "clips.parquet").read_bytes()
    counts = calls(log)
    assert set(counts) == {f"{stage} {name}-scene1" for stage in curation_jobs.GOOD for name in names}
    assert sum(counts.values()) - len(counts) <= kills * len(curation_jobs.GOOD)


def test_a_full_disk_stops_the_run_cleanly_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, log = sources_of(tmp_path, ["a", "b", "c"]), tmp_path / "calls"
    plan = make_plan(tmp_path / "out")
    curate.prepare(plan, sources)
    curate.scan(plan, sources)
    write, full = Journal.append, [False, True]

    def append(self: Journal, record: Any) -> None:
        if full.pop(0) if full else False:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.path))
        write(self, record)

    monkeypatch.setattr(Journal, "append", append)
    with pytest.raises(OSError, match="No space left on device"):
        curate.score(plan, build=curation_jobs.builder(log))
    assert [record.state for record in read_journal(plan.folder.score_journal)] == ["done"]
    assert "stopped" in (tmp_path / "out" / "status.json").read_text()
    curate.score(plan, build=curation_jobs.builder(log))
    assert curate.write_tables(plan).by_status == Counter(kept=3)
    assert calls(log)["head a-scene1"] == 1


def test_a_file_that_hangs_in_the_scan_is_a_row_too(tmp_path: Path) -> None:
    sources = sources_of(tmp_path, ["a"])
    os.mkfifo(tmp_path / "pipe.mp4")
    sources.append(VideoSource("pipe", str(tmp_path / "pipe.mp4")))
    run_steps(make_plan(tmp_path / "out", *LOCAL, "run.scan_deadline_s=4", "run.attempts=1"), sources)
    assert {name: row.code for name, row in by_video(tmp_path / "out").items()} == {
        "a": "",
        "pipe": "TIMEOUT",
    }


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_run_that_is_stopped_ends_its_workers_and_can_go_on(tmp_path: Path, number: int, code: int) -> None:
    draw_video(tmp_path / "a.mp4")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "list.txt").write_text("a.mp4\npipe.mp4\n")
    out = tmp_path / "out"
    words = [str(tmp_path / "list.txt"), "-o", str(out), "stages=[]", "finish=[]", "--workers", "1"]
    command = [sys.executable, "-m", "talkvid.cli.curate", "run", *words]
    # A shell starts its background jobs deaf to Ctrl-C, and the tests may run in one.
    process = subprocess.Popen(
        command,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    journal = out / "journal" / "scan.jsonl"
    while not (journal.exists() and journal.read_bytes()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    assert json.loads((out / "status.json").read_text())["state"] == "stopped"
    (tmp_path / "pipe.mp4").unlink()
    subprocess.run(command, check=True, capture_output=True)
    assert {name: row.code for name, row in by_video(out).items()}["pipe"] == "MISSING_FILE"
    assert [record.id for record in read_journal(journal)].count("a") == 1
