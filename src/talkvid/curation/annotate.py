"""Annotation of a run's clips: what every part found becomes fields that say who wrote them."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from talkvid import runner
from talkvid.curation import annotations as notes
from talkvid.curation.annotate_parts import (
    AGE_GENDER,
    CAPTION,
    IDENTITY,
    LOOK,
    SPEECH,
    AnnotateConfig,
    active_parts,
    do_part,
    job_of,
    load_part,
)
from talkvid.curation.caption import TEMPLATE, template_caption
from talkvid.curation.duplicates import find_duplicates
from talkvid.curation.export import export
from talkvid.curation.look import brightness
from talkvid.curation.manifest import ClipRow, iterate_clips
from talkvid.curation.persons import PERSONS, person_ids, read_persons, read_vectors, write_persons
from talkvid.curation.records import KEPT

logger = logging.getLogger(__name__)

LOOK_BY = "look"
LOOK_VERSION = "1"
DUPLICATES_BY = "perceptual hash and motion"
Results = Mapping[str, Mapping[str, Any]]
"""Part -> clip id -> what it found."""


@dataclass
class Annotated:
    """What annotation did."""

    num_clips: int = 0
    fields: dict[str, int] = field(default_factory=dict)
    """Name of a field -> number of clips that have it."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Part -> why its fields are missing from all clips."""
    failures: dict[str, dict[str, str]] = field(default_factory=dict)
    """Part -> clip name -> why its fields are missing from that clip."""
    num_rejected: int = 0
    """Clips rejected as duplicates."""


def annotate(
    run_folder: Path | str,
    config: AnnotateConfig,
    *,
    workers: int = 1,
    executor: str = "local",
    deadline_s: float | None = None,
    limit: int | None = None,
) -> Annotated:
    """Return what was written about the kept clips of a run: into clips.parquet and the exported lists.

    Each part remembers in a journal of its own what it has done, so that a stopped run goes on and another
    model does its own part again alone. A part whose package or model is missing is left out and named.
    Raises FileNotFoundError where there is no manifest.
    """
    folder = Path(run_folder)
    judged = (row for row in iterate_clips(folder) if row.status == KEPT or row.code == "DUPLICATE")
    rows = list(judged)[:limit]
    done = Annotated(num_clips=len(rows))
    results: dict[str, Mapping[str, Any]] = {}
    names = {row.clip_id: row.name for row in rows}
    for part in active_parts(config):
        try:
            summary = runner.run(
                [job_of(row, part, config) for row in rows],
                partial(do_part, name=part),
                setup=partial(load_part, part, config),
                journal=folder / "journal" / f"annotate_{part}.jsonl",
                workers=workers,
                executor=executor,
                deadline_s=deadline_s,
                description=f"annotating ({part})",
            )
        except (ImportError, OSError, ValueError, RuntimeError) as error:
            done.left_out[part] = " ".join(str(error).split())
            logger.warning("%s is left out: %s", part, done.left_out[part])
            continue
        results[part] = summary.results
        if summary.failures:
            done.failures[part] = {names[key]: reason for key, reason in summary.failures.items()}
    fields = fields_of(rows, results, config)
    _add_persons(fields, rows, results.get(IDENTITY), config, folder, done)
    notes.write_annotations(folder, {**notes.read_annotations(folder), **fields})
    notes.lay_over(folder)
    export(folder)
    done.num_rejected = sum(bool(own.get(notes.DUPLICATE_OF, {}).get("rejects")) for own in fields.values())
    for own in fields.values():
        for name in own:
            done.fields[name] = done.fields.get(name, 0) + 1
    return done


def fields_of(
    rows: Sequence[ClipRow], results: Results, config: AnnotateConfig
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return the fields of each clip but the person: clip id -> name -> field."""
    looks = results.get(LOOK, {})
    fields: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        own: dict[str, Mapping[str, Any]] = {}
        look = looks.get(row.clip_id)
        if look is not None:
            own["light"] = notes.field(round(brightness(look), 4), LOOK_BY, LOOK_VERSION)
        for part in (SPEECH, CAPTION, AGE_GENDER):
            own.update(results.get(part, {}).get(row.clip_id) or {})
        if config.caption == TEMPLATE:
            own["caption"] = template_caption(row, look)
        fields[row.clip_id] = own
    if config.duplicates:
        _add_duplicates(fields, rows, looks, rejects=config.reject_duplicates)
    return fields


def _add_duplicates(
    fields: dict[str, dict[str, Mapping[str, Any]]],
    rows: Sequence[ClipRow],
    looks: Mapping[str, Any],
    *,
    rejects: bool,
) -> None:
    names = {row.clip_id: row.name for row in rows}
    for group in find_duplicates(rows, looks):
        for clip_id in group.members:
            own = fields[clip_id]
            own["duplicate_group"] = notes.field(group.id, DUPLICATES_BY, LOOK_VERSION)
            if clip_id != group.kept:
                kept = names[group.kept]
                own[notes.DUPLICATE_OF] = notes.field(kept, DUPLICATES_BY, LOOK_VERSION, rejects=rejects)


def _add_persons(
    fields: dict[str, dict[str, Mapping[str, Any]]],
    rows: Sequence[ClipRow],
    found: Mapping[str, Any] | None,
    config: AnnotateConfig,
    folder: Path,
    done: Annotated,
) -> None:
    """Add `person_id` where it is asked for; ids of earlier runs stay with their people."""
    if not config.persons:
        return
    by, version = f"vectors of {Path(config.persons).name}", "1"
    if found is not None:
        vectors = {key: one["vector"] for key, one in found.items() if one["vector"] is not None}
        by, version = next(((one["by"], one["version"]) for one in found.values()), (by, version))
    elif IDENTITY in done.left_out:
        return
    else:
        try:
            vectors = read_vectors(Path(config.persons), rows)
        except (FileNotFoundError, ValueError) as error:
            done.left_out["persons"] = str(error)
            logger.warning("persons are left out: %s", error)
            return
    earlier = read_persons(folder / PERSONS)
    persons = person_ids(vectors, earlier, least_similarity=config.same_person)
    write_persons(folder / PERSONS, {**earlier, **persons})
    for clip_id, person in persons.items():
        fields[clip_id]["person_id"] = notes.field(person, by, version, same_person=config.same_person)


def report_lines(done: Annotated) -> list[str]:
    """Return what was written in a few lines for a person."""
    lines = [
        f"{done.num_clips} clips: " + ", ".join(f"{name} {n}" for name, n in sorted(done.fields.items()))
    ]
    lines += [f"left out: {part}: {reason}" for part, reason in done.left_out.items()]
    for part, failures in done.failures.items():
        lines += [f"failed: {part}: {name}: {reason}" for name, reason in failures.items()]
    if done.num_rejected:
        lines.append(f"{done.num_rejected} clips are rejected as duplicates")
    return lines
