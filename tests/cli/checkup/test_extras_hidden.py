"""With every package of an extra hidden, the doctor names each of them, its purpose and the command."""

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from talkvid.cli import launch
from talkvid.cli.checkup import jobs, packages, probe
from talkvid.cli.checkup.check import JOBS, Check, stoppers
from talkvid.cli.checkup.probing import Outcome
from talkvid.cli.checkup.wanted import CORE, checkout, requirements

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = sorted(PROJECT["optional-dependencies"])
GROUPS = requirements(ROOT)
CORE_NAMES = [wanted.name for wanted in GROUPS[CORE]]


def examined(topics: list[str]) -> dict[str, Outcome]:
    """Return what the probe finds, in this process, where the blocker is."""
    outcomes: dict[str, Outcome] = {}

    def say(line: dict[str, Any]) -> None:
        if "error" in line:
            outcomes[line["topic"]] = Outcome(line["error"], line["found"])

    probe.examine(topics, say)
    return outcomes


def findings(modules: list[str]) -> dict[str, Check]:
    """Return check by name of core and extras after the modules were tried, and of the jobs."""
    probed = examined([name for name in modules if name])
    found = [*packages.check_core(GROUPS, probed, ROOT), *packages.check_extras(GROUPS, probed, ROOT)]
    return {check.name: check for check in [*found, *packages.check_jobs(found, ROOT)]}


def test_the_checkout_is_what_is_examined_here() -> None:
    assert checkout() == ROOT and sorted(GROUPS) == sorted([CORE, *EXTRAS])


def test_every_extra_says_what_it_is_for() -> None:
    assert sorted(jobs.PURPOSES) == EXTRAS


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_hidden_extra_is_named_with_purpose_and_command(extra: str, hide: Any) -> None:
    wanted = GROUPS[extra]
    modules = [one.module for one in wanted]
    hide(distributions=[one.name for one in wanted], modules=[name for name in modules if name])
    checks = findings(modules)
    for one in wanted:
        check = checks[f"{extra}: {one.name}"]
        assert check.status == "absent" and "not installed" in check.detail
        assert check.remedy == f"pip install -e '.[{extra}]'" and jobs.PURPOSES[extra] in check.detail
    assert "generate" not in {job for check in checks.values() for job in check.stops}
    assert checks["generate"].status == "ok" and checks["generate"].detail == "bash scripts/inference.sh"


@pytest.mark.parametrize("job", ["app", "curate"])
def test_a_job_whose_extra_is_hidden_cannot_run_and_says_what_to_install(job: str, hide: Any) -> None:
    wanted = [one for extra in launch.JOB_EXTRAS[job] for one in GROUPS[extra]]
    hide(distributions=[one.name for one in wanted], modules=[one.module for one in wanted])
    check = findings([one.module for one in wanted])[job]
    names = sorted({one.name for one in wanted if job in jobs.NEEDED.get(one.module, ())})
    assert check.status == "absent" and check.detail == f"cannot run: {', '.join(names)}"
    assert check.remedy == f"pip install -e '.[{','.join(launch.JOB_EXTRAS[job])}]'"


@pytest.mark.parametrize("name", CORE_NAMES)
def test_a_hidden_package_of_the_core_stops_the_jobs_that_import_it(name: str, hide: Any) -> None:
    wanted = next(one for one in GROUPS[CORE] if one.name == name)
    hide(distributions=[name], modules=[wanted.module])
    probed = {wanted.module: Outcome(f"ModuleNotFoundError: No module named {wanted.module!r}")}
    check = next(one for one in packages.check_core(GROUPS, probed, ROOT) if one.name == name)
    assert check.status == "absent" and check.remedy == "pip install -e '.'"
    assert check.stops == tuple(jobs.NEEDED.get(wanted.module, ()))
    if wanted.module in jobs.MAIN:
        assert check.stops == JOBS and stoppers([check], "generate") == [check]


def test_every_module_that_a_job_stands_on_belongs_to_a_requirement() -> None:
    known = {one.module for group in GROUPS.values() for one in group}
    named = {name.partition(":")[0] for job in jobs.TABLE.values() for name in job.imports}
    assert named <= known and set(jobs.NEEDED) <= known
    assert set(jobs.TABLE) == set(JOBS)


def test_a_package_that_is_there_and_does_not_import_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gradio.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    monkeypatch.delitem(sys.modules, "gradio", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(packages, "installed_version", lambda name: "6.31.0")
    check = findings(["gradio"])["app: gradio"]
    assert check.status == "broken" and check.stops == ("app",)
    assert "RuntimeError: operator torchvision::nms does not exist" in check.detail
    assert "pip uninstall -y torchvision torchaudio" in check.remedy


def test_a_package_whose_files_are_gone_is_broken_without_being_imported(
    monkeypatch: pytest.MonkeyPatch, hide: Any
) -> None:
    hide(distributions=[], modules=["pyarrow"])
    monkeypatch.setattr(packages, "installed_version", lambda name: "26.0.1")
    check = findings([])["curation: pyarrow"]
    assert check.status == "broken" and check.stops == ("curate",)
    assert check.remedy == "pip install --force-reinstall --no-deps 'pyarrow>=18'"


def test_a_version_outside_the_range_is_told_with_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "installed_version", lambda name: "5.49.1")
    check = findings([])["app: gradio"]
    assert check.status == "note" and "5.49.1" in check.detail and ">=6.31" in check.detail
    assert check.remedy.startswith("pip install 'gradio")


def test_an_import_that_takes_too_long_is_not_answered_by_another_installation() -> None:
    probed = {"torch": Outcome("did not come back within 300 s")}
    check = next(one for one in packages.check_core(GROUPS, probed, ROOT) if one.name == "torch")
    assert check.stops == JOBS and "try again" in check.remedy and "install" not in check.remedy


def test_opencv_without_its_system_libraries_names_the_packages() -> None:
    error = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"
    probed = {"cv2": Outcome(error)}
    check = next(one for one in packages.check_core(GROUPS, probed, ROOT) if one.name == "opencv-python")
    assert check.status == "broken" and check.stops == JOBS
    assert check.remedy == "apt install libgl1 libglib2.0-0"
