"""The key of a study: which blinded file is whose, and which trials each rater was given."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from talkvid.evaluation.raters.questions import KINDS, QUESTIONS, Kind, Question
from talkvid.files import atomic_path

FORMAT = "talkvid-study-key/1"
KEY_NAME = "key.json"


@dataclass(frozen=True)
class KeyFile:
    """What one blinded video is."""

    clip: str
    name: str
    """The system; "reference" for a true video that stands in catch trials."""
    still: bool
    source: str
    sha256: str
    """Of the blinded file."""
    seconds: float
    width: int
    height: int


@dataclass(frozen=True)
class KeyTrial:
    """What one trial shows."""

    rater: str
    clip: str
    files: tuple[str, ...]
    """Blinded names in the order of the screen: one, or two."""
    catch: bool


@dataclass(frozen=True)
class Key:
    """Everything that is needed to read the answers, and that raters must not see."""

    study: str
    kind: Kind
    questions: tuple[str, ...]
    systems: tuple[str, ...]
    raters: tuple[str, ...]
    """Codes."""
    files: Mapping[str, KeyFile]
    trials: Mapping[str, KeyTrial]
    settings: Mapping[str, Any]

    def names(self, trial: KeyTrial) -> tuple[str, ...]:
        """Return the systems of a trial in the order of the screen."""
        return tuple(self.files[file].name for file in trial.files)

    def seconds(self, trial: KeyTrial) -> float:
        """Return how long the videos of a trial last together."""
        return sum(self.files[file].seconds for file in trial.files)

    @property
    def asked(self) -> tuple[Question, ...]:
        """Return the questions."""
        return tuple(QUESTIONS[key] for key in self.questions)


def write_key(key: Key, path: Path) -> None:
    """Write the key as JSON."""
    content = {"format": FORMAT, **asdict(key)}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_key(path: Path) -> Key:
    """Return the key; FileNotFoundError without one, ValueError with the file's name for anything else."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: this key does not exist; `talkvid study make` writes {KEY_NAME}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: this key is not JSON ({error}); copy it again") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ValueError(f"{path}: this is no key of a study ({FORMAT}); give the {KEY_NAME} of `study make`")
    try:
        key = Key(
            study=str(content["study"]),
            kind=content["kind"],
            questions=tuple(content["questions"]),
            systems=tuple(content["systems"]),
            raters=tuple(content["raters"]),
            files={name: KeyFile(**value) for name, value in content["files"].items()},
            trials={
                name: KeyTrial(**{**value, "files": tuple(value["files"])})
                for name, value in content["trials"].items()
            },
            settings=dict(content["settings"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: this key is damaged ({error}); copy it again") from error
    _check(key, path)
    return key


def _check(key: Key, path: Path) -> None:
    unknown = [question for question in key.questions if question not in QUESTIONS]
    if key.kind not in KINDS or unknown or not key.questions:
        raise ValueError(f"{path}: kind {key.kind!r} or questions {list(key.questions)} are not known here")
    shown = 2 if key.kind == "ab" else 1
    for name, trial in key.trials.items():
        known = all(file in key.files for file in trial.files)
        if len(trial.files) != shown or not known or trial.rater not in key.raters:
            raise ValueError(f"{path}: trial {name} shows files or names a rater that the key does not know")
