"""Packages of the core and of each extra: version, range, whether they can be imported, contradictions."""

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from talkvid.cli.checkup import jobs
from talkvid.cli.checkup.check import JOBS, Check
from talkvid.cli.checkup.conflicts import conflicts
from talkvid.cli.checkup.probing import LATE, Outcome
from talkvid.cli.checkup.wanted import CORE, Wanted, install_command, installed_version, is_satisfied

Groups = Mapping[str, Sequence[Wanted]]
OPENCV = "cv2"


def check_core(groups: Groups, probed: Mapping[str, Outcome], root: Path | None) -> Iterator[Check]:
    """Yield the packages that every installation has."""
    if not groups[CORE]:
        remedy = install_command(root=root)
        yield Check("core packages", "talkvid", "broken", "its list of requirements cannot be read", remedy)
    for wanted in groups[CORE]:
        yield check_package(
            "core packages", wanted, probed, remedy=install_command(root=root),
            purpose=jobs.PARTS.get(wanted.name, ""),
        )  # fmt: skip


def check_extras(groups: Groups, probed: Mapping[str, Outcome], root: Path | None) -> Iterator[Check]:
    """Yield the packages of every extra."""
    for extra, packages in sorted(groups.items()):
        purpose = jobs.PURPOSES.get(extra, "")
        for wanted in packages if extra != CORE else ():
            remedy = install_command([extra], root=root)
            check = check_package("extras", wanted, probed, remedy=remedy, purpose=purpose)
            yield replace(check, name=f"{extra}: {check.name}")


def check_package(
    topic: str, wanted: Wanted, probed: Mapping[str, Outcome], *, remedy: str, purpose: str
) -> Check:
    """Return whether a package is there, in the range asked for, and can be imported where that was tried."""
    version = installed_version(wanted.name)
    stops = jobs.NEEDED.get(wanted.module, ())
    if version is None:
        detail = "not installed" + (f": {purpose}" if purpose else "")
        return Check(topic, wanted.name, "absent", detail, remedy, stops)
    error = import_error(wanted.module, probed)
    if error:
        return Check(topic, wanted.name, "broken", f"{version}: {error}", _mend(wanted, error, remedy), stops)
    if not is_satisfied(wanted, version):
        asked = f"pip install '{wanted.line.partition(';')[0].strip()}'"
        return Check(topic, wanted.name, "note", f"{version}, {wanted.versions} is asked for", asked)
    return Check(topic, wanted.name, "ok", version)


def import_error(module: str, probed: Mapping[str, Outcome]) -> str:
    """Return why a module cannot be imported; empty when it can, or its files are there and nobody tried."""
    tried = [outcome for topic, outcome in probed.items() if topic.partition(":")[0] == module]
    if tried:
        return next((f"cannot be imported: {one.error}" for one in tried if not one.works), "")
    if not module:
        return ""
    try:
        found = importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError) as error:
        return f"cannot be imported: {error}"
    return "" if found else f"installed, but there is no module {module}: its installation was cut short"


def _mend(wanted: Wanted, error: str, remedy: str) -> str:
    if LATE in error:
        return "the machine is busy, or the import hangs: try again when it is idle"
    if wanted.module == OPENCV and ".so" in error:
        return "apt install libgl1 libglib2.0-0"
    if re.search("torchvision|torchaudio", error) and "torchvision" not in wanted.name:
        return (
            "pip uninstall -y torchvision torchaudio (nothing here needs them), or take those of this torch"
        )
    if "No module named" in error and wanted.module not in error:
        return remedy
    return f"pip install --force-reinstall --no-deps '{wanted.line.partition(';')[0].strip()}'"


def check_conflicts(groups: Groups) -> Iterator[Check]:
    """Yield what installed packages say against one another, and two OpenCV wheels in one folder."""
    topic = "conflicts"
    names = [wanted.name for packages in groups.values() for wanted in packages]
    found = sorted(conflicts(names))
    for sentence in found:
        yield Check(topic, sentence.split()[0], "note", sentence, "pip install or upgrade what it wants")
    wheels = sorted(
        {
            str(one.name).lower().replace("_", "-")
            for one in metadata.distributions()
            if one.name and str(one.name).lower().replace("_", "-").startswith("opencv-")
        }
    )
    if len(wheels) > 1:
        remedy = f"pip uninstall -y {' '.join(wheels)} && pip install opencv-python"
        detail = f"{' and '.join(wheels)} overwrite each other"
        yield Check(topic, "opencv", "note", detail, remedy)
    elif not found:
        yield Check(topic, "packages", "ok", "none: installed packages agree with one another")


def check_jobs(checks: Sequence[Check], root: Path | None) -> Iterator[Check]:
    """Yield each job with the command that starts it, or with what to install for it."""
    for name in JOBS:
        stops = sorted({check.name.rpartition(": ")[2] for check in checks if name in check.stops})
        extras = jobs.extras_of(name)
        if stops:
            yield Check("jobs", name, "absent", f"cannot run: {', '.join(stops)}",
                        install_command(extras, root=root))  # fmt: skip
        else:
            yield Check("jobs", name, "ok", jobs.start_command(name, root=root))
