import os
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import runner_jobs as work_of
from runner_jobs import Job, jobs

from talkvid import runner
from talkvid.runner.journal import read_journal


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 5])
def test_no_item_is_lost_whatever_the_worker_count(tmp_path: Path, workers: int) -> None:
    """Peer defect 2: inclusive ranges sliced exclusively lost one clip per worker."""
    items = jobs(10, j3="raises", j7="nan")
    summary = runner.run(items, work_of.work, journal=tmp_path / "journal.jsonl", workers=workers)
    assert (summary.done, summary.skipped, summary.failed) == (8, 0, 2)
    assert summary.total == 10
    assert list(summary.results) == [item.id for item in items if item.id not in ("03", "07")]
    assert list(summary.failures) == ["03", "07"]


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one_item_work(tmp_path: Path, count: int) -> None:
    summary = runner.run(jobs(count), work_of.work, journal=tmp_path / "journal.jsonl", workers=4)
    assert (summary.done, summary.total) == (count, count)


def test_a_dying_or_late_worker_costs_only_its_own_item(tmp_path: Path) -> None:
    items = jobs(9, j0="segfault", j2="killed", j4="exits", j6="hangs")
    begin = time.monotonic()
    summary = runner.run(items, work_of.work, journal=tmp_path / "j.jsonl", workers=2, deadline_s=3.0)
    assert time.monotonic() - begin < 60
    assert summary.failures == {
        "00": "the worker was killed by SIGSEGV",
        "02": "the worker was killed by SIGKILL; out of memory?",
        "04": "the worker ended with exit code 3",
        "06": "not finished after 3 s",
    }
    assert summary.done == 5


def test_a_failure_keeps_its_reason_and_the_error_handler_does_not_raise(tmp_path: Path) -> None:
    """Peer defect 4: the handler set the result to None and then indexed it."""
    items = jobs(3, j0="raises", j1="surprise", j2="nan")
    summary = runner.run(items, work_of.work, journal=tmp_path / "j.jsonl")
    assert summary.failures["00"] == "clip.mp4: no face in any frame"
    assert summary.failures["01"].startswith("KeyError: 'pose' (runner_jobs.py:")
    assert "cannot be kept as JSON" in summary.failures["02"]


def test_a_second_run_skips_what_is_done_and_retries_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Peer defect 9: the runner computed what was done and then forgot it."""
    journal = tmp_path / "journal.jsonl"
    first = jobs(4, j1="raises")
    runner.run(first, work_of.work, journal=journal, executor="inline")
    again = runner.run(
        first, partial(work_of.count_work, folder=tmp_path), journal=journal, executor="inline"
    )
    assert (again.done, again.skipped, again.failed) == (1, 3, 0)
    assert (tmp_path / "calls.txt").read_text() == "01\n"
    assert list(again.results) == ["00", "01", "02", "03"]
    third = runner.run(first, work_of.work, journal=journal, executor="inline")
    assert (third.done, third.skipped, third.failed) == (0, 4, 0)


def test_finished_work_is_never_removed_by_a_restart(tmp_path: Path) -> None:
    """Peer defect 1: every start deleted the results it could not find in its list."""
    journal = tmp_path / "journal.jsonl"
    runner.run(jobs(3), work_of.work, journal=journal, executor="inline")
    before = journal.read_bytes()
    summary = runner.run(jobs(5), work_of.work, journal=journal, executor="inline")
    assert (summary.done, summary.skipped) == (2, 3)
    assert journal.read_bytes().startswith(before)
    assert len(list(read_journal(journal))) == 5


def test_another_signature_or_a_lost_result_means_do_it_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    runner.run([Job("a"), Job("b")], work_of.work, journal=journal, executor="inline")
    changed = [Job("a", signature="512 px"), Job("b")]
    summary = runner.run(changed, work_of.work, journal=journal, executor="inline")
    assert (summary.done, summary.skipped) == (1, 1)
    lost = runner.run(
        changed, work_of.work, journal=journal, executor="inline", is_intact=lambda item, _: item.id == "a"
    )
    assert (lost.done, lost.skipped) == (1, 1)


def test_setup_runs_once_in_each_worker(tmp_path: Path) -> None:
    summary = runner.run(
        jobs(6), work_of.with_state, setup=work_of.setup_pid, journal=tmp_path / "j.jsonl", workers=2
    )
    states = summary.results.values()
    assert all(state == pid != os.getpid() for state, pid in states)
    assert len({pid for _, pid in states}) <= 2


def test_workers_see_the_variables_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Once: what was set after the first pool, such as $TALKVID_PLUGINS in a notebook, reached no worker.
    for mode in ("one", "two"):
        monkeypatch.setenv("RUNNER_TEST_MODE", mode)
        summary = runner.run(jobs(1), work_of.variable, journal=tmp_path / mode, workers=1)
        assert list(summary.results.values()) == [mode]


def test_what_setup_raises_stops_the_run_before_any_item_failed(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    with pytest.raises(ImportError, match=r"talkvid\[face\]"):
        runner.run(jobs(3), work_of.with_state, setup=work_of.setup_missing_extra, journal=journal, workers=2)
    with pytest.raises(RuntimeError, match="died while starting: the last ended with exit code 7"):
        runner.run(jobs(3), work_of.with_state, setup=work_of.setup_dies, journal=journal)
    assert journal.read_bytes() == b""


def test_wrong_arguments_name_the_value_and_the_remedy(tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    with pytest.raises(ValueError, match="id 'x' is used by 2 items"):
        runner.run([Job("x"), Job("x")], work_of.work, journal=journal)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        runner.run([], work_of.work, journal=journal, workers=0)
    with pytest.raises(ValueError, match="'thread' is unknown; choose one of local, inline, ray"):
        runner.run([], work_of.work, journal=journal, executor="thread")
    with pytest.raises(ValueError, match="use executor 'local'"):
        runner.run([Job("x")], work_of.work, journal=journal, executor="inline", deadline_s=1.0)


def test_ray_is_an_extra_that_an_error_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"talkvid\[ray\]"):
        runner.run(jobs(1), work_of.work, journal=tmp_path / "j.jsonl", executor="ray")


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """Start a small ray cluster once; the tests are skipped, saying so, where the extra is not installed."""
    module = pytest.importorskip("ray", reason="the extra `ray` is not installed: pip install 'talkvid[ray]'")
    module.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    module.shutdown()


@pytest.mark.usefixtures("ray")
def test_ray_and_local_give_the_same_results(tmp_path: Path) -> None:
    items = jobs(6, j1="raises", j4="surprise")
    local, ray = (
        runner.run(items, work_of.name_of, journal=tmp_path / f"{name}.jsonl", workers=2, executor=name)
        for name in ("local", "ray")
    )
    assert local == ray
    assert ray.failures["01"] == "clip.mp4: no face in any frame"


@pytest.mark.usefixtures("ray")
def test_what_setup_raises_under_ray_stops_the_run(tmp_path: Path) -> None:
    journal, setup = tmp_path / "j.jsonl", work_of.setup_missing_extra
    with pytest.raises(ImportError, match=r"talkvid\[face\]"):
        runner.run(jobs(2), work_of.with_state, setup=setup, journal=journal, executor="ray")
    assert journal.read_bytes() == b""


@pytest.mark.usefixtures("ray")
def test_a_dying_or_late_actor_costs_only_its_own_item(tmp_path: Path) -> None:
    summary = runner.run(
        jobs(6, j1="hangs", j3="killed"),
        work_of.work,
        journal=tmp_path / "j.jsonl",
        executor="ray",
        workers=2,
        deadline_s=10.0,
    )
    assert summary.failures == {"01": "not finished after 10 s", "03": "the worker died"}
    assert summary.done == 4
