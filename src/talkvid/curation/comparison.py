"""A data set beside others: their figures as they were published, ours as measured."""

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from talkvid.curation.records import KEPT
from talkvid.curation.report_marks import hours
from talkvid.curation.report_numbers import ANNOTATED, amount, told_value
from talkvid.curation.report_table import UNKNOWN, RunTable
from talkvid.files import atomic_path
from talkvid.page.marks import share

MEASURED = "measured by this run"
NOT_MEASURED = "not measured"
MANY_LANGUAGES = 6
TALKVID_README = "as published: README of FreedomIntelligence/TalkVid, 2025"


@dataclass(frozen=True)
class Described:
    """One data set; every field is text because the sources are."""

    name: str
    source: str
    speakers: str
    hours: str
    languages: str
    resolution: str
    body: str
    ages: str
    environment: str
    annotations: str


PUBLISHED = (
    Described(
        "TalkVid", TALKVID_README, "7,729", "1,244+", "15", "1080p to 2160p", "upper body and face",
        "0 to 60+", "in the wild", "captions and metadata",
    ),
    Described(
        "VoxCeleb2", TALKVID_README, "6,112", "2,442", "primarily English", "240p to 1080p", "face",
        "mostly adults", "in the wild", "basic metadata",
    ),
    Described(
        "HDTF", TALKVID_README, "362", "15.8", "English", "1080p", "face", "mostly adults", "controlled",
        "basic metadata",
    ),
    Described(
        "HDTF", "as published: its paper (Zhang et al., CVPR 2021), abstract", "not stated there", "about 16",
        "not stated there", "720p or 1080p", "face", "not stated there", "in the wild", "not stated there",
    ),
    Described(
        "MEAD", TALKVID_README, "60", "40+", "English", "1920x1080", "face", "young adults", "controlled",
        "emotion labels",
    ),
    Described(
        "MultiTalk", TALKVID_README, "142", "1.67", "English", "1920x1080", "face", "mostly adults",
        "controlled", "basic metadata",
    ),
    Described(
        "MultiTalk", "as published: its paper (Sung-Bin et al., Interspeech 2024), abstract",
        "not stated there", "over 420", "20", "not stated there", "not stated there", "not stated there",
        "not stated there", "not stated there",
    ),
)  # fmt: skip
"""Nothing here was measured by us; where two sources disagree, both are told."""


def measured(table: RunTable, *, name: str) -> Described:
    """Return the row of the kept clips of a run; what no one has annotated is said to be not measured."""
    kept = table.has(KEPT)
    told = {kind: _values(table, kind) for kind in ANNOTATED}
    return Described(
        name=name,
        source=MEASURED,
        speakers=f"{len(told['person']):,}" if told["person"] else NOT_MEASURED,
        hours=hours(amount(table, kept).seconds),
        languages=_languages(told["language"]),
        resolution=_resolution(table),
        body=NOT_MEASURED,
        ages=", ".join(told["age"]) or NOT_MEASURED,
        environment=NOT_MEASURED,
        annotations=", ".join(kind for kind, values in told.items() if values) or "none",
    )


def _values(table: RunTable, kind: str) -> list[str]:
    """Return the different values of the kept clips that were told."""
    rows = np.flatnonzero(table.has(KEPT))
    found = {told_value(table.told[row], ANNOTATED[kind])[0] for row in rows}
    return sorted(found - {UNKNOWN})


def _languages(values: Sequence[str]) -> str:
    if not values:
        return NOT_MEASURED
    return ", ".join(values) if len(values) <= MANY_LANGUAGES else f"{len(values)}"


def _resolution(table: RunTable) -> str:
    """Return the range of the shorter side, and how many clips have full HD."""
    kept = table.has(KEPT)
    side = np.minimum(table.column("width"), table.column("height"))[kept]
    if not len(side):
        return NOT_MEASURED
    low, high = int(side.min()), int(side.max())
    span = f"{low}p" if low == high else f"{low}p to {high}p"
    return f"{span}, {share(int(np.count_nonzero(side >= 1080)), len(side))} of the clips at 1080p or more"


def comparison_markdown(rows: Sequence[Described]) -> str:
    """Return the data sets as a table in Markdown, one line each."""
    heads = [field.name for field in fields(Described)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_cell(text) for text in astuple(row))} |" for row in rows]
    return "\n".join(lines) + "\n"


def write_comparison(rows: Sequence[Described], target: Path) -> Path:
    """Write the data sets as CSV and return the path."""
    with atomic_path(target) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([field.name for field in fields(Described)])
        writer.writerows(astuple(row) for row in rows)
    return target


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
