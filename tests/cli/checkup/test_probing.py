"""The probe tells what each module says, and a module that kills it or hangs takes nothing with it."""

from pathlib import Path
from textwrap import dedent

import pytest

from talkvid.cli.checkup import probing
from talkvid.cli.checkup.probing import probe


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    sources = {
        "good": "__version__ = '1.2'; print('a library talks')",
        "wrong": "import no_such_module_anywhere",
        "killed": "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
        "leaves": "import os; os._exit(3)",
        "hangs": "import time; time.sleep(60)",
        "exits": "raise SystemExit('no')",
        "lazy": "def __getattr__(name):\n    raise RuntimeError(f'{name} is broken')",
    }
    for name, source in sources.items():
        (tmp_path / f"probed_{name}.py").write_text(dedent(source) + "\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_each_ending_of_an_import_is_told_and_the_next_is_tried(modules: Path) -> None:
    names = ["probed_killed", "probed_good", "probed_wrong", "probed_leaves", "probed_exits", "probed_lazy"]
    found = probe([*names, "probed_lazy:Model"])
    assert list(found) == [*names, "probed_lazy:Model"]
    assert found["probed_good"].works and found["probed_good"].found == {"version": "1.2"}
    assert found["probed_killed"].error == "kills Python (SIGILL: built for another processor)"
    assert found["probed_leaves"].error == "ends Python (exit code 3)"
    assert found["probed_exits"].error == "SystemExit: no"
    assert found["probed_wrong"].is_absent and "no_such_module_anywhere" in found["probed_wrong"].error
    assert found["probed_lazy"].works
    assert found["probed_lazy:Model"].error == "RuntimeError: Model is broken"


def test_an_import_that_does_not_come_back_is_ended(modules: Path) -> None:
    found = probe(["probed_hangs", "probed_good"], deadline_s=3)
    assert found["probed_hangs"].error == "did not come back within 3 s" and found["probed_good"].works


def test_a_python_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_SOURCE", "raise SystemExit(7)")
    found = probe(["a", "b"])
    assert [one.error for one in found.values()] == ["ends Python (exit code 7)"] * 2


def test_a_file_in_the_folder_one_is_in_is_not_taken_for_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "soxr.py").write_text("raise RuntimeError('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    assert probe(["soxr"])["soxr"].works
