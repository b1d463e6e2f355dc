"""Further attempts, spoiled journals and what a run tells while it works."""

import errno
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import runner_jobs as work_of
from runner_jobs import Job, KnownJob, jobs

from talkvid import runner
from talkvid.runner.journal import Journal, Record, decode_line, encode_line, index, read_journal


def test_an_item_whose_worker_died_is_tried_again_at_the_end_and_one_that_raised_is_not(
    tmp_path: Path,
) -> None:
    items = [Job("a", "once"), Job("b", "raises"), Job("c", "killed"), Job("d")]
    summary = runner.run(
        items, partial(work_of.dies_once, folder=tmp_path), journal=tmp_path / "j.jsonl", attempts=3
    )
    assert (summary.done, summary.failed) == (2, 2)
    last = {record.id: (record.fault, record.attempts) for record in read_journal(tmp_path / "j.jsonl")}
    assert last == {"a": ("", 2), "b": ("ERROR", 1), "c": ("WORKER_DIED", 3), "d": ("", 1)}
    assert (tmp_path / "calls.txt").read_text().split() == [*"abcd", *"ac", "c"]


def test_a_late_item_is_told_apart_from_a_dead_worker(tmp_path: Path) -> None:
    runner.run(jobs(2, j0="hangs"), work_of.work, journal=tmp_path / "j.jsonl", deadline_s=2.0, workers=2)
    faults = {record.id: record.fault for record in read_journal(tmp_path / "j.jsonl")}
    assert faults == {"00": "TIMEOUT", "01": ""}


def test_what_was_known_of_an_item_survives_its_failure(tmp_path: Path) -> None:
    runner.run(
        [KnownJob("a", "raises", partial="head")], work_of.work, journal=tmp_path / "j", executor="inline"
    )
    (record,) = read_journal(tmp_path / "j")
    assert (record.state, record.result) == ("failed", "head")


def test_a_watcher_hears_of_every_record_and_results_need_not_be_kept(tmp_path: Path) -> None:
    heard: list[str] = []
    summary = runner.run(
        jobs(3, j1="raises"),
        work_of.work,
        journal=tmp_path / "j",
        executor="inline",
        watch=lambda record: heard.append(f"{record.id} {record.state}"),
        keep_results=False,
    )
    assert heard == ["00 done", "01 failed", "02 done"]
    assert (summary.results, summary.done, summary.failed) == ({}, 2, 1)


def test_a_spoiled_line_is_found_by_its_checksum_and_its_item_is_done_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "j.jsonl"
    runner.run(jobs(3), work_of.name_of, journal=path, executor="inline")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b'"result": "01"', b'"result": "07"') + lines[2])
    with caplog.at_level("WARNING", logger="talkvid"):
        summary = runner.run(jobs(3), work_of.name_of, journal=path, executor="inline")
    assert "line 2 is spoiled (its checksum is wrong)" in caplog.text
    assert (summary.done, summary.skipped, summary.results["01"]) == (1, 2, "01")


def test_every_change_of_one_byte_of_a_line_is_noticed() -> None:
    line = encode_line(Record("clip-7", "done", "s", {"ratio": 0.93, "name": "é"}))
    assert decode_line(line).result == {"ratio": 0.93, "name": "é"}
    for place in range(len(line) - 1):
        spoiled = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        try:
            assert decode_line(spoiled) == decode_line(line), spoiled
        except ValueError:
            continue
        pytest.fail(f"not noticed: {spoiled!r}")


def test_a_write_that_fails_half_way_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append(Record("a", "done"))
        before = path.read_bytes()
        monkeypatch.setattr(os, "fsync", _full)
        with pytest.raises(OSError, match="No space left"):
            journal.append(Record("b", "done", result="x" * 1000))
    assert path.read_bytes() == before
    assert list(index(path)[0]) == ["a"]


def _full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_shares_of_a_gpu_and_attempts_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shares of a GPU need executor 'ray'"):
        runner.run(jobs(1), work_of.work, journal=tmp_path / "j", gpus_per_worker=0.5)
    with pytest.raises(ValueError, match="attempts must be at least 1, got 0"):
        runner.run(jobs(1), work_of.work, journal=tmp_path / "j", attempts=0)


HANGING_RUN = """
import sys
from pathlib import Path
import runner_jobs as work_of
from talkvid import runner

if __name__ == "__main__":
    runner.run([work_of.Job("a", "hangs")], work_of.mark_and_hang, journal=Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_worker_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    script, journal = tmp_path / "run.py", tmp_path / "j.jsonl"
    script.write_text(HANGING_RUN)
    here = str(Path(__file__).parent)
    command = [sys.executable, str(script), str(journal)]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": here, "RUNNER_TEST_PID": str(tmp_path)}
    )
    pid_file = tmp_path / "pid"
    while not pid_file.exists():
        assert process.poll() is None
        time.sleep(0.02)
    worker = int(pid_file.read_text())
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while (
        os.path.exists(f"/proc/{worker}") and "Z" not in Path(f"/proc/{worker}/stat").read_text().split()[2]
    ):
        assert time.monotonic() < deadline, "the worker lives on"
        time.sleep(0.05)
