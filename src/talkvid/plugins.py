"""Parts of your own by name: Python files listed in $TALKVID_PLUGINS add backends, filters and metrics.

Such a file has a table `PLUGINS = {kind: {name: part}}`. A part can only be used where whoever runs the
command has listed its file: no checkpoint, list or visitor of the web page can bring code in by a name.
"""

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "TALKVID_PLUGINS"
TABLE = "PLUGINS"
KINDS = {
    "filter": "a scorer of clips, made without arguments (talkvid.curation.scorer.Scorer)",
    "quality_scorer": "the same in the place of the quality stage's own",
    "motion_scorer": "the same in the place of the motion stage's own",
    "metric": "an entry of the table of metrics (talkvid.evaluation.suite.entry.Entry)",
    "face_backend": "a detector, made with device= (talkvid.face.detect.FaceDetector)",
    "speech_encoder": "an encoder, made with device= (talkvid.speech.features.SpeechEncoder)",
    "sampler": "a solver, made with schedule, num_steps and seed= (talkvid.diffusion.sampler.Solver)",
    "retarget_strategy": "a function of the portrait's and the moving points",
}
"""What a plug-in file can add."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def choices(kind: str, builtin: Sequence[str]) -> tuple[str, ...]:
    """Return the names of one kind: the built-in ones, then those of the plug-in files.

    ValueError for a plug-in that takes a built-in name, and whatever a file that cannot be read raises.
    """
    own = names(kind)
    taken = [name for name in own if name in builtin]
    if taken:
        raise ValueError(f"${VARIABLE}: {kind} {taken[0]!r} is a built-in name; call yours otherwise")
    return (*builtin, *own)


def names(kind: str) -> tuple[str, ...]:
    """Return the names of this kind that the files of $TALKVID_PLUGINS add, in their order."""
    return tuple(_parts(kind))


def has(kind: str, name: str) -> bool:
    """Return whether a plug-in file adds this name."""
    return name in _parts(kind)


def find(kind: str, name: str) -> Any:
    """Return the part of that name; ValueError when no file of $TALKVID_PLUGINS has it."""
    parts = _parts(kind)
    if name not in parts:
        known = ", ".join(parts) or "none"
        raise ValueError(f"no plug-in gives a {kind} {name!r} (there are: {known}); see ${VARIABLE}")
    return parts[name][0]


def describe(kind: str, name: str) -> dict[str, str]:
    """Return file and hash of where a part comes from, for signatures; empty for what is no plug-in."""
    parts = _parts(kind)
    return parts[name][1] if name in parts else {}


def _parts(kind: str) -> dict[str, tuple[Any, dict[str, str]]]:
    assert kind in KINDS, kind
    found: dict[str, tuple[Any, dict[str, str]]] = {}
    for listed, module in _modules():
        told: dict[str, str] | None = None
        for name, part in _table(listed, module).get(kind, {}).items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ValueError(f"{listed}: {kind} {name!r}: a name is small letters, digits and _")
            if name in found:
                raise ValueError(f"{listed}: {kind} {name!r} is in another file of ${VARIABLE} as well")
            told = told or _origin(listed, module)
            found[name] = (part, told)
    return found


def _table(listed: str, module: ModuleType) -> Mapping[str, Mapping[Any, Any]]:
    table = getattr(module, TABLE, None)
    if not isinstance(table, Mapping) or not all(isinstance(row, Mapping) for row in table.values()):
        raise ValueError(f"{listed}: has no table {TABLE} = {{kind: {{name: part}}}}")
    unknown = [kind for kind in table if kind not in KINDS]
    if unknown:
        raise ValueError(f"{listed}: {TABLE} has the kind {unknown[0]!r}; choose from {', '.join(KINDS)}")
    return table


def _modules() -> Iterator[tuple[str, ModuleType]]:
    """Yield the listed files and modules, imported once in each process."""
    for listed in os.environ.get(VARIABLE, "").split(os.pathsep):
        if listed.endswith(".py"):
            yield listed, _of_file(listed)
        elif listed:
            try:
                yield listed, importlib.import_module(listed)
            except ImportError as error:
                raise ImportError(f"${VARIABLE}: {listed} cannot be imported ({error})") from error


def _of_file(listed: str) -> ModuleType:
    path = Path(listed).resolve()
    name = f"talkvid_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise FileNotFoundError(f"${VARIABLE}: {path} does not exist; give the path of a Python file")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ImportError(f"{listed} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _origin(listed: str, module: ModuleType) -> dict[str, str]:
    file = Path(module.__file__ or "")
    content = file.read_bytes() if file.is_file() else b""
    return {"plugin": Path(listed).name, "plugin_sha256": hashlib.sha256(content).hexdigest()}
