"""Videos to judge from a JSON list, for what folders of equal stems cannot say."""

import json
from pathlib import Path
from typing import Any

from talkvid.evaluation.suite.pair import Pair

REQUIRED = ("row", "clip", "made")
FILES = {"made": "made", "truth": "reference", "portrait": "portrait", "sound": "audio"}
"""Key of the list -> field of a pair."""
OPTIONAL = ("truth", "portrait", "sound", "groups")


def read_pair_list(path: Path) -> list[Pair]:
    """Return the pairs of a JSON list of objects; paths are relative to the list.

    Keys: `row` (which row of the table), `clip` (which clip; the same in every row that shows it), `made`
    (the video) and, where there are any, `truth` (the true clip), `portrait` (the picture it was made from),
    `sound` (default: the video's own) and `groups` (value by dimension, such as {"gender": "female"}).
    FileNotFoundError or ValueError naming the entry that is wrong.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give a JSON list of videos")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(
            f"{path}: holds no list of videos; it is a JSON list of objects with row, clip, made"
        )
    pairs = [_pair(entry, f"{path}, entry {number}", path.parent) for number, entry in enumerate(entries, 1)]
    first: dict[str, int] = {}
    for number, pair in enumerate(pairs, 1):
        if first.setdefault(pair.id, number) != number:
            raise ValueError(
                f"{path}, entry {number}: row '{pair.system}' has clip '{pair.clip}' in entry "
                f"{first[pair.id]} already; give each clip of a row once"
            )
    return pairs


def _pair(entry: object, where: str, folder: Path) -> Pair:
    known = {*REQUIRED, *OPTIONAL}
    if not isinstance(entry, dict) or not set(REQUIRED) <= set(entry) <= known:
        raise ValueError(f"{where}: must have {_listed(REQUIRED)}, and may have {', '.join(OPTIONAL)}")
    if not all(isinstance(entry.get(key), str) and entry[key] for key in REQUIRED):
        raise ValueError(f"{where}: {_listed(REQUIRED)} must be texts")
    files = {
        name: _file(entry[key], where, folder) for key, name in FILES.items() if entry.get(key) is not None
    }
    return Pair(
        system=entry["row"],
        clip=entry["clip"],
        made=files["made"],
        reference=files.get("reference"),
        audio=files.get("audio"),
        portrait=files.get("portrait"),
        groups=_groups(entry.get("groups"), where),
    )


def _file(told: object, where: str, folder: Path) -> Path:
    if not isinstance(told, str):
        raise ValueError(f"{where}: {told!r} is no path")
    path = folder / told
    if not path.is_file():
        raise FileNotFoundError(f"{where}: {path} does not exist")
    return path.absolute()


def _groups(told: Any, where: str) -> dict[str, str]:
    if told is None:
        return {}
    if not isinstance(told, dict) or not all(isinstance(value, str) and value for value in told.values()):
        raise ValueError(f'{where}: groups must be texts by dimension, such as {{"gender": "female"}}')
    return {str(dimension): value for dimension, value in told.items()}


def _listed(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
