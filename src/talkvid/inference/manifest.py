"""A list of videos to make: one JSON object per line, checked whole before the first is made."""

import difflib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from talkvid.inference.settings import GenerateSettings

FILES = {
    "reference_image": "reference_image",
    "reference_image_path": "reference_image",
    "audio": "audio",
    "audio_path": "audio",
    "output": "output",
    "output_path": "output",
}
"""What the three files of a sample may be called."""
PATHS = ("kps_path", "driving_video")
"""Settings that name a file."""


@dataclass(frozen=True)
class Sample:
    """One video to make."""

    id: str
    """Its output as the list names it."""
    reference_image: Path
    audio: Path
    output: Path
    settings: GenerateSettings
    signature: str = ""
    """What the video depends on: settings, model, and size and time of its files."""

    def signed(self, model: str) -> "Sample":
        """Return the sample with its signature, for a model that `model` stands for."""
        named = [self.reference_image, self.audio, self.settings.kps_path, self.settings.driving_video]
        told = [model, os.fspath(self.output), asdict(self.settings), [_state(path) for path in named]]
        text = json.dumps(told, sort_keys=True, default=str)
        return replace(self, signature=hashlib.sha256(text.encode()).hexdigest()[:16])


def read_manifest(path: Path, defaults: GenerateSettings) -> list[Sample]:
    """Return the samples of a list; paths are relative to its folder, `defaults` fill what a line leaves out.

    A line is an object with reference_image, audio, output and any setting of `GenerateSettings`. Raises
    ValueError with file and line for whatever is wrong, FileNotFoundError when there is no list.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: this list does not exist; check the path")
    samples: list[Sample] = []
    lines: dict[Path, int] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                sample = _sample(_object(line), path.parent, defaults)
                target = Path(os.path.abspath(sample.output))
                if target in lines:
                    raise ValueError(f"output {sample.id!r} is that of line {lines[target]} too")
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}:{number}: {error}") from error
            lines[target] = number
            samples.append(sample)
    if not samples:
        raise ValueError(
            f"{path}: this list holds no sample; a line is a JSON object, see talkvid generate --help"
        )
    return samples


def _object(line: str) -> Mapping[str, Any]:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"this is not JSON ({error.msg} at column {error.colno})") from error
    if not isinstance(values, dict):
        raise ValueError('give an object such as {"reference_image": …, "audio": …, "output": …}')
    return values


def _sample(values: Mapping[str, Any], folder: Path, defaults: GenerateSettings) -> Sample:
    known = [field.name for field in fields(GenerateSettings)]
    found: dict[str, str] = {}
    settings: dict[str, Any] = {}
    for key, value in values.items():
        if key in FILES:
            if FILES[key] in found:
                raise ValueError(f"{FILES[key]} is given twice")
            if not isinstance(value, str) or not value:
                raise ValueError(f"{key}: give a path, got {value!r}")
            found[FILES[key]] = value
        elif key in known:
            settings[key] = folder / value if key in PATHS and value else value
        else:
            near = difflib.get_close_matches(key, [*FILES, *known], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown key {key!r}{hint}")
    for name in ("reference_image", "audio", "output"):
        if name not in found:
            raise ValueError(f"{name} is missing")
    return Sample(
        id=found["output"],
        reference_image=folder / found["reference_image"],
        audio=folder / found["audio"],
        output=folder / found["output"],
        settings=replace(defaults, **settings),
    )


def _state(path: str | os.PathLike[str] | None) -> list[Any]:
    """Return what tells whether a file was changed; nothing for one that is not there."""
    if path is None or not os.path.exists(path):
        return []
    state = os.stat(path)
    return [os.fspath(path), state.st_size, state.st_mtime_ns]
