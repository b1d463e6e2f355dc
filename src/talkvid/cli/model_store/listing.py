"""`talkvid models list`: what there is, what for, under which licence, and what lies here."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from talkvid.catalogue.presence import ModelState, look
from talkvid.catalogue.record import ModelRecord
from talkvid.catalogue.table import SETS
from talkvid.cli.model_store.progress import told_size

COMMERCIAL = {True: "yes", False: "no", None: "not stated"}


def listed(records: list[ModelRecord], folder: Path, *, as_json: bool) -> int:
    """Return 0 after printing the models, as a table or as JSON."""
    states = [look(record, folder) for record in records]
    if as_json:
        sys.stdout.write(json.dumps([_described(state) for state in states], indent=2) + "\n")
        return 0
    heads = ("name", "what for", "size", "licence", "commercial", f"in {folder}")
    rows = [heads, *(_row(state) for state in states)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        sys.stdout.write("  ".join([*cells, row[-1]]).rstrip() + "\n")
    sets = ", ".join(name for name in SETS)
    sys.stdout.write(f"\nfetch with: talkvid models fetch NAME …; several at once: {sets}\n")
    return 0


def _row(state: ModelState) -> tuple[str, ...]:
    record = state.record
    licence = record.licence
    commercial = COMMERCIAL[licence.commercial] + (", restricted" if licence.conditions else "")
    size = "-" if record.embedded else told_size(record.size)
    return (record.name, record.purpose, size, licence.name, commercial, told_state(state))


def told_state(state: ModelState) -> str:
    """Return in a few words what lies there of a model."""
    if state.status == "embedded":
        return "in the package"
    if state.status == "absent":
        return "-"
    if state.status == "verified":
        by = {file.by for file in state.files}
        return f"verified ({'+'.join(sorted(by))})"
    if state.status == "there":
        return "there, not verified"
    there = sum(file.status in ("there", "verified") for file in state.files)
    begun = next((file for file in state.files if file.status in ("part", "wrong size")), None)
    count = f"{there} of {len(state.files)} files"
    if begun is None:
        return count
    if begun.status == "wrong size":
        return f"{count}; {begun.file.place} has {begun.size} bytes, not {begun.file.size}"
    return f"{count}, {told_size(begun.size)} of {told_size(begun.file.size)} of {begun.file.name}"


def _described(state: ModelState) -> dict[str, Any]:
    record = state.record
    return {
        "name": record.name,
        "title": record.title,
        "purpose": record.purpose,
        "used_by": list(record.used_by),
        "licence": asdict(record.licence),
        "needs": list(record.needs),
        "size": None if record.embedded else record.size,
        "status": state.status,
        "files": [
            {
                "place": file.file.place,
                "source": None if file.file.source is None else file.file.source.told,
                "size": file.file.size,
                "sha256": file.file.sha256 or None,
                "status": file.status,
                "bytes_here": file.size,
                "verified_by": file.by or None,
            }
            for file in state.files
        ],
    }
