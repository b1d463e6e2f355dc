"""The catalogue as tables of the documents: `python -m talkvid.catalogue.markdown docs/models.md …`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; the command writes it anew.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from talkvid.catalogue.record import HUB, HubFile, ModelRecord, WebFile, ZipMember
from talkvid.catalogue.table import MODELS
from talkvid.files import atomic_path

ALLOWED = {True: "yes", False: "no", None: "not stated"}
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def licence_table() -> Iterator[str]:
    """Yield the lines of the table of licences: every model, its terms, commercial use."""
    yield "| Model | `talkvid models` name | Licence | Commercial use | What else to know |"
    yield "|---|---|---|---|---|"
    for record in MODELS.values():
        licence = record.licence
        allowed = ALLOWED[licence.commercial] + (", restricted" if licence.conditions else "")
        cells = (record.title, f"`{record.name}`", f"[{licence.name}]({licence.link})", allowed, licence.note)
        yield _row(cells)


def use_table() -> Iterator[str]:
    """Yield the lines of the table of what each model is for and which flag or setting takes it."""
    yield "| Name | What for | Taken by | Needs |"
    yield "|---|---|---|---|"
    for record in MODELS.values():
        if not record.embedded:
            used_by = ", ".join(
                f"`{text}`" if "-" in text or "." in text else text for text in record.used_by
            )
            yield _row((f"`{record.name}`", record.purpose, used_by, ", ".join(record.needs)))


def file_table() -> Iterator[str]:
    """Yield the lines of the table of files: place, bytes, beginning of the checksum, source."""
    yield "| Below `model_ckpts/` | Bytes | SHA-256 | From |"
    yield "|---|---:|---|---|"
    for record in MODELS.values():
        for file in record.files:
            size = "?" if file.size is None else f"{file.size:,}"
            checksum = f"`{file.sha256[:12]}…`" if file.sha256 else "as the server states"
            yield _row((f"`{file.place}`", size, checksum, _source(record, file.source)))


TABLES: Mapping[str, Callable[[], Iterator[str]]] = {
    "licences": licence_table,
    "uses": use_table,
    "files": file_table,
}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _source(record: ModelRecord, source: HubFile | WebFile | ZipMember | None) -> str:
    if source is None:
        return f"nobody fetches it: `talkvid models import {record.name}`"
    if isinstance(source, HubFile):
        at = "" if source.revision == "main" else f" at `{source.revision[:7]}`"
        return f"[{source.repository}]({HUB}/{source.repository}){at}"
    inside = ", inside" if isinstance(source, ZipMember) else ""
    return f"[{source.url.split('/')[2]}]({source.url}){inside}"


def with_tables(text: str) -> str:
    """Return a document with every table between its marks as it has to be now; ValueError for none."""

    def renewed(found: re.Match[str]) -> str:
        if found[2] not in TABLES:
            raise ValueError(f"there is no table {found[2]!r}; known are {', '.join(TABLES)}")
        return found[1] + "\n".join(TABLES[found[2]]()) + "\n" + found[3]

    changed, count = _TABLE.subn(renewed, text)
    if not count:
        raise ValueError("the document has no table of the catalogue between its marks")
    return changed


def main(paths: Sequence[str]) -> int:
    """Return 0 when the tables of all documents are up to date."""
    for path in map(Path, paths):
        text = path.read_text(encoding="utf-8")
        with atomic_path(path) as temporary:
            temporary.write_text(with_tables(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
