"""The machine is described with the limits that a container sets; little of anything is said."""

import os
import shutil
from pathlib import Path

import pytest

from talkvid.cli.checkup import folders, machine
from talkvid.cli.checkup.check import JOBS


def group(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.mark.parametrize(("version", "status"), [((3, 10), "broken"), ((3, 11), "ok"), ((3, 14), "broken")])
def test_an_unsupported_python_stops_every_job(version: tuple[int, int], status: str) -> None:
    check = machine.check_python(version)
    assert check.status == status and check.stops == (() if status == "ok" else JOBS)
    assert status == "ok" or check.remedy == "install Python 3.11 to 3.13"


def test_limits_of_a_control_group_are_read_in_both_forms(tmp_path: Path) -> None:
    new = group(tmp_path / "new", memory_dot_max="2000000000", cpu_dot_max="150000 100000")
    assert machine.memory_limit_gb(new) == 2.0 and machine.cpu_quota(new) == 1.5
    old = group(
        tmp_path / "old",
        memory__memory_dot_limit_in_bytes="3000000000",
        cpu__cpu_dot_cfs_quota_us="50000",
        cpu__cpu_dot_cfs_period_us="100000",
    )
    assert machine.memory_limit_gb(old) == 3.0 and machine.cpu_quota(old) == 0.5


def test_no_limit_is_no_limit(tmp_path: Path) -> None:
    new = group(tmp_path / "new", memory_dot_max="max", cpu_dot_max="max 100000")
    assert machine.memory_limit_gb(new) is None and machine.cpu_quota(new) is None
    old = group(tmp_path / "old", memory__memory_dot_limit_in_bytes="9223372036854771712")
    assert machine.memory_limit_gb(old) is None and machine.cpu_quota(old) is None
    assert machine.memory_limit_gb(tmp_path / "none") is None


def test_a_small_container_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_gb", lambda: {"MemTotal": 64.0, "MemAvailable": 60.0})
    small = machine.check_memory(group(tmp_path, memory_dot_max="500000000"))
    assert small.status == "note" and "limited to 0.5 GB" in small.detail and small.remedy
    assert machine.check_memory(tmp_path / "none").status == "ok"
    monkeypatch.setattr(machine, "memory_gb", dict)
    assert machine.check_memory(tmp_path).status == "note"


def test_a_quota_of_processor_time_is_told(tmp_path: Path) -> None:
    check = machine.check_processor(group(tmp_path, cpu_dot_max="10000 100000"))
    assert "limited to the time of 0.1 (cgroup)" in check.detail


def test_little_shared_memory_is_noted_with_the_flag_of_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("usage", (), {"total": 64_000_000, "free": 64_000_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    check = machine.check_shared_memory(Path("/"))
    assert check.status == "note" and "--shm-size" in check.remedy
    assert machine.check_shared_memory(Path("/nowhere")).status == "note"


def test_a_folder_that_is_not_there_is_judged_by_its_parent(tmp_path: Path) -> None:
    check = folders.check_folder("output", tmp_path / "a" / "b", least_gb=0, stops=JOBS)
    assert check.status == "ok" and "not there yet" in check.detail


def test_a_file_in_the_place_of_a_folder_stops_the_jobs(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("")
    check = folders.check_folder("output", tmp_path / "output", least_gb=0, stops=JOBS)
    assert check.status == "broken" and check.stops == JOBS


def test_a_folder_without_permission_stops_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    check = folders.check_folder("output", tmp_path, least_gb=0, stops=JOBS)
    assert check.status == "broken" and "no permission" in check.detail and "chown" in check.remedy
    assert folders.check_folder("models", tmp_path, least_gb=0, stops=()).status == "note"


def test_a_full_disk_is_noted(tmp_path: Path) -> None:
    check = folders.check_folder("output", tmp_path, least_gb=1e9, stops=JOBS)
    assert check.status == "note" and not check.stops and "clear up" in check.remedy
