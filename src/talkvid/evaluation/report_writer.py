"""Writes a mouth report as a table in markdown, as JSON, and as one self-contained page."""

import dataclasses
import json
import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from talkvid.evaluation.mouth_report import COLUMNS, Measures, MouthReport, ReportRow
from talkvid.files import atomic_path

HEADINGS = {
    "mel": "mel measure",
    "mel_control": "its control",
    "mel_auc": "AUC",
    "lag_s": "best lag s",
    "lag_share": "lag ≤ 0.08 s",
    "opening_r": "opening vs truth",
    "lip_distance": "lip distance %",
    "still_distance": "still mouth",
    "lip_movement": "lip movement %",
    "still_movement": "still mouth, movement",
    "opening_in_speech": "opening's deviation in speech",
    "opening_in_silence": "in silence",
    "rest_ratio": "in silence / in speech",
    "identity": "{identity}",
    "identity_lowest": "{identity}, 5th percentile",
    "sharpness": "sharpness ratio",
    "flicker": "flicker ratio",
    "drift": "background drift",
    "one_face": "one face",
}
"""Columns in the order of the table, and what stands above them."""
DIGITS = {"opening_in_speech": 3, "opening_in_silence": 3, "lag_s": 3}
MEANINGS = (
    "Mel measure: mean correlation of mouth opening, width and jaw with what 0.5 s of log-mel says of "
    "them linearly, at the best lag within 0.3 s; control: the same with sounds that are not the clip's "
    "own; AUC: how often a clip exceeds a control; best lag: median, positive when the mouth is late. "
    "Opening vs truth: Pearson's r. Lip distance: mean distance of 40 lip points, own centre removed, in "
    "% of the inter-ocular distance; movement: roll and each clip's mean mouth removed as well; still "
    "mouth: a mouth that stays as in the true clip's first picture. Identity: cosine to the portrait. "
    "Sharpness: over the portrait's. Flicker: outside the head, over the true clip's. Drift: outside the "
    "head, grey levels of 255. Means over clips, which the number in brackets counts."
)
_STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:72em;padding:0 1em}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}th,td{padding:.3em .6em;text-align:right;"
    "border-bottom:1px solid #ccc}th{vertical-align:bottom}th:first-child,td:first-child{text-align:left}"
)


def as_markdown(report: MouthReport) -> str:
    """Return the table of the rows; columns that nothing was measured for are left out."""
    heads, rows = _table(report)
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def as_json(report: MouthReport, *, settings: Mapping[str, Any] | None = None) -> str:
    """Return rows, clips and `settings` as JSON, null where nothing could be measured."""
    content = {
        "settings": dict(settings or {}),
        "identity": report.identity_name,
        "rows": [
            {"row": row.name, "clips": row.num_clips, **_values(row.mean), **_of_row(row)}
            for row in report.rows
        ],
        "clips": [{"row": row, "clip": clip, **_values(found)} for row, clip, found in report.clips],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_page(report: MouthReport, *, title: str) -> str:
    """Return one HTML page with the table, the clips behind it and what the columns mean; loads nothing."""
    heads, rows = _table(report)
    clip_rows = [
        [f"{row}: {clip}", *(_text(getattr(found, column), column) for column in COLUMNS)]
        for row, clip, found in report.clips
    ]
    clip_heads = ["", *(_heading(column, report) for column in COLUMNS)]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{_html_table(heads, rows)}"
        f"<p>{escape(MEANINGS)}</p><details><summary>Every clip</summary>"
        f"{_html_table(clip_heads, clip_rows)}</details></body></html>\n"
    )


def write_report(
    report: MouthReport, folder: Path, *, title: str, settings: Mapping[str, Any] | None = None
) -> None:
    """Write report.md, report.json and report.html into `folder`."""
    texts = {
        "report.md": f"# {title}\n\n{as_markdown(report)}\n{MEANINGS}\n",
        "report.json": as_json(report, settings=settings),
        "report.html": as_page(report, title=title),
    }
    for name, text in texts.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _table(report: MouthReport) -> tuple[list[str], list[list[str]]]:
    rows = [{**_values(row.mean), **_of_row(row)} for row in report.rows]
    shown = [name for name in HEADINGS if any(row[name] is not None for row in rows)]
    heads = ["", *(_heading(name, report) for name in shown)]
    lines = [
        [f"{row.name} ({row.num_clips})", *(_text(values[name], name) for name in shown)]
        for row, values in zip(report.rows, rows, strict=True)
    ]
    return heads, lines


def _heading(name: str, report: MouthReport) -> str:
    return HEADINGS[name].format(identity=report.identity_name)


def _of_row(row: ReportRow) -> dict[str, float | None]:
    return {"mel_auc": _number(row.mel_auc), "lag_share": _number(row.lag_share)}


def _values(found: Measures) -> dict[str, float | None]:
    values = dataclasses.asdict(found)
    return {column: _number(values[column]) for column in COLUMNS}


def _number(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None


def _text(value: float | None, name: str) -> str:
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    return f"{value:.{DIGITS.get(name, 2)}f}"


def _html_table(heads: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
