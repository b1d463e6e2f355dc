"""The table that papers print: Method, LMD, LSE-D, LSE-C, FID, LPIPS, User Score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from talkvid.evaluation.raters.analysis import UserScore
from talkvid.evaluation.suite.cells import Cell
from talkvid.evaluation.suite.gathered import MetricColumn
from talkvid.evaluation.suite.markdown import DASH, FEW, OTHER_CLIPS, counted, number, plain, table
from talkvid.evaluation.suite.pair import TRUTH
from talkvid.evaluation.suite.summary import Summary


@dataclass(frozen=True)
class _Field:
    """A column of that table and who may stand in it."""

    name: str
    arrow: str
    headings: tuple[str, ...]
    """Of the number itself; a number of our own or with other weights has another heading."""
    metrics: tuple[str, ...]
    """Who measures it or something like it, for the footnote."""


FIELDS = (
    _Field("LMD", "↓", ("LMD", "LMD (px)", "LMD, px"), ("lmd",)),
    _Field("LSE-D", "↓", ("LSE-D",), ("sync", "syncnet")),
    _Field("LSE-C", "↑", ("LSE-C",), ("sync", "syncnet")),
    _Field("FID", "↓", ("FID",), ("fid",)),
    _Field("LPIPS", "↓", ("LPIPS", "LPIPS (alex)", "LPIPS (vgg)"), ("lpips",)),
)
USER_SCORE = "User Score"
DIGITS = 2


def method_table(summary: Summary, *, user_scores: Mapping[str, UserScore] | None = None) -> str:
    """Return the table in Markdown with a footnote for every dash and every number that needs a word.

    Systems in their order, then the truth. Numbers are those on the clips that all rows have. Only the number
    that the field means by a name stands under it. `user_scores` by system are those of a study with raters.
    """
    scores = dict(user_scores or {})
    rows = [row for row in summary.rows if not row.control or row.control == TRUTH]
    notes: list[str] = []
    columns = [_column(summary, field, notes) for field in FIELDS]
    told = [_told_column(summary, [row.name for row in rows], column, notes) for column in columns]
    lines = [
        [plain(row.name), *cells, number(scores[row.system].mean if row.system in scores else None, DIGITS)]
        for row, *cells in zip(rows, *told, strict=True)
    ]
    notes += _about_scores(scores, [row.system for row in rows])
    heads = ["Method", *(f"{field.name} {field.arrow}" for field in FIELDS), f"{USER_SCORE} ↑"]
    footnotes = "".join(f"- {note}\n" for note in dict.fromkeys(notes))
    return f"{table(heads, lines)}\n{footnotes}"


def _about_scores(scores: Mapping[str, UserScore], systems: Sequence[str]) -> list[str]:
    """Return what the scores are, and of whom there is none."""
    if not scores:
        return [f"{USER_SCORE}: no study with raters was made."]
    shown = [scores[system] for system in systems if system in scores]
    notes = [
        f"{USER_SCORE}: {plain(score.unit)}, {plain(score.question)}, {counted(score.raters, 'rater')}."
        for score in shown
    ]
    lacking = [plain(system) for system in systems if system not in scores]
    return [*notes, *([f"{USER_SCORE}: not rated: {', '.join(lacking)}."] if lacking else [])]


def _column(summary: Summary, field: _Field, notes: list[str]) -> MetricColumn | None:
    """Return the column that may stand under the field's name; None with a note why there is none."""
    own = [one for one in summary.columns if one.column.heading in field.headings]
    if own:
        if own[0].column.heading != field.name:
            notes.append(f"{field.name}: {plain(own[0].column.heading)}.")
        return own[0]
    reasons = [left.reason for left in summary.left_out if left.name in field.metrics]
    alike = [one.column.heading for one in summary.columns if one.metric in field.metrics]
    if reasons:
        notes.append(f"{field.name}: left out: {plain(reasons[0])}")
    elif alike:
        notes.append(
            f"{field.name}: not measured; {plain(alike[0])} is another number and stands in its own column."
        )
    else:
        notes.append(f"{field.name}: not measured.")
    return None


def _told_column(
    summary: Summary, rows: Sequence[str], column: MetricColumn | None, notes: list[str]
) -> list[str]:
    """Return a text for each row: on the clips that all have, else on its own and marked."""
    if column is None:
        return [DASH] * len(rows)
    name = plain(column.column.heading)
    shared = {row: summary.cell(row, *column.id, shared=True) for row in rows}
    own = {row: summary.cell(row, *column.id) for row in rows}
    alone = [row for row in rows if shared[row].mean is None and own[row].mean is not None]
    counts = {shared[row].num_clips for row in rows if shared[row].mean is not None}
    if any(shared[row].num_clips != own[row].num_clips for row in rows if shared[row].mean is not None):
        notes.append(f"{name}: of the {counted(max(counts), 'clip')} that all rows have.")
    if alone:
        clips = ", ".join(f"{plain(row)} {own[row].num_clips}" for row in alone)
        notes.append(f"\\{OTHER_CLIPS} {name}: rows of other clips each, not to be compared ({clips}).")
    if any((own if row in alone else shared)[row].few for row in rows):
        notes.append(f"{FEW} fewer than five clips.")
    notes += [f"{name} of {plain(row)}: {_why(own[row])}." for row in rows if own[row].mean is None]
    return [_text(own[row], f"\\{OTHER_CLIPS}") if row in alone else _text(shared[row], "") for row in rows]


def _text(cell: Cell, mark: str) -> str:
    return number(cell.mean, DIGITS) + (FEW if cell.few else "") + mark


def _why(cell: Cell) -> str:
    return plain(next(iter(cell.reasons))) if cell.reasons else "not measured"
