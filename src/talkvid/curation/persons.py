"""Who is who: identity vectors of clips put into groups, one id per person, the same in every run.

Biometric, and so off unless asked for.  The vectors come from a named backend or from a file of the user's.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from talkvid.curation.manifest import ClipRow
from talkvid.files import atomic_path
from talkvid.records import Array

PERSONS = "persons.json"
ROUNDS = 3


def person_ids(
    vectors: Mapping[str, Sequence[float]], earlier: Mapping[str, str], *, least_similarity: float
) -> dict[str, str]:
    """Return clip -> person for identity vectors (D,) by clip; `earlier` are the ids of an earlier run.

    A group keeps the id that most of its clips had; ids are given once and never again to another group.
    Vectors belong together where their cosine with the group's mean is at least `least_similarity`.
    """
    if not vectors:
        return {}
    names = sorted(vectors)
    sizes = {len(vectors[name]) for name in names}
    unit = np.array([vectors[name] for name in names], np.float64) if len(sizes) == 1 else np.full(1, np.nan)
    if not np.isfinite(unit).all():
        raise ValueError("identity vectors must be numbers, as many for every clip; make them again")
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    groups = grouped(unit, least_similarity)
    taken: set[str] = set()
    found: dict[str, str] = {}
    next_number = 1 + max((int(name.rpartition("-")[2]) for name in earlier.values()), default=0)
    by_size = sorted(set(groups), key=lambda group: (-groups.count(group), groups.index(group)))
    for group in by_size:
        members = [name for name, own in zip(names, groups, strict=True) if own == group]
        had = Counter(earlier[name] for name in members if name in earlier and earlier[name] not in taken)
        if had:
            person = min(had, key=lambda name: (-had[name], name))
        else:
            person = f"person-{next_number:04d}"
            next_number += 1
        taken.add(person)
        found.update(dict.fromkeys(members, person))
    return {name: found[name] for name in names}


def grouped(unit: Array, least_similarity: float) -> list[int]:
    """Return the group of each unit vector (N D): nearest mean that is near enough, else a new group.

    Repeated with the means found until nothing changes, so that the order of the vectors hardly counts; then
    groups whose means are near enough become one.
    """
    means = np.zeros((0, unit.shape[1]))
    groups = [-1] * len(unit)
    for _ in range(ROUNDS):
        before = list(groups)
        for place, vector in enumerate(unit):
            fits = means @ vector
            if len(fits) and fits.max() >= least_similarity:
                groups[place] = int(fits.argmax())
            else:
                groups[place] = len(means)
                means = np.vstack([means, vector])
        groups, means = _merged(unit, groups, least_similarity)
        if groups == before:
            break
    return groups


def _merged(unit: Array, groups: Sequence[int], least_similarity: float) -> tuple[list[int], Array]:
    """Return the groups, numbered as they first come, with near ones made one, and their mean vectors."""
    labels = list(groups)
    while True:
        order = {label: number for number, label in enumerate(dict.fromkeys(labels))}
        labels = [order[label] for label in labels]
        sums = np.zeros((len(order), unit.shape[1]))
        np.add.at(sums, labels, unit)
        means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        fits = means @ means.T - 2 * np.eye(len(means))
        if len(means) < 2 or fits.max() < least_similarity:
            return labels, means
        first, second = sorted(np.unravel_index(int(fits.argmax()), fits.shape))
        labels = [int(first) if label == second else label for label in labels]


def read_persons(path: Path) -> dict[str, str]:
    """Return clip id -> person of an earlier run; none where there is no such file."""
    if not path.is_file():
        return {}
    told: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return told


def write_persons(path: Path, persons: Mapping[str, str]) -> None:
    """Write clip id -> person, sorted, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(dict(sorted(persons.items())), indent=1) + "\n", encoding="utf-8")


def read_vectors(path: Path, rows: Sequence[ClipRow]) -> dict[str, list[float]]:
    """Return the identity vector (D,) of each clip that a file, .npz or .safetensors, knows.

    A clip is named by its id or its name. Raises FileNotFoundError or ValueError.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of identity vectors")
    stored = _arrays(path)
    found = {}
    for row in rows:
        vector = stored.get(row.clip_id, stored.get(row.name))
        if vector is not None:
            found[row.clip_id] = [float(value) for value in np.asarray(vector, np.float64).ravel()]
    if not found:
        raise ValueError(f"{path}: holds no vector of any of these clips; name them by clip id or by name")
    return found


def _arrays(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(path)
    if path.suffix != ".npz":
        raise ValueError(f"{path}: identity vectors are read from .npz or .safetensors")
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
