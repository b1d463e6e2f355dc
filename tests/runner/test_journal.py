import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import runner_jobs as work_of
from runner_jobs import jobs

from talkvid import runner
from talkvid.runner.journal import Journal, Record, read_journal


def test_a_torn_last_line_is_dropped_and_the_rest_is_kept(tmp_path: Path) -> None:
    """Peer defect 11: records were appended by many processes and repaired by guessing at braces."""
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(Record("a", "done"))
        journal.append(Record("b", "done"))
    whole = path.read_bytes()
    for cut in range(1, len(whole) // 2):
        path.write_bytes(whole[:-cut])
        with Journal(path) as journal:
            assert list(journal.latest) == ["a"]
            journal.append(Record("b", "failed", reason="ümlaut"))
        assert [record.id for record in read_journal(path)] == ["a", "b"]


def test_a_broken_line_in_the_middle_is_an_error_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"id": "a", "state": "done"}\nnonsense\n{"id": "b", "state": "done"}\n')
    before = path.read_bytes()
    with pytest.raises(ValueError, match="line 2 is not a journal record"):
        Journal(path)
    assert path.read_bytes() == before


def test_the_last_word_on_an_item_counts(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        journal.append(Record("a", "failed", reason="no face"))
        journal.append(Record("a", "done", result=1))
        assert journal.latest["a"].result == 1


def test_two_runs_cannot_write_to_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    with Journal(path), pytest.raises(ValueError, match="another run is writing"):
        Journal(path)
    Journal(path).close()


def test_every_line_is_one_json_object(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    runner.run(jobs(4, j2="raises"), work_of.work, journal=path, workers=3)
    states = {line["id"]: line["state"] for line in map(json.loads, path.read_text().splitlines())}
    assert states == {"00": "done", "01": "done", "02": "failed", "03": "done"}


SLOW_RUN = """
import sys
import time
from pathlib import Path

from talkvid import runner
from runner_jobs import jobs


def slow(job):
    time.sleep(0.05)
    return job.id


if __name__ == "__main__":
    runner.run(jobs(40), slow, journal=Path(sys.argv[1]), executor="inline")
"""


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    script, path = tmp_path / "slow_run.py", tmp_path / "j.jsonl"
    script.write_text(SLOW_RUN)
    here = str(Path(__file__).parent)
    process = subprocess.Popen(
        [sys.executable, str(script), str(path)], env={**os.environ, "PYTHONPATH": here}
    )
    while not (path.exists() and path.read_bytes().count(b"\n") >= 3):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {record.id for record in read_journal(path)}
    summary = runner.run(jobs(40), work_of.work, journal=path, executor="inline")
    assert summary.skipped == len(before) >= 3
    assert summary.total == len(summary.results) == 40
